//! JSON bodies of integration tasks.

use std::collections::BTreeMap;

use malecon::domain::{Payload, RunSummary, Task, TaskConfig, TaskSummary};
use poem_openapi::Object;
use serde::Serialize;
use serde_json::Value;

use super::params::PENDING;
use super::trace::ResultBody;
use crate::listing::page_of;
use crate::ready::rfc3339;

/// An integration task.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Task")]
pub(crate) struct TaskBody {
    /// Its number.
    id: i64,
    /// What people call it.
    name: String,
    /// What is called, and how.
    config: ConfigBody,
    /// Of its last run: queued, running, succeeded, failed or cancelled; pending when it never ran.
    status: String,
    /// Seconds from the first attempt of its last run to the end of it, once that is over.
    execution_time: Option<f64>,
    /// What came of its last run, once that is over. Not in lists.
    result: Option<ResultBody>,
    /// The number of its last run.
    last_run: Option<String>,
    /// When it was made, RFC 3339 UTC.
    created_at: String,
    /// When its name or config last changed, RFC 3339 UTC.
    updated_at: String,
}

impl TaskBody {
    /// A task as a list shows it.
    pub fn row(task: &TaskSummary) -> Self {
        let run = task.last_run.as_ref();
        let seconds = |run: &RunSummary| Some((run.ended_at? - run.started_at?).to_std().ok()?.as_secs_f64());
        Self {
            id: task.id,
            name: task.name.clone(),
            config: ConfigBody { payload: None, ..ConfigBody::from(&task.config) },
            status: run.map_or(PENDING, |run| run.state.name()).to_owned(),
            execution_time: run.and_then(seconds),
            result: None,
            last_run: run.map(|run| run.id.to_string()),
            created_at: rfc3339(task.created_at),
            updated_at: rfc3339(task.updated_at),
        }
    }

    /// A task alone.
    pub fn new(task: &Task, result: Option<ResultBody>) -> Self {
        let payload = task.draft.config.payload.as_ref().map_or(Value::Null, shown);
        let row = Self::row(&task.summary());
        Self { config: ConfigBody { payload: Some(payload), ..row.config }, result, ..row }
    }
}

page_of!(TaskPage, TaskBody, "A page of integration tasks.");

/// What is called, and how.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskConfig")]
pub(crate) struct ConfigBody {
    /// Where.
    base_url: String,
    /// How.
    http_method: String,
    /// The body: a string is sent as it is, anything else as JSON; null for none. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Value>,
    /// Headers to send; `********` for a secret.
    headers: BTreeMap<String, String>,
    /// Time of one attempt.
    timeout_ms: u64,
    /// Redirects that are followed.
    max_redirects: u8,
    /// How often it is tried.
    retry: RetryBody,
    /// When an answer is a success.
    success: SuccessBody,
    /// When it is run by itself; null for never.
    schedule: Option<ScheduleBody>,
}

/// How often a call is tried, and when it is tried again.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskRetry")]
struct RetryBody {
    /// Attempts at most.
    max_attempts: u32,
    /// The longest wait before the second attempt; it doubles with each further one.
    backoff_ms: u64,
    /// Statuses after which it is tried again; null for 408, 425, 429 and all from 500.
    on_status: Option<Vec<u16>>,
    /// Whether it is tried again when nobody knows if the target has done it; null for when the
    /// method is safe to repeat.
    on_timeout: Option<bool>,
}

/// When an answer is a success.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskSuccess")]
struct SuccessBody {
    /// Statuses; null for all of 200 to 299.
    status: Option<Vec<u16>>,
    /// A regular expression that the body matches somewhere.
    body_regex: Option<String>,
}

/// When a task is run by itself.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "TaskSchedule")]
struct ScheduleBody {
    /// Minute, hour, day, month and weekday, with seconds in front if there are six.
    cron: String,
    /// A name of the IANA time zone database.
    time_zone: String,
    /// skip, queue_one or allow.
    overlap: String,
}

impl From<&TaskConfig> for ConfigBody {
    fn from(config: &TaskConfig) -> Self {
        let headers = config.headers.iter().map(|header| (header.name.clone(), header.shown().to_owned()));
        Self {
            base_url: config.base_url.clone(),
            http_method: config.method.name().to_owned(),
            payload: Some(config.payload.as_ref().map_or(Value::Null, shown)),
            headers: headers.collect(),
            timeout_ms: millis(config.timeout),
            max_redirects: config.redirects,
            retry: RetryBody {
                max_attempts: config.retry.max_attempts,
                backoff_ms: millis(config.retry.backoff),
                on_status: config.retry.on_status.clone(),
                on_timeout: config.retry.on_timeout,
            },
            success: SuccessBody {
                status: config.success.status.clone(),
                body_regex: config.success.body_regex.clone(),
            },
            schedule: config.schedule.as_ref().map(|schedule| ScheduleBody {
                cron: schedule.cron().to_owned(),
                time_zone: schedule.zone().to_owned(),
                overlap: schedule.overlap().name().to_owned(),
            }),
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn shown(payload: &Payload) -> Value {
    let text = || Value::String(payload.text().to_owned());
    match payload {
        Payload::Json(json) => serde_json::from_str(json).unwrap_or_else(|_| text()),
        Payload::Text(_) => text(),
    }
}
