//! `/api/users`.

use std::sync::Arc;

use bytes::Bytes;
use malecon::UserInput;
use malecon::domain::{Principal, Role, User, UserQuery, UserSortKey};
use poem::{IntoResponse, Request};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi, Tags};
use serde::Serialize;

use crate::auth::{Caller, precondition, user_id};
use crate::body::{Body, Kind, Member};
use crate::listing::{Neighbours, PAGE, PAGE_SIZE, page, page_of, sort};
use crate::problem::Problem;
use crate::query::{self, Param, Query};
use crate::ready::Ready;
use crate::services::Services;
use crate::written::{Changed, Gone, Made, Written};

#[derive(Tags)]
enum Tag {
    /// Users, what they may do, and their tokens.
    Users,
}

/// `GET /api/users`.
pub(crate) const LIST: &[Param] = &[
    Param {
        name: "sort",
        kind: query::Kind::Order(sort_keys),
        about: "Sort keys separated by commas, `-` before one for descending; the number decides between equals",
    },
    PAGE,
    PAGE_SIZE,
];

macro_rules! member {
    ($name:literal, $kind:expr, $needed:literal, $about:literal) => {
        Member { name: $name, kind: $kind, needed: $needed, about: $about }
    };
}

const NAME: Kind = Kind::Text { least: 1, most: 100 };
const LAST_NAME: Kind = Kind::Text { least: 0, most: 100 };
const ROLE: Kind = Kind::Choice(&Role::NAMES);

/// `POST /api/users`.
pub(crate) const NEW: &[Member] = &[
    member!("name", NAME, true, "First name, or the name of a program"),
    member!("last_name", LAST_NAME, false, "Last name"),
    member!("email", Kind::Email, true, "E-mail address, nobody else's"),
    member!("password", Kind::Password, false, "Password; without one nobody logs in as this user"),
    member!("role", ROLE, false, "What it may do; USER unless told"),
];

/// `PUT /api/users/{id}`.
pub(crate) const WHOLE: &[Member] = &[
    member!("name", NAME, true, "First name, or the name of a program"),
    member!("last_name", LAST_NAME, true, "Last name"),
    member!("email", Kind::Email, true, "E-mail address, nobody else's"),
    member!("password", Kind::Password, false, "A new password"),
    member!(
        "current_password",
        Kind::Free { most: 128 },
        false,
        "The present password, which a new one needs, and in a session a new e-mail address of one's own"
    ),
    member!("role", ROLE, false, "What it may do; for administrators to say"),
];

/// `PATCH /api/users/{id}`.
pub(crate) const PART: &[Member] = &[
    member!("name", NAME, false, "First name, or the name of a program"),
    member!("last_name", LAST_NAME, false, "Last name"),
    member!("email", Kind::Email, false, "E-mail address, nobody else's"),
    member!("password", Kind::Password, false, "A new password"),
    member!(
        "current_password",
        Kind::Free { most: 128 },
        false,
        "The present password, which a new one needs, and in a session a new e-mail address of one's own"
    ),
    member!("role", ROLE, false, "What it may do; for administrators to say"),
];

/// What the documents show.
pub(crate) const EXAMPLE: &str = r#"{"name": "Ana", "last_name": "Núñez", "email": "ana@example.com"}"#;

fn sort_keys() -> Vec<&'static str> {
    UserSortKey::ALL.into_iter().map(UserSortKey::name).collect()
}

/// A user.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "User")]
pub(crate) struct UserBody {
    /// Its number.
    id: i64,
    /// First name, or the name of a program.
    name: String,
    /// Last name.
    last_name: String,
    /// E-mail address.
    email: String,
    /// What it may do: ADMIN or USER.
    role: String,
    /// When it came, RFC 3339 UTC.
    created_at: String,
}

impl From<&User> for UserBody {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            name: user.profile.name.clone(),
            last_name: user.profile.last_name.clone(),
            email: user.profile.email.as_str().to_owned(),
            role: user.profile.role.name().to_owned(),
            created_at: crate::ready::rfc3339(user.created_at),
        }
    }
}

