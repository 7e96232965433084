//! What a task must be like.

use super::{Header, HeaderText, RetryRule, Sent, TaskConfig, TaskDraft, TaskFault};

/// Headers that are HTTP's own business; those of proxies, `Proxy-…`, as well.
const REFUSED: [&str; 8] =
    ["host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer"];

/// What names of headers contain whose values are secrets: `Authorization` is one of them.
const SECRET: [&str; 6] = ["key", "token", "secret", "auth", "pass", "signature"];

impl Header {
    /// Whether values of such a header are secrets: `Cookie`, and names that contain `key`, `token`,
    /// `secret`, `auth`, `pass` or `signature`, whatever their case. Rather one too many.
    pub fn is_secret(name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        name == "cookie" || SECRET.iter().any(|part| name.contains(part))
    }

    /// Its value as it may be shown: a secret's mask, also where it lies unsealed, because it was kept
    /// before its name was known for one.
    pub fn shown(&self) -> &str {
        match &self.value {
            HeaderText::Plain(text) if !Self::is_secret(&self.name) => text,
            HeaderText::Plain(_) | HeaderText::Sealed(_) => Sent::MASK,
        }
    }

    /// Where in a task the header is, as RFC 6901 writes it; of a name that is too long to be one, only
    /// its beginning.
    pub fn pointer(&self) -> String {
        let name: String = self.name.chars().take(100).collect();
        format!("/config/headers/{}", name.replace('~', "~0").replace('/', "~1"))
    }
}

impl TaskDraft {
    /// Everything that is wrong with it. Where it leads, and whether its regular expression is one, is
    /// not looked at.
    pub fn faults(&self) -> Vec<TaskFault> {
        let mut faults = Faults::default();
        let name = self.name.trim();
        faults.unless(
            !name.is_empty() && name.chars().count() <= Self::LONGEST_NAME,
            "/name",
            format!("a name has 1 to {} characters", Self::LONGEST_NAME),
        );
        faults.unless(!self.name.chars().any(char::is_control), "/name", "a name has no control characters");
        self.config.check(&mut faults);
        faults.0
    }
}

#[derive(Default)]
struct Faults(Vec<TaskFault>);

impl Faults {
    fn unless(&mut self, holds: bool, pointer: impl Into<String>, detail: impl Into<String>) {
        if !holds {
            self.0.push(TaskFault { pointer: pointer.into(), detail: detail.into() });
        }
    }
}

impl TaskConfig {
    fn check(&self, faults: &mut Faults) {
        let scheme = self.base_url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        faults.unless(
            matches!(scheme.as_deref(), Some("http" | "https")) && self.base_url.len() <= Self::LONGEST_URL,
            "/config/base_url",
            format!("a target is an http or https URL of at most {} bytes", Self::LONGEST_URL),
        );
        if let Some(payload) = &self.payload {
            faults.unless(
                self.method.takes_body(),
                "/config/payload",
                format!("a {} has no payload", self.method.name()),
            );
            faults.unless(
                payload.text().len() <= Self::LONGEST_PAYLOAD,
                "/config/payload",
                format!("a payload has at most {} bytes", Self::LONGEST_PAYLOAD),
            );
        }
        let (least, most) = Self::TIMEOUTS;
        faults.unless(
            (least..=most).contains(&self.timeout),
            "/config/timeout_ms",
            format!("a timeout is {} to {} milliseconds", least.as_millis(), most.as_millis()),
        );
        faults.unless(
            self.redirects <= Self::MOST_REDIRECTS,
            "/config/max_redirects",
            format!("at most {} redirects are followed", Self::MOST_REDIRECTS),
        );
        self.retry.check(faults);
        statuses(faults, "/config/success/status", self.success.status.as_deref());
        if let Some(regex) = &self.success.body_regex {
            faults.unless(
                regex.chars().count() <= Self::LONGEST_REGEX,
                "/config/success/body_regex",
                format!("a regular expression has at most {} characters", Self::LONGEST_REGEX),
            );
        }
        self.check_headers(faults);
    }

    fn check_headers(&self, faults: &mut Faults) {
        faults.unless(
            self.headers.len() <= Self::MOST_HEADERS,
            "/config/headers",
            format!("a task has at most {} headers", Self::MOST_HEADERS),
        );
        for (at, header) in self.headers.iter().enumerate().take(Self::MOST_HEADERS) {
            let name = header.name.to_ascii_lowercase();
            let pointer = header.pointer();
            if name.is_empty() || !name.bytes().all(is_token) {
                faults.unless(false, pointer, "this is no header's name");
                continue;
            }
            faults.unless(
                !REFUSED.contains(&&*name) && !name.starts_with("proxy-"),
                &pointer,
                "this header is not for tasks to set",
            );
            let earlier = &self.headers[..at];
            faults.unless(
                !earlier.iter().any(|earlier| earlier.name.eq_ignore_ascii_case(&name)),
                &pointer,
                "this header is there twice",
            );
            if let HeaderText::Plain(text) = &header.value {
                faults.unless(
                    text.len() <= Self::LONGEST_HEADER
                        && text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
                        && text.trim() == text,
                    &pointer,
                    format!(
                        "a header's value is at most {} characters of ASCII, with none to control and no \
                         blanks around it",
                        Self::LONGEST_HEADER
                    ),
                );
            }
        }
    }
}

impl RetryRule {
    fn check(&self, faults: &mut Faults) {
        faults.unless(
            (1..=Self::MOST_ATTEMPTS).contains(&self.max_attempts),
            "/config/retry/max_attempts",
            format!("a task has 1 to {} attempts", Self::MOST_ATTEMPTS),
        );
        faults.unless(
            self.backoff <= Self::LONGEST_WAIT,
            "/config/retry/backoff_ms",
            format!("a backoff is at most {} milliseconds", Self::LONGEST_WAIT.as_millis()),
        );
        statuses(faults, "/config/retry/on_status", self.on_status.as_deref());
    }
}

fn statuses(faults: &mut Faults, pointer: &str, statuses: Option<&[u16]>) {
    let Some(statuses) = statuses else { return };
    faults.unless(
        (1..=100).contains(&statuses.len()) && statuses.iter().all(|status| (100..=599).contains(status)),
        pointer,
        "these are 1 to 100 statuses from 100 to 599",
    );
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
