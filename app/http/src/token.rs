//! `/api/token` and `/api/tokens`.

use std::sync::Arc;

use bytes::Bytes;
use malecon::domain::ApiToken;
use malecon::{TokenInput, TokenPair};
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi, Tags};
use serde::Serialize;

use crate::auth::{Caller, number};
use crate::body::{Body, Kind, Member};
use crate::client::ClientAddress;
use crate::listing::{Neighbours, PAGE, PAGE_SIZE, page, page_of};
use crate::problem::Problem;
use crate::query::{self, Param, Query};
use crate::ready::{Ready, rfc3339};
use crate::services::Services;
use crate::written::{Changed, Gone, Made, Written};

#[derive(Tags)]
enum Tag {
    /// Access tokens for ten minutes, API tokens for programs.
    Tokens,
}

const LARGEST: i64 = i64::MAX;
const OWN: &str = "Whose; the caller's own unless told. For administrators";
const USER: query::Kind = query::Kind::Whole { least: 1, most: LARGEST as u64 };

/// `GET /api/tokens`.
pub(crate) const LIST: &[Param] = &[Param { name: "user_id", kind: USER, about: OWN }, PAGE, PAGE_SIZE];

/// `DELETE /api/tokens`.
pub(crate) const REMOVE_ALL: &[Param] = &[Param { name: "user_id", kind: USER, about: OWN }];

/// `POST /api/token`.
pub(crate) const LOGIN: &[Member] = &[
    Member { name: "email", kind: Kind::Free { most: 1_000 }, needed: true, about: "E-mail address" },
    Member { name: "password", kind: Kind::Free { most: 1_000 }, needed: true, about: "Password" },
];
pub(crate) const LOGIN_EXAMPLE: &str = r#"{"email": "ana@example.com", "password": "correct horse"}"#;

/// `POST /api/token/refresh` and `…/revoke`.
pub(crate) const REFRESH: &[Member] =
    &[Member { name: "refresh", kind: Kind::Free { most: 1_000 }, needed: true, about: "The refresh token" }];
pub(crate) const REFRESH_EXAMPLE: &str = r#"{"refresh": "malecon_refresh_0123456789abcdef"}"#;

const EXPIRES: &str = "When it ends; never unless told, and no later than the API token that it is made with";

/// `POST /api/tokens`.
pub(crate) const NEW: &[Member] = &[
    Member { name: "name", kind: Kind::Text { least: 1, most: 100 }, needed: true, about: "What it is for" },
    Member { name: "expires_at", kind: Kind::Time, needed: false, about: EXPIRES },
    Member {
        name: "current_password",
        kind: Kind::Free { most: 128 },
        needed: false,
        about: "The caller's password, which it shows in a session",
    },
    Member {
        name: "user_id",
        kind: Kind::Whole { least: 1, most: LARGEST },
        needed: false,
        about: "Whose it is; the caller's own unless told. For administrators",
    },
];
pub(crate) const NEW_EXAMPLE: &str = r#"{"name": "nightly report", "expires_at": "2031-01-01T00:00:00Z"}"#;

/// What a login gives.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TokenPair")]
pub(crate) struct PairBody {
    /// A JWT, for the `Authorization` header.
    access: String,
    /// Gets the next pair, once.
    refresh: String,
    /// Always `Bearer`.
    token_type: String,
    /// Seconds that the access token lasts.
    expires_in: u64,
}

impl From<TokenPair> for PairBody {
    fn from(pair: TokenPair) -> Self {
        Self {
            access: pair.access,
            refresh: pair.refresh,
            token_type: "Bearer".to_owned(),
            expires_in: pair.expires_in.as_secs(),
        }
    }
}

/// An API token.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "ApiToken")]
pub(crate) struct TokenBody {
    /// Its number.
    id: i64,
    /// What it is for.
    name: String,
    /// Its first characters.
    prefix: String,
    /// Whose it is.
    user_id: i64,
    /// When it was made, RFC 3339 UTC.
    created_at: String,
    /// When it ends, RFC 3339 UTC.
    expires_at: Option<String>,
    /// When it was last used, to the minute, RFC 3339 UTC.
    last_used_at: Option<String>,
    /// The token itself, shown once: when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl TokenBody {
    fn new(token: ApiToken, secret: Option<String>) -> Self {
        Self {
            id: token.id,
            name: token.name,
            prefix: token.prefix,
            user_id: token.user_id,
            created_at: rfc3339(token.created_at),
            expires_at: token.expires_at.map(rfc3339),
            last_used_at: token.last_used_at.map(rfc3339),
            token: secret,
        }
    }
}

