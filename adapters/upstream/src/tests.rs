//! Clients against upstreams that misbehave.

mod client;
mod dog_ceo;
mod restcountries;
mod stub;
mod target;
mod tmdb;
mod wikidata;
mod workers;
