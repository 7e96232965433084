//! Tasks of JSON that its table has checked.

use std::time::Duration;

use malecon::domain::{
    Header, HeaderText, HttpMethod, InvalidSchedule, Overlap, Payload, RetryRule, Schedule, SuccessRule,
    TaskConfig, TaskDraft, Zone,
};
use serde_json::{Map, Value};

use crate::body::statuses;
use crate::problem::{FieldError, Problem};

pub(super) fn draft(value: &Value, zone: Zone) -> Result<TaskDraft, Problem> {
    Ok(TaskDraft { name: text(&value["name"]).unwrap_or_default(), config: config(&value["config"], zone)? })
}

/// A config; its schedule is in this zone if it names none.
pub(super) fn config(value: &Value, zone: Zone) -> Result<TaskConfig, Problem> {
    Ok(TaskConfig {
        base_url: text(&value["base_url"]).unwrap_or_default(),
        method: value["http_method"].as_str().and_then(HttpMethod::from_name).unwrap_or(HttpMethod::Get),
        payload: payload(&value["payload"]),
        headers: headers(&value["headers"]),
        timeout: millis(&value["timeout_ms"]).unwrap_or(TaskConfig::DEFAULT_TIMEOUT),
        redirects: number(&value["max_redirects"]).unwrap_or_default(),
        retry: retry(&value["retry"]),
        success: SuccessRule {
            status: numbers(&value["success"]["status"]),
            body_regex: text(&value["success"]["body_regex"]),
        },
        schedule: schedule(&value["schedule"], zone)?,
    })
}

fn schedule(value: &Value, zone: Zone) -> Result<Option<Schedule>, Problem> {
    let Some(cron) = value["cron"].as_str() else { return Ok(None) };
    let zone = value["time_zone"].as_str().unwrap_or(zone.name());
    let overlap = value["overlap"].as_str().and_then(Overlap::from_name).unwrap_or_default();
    Schedule::new(cron, zone, overlap).map(Some).map_err(|error| {
        let member = if error == InvalidSchedule::Zone { "time_zone" } else { "cron" };
        let pointer = format!("/config/schedule/{member}");
        Problem::invalid(vec![FieldError { pointer, detail: error.to_string() }])
    })
}

fn retry(value: &Value) -> RetryRule {
    let unless_told = RetryRule::default();
    RetryRule {
        max_attempts: number(&value["max_attempts"]).unwrap_or(unless_told.max_attempts),
        backoff: millis(&value["backoff_ms"]).unwrap_or(unless_told.backoff),
        on_status: numbers(&value["on_status"]),
        on_timeout: value["on_timeout"].as_bool(),
    }
}

fn payload(value: &Value) -> Option<Payload> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Payload::Text(text.clone())),
        json => Some(Payload::Json(json.to_string())),
    }
}

fn headers(value: &Value) -> Vec<Header> {
    let all = value.as_object().into_iter().flatten();
    let there = all.filter_map(|(name, value)| Some((name.clone(), text(value)?)));
    there.map(|(name, text)| Header { name, value: HeaderText::Plain(text) }).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn millis(value: &Value) -> Option<Duration> {
    value.as_u64().map(Duration::from_millis)
}

fn number<N: TryFrom<u64>>(value: &Value) -> Option<N> {
    value.as_u64().and_then(|number| N::try_from(number).ok())
}

fn numbers(value: &Value) -> Option<Vec<u16>> {
    (!value.is_null()).then(|| statuses(value).iter().filter_map(number).collect())
}

/// Changes a value as a JSON merge patch says (RFC 7396).
pub(super) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    let mut members = match target.take() {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            members.shift_remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
    *target = Value::Object(members);
}
