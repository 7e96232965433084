//! Counts and durations of answers.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Histogram};
use poem::http::Method;

/// The meters of each route, found once and then kept: looking them up by their labels costs more
/// than the rest of a small answer.
#[derive(Default)]
pub(super) struct Meters(RwLock<HashMap<String, Vec<Meter>>>);

#[derive(Clone)]
struct Meter {
    method: &'static str,
    status: u16,
    requests: Counter,
    durations: Histogram,
}

impl Meters {
    pub fn record(&self, method: &Method, route: &str, status: u16, elapsed: Duration) {
        let method = known(method);
        let known = {
            let meters = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let of_route = meters.get(route).map(Vec::as_slice).unwrap_or_default();
            of_route.iter().find(|meter| meter.method == method && meter.status == status).cloned()
        };
        let meter = known.unwrap_or_else(|| self.find(method, route, status));
        meter.requests.increment(1);
        meter.durations.record(elapsed.as_secs_f64());
    }

    fn find(&self, method: &'static str, route: &str, status: u16) -> Meter {
        let labels =
            [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
        let meter = Meter {
            method,
            status,
            requests: metrics::counter!("http_requests_total", &labels),
            durations: metrics::histogram!("http_request_duration_seconds", &labels[..2]),
        };
        let mut meters = self.0.write().unwrap_or_else(PoisonError::into_inner);
        meters.entry(route.to_owned()).or_default().push(meter.clone());
        meter
    }
}

/// Method names are the client's: those that nobody knows are one.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
