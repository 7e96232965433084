//! Clients against upstreams that misbehave.

mod client;
mod dog_ceo;
mod files;
mod restcountries;
mod stub;
mod target;
mod tmdb;
mod wikidata;
mod workers;
