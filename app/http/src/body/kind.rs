//! What members of bodies may be: as it is checked, and as the document says it.

use malecon::domain::{Email, HttpMethod, Instant, Password, TaskConfig};
use serde_json::{Value, json};

use super::{Member, object};

/// What a member's value may be.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A text of so many characters, none of them a control character.
    Text { least: usize, most: usize },
    /// An e-mail address.
    Email,
    /// A password that somebody chooses.
    Password,
    /// Any text of so many characters at most.
    Free { most: usize },
    /// One of these.
    Choice(&'static [&'static str]),
    /// A whole number within bounds.
    Whole { least: i64, most: i64 },
    /// An instant as RFC 3339 writes it, or null.
    Time,
    /// True or false.
    Flag,
    /// An HTTP method, in any case.
    Method,
    /// An `http` or `https` URL. Which ones, the service says.
    Target,
    /// Statuses of HTTP, or one of them.
    Statuses,
    /// Headers by their names. Which ones, the service says.
    Headers,
    /// Any JSON.
    Any,
    /// An object of these members.
    Object(&'static [Member]),
    /// Null, which is as good as nothing, or a value of this kind.
    Maybe(&'static Kind),
}

/// No control characters, as patterns write it.
const NO_CONTROLS: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// The same, and something else than white space among it.
const NOT_BLANK: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\x00-\x1f\x7f-\x9f]*$";
/// ASCII without blanks around it.
const HEADER_TEXT: &str = r"^([!-~]([\t -~]*[!-~])?)?$";

impl Kind {
    /// Whether the value is one of this kind, its members aside.
    pub fn check(self, value: &Value) -> Result<(), String> {
        let text = || value.as_str().ok_or_else(|| "is not a text".to_owned());
        match self {
            Self::Text { least, most } => {
                let text = text()?;
                if !(least..=most).contains(&text.trim().chars().count()) {
                    return Err(format!("does not have {least} to {most} characters"));
                }
                match text.chars().any(char::is_control) {
                    true => Err("has a control character".to_owned()),
                    false => Ok(()),
                }
            }
            Self::Email => Email::new(text()?).map(|_| ()).ok_or_else(|| "is no e-mail address".to_owned()),
            Self::Password => Password::new(text()?).map(|_| ()).ok_or_else(|| {
                format!("does not have {} to {} characters", Password::SHORTEST, Password::LONGEST)
            }),
            Self::Free { most } if text()?.chars().count() > most => {
                Err(format!("is longer than {most} characters"))
            }
            Self::Free { .. } => Ok(()),
            Self::Choice(choices) if choices.contains(&text()?) => Ok(()),
            Self::Choice(choices) => Err(format!("is none of {}", choices.join(", "))),
            Self::Whole { least, most } => match value.as_i64() {
                Some(number) if (least..=most).contains(&number) => Ok(()),
                _ => Err(format!("is not a whole number from {least} to {most}")),
            },
            Self::Time if value.is_null() => Ok(()),
            Self::Time => time(text()?).map(|_| ()).ok_or_else(|| "is no RFC 3339 time".to_owned()),
            Self::Flag if value.is_boolean() => Ok(()),
            Self::Flag => Err("is neither true nor false".to_owned()),
            Self::Method => HttpMethod::from_name(text()?)
                .map(|_| ())
                .ok_or_else(|| format!("is none of {}", methods().join(", "))),
            Self::Target => text().map(|_| ()),
            Self::Statuses => {
                let is_status = |value: &Value| value.as_u64().is_some_and(|n| (100..=599).contains(&n));
                match statuses(value) {
                    list if (1..=100).contains(&list.len()) && list.iter().all(is_status) => Ok(()),
                    _ => Err("is not 1 to 100 numbers from 100 to 599".to_owned()),
                }
            }
            Self::Any => Ok(()),
            Self::Headers | Self::Object(_) => Err("is not an object".to_owned()),
            Self::Maybe(kind) => kind.check(value),
        }
    }

    /// The kind as OpenAPI describes it.
    pub fn schema(self) -> Value {
        match self {
            Self::Text { least, most } => json!({
                "type": "string", "minLength": least, "maxLength": most,
                "pattern": if least > 0 { NOT_BLANK } else { NO_CONTROLS },
            }),
            Self::Email => json!({"type": "string", "format": "email", "maxLength": Email::LONGEST}),
            Self::Password => json!({
                "type": "string", "format": "password",
                "minLength": Password::SHORTEST, "maxLength": Password::LONGEST,
            }),
            Self::Free { most } => json!({"type": "string", "maxLength": most}),
            Self::Choice(choices) => json!({"type": "string", "enum": choices}),
            Self::Whole { least, most } => {
                json!({"type": "integer", "format": "int64", "minimum": least, "maximum": most})
            }
            Self::Time => json!({"type": "string", "format": "date-time", "nullable": true}),
            Self::Flag => json!({"type": "boolean"}),
            Self::Method => json!({"type": "string", "enum": methods()}),
            Self::Target => json!({
                "type": "string", "maxLength": TaskConfig::LONGEST_URL, "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://",
            }),
            Self::Statuses => {
                let status = json!({"type": "integer", "minimum": 100, "maximum": 599});
                let list = json!({"type": "array", "items": status, "minItems": 1, "maxItems": 100});
                json!({"oneOf": [status, list]})
            }
            Self::Headers => {
                let text = json!({
                    "type": "string", "nullable": true,
                    "maxLength": TaskConfig::LONGEST_HEADER, "pattern": HEADER_TEXT,
                });
                let most = TaskConfig::MOST_HEADERS;
                json!({"type": "object", "maxProperties": most, "additionalProperties": text})
            }
            Self::Any => json!({}),
            Self::Object(table) => object(table),
            Self::Maybe(kind) => {
                let mut schema = kind.schema();
                schema["nullable"] = json!(true);
                schema
            }
        }
    }
}

fn methods() -> Vec<&'static str> {
    HttpMethod::ALL.into_iter().map(HttpMethod::name).collect()
}

/// The members of a list, or what is no list as the only one.
pub(crate) fn statuses(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// An instant that RFC 3339 writes like this.
pub(super) fn time(text: &str) -> Option<Instant> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}
