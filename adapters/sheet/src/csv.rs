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

/// A text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV
/// injection); numbers stay numbers.
fn field(cell: Cell) -> String {
    match cell {
        Cell::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Cell::Text(text) => text,
        Cell::Number(number) => number.to_string(),
        Cell::Time(instant) => instant.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Cell::Blank => String::new(),
    }
}
