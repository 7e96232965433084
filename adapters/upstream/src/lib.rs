//! HTTP clients of other people's APIs, behind the gateway ports.

mod client;
mod dog_ceo;
mod files;
mod json;
mod restcountries_v31;
mod restcountries_v5;
mod retry;
mod target;
#[cfg(test)]
mod tests;
mod tmdb;
mod wikidata;
mod workers;

pub use client::{ClientError, ClientOptions, UpstreamClient};
pub use dog_ceo::DogCeo;
pub use files::Files;
pub use restcountries_v5::RestCountriesV5;
pub use restcountries_v31::RestCountriesV31;
pub use target::{TargetOptions, Targets, TargetsError};
pub use tmdb::Tmdb;
pub use wikidata::Wikidata;
pub use workers::Workers;
