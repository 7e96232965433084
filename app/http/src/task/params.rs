//! Parameters and bodies of integration tasks.

use malecon::domain::{RetryRule, Schedule, TaskConfig, TaskDraft, TaskSortKey};
use serde_json::{Value, json};

use crate::body::{self, Member};
use crate::listing::{PAGE, PAGE_SIZE};
use crate::query::{Kind, Param};

/// The status of a task that never ran; the others are those of its last run.
pub(super) const PENDING: &str = "pending";

/// `GET /integration-tasks`.
pub(crate) const LIST: &[Param] = &[
    Param {
        name: "status",
        kind: Kind::Choice(&[PENDING, "queued", "running", "succeeded", "failed", "cancelled"]),
        about: "Only tasks whose last run is like this; pending are those that never ran",
    },
    Param { name: "q", kind: Kind::Text, about: "Text in the name, whatever its case and accents" },
    Param {
        name: "sort",
        kind: Kind::Order(sort_keys),
        about: "Sort keys separated by commas, `-` before one for descending; the number decides between equals",
    },
    PAGE,
    PAGE_SIZE,
];

/// `GET /integration-tasks/{id}/runs`.
pub(crate) const RUNS: &[Param] =
    &[Param { name: "cursor", kind: Kind::Run, about: "Only runs before this one" }, PAGE_SIZE];

/// `POST /integration-tasks` and `PUT /integration-tasks/{id}`.
pub(crate) const WHOLE: &[Member] = &task(true, CONFIG);
pub(crate) const EXAMPLE: &str = r#"{
    "name": "Tell the warehouse",
    "config": {
        "base_url": "https://example.com/hooks/orders",
        "http_method": "POST",
        "payload": {"order": 7, "state": "paid"},
        "headers": {"X-Api-Key": "s3cret"},
        "retry": {"max_attempts": 5, "backoff_ms": 2000},
        "success": {"status": [200, 202]}
    }
}"#;

/// `PATCH /integration-tasks/{id}`.
pub(crate) const PART: &[Member] = &task(false, CONFIG_PART);
pub(crate) const PART_EXAMPLE: &str = r#"{"config": {"timeout_ms": 10000, "success": null}}"#;

/// `POST /integration-tasks/{id}/runs/{run_id}/replay`.
pub(crate) const REPLAY: &[Member] = &[member(
    "config",
    body::Kind::Maybe(&body::Kind::Object(CONFIG_PART)),
    false,
    "What is to be otherwise, as a JSON merge patch (RFC 7396) of the run's own config",
)];
pub(crate) const REPLAY_EXAMPLE: &str = r#"{"config": {"timeout_ms": 60000}}"#;

/// The header that makes an execution only once, as OpenAPI describes it.
pub(crate) fn key_document() -> Value {
    json!({
        "name": super::IDEMPOTENCY_KEY,
        "in": "header",
        "description": "A name for this request, so that it can be sent again without making another run",
        "required": false,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    })
}

const CONFIG: &[Member] = &config(true);
const CONFIG_PART: &[Member] = &config(false);

const fn member(name: &'static str, kind: body::Kind, needed: bool, about: &'static str) -> Member {
    Member { name, kind, needed, about }
}

const fn task(needed: bool, config: &'static [Member]) -> [Member; 2] {
    let name = body::Kind::Text { least: 1, most: TaskDraft::LONGEST_NAME };
    [
        member("name", name, needed, "What people call it"),
        member("config", body::Kind::Object(config), needed, "What is called, and how"),
    ]
}

const TIMEOUT: body::Kind = body::Kind::Whole {
    least: TaskConfig::TIMEOUTS.0.as_millis() as i64,
    most: TaskConfig::TIMEOUTS.1.as_millis() as i64,
};
const REDIRECTS: body::Kind = body::Kind::Whole { least: 0, most: TaskConfig::MOST_REDIRECTS as i64 };

