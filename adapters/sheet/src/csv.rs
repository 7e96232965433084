//! Comma-separated values: RFC 4180, UTF-8, no byte order mark, which parsers would take for a part
//! of the first heading.

use ::csv::{Terminator, WriterBuilder};
use malecon_domain::StoredCountry;

use crate::column::{COLUMNS, Cell};

pub(crate) fn write(
    countries: &[StoredCountry],
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(vec![]);
    writer.write_record(COLUMNS.iter().map(|column| column.heading))?;
    for stored in countries {
        writer.write_record(COLUMNS.iter().map(|column| field((column.cell)(stored))))?;
    }
    Ok(writer.into_inner()?)
}

/// What makes a spreadsheet take a text for a formula (OWASP, CSV injection): the signs, their full-width
/// twins, which some locales take for them, and controls before them.
const STARTERS: [char; 11] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];

/// What some take for a border between cells, so that a new one begins behind it.
const BORDERS: [char; 5] = [';', '|', '\t', '\r', '\n'];

/// Whether a spreadsheet may find the beginning of a formula in it, whatever it takes for a border. Blanks
/// do not count, since it cuts them off.
fn is_formula(text: &str) -> bool {
    let begins = |cell: &str| cell.starts_with(STARTERS) || cell.trim_start().starts_with(STARTERS);
    let begins_with_border = text.trim_start().starts_with(BORDERS);
    begins_with_border || begins(text) || text.split(BORDERS).any(begins)
}

/// A text that may be taken for a formula gets an apostrophe before it, and behind each border in it that
/// would begin one; numbers stay numbers.
pub(crate) fn guarded(text: String) -> String {
    if !is_formula(&text) {
        return text;
    }
    let mut guarded = String::with_capacity(text.len() + 2);
    guarded.push('\'');
    let mut rest = text.as_str();
    while let Some(at) = rest.find(BORDERS) {
        // All borders are one byte long.
        let (cell, next) = rest.split_at(at + 1);
        guarded.push_str(cell);
        if next.trim_start().starts_with(STARTERS) {
            guarded.push('\'');
        }
        rest = next;
    }
    guarded.push_str(rest);
    guarded
}

fn field(cell: Cell) -> String {
    match cell {
        Cell::Text(text) => guarded(text),
        Cell::Number(number) => number.to_string(),
        Cell::Time(instant) => instant.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Cell::Blank => String::new(),
    }
}
