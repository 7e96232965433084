//! JSON bodies of dogs.

use malecon::domain::{Dog, Run};
use poem_openapi::Object;
use serde::Serialize;

use crate::job::JobState;
use crate::listing::page_of;
use crate::ready::rfc3339;

/// A dog.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Dog")]
pub(crate) struct DogBody {
    /// Its number.
    id: i64,
    /// What it is called, like no other dog, whatever the case.
    name: String,
    /// Where its picture is, once there is one.
    picture: Option<String>,
    /// When it came, RFC 3339 UTC.
    create_date: String,
    /// Whether it has found a home.
    is_adopted: bool,
    /// Number of the user whose it is; null for nobody's.
    id_user: Option<i64>,
}

impl DogBody {
    /// The names of its members, for `fields`.
    pub fn members() -> Vec<&'static str> {
        vec!["id", "name", "picture", "create_date", "is_adopted", "id_user"]
    }
}

impl From<&Dog> for DogBody {
    fn from(dog: &Dog) -> Self {
        Self {
            id: dog.id,
            name: dog.name.as_str().to_owned(),
            picture: dog.picture.as_ref().map(|url| url.as_str().to_owned()),
            create_date: rfc3339(dog.created_at),
            is_adopted: dog.is_adopted,
            id_user: dog.owner,
        }
    }
}

page_of!(DogPage, DogBody, "A page of dogs.");

/// A new dog, and the job that looks for its picture.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "DogTicket")]
pub(crate) struct DogTicket {
    /// The dog, without a picture yet.
    dog: DogBody,
    /// The job.
    job: JobState,
}

impl DogTicket {
    pub fn new(dog: &Dog, run: &Run) -> Self {
        Self { dog: DogBody::from(dog), job: JobState::from(run) }
    }
}
