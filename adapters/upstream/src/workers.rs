//! The slow worker service, which takes as many seconds as it is told.

use std::time::Duration;

use async_trait::async_trait;
use malecon_ports::{ChoreGateway, GatewayError};
use serde_json::{Value, json};
use url::Url;

use crate::UpstreamClient;
use crate::json::{Object, Wrong, parse};

/// A worker service. Its client should not repeat requests: each is a chore of its own.
#[derive(Clone)]
pub struct Workers {
    client: UpstreamClient,
    url: Url,
}

impl Workers {
    /// The service at this URL.
    pub fn new(client: UpstreamClient, url: Url) -> Self {
        Self { client, url }
    }
}

#[async_trait]
impl ChoreGateway for Workers {
    async fn perform(&self, complexity: u32) -> Result<(), GatewayError> {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("task_complexity", &complexity.to_string());
        // The service reads its query; copies of it that people made read the body.
        let body = json!({"task_complexity": complexity});
        let time = Duration::from_secs(complexity.into());
        let read = |body: &[u8]| done(&parse(body)?).map_err(|wrong| GatewayError::Malformed(wrong.into()));
        self.client.post(url, &body, time, read).await
    }
}

/// Whether the answer says that it was done: a `status` that is true, or as good as.
fn done(answer: &Value) -> Result<(), Wrong> {
    let status = Object::of(answer, "")?.get("status").ok_or("status is missing")?;
    let is_true = match status {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Null => false,
    };
    if is_true { Ok(()) } else { Err("its status says that the chore was not done".to_owned()) }
}
