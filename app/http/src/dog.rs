//! `/api/dogs`, and users' dogs.

mod body;
mod params;

use std::sync::Arc;

use bytes::Bytes;
use malecon::ServiceError;
use malecon::domain::{Dog, DogChange, DogName, DogQuery, DogSortKey, Paged};
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::{OpenApi, Tags};

use crate::auth::{Caller, if_match, user_id};
use crate::body::Body;
use crate::job;
use crate::listing::{Neighbours, page, sort, sparse};
use crate::problem::{FieldError, Problem};
use crate::query::Query;
use crate::ready::{Audience, Ready, names_revision, revised_etag};
use crate::services::Services;
use crate::written::{Accepted, Changed, Gone, Written};
use body::{DogBody, DogPage, DogTicket};

pub(crate) use params::{CHANGE, EXAMPLE, LIST, NEW, ONE, name_document};

#[derive(Tags)]
enum Tag {
    /// Dogs, whose pictures come from dog.ceo in the background.
    Dogs,
}

pub(crate) struct DogApi(pub Arc<Services>);

#[OpenApi(prefix_path = "/api/dogs", tag = "Tag::Dogs")]
impl DogApi {
    /// List dogs
    #[oai(path = "/", method = "get", operation_id = "listDogs")]
    async fn list(&self, request: &Request) -> Result<Ready<DogPage>, Problem> {
        let params = Query::read(request, LIST)?;
        let found = self.0.dogs.list(&query(&params)).await?;
        listed(&self.0, request, Audience::All, "/api/dogs", &params, &found)
    }

    /// List adopted dogs
    #[oai(path = "/is_adopted", method = "get", operation_id = "listAdoptedDogs")]
    async fn adopted(&self, request: &Request) -> Result<Ready<DogPage>, Problem> {
        let params = Query::read(request, LIST)?;
        let wanted = DogQuery { is_adopted: Some(true), ..query(&params) };
        let found = self.0.dogs.list(&wanted).await?;
        listed(&self.0, request, Audience::All, "/api/dogs/is_adopted", &params, &found)
    }

    /// Show a dog
    ///
    /// Names compare without case. The ETag starts with the revision of what people say of the
    /// dog, and that alone is what `If-Match` looks at: a picture that comes is in nobody's way.
    #[oai(path = "/:name", method = "get", operation_id = "showDog")]
    async fn show(
        &self,
        request: &Request,
        /// The dog's name.
        name: Path<String>,
    ) -> Result<Ready<DogBody>, Problem> {
        let params = Query::read(request, ONE)?;
        let dog = self.0.dogs.find(&known(&name.0)?).await?;
        let (body, now) = (DogBody::from(&dog), self.0.answers.now());
        match &params.members("fields")[..] {
            [] => Ready::shown(request, Audience::All, &body, dog.revision, now),
            fields => Ready::shown(request, Audience::All, &sparse(&body, fields)?, dog.revision, now),
        }
    }

    /// Add a dog
    ///
    /// A name has 1 to 64 characters, none of them a `/`, and no other dog has it, whatever the
    /// case. The picture comes in the background: the job tells how it goes.
    #[oai(path = "/:name", method = "post", operation_id = "addDog")]
    async fn add(
        &self,
        request: &Request,
        /// The dog's name.
        name: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<DogTicket, Accepted>, Problem> {
        let said = match &*body {
            [] => DogChange::default(),
            body => change(&Body::read(request, body, NEW)?),
        };
        let name = DogName::new(&name.0).ok_or_else(bad_name)?;
        let (dog, run) = self.0.dogs.add(&caller.0, &name, said).await?;
        Written::accepted(&DogTicket::new(&dog, &run), &job::place(&run))
    }

    /// Change a dog
    ///
    /// One's own, nobody's, or any for administrators. What is absent stays as it is.
    #[oai(path = "/:name", method = "put", operation_id = "changeDog")]
    async fn change(
        &self,
        request: &Request,
        /// The dog's name.
        name: Path<String>,
        body: Bytes,
        caller: Caller,
    ) -> Result<Written<DogBody, Changed>, Problem> {
        let change = change(&Body::read(request, &body, CHANGE)?);
        let name = known(&name.0)?;
        let present = self.0.dogs.find(&name).await?;
        let is_meant = if_match(request, |value| names_revision(value, present.revision))?;
        let revision = is_meant.then_some(present.revision);
        let dog = self.0.dogs.change(&caller.0, &name, change, revision).await?;
        let body = DogBody::from(&dog);
        let etag = revised_etag(&body, dog.revision, self.0.answers.now())?;
        Ok(Written::there(&body)?.tagged(etag))
    }

    /// Remove a dog
    ///
    /// One's own, nobody's, or any for administrators.
    #[oai(path = "/:name", method = "delete", operation_id = "removeDog")]
    async fn remove(
        &self,
        /// The dog's name.
        name: Path<String>,
        caller: Caller,
    ) -> Result<Gone, Problem> {
        self.0.dogs.remove(&caller.0, &known(&name.0)?).await?;
        Ok(Gone)
    }
}

pub(crate) struct KennelApi(pub Arc<Services>);

#[OpenApi(prefix_path = "/api/users", tag = "Tag::Dogs")]
impl KennelApi {
    /// List a user's dogs
    ///
    /// One's own, or anybody's for administrators.
    #[oai(path = "/:user_id/dogs", method = "get", operation_id = "listUserDogs")]
    async fn list(
        &self,
        request: &Request,
        /// The user's number, or `me`.
        #[oai(validator(max_length = 100))]
        user_id: Path<String>,
        caller: Caller,
    ) -> Result<Ready<DogPage>, Problem> {
        let params = Query::read(request, LIST)?;
        let owner = self::user_id(&caller.0, &user_id.0)?;
        let found = self.0.dogs.list_of(&caller.0, owner, query(&params)).await?;
        let path = format!("/api/users/{}/dogs", user_id.0);
        listed(&self.0, request, Audience::Caller, &path, &params, &found)
    }
}

fn query(params: &Query) -> DogQuery {
    let sort = sort(params, &DogSortKey::ALL, DogSortKey::name);
    DogQuery { sort, page: page(params), ..DogQuery::default() }
}

fn listed(
    services: &Services,
    request: &Request,
    audience: Audience,
    path: &str,
    params: &Query,
    found: &Paged<Dog>,
) -> Result<Ready<DogPage>, Problem> {
    let neighbours = Neighbours::of(path, params, page(params), found.total);
    let body = DogPage::new(found.total, &neighbours, found.items.iter().map(DogBody::from));
    let (link, now) = (&neighbours.link, services.answers.now());
    match &params.members("fields")[..] {
        [] => Ready::listed(request, audience, &body, link, now),
        fields => Ready::listed(request, audience, &sparse(&body, fields)?, link, now),
    }
}

fn change(body: &Body) -> DogChange {
    DogChange {
        is_adopted: body.flag("is_adopted"),
        owner: body.has("id_user").then(|| body.whole("id_user")),
    }
}

/// The name of a dog that may be there; what is no name is nobody's.
fn known(name: &str) -> Result<DogName, Problem> {
    DogName::new(name).ok_or_else(|| ServiceError::NotFound.into())
}

fn bad_name() -> Problem {
    let detail = format!(
        "a dog's name has 1 to {} characters, none of them a control character or /, and is neither \
         is_adopted nor dots alone",
        DogName::LONGEST
    );
    Problem::invalid(vec![FieldError { pointer: "path/name".to_owned(), detail }]).with_code("invalid_name")
}
