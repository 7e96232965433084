//! Clients against upstreams that misbehave.

mod client;
mod restcountries;
mod stub;
mod target;
mod tmdb;
mod wikidata;
