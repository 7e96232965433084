//! JSON bodies of requests: one table of members an operation, for reading and for the document.

mod kind;
#[cfg(test)]
mod tests;

use malecon::domain::Instant;
use poem::Request;
use poem::http::{StatusCode, header};
use serde_json::{Map, Value, json};

use crate::problem::{FieldError, MOST_ERRORS, Problem};
use crate::query::nearest;
use kind::time;

pub(crate) use kind::{Kind, statuses};

/// A member of a body.
pub(crate) struct Member {
    pub name: &'static str,
    pub kind: Kind,
    pub needed: bool,
    pub about: &'static str,
}

/// The members of a request's body, checked against their table.
pub(crate) struct Body(Map<String, Value>);

impl Body {
    /// Reads a request's body.
    pub fn read(request: &Request, bytes: &[u8], table: &[Member]) -> Result<Self, Problem> {
        Self::read_as(request, bytes, table, &["application/json"])
    }

    /// Reads a request's body that is of one of these media types.
    pub fn read_as(
        request: &Request,
        bytes: &[u8],
        table: &[Member],
        media_types: &[&str],
    ) -> Result<Self, Problem> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !media_types.iter().any(|known| known.eq_ignore_ascii_case(media_type)) {
            let detail = format!("the body's Content-Type must be {}", media_types.join(" or "));
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "malformed_body", format!("the body is no JSON: {error}"))
        })?;
        let Value::Object(members) = value else {
            return Err(Problem::invalid(vec![fault("", "", "the body is not an object".to_owned())]));
        };
        let mut errors = vec![];
        look(&members, table, "", &mut errors);
        if errors.is_empty() { Ok(Self(members)) } else { Err(Problem::invalid(errors)) }
    }

    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    pub fn whole(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    /// Whether there is such a member, and be it null.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn time(&self, name: &str) -> Option<Instant> {
        self.0.get(name).and_then(Value::as_str).and_then(time)
    }
}

/// Adds what is wrong with the members of an object, until there is enough of it.
fn look(members: &Map<String, Value>, table: &[Member], at: &str, errors: &mut Vec<FieldError>) {
    for (name, value) in members {
        if errors.len() >= MOST_ERRORS {
            return;
        }
        match table.iter().find(|member| member.name == name) {
            Some(member) => member.kind.look(value, at, name, errors),
            None => errors.push(unknown(at, name, table)),
        }
    }
    let missing = table.iter().filter(|member| member.needed && !members.contains_key(member.name));
    errors.extend(missing.map(|member| fault(at, member.name, "is missing".to_owned())));
}

impl Kind {
    /// Adds what is wrong with the member of this name.
    fn look(self, value: &Value, at: &str, name: &str, errors: &mut Vec<FieldError>) {
        match (self, value) {
            (Self::Maybe(_), Value::Null) => {}
            (Self::Maybe(kind), value) => kind.look(value, at, name, errors),
            (Self::Object(table), Value::Object(members)) => {
                look(members, table, &below(at, name), errors);
            }
            (Self::Headers, Value::Object(headers)) => {
                let wrong = headers.iter().filter(|(_, value)| !value.is_string() && !value.is_null());
                let at = below(at, name);
                let wrong = wrong.map(|(name, _)| fault(&at, &short(name), "is not a text".to_owned()));
                errors.extend(wrong.take(MOST_ERRORS));
            }
            (kind, value) => errors.extend(kind.check(value).err().map(|detail| fault(at, name, detail))),
        }
    }
}

/// The body as OpenAPI describes it.
pub(crate) fn document(table: &[Member], example: &str) -> Value {
    let example: Value = serde_json::from_str(example).unwrap_or_default();
    json!({"required": true, "content": {"application/json": {"schema": object(table), "example": example}}})
}

fn object(table: &[Member]) -> Value {
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
    schema
}

fn unknown(at: &str, name: &str, table: &[Member]) -> FieldError {
    let names: Vec<_> = table.iter().map(|member| member.name).collect();
    let short = short(name);
    fault(at, &short, format!("there is no member {short:?}{}", nearest(&short, &names)))
}

fn short(name: &str) -> String {
    name.chars().take(60).collect()
}

fn fault(at: &str, name: &str, detail: String) -> FieldError {
    let detail = if name.is_empty() || detail.contains(name) { detail } else { format!("{name} {detail}") };
    FieldError { pointer: below(at, name), detail }
}

/// The pointer of a member of what a pointer leads to (RFC 6901).
fn below(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}