/// How many were removed.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "RemovedTokens")]
pub(crate) struct RemovedBody {
    /// How many.
    removed: u64,
}

page_of!(TokenPage, TokenBody, "A page of API tokens.");

pub(crate) struct TokenApi(pub Arc<Services>);

#[OpenApi(prefix_path = "/api", tag = "Tag::Tokens")]
impl TokenApi {
    /// Log in
    #[oai(path = "/token", method = "post", operation_id = "logIn")]
    async fn log_in(&self, request: &Request, body: Bytes) -> Result<Written<PairBody, Changed>, Problem> {
        let body = Body::read(request, &body, LOGIN)?;
        let [email, password] = ["email", "password"].map(|name| body.text(name).unwrap_or_default());
        let pair = self.0.tokens.login(&email, &password, ClientAddress::on(request)).await?;
        Written::there(&PairBody::from(pair))
    }

    /// Exchange a refresh token
    ///
    /// A refresh token works once. One that comes again ends all that followed from its login.
    #[oai(path = "/token/refresh", method = "post", operation_id = "refreshToken")]
    async fn refresh(&self, request: &Request, body: Bytes) -> Result<Written<PairBody, Changed>, Problem> {
        let body = Body::read(request, &body, REFRESH)?;
        let pair = self.0.tokens.refresh(&body.text("refresh").unwrap_or_default()).await?;
        Written::there(&PairBody::from(pair))
    }

    /// Log out
    ///
    /// Ends all that followed from a login, by any of its refresh tokens.
    #[oai(path = "/token/revoke", method = "post", operation_id = "revokeToken")]
    async fn revoke(&self, request: &Request, body: Bytes) -> Result<Gone, Problem> {
        let body = Body::read(request, &body, REFRESH)?;
        self.0.tokens.revoke(&body.text("refresh").unwrap_or_default()).await?;
        Ok(Gone)
    }

    /// List API tokens
    #[oai(path = "/tokens", method = "get", operation_id = "listTokens")]
    async fn list(&self, request: &Request, caller: Caller) -> Result<Ready<TokenPage>, Problem> {
        let params = Query::read(request, LIST)?;
        let page = page(&params);
        let user_id = params.parsed("user_id").unwrap_or(caller.0.user_id);
        let found = self.0.tokens.list(&caller.0, user_id, page).await?;
        let neighbours = Neighbours::of("/api/tokens", &params, page, found.total);
        let body = TokenPage::new(
            found.total,
            &neighbours,
            found.items.into_iter().map(|token| TokenBody::new(token, None)),
        );
        Ready::own(request, &body, &neighbours.link, self.0.answers.now())
    }

    /// Make an API token
    ///
    /// The token is in the answer, and nowhere else afterwards. One that is made with an API token ends no
    /// later than that, as `expires_at` says; with an access token, `current_password` is needed.
    #[oai(path = "/tokens", method = "post", operation_id = "addToken")]
    async fn add(
        &self,
        request: &Request,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<TokenBody, Made>, Problem> {
        let body = Body::read(request, &body, NEW)?;
        let user_id = body.whole("user_id").unwrap_or(caller.0.user_id);
        let input = TokenInput {
            name: body.text("name").unwrap_or_default(),
            expires_at: body.time("expires_at"),
            current_password: body.text("current_password"),
        };
        let (secret, token) = self.0.tokens.add(&caller.0, user_id, input).await?;
        let location = format!("/api/tokens?user_id={user_id}");
        Written::made(&TokenBody::new(token, Some(secret)), &location)
    }

    /// Remove all API tokens
    ///
    /// One's own, the one that is presented among them, or anybody's for administrators. Logins go on.
    #[oai(path = "/tokens", method = "delete", operation_id = "removeTokens")]
    async fn remove_all(
        &self,
        request: &Request,
        caller: Caller,
    ) -> Result<Written<RemovedBody, Changed>, Problem> {
        let params = Query::read(request, REMOVE_ALL)?;
        let user_id = params.parsed("user_id").unwrap_or(caller.0.user_id);
        let removed = self.0.tokens.remove_all(&caller.0, user_id).await?;
        Written::there(&RemovedBody { removed })
    }

    /// Remove an API token
    ///
    /// What was made with it stays.
    #[oai(path = "/tokens/:id", method = "delete", operation_id = "removeToken")]
    async fn remove(
        &self,
        /// The token's number.
        #[oai(validator(max_length = 100))]
        id: Path<String>,
        caller: Caller,
    ) -> Result<Gone, Problem> {
        self.0.tokens.remove(&caller.0, number(&id.0)?).await?;
        Ok(Gone)
    }
}
