//! What stands around the API: health, metrics, the document and its page.

use std::sync::{Arc, OnceLock};

use malecon::ServiceError;
use poem::Request;
use poem::http::StatusCode;
use poem::web::headers::{Authorization, HeaderMapExt, authorization::Bearer};
use poem_openapi::{Object, OpenApi, Tags};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::auth::authenticate;
use crate::document::Document;
use crate::problem::Problem;
use crate::query::{Kind, Param, Query};
use crate::ready::{Html, Ready, Text};
use crate::services::{HttpSettings, Services};

/// `GET /api/schema`.
pub(crate) const SCHEMA: &[Param] =
    &[Param { name: "format", kind: Kind::Choice(&["json", "yaml"]), about: "json unless told" }];

#[derive(Tags)]
enum Tag {
    /// Health, metrics and this document.
    Around,
}

/// The state of the whole.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Health")]
struct HealthBody {
    /// `ok`, `degraded` (something optional is missing) or `unavailable`.
    status: String,
    /// The state of each part.
    checks: Value,
}

pub(crate) struct AroundApi {
    pub services: Arc<Services>,
    pub settings: HttpSettings,
    /// Set once the document is derived from these very handlers.
    pub document: Arc<OnceLock<Arc<Document>>>,
}

#[OpenApi(tag = "Tag::Around")]
impl AroundApi {
    /// Whether the process runs
    ///
    /// Never looks outside.
    #[oai(path = "/health/live", method = "get", operation_id = "showLiveness")]
    async fn live(&self, request: &Request) -> Result<Ready<HealthBody>, Problem> {
        Query::read(request, &[])?;
        self.health(request, "ok", Map::new())
    }

    /// Whether requests can be answered
    #[oai(path = "/health/ready", method = "get", operation_id = "showReadiness")]
    async fn ready(&self, request: &Request) -> Result<Ready<HealthBody>, Problem> {
        Query::read(request, &[])?;
        if self.settings.draining.as_ref().is_some_and(|draining| *draining.borrow()) {
            let stopping = Map::from_iter([("serving".to_owned(), json!("unavailable"))]);
            return self.health(request, "unavailable", stopping);
        }
        let mut checks = self.services.health.checks().await;
        let held = self.services.countries.held().await;
        let filled = held.is_ok_and(|held| !held.countries.is_empty());
        checks.push(crate::services::Check { name: "countries", up: filled, vital: true });
        let status = if checks.iter().all(|check| check.up) {
            "ok"
        } else if checks.iter().any(|check| check.vital && !check.up) {
            "unavailable"
        } else {
            "degraded"
        };
        let state = |up: bool| if up { json!("ok") } else { json!("unavailable") };
        self.health(
            request,
            status,
            checks.iter().map(|check| (check.name.to_owned(), state(check.up))).collect(),
        )
    }

    /// Metrics in Prometheus' text format
    ///
    /// For administrators and holders of the metrics token; open to all in a demo.
    #[oai(path = "/metrics", method = "get", operation_id = "showMetrics")]
    async fn metrics(&self, request: &Request) -> Result<Text, Problem> {
        Query::read(request, &[])?;
        if !self.settings.open_metrics {
            let bearer =
                request.headers().typed_get::<Authorization<Bearer>>().ok_or_else(Problem::unauthorized)?;
            if self.settings.metrics_token.as_deref().is_none_or(|token| !same(token, bearer.token())) {
                let caller = authenticate(&self.services, request, bearer.token()).await?;
                if !caller.is_admin() {
                    return Err(ServiceError::Forbidden.into());
                }
            }
        }
        let text = (self.services.metrics)().into_bytes();
        Ok(Text(Ready::private(request, text, "text/plain; version=0.0.4", self.services.answers.now())))
    }

    /// This document
    #[oai(path = "/api/schema", method = "get", operation_id = "showSchema")]
    async fn schema(&self, request: &Request) -> Result<Ready<Value>, Problem> {
        let params = Query::read(request, SCHEMA)?;
        let document = self.document.get().ok_or_else(Problem::internal)?;
        let (body, content_type) = match params.text("format") {
            Some("yaml") => (document.yaml(), "application/yaml"),
            _ => (document.json.to_string(), "application/json"),
        };
        Ok(Ready::private(request, body.into_bytes(), content_type, self.services.answers.now()))
    }

    /// This document as a page
    #[oai(path = "/api/docs", method = "get", operation_id = "showDocs")]
    async fn docs(&self, request: &Request) -> Result<Html, Problem> {
        Query::read(request, &[])?;
        let page = self.document.get().ok_or_else(Problem::internal)?.page();
        Ok(Html(Ready::private(
            request,
            page.into_bytes(),
            "text/html; charset=utf-8",
            self.services.answers.now(),
        )))
    }
}

impl AroundApi {
    fn health(
        &self,
        request: &Request,
        status: &str,
        checks: Map<String, Value>,
    ) -> Result<Ready<HealthBody>, Problem> {
        let code = if status == "unavailable" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let body = HealthBody { status: status.to_owned(), checks: Value::Object(checks) };
        let body = serde_json::to_vec(&body).map_err(|_| Problem::internal())?;
        let ready = Ready::private(request, body, "application/json", self.services.answers.now());
        Ok(if code == StatusCode::OK { ready } else { ready.unavailable() })
    }
}

/// Compares secrets by their hashes, so that the time taken tells nothing of where they differ.
fn same(a: &str, b: &str) -> bool {
    malecon::hash_token(a) == malecon::hash_token(b)
}
