//! JSON bodies of requests: one table of members an operation, for reading and for the document.

use malecon::domain::{Email, Instant, Password};
use poem::Request;
use poem::http::{StatusCode, header};
use serde_json::{Map, Value, json};

use crate::problem::{FieldError, Problem};
use crate::query::nearest;

/// A member of a body.
pub(crate) struct Member {
    pub name: &'static str,
    pub kind: Kind,
    pub needed: bool,
    pub about: &'static str,
}

/// What a member's value may be.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A text of so many characters, none of them a control character.
    Text { least: usize, most: usize },
    /// An e-mail address.
    Email,
    /// A password that somebody chooses.
    Password,
    /// A text of so many characters at most that nobody shows.
    Secret { most: usize },
    /// One of these.
    Choice(&'static [&'static str]),
    /// A whole number within bounds.
    Whole { least: i64, most: i64 },
    /// An instant as RFC 3339 writes it, or null.
    Time,
}

/// The members of a request's body, checked against their table.
pub(crate) struct Body(Map<String, Value>);

impl Body {
    /// Reads a request's body.
    pub fn read(request: &Request, bytes: &[u8], table: &[Member]) -> Result<Self, Problem> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            let detail = "the body's Content-Type must be application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "malformed_body", format!("the body is no JSON: {error}"))
        })?;
        let Value::Object(members) = value else {
            return Err(Problem::invalid(vec![fault("", "the body is not an object".to_owned())]));
        };
        let mut errors = vec![];
        for (name, value) in &members {
            match table.iter().find(|member| member.name == name) {
                None => {
                    let names: Vec<_> = table.iter().map(|member| member.name).collect();
                    let short: String = name.chars().take(60).collect();
                    let detail = format!("there is no member {short:?}{}", nearest(&short, &names));
                    errors.push(fault(&short, detail));
                }
                Some(member) => {
                    errors.extend(member.kind.check(value).err().map(|detail| fault(name, detail)));
                }
            }
        }
        for member in table.iter().filter(|member| member.needed && !members.contains_key(member.name)) {
            errors.push(fault(member.name, format!("{} is missing", member.name)));
        }
        if errors.is_empty() { Ok(Self(members)) } else { Err(Problem::invalid(errors)) }
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    pub fn whole(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    pub fn time(&self, name: &str) -> Option<Instant> {
        self.0.get(name).and_then(Value::as_str).and_then(time)
    }
}

impl Kind {
    fn check(self, value: &Value) -> Result<(), String> {
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
            Self::Secret { most } if text()?.chars().count() > most => {
                Err(format!("is longer than {most} characters"))
            }
            Self::Secret { .. } => Ok(()),
            Self::Choice(choices) if choices.contains(&text()?) => Ok(()),
            Self::Choice(choices) => Err(format!("is none of {}", choices.join(", "))),
            Self::Whole { least, most } => match value.as_i64() {
                Some(number) if (least..=most).contains(&number) => Ok(()),
                _ => Err(format!("is not a whole number from {least} to {most}")),
            },
            Self::Time if value.is_null() => Ok(()),
            Self::Time => time(text()?).map(|_| ()).ok_or_else(|| "is no RFC 3339 time".to_owned()),
        }
    }

    fn schema(self) -> Value {
        match self {
            Self::Text { least, most } => json!({
                "type": "string", "minLength": least, "maxLength": most,
                "pattern": if least > 0 { "^[^\\x00-\\x20\\x7f-\\xa0](.*[^\\x00-\\x20\\x7f-\\xa0])?$" } else { "^[^\\x00-\\x1f\\x7f-\\x9f]*$" },
            }),
            Self::Email => json!({"type": "string", "format": "email", "maxLength": Email::LONGEST}),
            Self::Password => json!({
                "type": "string", "format": "password",
                "minLength": Password::SHORTEST, "maxLength": Password::LONGEST,
            }),
            Self::Secret { most } => json!({"type": "string", "maxLength": most}),
            Self::Choice(choices) => json!({"type": "string", "enum": choices}),
            Self::Whole { least, most } => {
                json!({"type": "integer", "format": "int64", "minimum": least, "maximum": most})
            }
            Self::Time => json!({"type": "string", "format": "date-time", "nullable": true}),
        }
    }
}

/// The body as OpenAPI describes it.
pub(crate) fn document(table: &[Member], example: &str) -> Value {
    let properties: Map<String, Value> = table
        .iter()
        .map(|member| {
            let mut schema = member.kind.schema();
            schema["description"] = json!(member.about);
            (member.name.to_owned(), schema)
        })
        .collect();
    let needed: Vec<_> = table.iter().filter(|member| member.needed).map(|member| member.name).collect();
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    let example: Value = serde_json::from_str(example).unwrap_or_default();
    json!({"required": true, "content": {"application/json": {"schema": schema, "example": example}}})
}

fn fault(name: &str, detail: String) -> FieldError {
    let pointer = name.replace('~', "~0").replace('/', "~1");
    let detail = if name.is_empty() || detail.contains(name) { detail } else { format!("{name} {detail}") };
    FieldError { pointer: format!("/{pointer}"), detail }
}

fn time(text: &str) -> Option<Instant> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}
