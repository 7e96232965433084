//! Reading vendors' JSON: tolerant of what is absent, exact about what is wrong.

use malecon_domain::{CountryRecord, LatLng, Rejection};
use malecon_ports::GatewayError;
use serde_json::{Map, Value};

/// Rows of an answer at most: no source of countries has more.
pub(crate) const MOST_ROWS: usize = 1_000;

/// What is wrong with a member.
pub(crate) type Wrong = String;

/// An object and where it lies, for messages.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a> {
    map: &'a Map<String, Value>,
    path: &'a str,
}

/// The value as JSON.
pub(crate) fn parse(body: &[u8]) -> Result<Value, GatewayError> {
    serde_json::from_slice(body).map_err(|error| {
        GatewayError::Malformed(format!("no JSON ({error}), begins with {}", beginning(body)).into())
    })
}

/// How a body begins, for messages.
pub(crate) fn beginning(body: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&body[..body.len().min(40)]))
}

/// A value's kind in words, with an object's members.
pub(crate) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(map) => {
            let members: Vec<&str> = map.keys().map(String::as_str).take(5).collect();
            format!("an object with {}", members.join(", "))
        }
    }
}

/// The rows of an answer that must be a list.
pub(crate) fn rows(value: Value) -> Result<Vec<Value>, GatewayError> {
    let Value::Array(rows) = value else {
        return Err(GatewayError::Malformed(format!("expected an array, found {}", kind(&value)).into()));
    };
    if rows.len() > MOST_ROWS {
        return Err(GatewayError::Malformed(format!("{} rows are too many", rows.len()).into()));
    }
    Ok(rows)
}

/// How a row is called in reports: by its code, or by its place.
pub(crate) fn label(code: Option<&str>, index: usize) -> String {
    match code {
        Some(code) if !code.is_empty() => code.chars().take(20).collect(),
        _ => format!("#{index}"),
    }
}

/// Sorts what was read from what was not.
pub(crate) fn sort_out(
    read: impl Iterator<Item = (String, Result<CountryRecord, Wrong>)>,
) -> (Vec<CountryRecord>, Vec<Rejection>) {
    let (mut records, mut rejected) = (vec![], vec![]);
    for (record, result) in read {
        match result {
            Ok(country) => records.push(country),
            Err(reason) => rejected.push(Rejection { record, reason }),
        }
    }
    (records, rejected)
}

impl<'a> Object<'a> {
    /// The value as an object.
    pub fn of(value: &'a Value, path: &'a str) -> Result<Self, Wrong> {
        match value {
            Value::Object(map) => Ok(Self { map, path }),
            other => Err(format!(
                "{} is {}, not an object",
                if path.is_empty() { "it" } else { path },
                kind(other)
            )),
        }
    }

    fn wrong(&self, name: &str, expected: &str) -> Wrong {
        let dot = if self.path.is_empty() { "" } else { "." };
        format!("{}{dot}{name} is not {expected}", self.path)
    }

    /// A member; null counts as absent.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// An object, or `None`. An empty array counts as absent: some serialisers write empty maps so.
    pub fn object(&self, name: &'a str) -> Result<Option<Object<'a>>, Wrong> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(list)) if list.is_empty() => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Object { map, path: name })),
            Some(_) => Err(self.wrong(name, "an object")),
        }
    }

    /// A text that says something.
    pub fn text(&self, name: &str) -> Result<Option<String>, Wrong> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.wrong(name, "a text")),
        }
    }

    /// A text, blank when absent.
    pub fn text_or_blank(&self, name: &str) -> Result<String, Wrong> {
        self.text(name).map(Option::unwrap_or_default)
    }

    /// A list of texts; absent is empty.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Wrong> {
        match self.get(name) {
            None => Ok(vec![]),
            Some(Value::Array(list)) => list
                .iter()
                .map(|text| {
                    text.as_str().map(str::to_owned).ok_or_else(|| self.wrong(name, "a list of texts"))
                })
                .collect(),
            Some(_) => Err(self.wrong(name, "a list of texts")),
        }
    }

    /// A list of anything; absent is empty.
    pub fn list(&self, name: &str) -> Result<&'a [Value], Wrong> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => Err(self.wrong(name, "a list")),
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Result<Option<f64>, Wrong> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.wrong(name, "a number")),
        }
    }

    /// A count: a whole number, however it is written.
    pub fn count(&self, name: &str) -> Result<u64, Wrong> {
        let wrong = || self.wrong(name, "a whole number");
        let value = self.get(name).ok_or_else(|| format!("{name} is missing"))?;
        if let Some(count) = value.as_u64() {
            return Ok(count);
        }
        let number = value.as_f64().ok_or_else(wrong)?;
        let whole = number >= 0.0 && number.fract() == 0.0 && number < 1e15;
        // Checked above: the cast loses nothing.
        if whole { Ok(number as u64) } else { Err(wrong()) }
    }

    /// Yes, no, or not known.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Wrong> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(name, "a boolean")),
        }
    }

    /// `[lat, lng]`, or nothing.
    pub fn point(&self, name: &str) -> Result<Option<LatLng>, Wrong> {
        match self.list(name)? {
            [] => Ok(None),
            [lat, lng] => match (lat.as_f64(), lng.as_f64()) {
                (Some(lat), Some(lng)) => Ok(Some(LatLng { lat, lng })),
                _ => Err(self.wrong(name, "a latitude and a longitude")),
            },
            _ => Err(self.wrong(name, "a latitude and a longitude")),
        }
    }

    /// The area in km²; −1 means unknown.
    pub fn area(&self, name: &str) -> Result<Option<f64>, Wrong> {
        Ok(self.number(name)?.filter(|area| *area != -1.0))
    }

    /// The members of an object, in their order.
    pub fn members(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter()
    }
}
