//! What tasks call and what comes of it, as JSON, as it lies in rows. What is missing is left out.

use std::time::Duration;

use base64::display::Base64Display;
use base64::prelude::{BASE64_STANDARD, Engine};
use malecon_domain::{
    CallFault, Header, HeaderText, HttpMethod, Job, Overlap, Payload, Received, RetryRule, Schedule, Sent,
    SuccessRule, TaskConfig, Trace,
};
use malecon_ports::RepositoryError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value as JSON.
pub fn write(value: &impl Serialize) -> Result<String, RepositoryError> {
    serde_json::to_string(value).map_err(|error| RepositoryError::Corrupt(error.into()))
}

/// What [`write`] has written.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, RepositoryError> {
    serde_json::from_str(text).map_err(|error| RepositoryError::Corrupt(error.into()))
}

/// What has a name, if it has.
pub fn named<T>(name: &str, value: Option<T>) -> Result<T, RepositoryError> {
    value.ok_or_else(|| RepositoryError::Corrupt(format!("there is nothing that is called {name}").into()))
}

/// A job, by its kind.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobJson {
    Call(Box<ConfigJson>),
    Sync,
    Picture { dog: i64 },
    Activities { country: String },
    Report,
}

impl From<&Job> for JobJson {
    fn from(job: &Job) -> Self {
        match job {
            Job::Call(config) => Self::Call(Box::new(config.into())),
            Job::Sync => Self::Sync,
            Job::Picture { dog } => Self::Picture { dog: *dog },
            Job::Activities { country } => Self::Activities { country: country.clone() },
            Job::Report => Self::Report,
        }
    }
}

impl TryFrom<JobJson> for Job {
    type Error = RepositoryError;

