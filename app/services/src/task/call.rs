//! One attempt of a task: the call, what its answer means, and when it is tried again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use malecon_domain::{
    AttemptEnd, Call, CallFault, HeaderText, Job, Next, Received, RetryRule, Run, Sent, TaskConfig, Trace,
};
use malecon_ports::{CallError, Clock, TargetGateway};
use regex::Regex;

use super::{Hoard, Seals, pattern};
use crate::job::jittered;
use crate::worker::JobHandler;
use crate::{Offload, ServiceError};

/// Tells a target which calls are one (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// Why an attempt fails whose regular expression is too much work.
const REGEX_TIMEOUT: &str = "regex_timeout: the task's success.body_regex takes too long on this answer";

/// Calls what tasks say.
#[derive(Clone)]
pub(crate) struct Caller {
    pub targets: Arc<dyn TargetGateway>,
    pub clock: Arc<dyn Clock>,
    pub seals: Seals,
    pub offload: Offload,
    pub hoard: Hoard,
}

#[async_trait]
impl JobHandler for Caller {
    /// Fails where the keys of secrets can't be had; then nothing was sent.
    async fn attempt(&self, run: &Run) -> Result<(Next, Trace), ServiceError> {
        let Job::Call(config) = &run.job else {
            return Err(ServiceError::internal("this is no run of a task"));
        };
        let call = match self.call(run, config).await? {
            Ok(call) => call,
            Err(name) => {
                let reason = format!("the secret in the header {name} can't be read; set it again");
                return Ok(invalid(reason));
            }
        };
        let regex = match self.regex(config).await {
            Ok(regex) => regex,
            Err(reason) => return Ok(invalid(reason)),
        };
        let mut sent = shown(config);
        add_key(&mut sent.headers, run);
        let answer = self.targets.call(&call).await;
        if let Some(owner) = run.owner {
            let received = answer.as_ref().map_or(0, |received| received.body.len());
            self.hoard.wrote(owner, received + sent.body.as_ref().map_or(0, String::len));
        }
        let (next, reason) = match &answer {
            Ok(received) => self.judge(config, run.counted_attempts(), received, regex).await,
            Err(error) => (after_fault(config, run.counted_attempts(), error), Some(error.reason.clone())),
        };
        let (received, fault) = match answer {
            Ok(received) => (Some(received), None),
            Err(error) => (None, Some(error.fault)),
        };
        Ok((next, Trace { sent: Some(sent), received, fault, reason, ..Trace::default() }))
    }
}

impl Caller {
    /// The call, or the name of a header whose secret is not to be opened.
    async fn call(&self, run: &Run, config: &TaskConfig) -> Result<Result<Call, String>, ServiceError> {
        let mut headers = vec![];
        for header in &config.headers {
            let text = match &header.value {
                HeaderText::Plain(text) => text.clone(),
                HeaderText::Sealed(sealed) => match self.seals.open(sealed).await? {
                    Some(text) => text,
                    None => return Ok(Err(header.name.clone())),
                },
            };
            headers.push((header.name.clone(), text));
        }
        add_key(&mut headers, run);
        Ok(Ok(Call {
            url: config.base_url.clone(),
            method: config.method,
            headers,
            payload: config.payload.clone(),
            timeout: config.timeout,
            redirects: config.redirects,
        }))
    }

    /// What a success matches, or why that can't be told.
    async fn regex(&self, config: &TaskConfig) -> Result<Option<Regex>, String> {
        let Some(regex) = config.success.body_regex.clone() else { return Ok(None) };
        match self.offload.run(move || pattern::compile(&regex)).await {
            Some(compiled) => compiled.map(Some).map_err(|error| pattern::told_later(&error)),
            None => Err(REGEX_TIMEOUT.to_owned()),
        }
    }

    async fn judge(
        &self,
        config: &TaskConfig,
        attempt: u32,
        received: &Received,
        regex: Option<Regex>,
    ) -> (Next, Option<String>) {
        let status = received.status;
        let succeeds = match &config.success.status {
            Some(wanted) => wanted.contains(&status),
            None => (200..=299).contains(&status),
        };
        if succeeds {
            let Some(regex) = regex else { return (Next::Over(AttemptEnd::Succeeded), None) };
            let body = received.body.clone();
            let reason = match self.offload.run(move || pattern::matches(&regex, &body)).await {
                Some(true) => return (Next::Over(AttemptEnd::Succeeded), None),
                Some(false) => "the body is not what the task calls a success",
                None => REGEX_TIMEOUT,
            };
            return (Next::Over(AttemptEnd::Failed), Some(reason.to_owned()));
        }
        let again = match &config.retry.on_status {
            Some(statuses) => statuses.contains(&status),
            None => [408, 425, 429].contains(&status) || status >= 500,
        };
        let next = if again {
            let wanted = received.header("retry-after").and_then(|text| self.wanted_wait(text));
            Next::Again(wait(&config.retry, attempt).max(wanted.unwrap_or_default()))
        } else {
            Next::Over(AttemptEnd::Failed)
        };
        (next, Some(format!("the target answered {status}")))
    }

    /// The time that a `Retry-After` asks for: seconds, or a date.
    fn wanted_wait(&self, text: &str) -> Option<Duration> {
        let wanted = match text.trim().parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let date = DateTime::parse_from_rfc2822(text.trim()).ok()?;
                (date.to_utc() - self.clock.now()).to_std().unwrap_or_default()
            }
        };
        Some(wanted.min(RetryRule::LONGEST_WAIT))
    }
}

/// Over before anything was sent.
fn invalid(reason: String) -> (Next, Trace) {
    let trace = Trace { reason: Some(reason), fault: Some(CallFault::Invalid), ..Trace::default() };
    (Next::Over(AttemptEnd::Failed), trace)
}

fn after_fault(config: &TaskConfig, attempt: u32, error: &CallError) -> Next {
    let safe = config.retry.on_timeout.unwrap_or(config.method.is_idempotent());
    if error.fault.may_pass() && (safe || !error.fault.is_doubtful()) {
        Next::Again(wait(&config.retry, attempt))
    } else {
        Next::Over(AttemptEnd::Failed)
    }
}

fn wait(rule: &RetryRule, attempt: u32) -> Duration {
    jittered(rule.backoff, attempt, RetryRule::LONGEST_WAIT)
}

/// What a task sends, with its secrets masked.
pub(super) fn shown(config: &TaskConfig) -> Sent {
    let headers = config.headers.iter().map(|header| (header.name.clone(), header.shown().to_owned()));
    Sent {
        url: config.base_url.clone(),
        method: config.method,
        headers: headers.collect(),
        body: config.payload.as_ref().map(|payload| payload.text().to_owned()),
    }
}

/// All attempts of a run carry the same key, unless the task has one of its own.
fn add_key(headers: &mut Vec<(String, String)>, run: &Run) {
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(IDEMPOTENCY_KEY)) {
        headers.push((IDEMPOTENCY_KEY.to_owned(), run.id.to_string()));
    }
}