const fn config(needed: bool) -> [Member; 9] {
    use body::Kind::{Any, Headers, Maybe, Method, Object, Target};
    [
        member(
            "base_url",
            Target,
            needed,
            "Where: an http or https URL of a public host, or of one that the operator allows. It is shown as it \
             is: secrets go into headers",
        ),
        member("http_method", Method, needed, "How"),
        member(
            "payload",
            Any,
            false,
            "The body: a string is sent as it is, as text/plain; anything else as JSON. Not with GET and HEAD",
        ),
        member(
            "headers",
            Maybe(&Headers),
            false,
            "Headers to send; not those that are HTTP's own business, e.g. Host. Values of Cookie and \
             of names that contain key, token, secret, auth, pass or signature are kept sealed and shown as \
             ********; that mask stands for the value that is kept as long as base_url keeps its scheme, host \
             and port. None of them follow a redirect to another scheme, host or port",
        ),
        member("timeout_ms", Maybe(&TIMEOUT), false, "Time of one attempt; 30000 unless told"),
        member("max_redirects", Maybe(&REDIRECTS), false, "Redirects that are followed; 0 unless told"),
        member("retry", Maybe(&Object(RETRY)), false, "How often it is tried"),
        member("success", Maybe(&Object(SUCCESS)), false, "When an answer is a success"),
        member("schedule", Maybe(&Object(SCHEDULE)), false, "When it is run by itself; never unless told"),
    ]
}

const ATTEMPTS: body::Kind = body::Kind::Whole { least: 1, most: RetryRule::MOST_ATTEMPTS as i64 };
const BACKOFF: body::Kind = body::Kind::Whole { least: 0, most: RetryRule::LONGEST_WAIT.as_millis() as i64 };

const RETRY: &[Member] = &[
    member(
        "max_attempts",
        body::Kind::Maybe(&ATTEMPTS),
        false,
        "Attempts at most that are neither lost nor interrupted; 3 unless told",
    ),
    member(
        "backoff_ms",
        body::Kind::Maybe(&BACKOFF),
        false,
        "The longest wait before the second attempt, which doubles with each further one; 1000 unless told",
    ),
    member(
        "on_status",
        body::Kind::Maybe(&body::Kind::Statuses),
        false,
        "Statuses after which it is tried again; 408, 425, 429 and all from 500 unless told",
    ),
    member(
        "on_timeout",
        body::Kind::Maybe(&body::Kind::Flag),
        false,
        "Whether it is tried again when nobody knows if the target has done it; unless told, when the method \
         is safe to repeat",
    ),
];

const CRON: body::Kind = body::Kind::Text { least: 1, most: Schedule::LONGEST };
const ZONE: body::Kind = body::Kind::Text { least: 1, most: 100 };
const OVERLAP: body::Kind = body::Kind::Choice(&["skip", "queue_one", "allow"]);

const SCHEDULE: &[Member] = &[
    member(
        "cron",
        CRON,
        true,
        "Minute, hour, day, month and weekday, as cron writes them; with seconds in front if there are six",
    ),
    member(
        "time_zone",
        body::Kind::Maybe(&ZONE),
        false,
        "A name of the IANA time zone database; MALECON_TIME_ZONE unless told, which is UTC unless told",
    ),
    member(
        "overlap",
        body::Kind::Maybe(&OVERLAP),
        false,
        "What happens while a run is not over: skip (unless told) leaves the next one out, queue_one lets one \
         wait, allow runs it beside the other",
    ),
];

const REGEX: body::Kind = body::Kind::Free { most: TaskConfig::LONGEST_REGEX };

const SUCCESS: &[Member] = &[
    member(
        "status",
        body::Kind::Maybe(&body::Kind::Statuses),
        false,
        "Statuses of a success; all of 200 to 299 unless told",
    ),
    member(
        "body_regex",
        body::Kind::Maybe(&REGEX),
        false,
        "A regular expression, in the syntax of Rust's regex, that the first 64 KiB of a success's body match somewhere; \
         compiled it takes 64 KiB at most",
    ),
];

fn sort_keys() -> Vec<&'static str> {
    TaskSortKey::ALL.into_iter().map(TaskSortKey::name).collect()
}