page_of!(UserPage, UserBody, "A page of users.");

pub(crate) struct UserApi(pub Arc<Services>);

#[OpenApi(prefix_path = "/api/users", tag = "Tag::Users")]
impl UserApi {
    /// List users
    ///
    /// For administrators.
    #[oai(path = "/", method = "get", operation_id = "listUsers")]
    async fn list(&self, request: &Request, caller: Caller) -> Result<Ready<UserPage>, Problem> {
        let params = Query::read(request, LIST)?;
        let page = page(&params);
        let query = UserQuery { sort: sort(&params, &UserSortKey::ALL, UserSortKey::name), page };
        let found = self.0.users.list(&caller.0, &query).await?;
        let neighbours = Neighbours::of("/api/users", &params, page, found.total);
        let body = UserPage::new(found.total, &neighbours, found.items.iter().map(UserBody::from));
        Ready::own(request, &body, &neighbours.link, self.0.answers.now())
    }

    /// Add a user
    ///
    /// For administrators.
    #[oai(path = "/", method = "post", operation_id = "addUser")]
    async fn add(
        &self,
        request: &Request,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<UserBody, Made>, Problem> {
        let body = Body::read(request, &body, NEW)?;
        let user = self.0.users.add(&caller.0, input(&body)).await?;
        Written::made(&UserBody::from(&user), &format!("/api/users/{}", user.id))
    }

    /// Show a user
    ///
    /// Oneself, or anybody for administrators; `me` is the caller.
    #[oai(path = "/:user_id", method = "get", operation_id = "showUser")]
    async fn show(
        &self,
        request: &Request,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        caller: Caller,
    ) -> Result<Ready<UserBody>, Problem> {
        Query::read(request, &[])?;
        let user = self.0.users.get(&caller.0, self::user_id(&caller.0, &user_id.0)?).await?;
        Ready::own(request, &UserBody::from(&user), "", self.0.answers.now())
    }

    /// Replace a user
    ///
    /// Oneself, but not one's role, or anybody for administrators.
    #[oai(path = "/:user_id", method = "put", operation_id = "replaceUser")]
    async fn replace(
        &self,
        request: &Request,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<UserBody, Changed>, Problem> {
        self.change(request, &caller.0, &user_id.0, &Body::read(request, &body, WHOLE)?).await
    }

    /// Change a user
    ///
    /// Oneself, but not one's role, or anybody for administrators. What is absent stays as it is.
    #[oai(path = "/:user_id", method = "patch", operation_id = "changeUser")]
    async fn correct(
        &self,
        request: &Request,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<UserBody, Changed>, Problem> {
        self.change(request, &caller.0, &user_id.0, &Body::read(request, &body, PART)?).await
    }

    /// Remove a user
    ///
    /// And all that is its own. For administrators.
    #[oai(path = "/:user_id", method = "delete", operation_id = "removeUser")]
    async fn remove(
        &self,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        caller: Caller,
    ) -> Result<Gone, Problem> {
        self.0.users.remove(&caller.0, self::user_id(&caller.0, &user_id.0)?).await?;
        Ok(Gone)
    }
}

impl UserApi {
    async fn change(
        &self,
        request: &Request,
        caller: &Principal,
        id: &str,
        body: &Body,
    ) -> Result<Written<UserBody, Changed>, Problem> {
        let id = user_id(caller, id)?;
        let before = self.0.users.get(caller, id).await?;
        let shown: Ready<UserBody> = Ready::own(request, &UserBody::from(&before), "", self.0.answers.now())?;
        let revision = precondition(request, &shown.into_response())?.then_some(before.revision);
        let user = self.0.users.change(caller, id, input(body), revision).await?;
        Written::there(&UserBody::from(&user))
    }
}

fn input(body: &Body) -> UserInput {
    UserInput {
        name: body.text("name"),
        last_name: body.text("last_name"),
        email: body.text("email"),
        role: body.text("role").as_deref().and_then(Role::from_name),
        password: body.text("password"),
        current_password: body.text("current_password"),
    }
}
