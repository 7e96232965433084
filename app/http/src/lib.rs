//! The HTTP face of Malecón: poem-openapi bodies, handlers, problems.
//!
//! [`app`] turns [`Services`] into one poem endpoint. It names no adapter, reads no environment and
//! opens no socket.

mod activity;
mod around;
mod auth;
mod body;
mod client;
mod country;
mod document;
mod dog;
mod file;
mod job;
mod lane;
mod listing;
mod movie;
mod problem;
mod query;
mod ready;
mod services;
mod task;
mod token;
mod user;
mod v31;
mod wall;
mod written;

use std::sync::Arc;

use poem::endpoint::BoxEndpoint;
use poem::{EndpointExt, Response, Route};

pub use client::ClientAddress;
pub use country::parse_filter;
pub use document::openapi_yaml;
pub use services::{Check, Health, HttpSettings, Services};

use wall::{Routes, Wall};

/// The whole API behind its wall: limits, problems, CORS, request ids, logs and metrics.
pub fn app(services: Services, settings: HttpSettings) -> BoxEndpoint<'static, Response> {
    let services = Arc::new(services);
    let (api, document) = document::service(&services, &settings);
    let routes = Routes::of(&document.json);
    let inner = Route::new().nest("/", api).data(Arc::clone(&services));
    Wall::new(inner, routes, settings, services).boxed()
}