    fn try_from(job: JobJson) -> Result<Self, RepositoryError> {
        Ok(match job {
            JobJson::Call(config) => Self::Call((*config).try_into()?),
            JobJson::Sync => Self::Sync,
            JobJson::Picture { dog } => Self::Picture { dog },
            JobJson::Activities { country } => Self::Activities { country },
            JobJson::Report => Self::Report,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub struct ConfigJson {
    base_url: String,
    method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<PayloadJson>,
    headers: Vec<HeaderJson>,
    timeout_ms: u64,
    redirects: u8,
    max_attempts: u32,
    backoff_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_on_status: Option<Vec<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_on_timeout: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_status: Option<Vec<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_body_regex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<ScheduleJson>,
}

#[derive(Serialize, Deserialize)]
struct ScheduleJson {
    cron: String,
    zone: String,
    overlap: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PayloadJson {
    Json(String),
    Text(String),
}

#[derive(Serialize, Deserialize)]
struct HeaderJson {
    name: String,
    value: HeaderTextJson,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HeaderTextJson {
    Plain(String),
    Sealed(Bytes),
}

/// Bytes, in base64.
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(&self.0, &BASE64_STANDARD))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl From<&TaskConfig> for ConfigJson {
    fn from(config: &TaskConfig) -> Self {
        let config = config.clone();
        Self {
            base_url: config.base_url,
            method: config.method.name().to_owned(),
            payload: config.payload.map(|payload| match payload {
                Payload::Json(text) => PayloadJson::Json(text),
                Payload::Text(text) => PayloadJson::Text(text),
            }),
            headers: config.headers.into_iter().map(HeaderJson::from).collect(),
            timeout_ms: millis(config.timeout),
            redirects: config.redirects,
            max_attempts: config.retry.max_attempts,
            backoff_ms: millis(config.retry.backoff),
            retry_on_status: config.retry.on_status,
            retry_on_timeout: config.retry.on_timeout,
            success_status: config.success.status,
            success_body_regex: config.success.body_regex,
            schedule: config.schedule.as_ref().map(ScheduleJson::from),
        }
    }
}

impl TryFrom<ConfigJson> for TaskConfig {
    type Error = RepositoryError;

    fn try_from(json: ConfigJson) -> Result<Self, RepositoryError> {
        Ok(Self {
            base_url: json.base_url,
            method: method(&json.method)?,
            payload: json.payload.map(|payload| match payload {
                PayloadJson::Json(text) => Payload::Json(text),
                PayloadJson::Text(text) => Payload::Text(text),
            }),
            headers: json.headers.into_iter().map(Header::from).collect(),
            timeout: Duration::from_millis(json.timeout_ms),
            redirects: json.redirects,
            retry: RetryRule {
                max_attempts: json.max_attempts,
                backoff: Duration::from_millis(json.backoff_ms),
                on_status: json.retry_on_status,
                on_timeout: json.retry_on_timeout,
            },
            success: SuccessRule { status: json.success_status, body_regex: json.success_body_regex },
            schedule: json.schedule.map(Schedule::try_from).transpose()?,
        })
    }
}

impl From<&Schedule> for ScheduleJson {
    fn from(schedule: &Schedule) -> Self {
        Self {
            cron: schedule.cron().to_owned(),
            zone: schedule.zone().to_owned(),
            overlap: schedule.overlap().name().to_owned(),
        }
    }
}

impl TryFrom<ScheduleJson> for Schedule {
    type Error = RepositoryError;

    fn try_from(json: ScheduleJson) -> Result<Self, RepositoryError> {
        let overlap = named(&json.overlap, Overlap::from_name(&json.overlap))?;
        Self::new(&json.cron, &json.zone, overlap).map_err(|error| RepositoryError::Corrupt(error.into()))
    }
}

impl From<Header> for HeaderJson {
    fn from(header: Header) -> Self {
        let value = match header.value {
            HeaderText::Plain(text) => HeaderTextJson::Plain(text),
            HeaderText::Sealed(bytes) => HeaderTextJson::Sealed(Bytes(bytes)),
        };
        Self { name: header.name, value }
    }
}

impl From<HeaderJson> for Header {
    fn from(json: HeaderJson) -> Self {
        let value = match json.value {
            HeaderTextJson::Plain(text) => HeaderText::Plain(text),
            HeaderTextJson::Sealed(Bytes(bytes)) => HeaderText::Sealed(bytes),
        };
        Self { name: json.name, value }
    }
}

/// What an attempt leaves behind.
#[derive(Serialize, Deserialize)]
pub struct TraceJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<SentJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<ReceivedJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    body_dropped: bool,
}

#[derive(Serialize, Deserialize)]
struct SentJson {
    url: String,
    method: String,
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ReceivedJson {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirected_to: Option<String>,
}

impl From<&Trace> for TraceJson {
    fn from(trace: &Trace) -> Self {
        let trace = trace.clone();
        Self {
            sent: trace.sent.map(|sent| SentJson {
                url: sent.url,
                method: sent.method.name().to_owned(),
                headers: sent.headers,
                body: sent.body,
            }),
            received: trace.received.map(|received| ReceivedJson {
                status: received.status,
                headers: received.headers,
                body: Bytes(received.body),
                truncated: received.truncated,
                redirected_to: received.redirected_to,
            }),
            fault: trace.fault.map(|fault| fault.name().to_owned()),
            reason: trace.reason,
            result: trace.result,
            body_dropped: trace.body_dropped,
        }
    }
}

impl TryFrom<TraceJson> for Trace {
    type Error = RepositoryError;

    fn try_from(json: TraceJson) -> Result<Self, RepositoryError> {
        let sent = |sent: SentJson| {
            let method = method(&sent.method)?;
            Ok(Sent { url: sent.url, method, headers: sent.headers, body: sent.body })
        };
        let received = |received: ReceivedJson| Received {
            status: received.status,
            headers: received.headers,
            body: received.body.0,
            truncated: received.truncated,
            redirected_to: received.redirected_to,
        };
        Ok(Self {
            sent: json.sent.map(sent).transpose()?,
            received: json.received.map(received),
            fault: json.fault.map(|name| named(&name, CallFault::from_name(&name))).transpose()?,
            reason: json.reason,
            result: json.result,
            body_dropped: json.body_dropped,
        })
    }
}

fn method(name: &str) -> Result<HttpMethod, RepositoryError> {
    named(name, HttpMethod::from_name(name))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
