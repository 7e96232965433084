//! Query strings: one table of parameters an operation, for reading and for the document.

use std::fmt::Write;

use form_urlencoded::{byte_serialize, parse};
use malecon::domain::RunId;
use poem::Request;
use serde_json::{Value, json};

use crate::problem::{FieldError, MOST_ERRORS, Problem};

/// Characters of one parameter at most.
const LONGEST: usize = 1_000;

/// A query parameter.
pub(crate) struct Param {
    pub name: &'static str,
    pub kind: Kind,
    pub about: &'static str,
}

/// What a parameter's value may be.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A whole number within bounds.
    Whole { least: u64, most: u64 },
    /// A page of a list that has so many at most. One beyond is no nonsense: who reads it says that
    /// there is none.
    Page { last: u32 },
    /// A decimal number, at least 0.
    Decimal,
    /// `true` in any case, or anything else, which is as good as `false`.
    Flag,
    /// So many parts of two letters, at most, with a `-` between them.
    Tag { parts: usize },
    /// The number of a run.
    Run,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Some of these, separated by commas.
    Members(fn() -> Vec<&'static str>),
    /// Some of these, separated by commas, each behind a `-` when it is to run downwards.
    Order(fn() -> Vec<&'static str>),
    /// Words separated by commas. Needed if it says so.
    Words { needed: bool },
}

/// The parameters of a request, checked against their table.
#[derive(Debug)]
pub(crate) struct Query {
    pairs: Vec<(&'static str, String)>,
}

impl Query {
    /// Reads a request's query string. Blank values count as not given.
    pub fn read(request: &Request, table: &'static [Param]) -> Result<Self, Problem> {
        Self::parse(request.uri().query().unwrap_or_default(), table, false)
    }

    /// The same, where parameters that are not in the table are none of our business.
    pub fn read_leniently(request: &Request, table: &'static [Param]) -> Result<Self, Problem> {
        Self::parse(request.uri().query().unwrap_or_default(), table, true)
    }

    pub fn parse(text: &str, table: &'static [Param], lenient: bool) -> Result<Self, Problem> {
        let mut pairs = Vec::<(&'static str, String)>::new();
        let mut errors = vec![];
        let mut unknown = false;
        for (name, value) in parse(text.as_bytes()) {
            if errors.len() == MOST_ERRORS {
                break;
            }
            let Some(param) = table.iter().find(|param| param.name == name) else {
                if !lenient {
                    unknown = true;
                    let names: Vec<_> = table.iter().map(|param| param.name).collect();
                    errors.push(error(
                        &name,
                        format!("there is no parameter {:?}{}", short(&name), nearest(&name, &names)),
                    ));
                }
                continue;
            };
            let before = pairs.iter_mut().find(|(known, _)| *known == param.name);
            if let Some((_, list)) = before {
                // A list that is given in parts, as generated clients do; else the first one counts for whoever
                // never minded.
                match param.kind.check(value.trim()) {
                    Ok(()) if param.kind.is_list() => *list = format!("{list},{}", value.trim()),
                    Ok(()) if lenient => {}
                    Ok(()) => errors.push(error(&name, format!("{name} is given twice"))),
                    Err(detail) => errors.push(error(&name, format!("{name} {detail}"))),
                }
            } else if let Err(detail) = param.kind.check(value.trim()) {
                errors.push(error(&name, format!("{name} {detail}")));
            } else if !value.trim().is_empty() {
                pairs.push((param.name, value.trim().to_owned()));
            }
        }
        if errors.is_empty() {
            pairs.sort_by_key(|(name, _)| table.iter().position(|param| param.name == *name));
            return Ok(Self { pairs });
        }
        Err(Problem::query(if unknown { "unknown_parameter" } else { "invalid_parameter" }, errors))
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A value that its table entry has checked.
    pub fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name).and_then(|value| value.parse().ok())
    }

    /// The members of a list, each once.
    pub fn members(&self, name: &str) -> Vec<&str> {
        let mut members: Vec<&str> = vec![];
        for member in self.text(name).into_iter().flat_map(|text| text.split(',')).map(str::trim) {
            if !member.is_empty() && !members.contains(&member) {
                members.push(member);
            }
        }
        members
    }

    /// The query string in its one normal form, with `page` set to another number when given.
    pub fn normal(&self, page: Option<u64>) -> String {
        let mut text = String::new();
        for (name, value) in self.pairs.iter().filter(|(name, _)| page.is_none() || *name != "page") {
            let _ = write!(text, "{}{name}=", if text.is_empty() { "" } else { "&" });
            text.extend(byte_serialize(value.as_bytes()));
        }
        if let Some(page) = page {
            let _ = write!(text, "{}page={page}", if text.is_empty() { "" } else { "&" });
        }
        text
    }
}

impl Kind {
    fn is_list(self) -> bool {
        matches!(self, Self::Members(_) | Self::Order(_) | Self::Words { .. })
    }

    fn check(self, value: &str) -> Result<(), String> {
        // The codes of all countries are a list, too.
        let limit = if matches!(self, Self::Words { .. }) { 8 * LONGEST } else { LONGEST };
        if value.chars().count() > limit {
            return Err(format!("is longer than {limit} characters"));
        }
        match self {
            Self::Words { .. } | Self::Text if value.is_empty() => Ok(()),
            _ if value.is_empty() => Err("has no value".to_owned()),
            Self::Text => Ok(()),
            Self::Whole { least, most } => match value.parse::<u64>() {
                Ok(number) if (least..=most).contains(&number) => Ok(()),
                _ => Err(format!("is not a whole number from {least} to {most}")),
            },
            Self::Page { last } => match value.parse::<u32>() {
                Ok(1..) => Ok(()),
                _ => Err(format!("is not a whole number from 1 to {last}")),
            },
            Self::Decimal => match value.parse::<f64>() {
                Ok(number) if number.is_finite() && number >= 0.0 => Ok(()),
                _ => Err("is not a number from 0 up".to_owned()),
            },
            Self::Flag => Ok(()),
            Self::Tag { parts } => {
                let is_part = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_alphabetic());
                match value.split('-').count() <= parts && value.split('-').all(is_part) {
                    true => Ok(()),
                    false if parts == 1 => Err("is not two letters".to_owned()),
                    false => Err("is neither like es nor like pt-BR".to_owned()),
                }
            }
            Self::Run => {
                value.parse::<RunId>().map(|_| ()).map_err(|_| "is not the number of a run".to_owned())
            }
            Self::Choice(choices) => among(value, choices),
            Self::Members(all) => value.split(',').try_for_each(|member| among(member.trim(), &all())),
            Self::Order(all) => value
                .split(',')
                .map(str::trim)
                .try_for_each(|member| among(member.strip_prefix('-').unwrap_or(member), &all())),
            Self::Words { .. } => Ok(()),
        }
    }

    fn schema(self) -> Value {
        let list = |items: Value| json!({"type": "array", "items": items, "minItems": 1});
        match self {
            Self::Text => json!({"type": "string", "maxLength": LONGEST}),
            Self::Whole { least, most } => {
                json!({"type": "integer", "format": "int64", "minimum": least, "maximum": most})
            }
            Self::Page { last } => Self::Whole { least: 1, most: last.into() }.schema(),
            Self::Decimal => json!({"type": "number", "format": "double", "minimum": 0}),
            Self::Flag => json!({"type": "string", "example": "true"}),
            Self::Tag { parts: 1 } => json!({"type": "string", "pattern": "^[A-Za-z]{2}$"}),
            Self::Tag { .. } => json!({"type": "string", "pattern": "^[A-Za-z]{2}(-[A-Za-z]{2})?$"}),
            Self::Run => json!({"type": "string", "format": "uuid"}),
            Self::Choice(choices) => json!({"type": "string", "enum": choices}),
            Self::Members(all) => list(json!({"type": "string", "enum": all()})),
            Self::Order(all) => {
                let both: Vec<String> =
                    all().into_iter().flat_map(|key| [key.to_owned(), format!("-{key}")]).collect();
                list(json!({"type": "string", "enum": both}))
            }
            Self::Words { needed: false } => json!({"type": "array", "items": {"type": "string"}}),
            Self::Words { needed: true } => list(json!({"type": "string", "pattern": "^[A-Za-z0-9_.-]+$"})),
        }
    }
}

impl Param {
    /// The parameter as OpenAPI describes it.
    pub fn document(&self) -> Value {
        let mut param = json!({
            "name": self.name,
            "in": "query",
            "description": self.about,
            "required": matches!(self.kind, Kind::Words { needed: true }),
            "schema": self.kind.schema(),
        });
        if param["schema"]["type"] == "array" {
            param["style"] = json!("form");
            param["explode"] = json!(false);
        }
        param
    }
}

fn among(value: &str, choices: &[&str]) -> Result<(), String> {
    if choices.contains(&value) {
        return Ok(());
    }
    Err(format!("does not know {:?}{}", short(value), nearest(value, choices)))
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

fn error(name: &str, detail: String) -> FieldError {
    FieldError { pointer: format!("query/{}", short(name)), detail }
}

/// `; did you mean …?`, or nothing when nothing is near.
pub(crate) fn nearest(name: &str, names: &[&str]) -> String {
    let name = short(name);
    let best = names
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match best {
        Some((likeness, candidate)) if likeness > 0.7 => format!("; did you mean {candidate}?"),
        _ => format!("; there are {}", names.join(", ")),
    }
}
