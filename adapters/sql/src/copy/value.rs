//! Tables, and what stands in them, as both databases see it.

use sea_orm::sqlx::sqlite::SqliteRow;
use sea_orm::sqlx::{self, Row, Sqlite};

/// What a column of the target holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Real,
    Truth,
    Text,
    Bytes,
}

impl Kind {
    /// That of a type by PostgreSQL's name.
    pub fn of(data_type: &str) -> Option<Self> {
        match data_type {
            "smallint" | "integer" | "bigint" => Some(Self::Whole),
            "double precision" => Some(Self::Real),
            "boolean" => Some(Self::Truth),
            "text" => Some(Self::Text),
            "bytea" => Some(Self::Bytes),
            _ => None,
        }
    }
}

/// A table of the target.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub name: &'static str,
    pub columns: Vec<(String, Kind)>,
    /// Names of the columns of its primary key.
    pub keys: Vec<String>,
}

impl Table {
    /// Reads all of it from the source.
    pub fn select(&self) -> String {
        format!("SELECT {} FROM \"{}\"", self.names(), self.name)
    }

    /// Its columns, separated by commas.
    pub fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    }

    /// What tells a row of it from others, for people.
    pub fn key(&self, row: &SqliteRow) -> String {
        let values = self.keys.iter().map(|name| {
            let value = if let Ok(number) = row.try_get::<i64, _>(name.as_str()) {
                number.to_string()
            } else if let Ok(text) = row.try_get::<String, _>(name.as_str()) {
                format!("{text:?}")
            } else {
                let bytes = row.try_get_unchecked::<Vec<u8>, _>(name.as_str()).unwrap_or_default();
                let hex: String = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                format!("0x{hex}…")
            };
            format!("{name}={value}")
        });
        values.collect::<Vec<_>>().join(" ")
    }
}

/// A value, or none of a kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Whole(Option<i64>),
    Real(Option<f64>),
    Truth(Option<bool>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    /// All values of a row; else what is wrong with one.
    pub fn all(table: &Table, row: &SqliteRow) -> Result<Vec<Self>, String> {
        let read = |(index, (name, kind)): (usize, &(String, Kind))| {
            Self::get(row, index, *kind).map_err(|what| format!("{name} {what}"))
        };
        table.columns.iter().enumerate().map(read).collect()
    }

    fn get(row: &SqliteRow, index: usize, kind: Kind) -> Result<Self, &'static str> {
        match kind {
            Kind::Whole => get(row, index).map(Self::Whole).ok_or("is no whole number"),
            Kind::Real => get(row, index).map(Self::Real).ok_or("is no number"),
            Kind::Truth => get(row, index).map(Self::Truth).ok_or("is neither true nor false"),
            Kind::Bytes => get(row, index).map(Self::Bytes).ok_or("holds no bytes"),
            Kind::Text => match get::<String>(row, index).ok_or("is no text in UTF-8")? {
                Some(text) if text.contains('\0') => {
                    Err("has a character NUL (U+0000), which PostgreSQL can't hold")
                }
                text => Ok(Self::Text(text)),
            },
        }
    }

    /// Bytes of it, about.
    pub fn size(&self) -> usize {
        match self {
            Self::Text(Some(text)) => text.len(),
            Self::Bytes(Some(bytes)) => bytes.len(),
            _ => 8,
        }
    }
}

/// A value of exactly this type, or none.
fn get<T>(row: &SqliteRow, index: usize) -> Option<Option<T>>
where
    for<'r> Option<T>: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    row.try_get(index).ok()
}
