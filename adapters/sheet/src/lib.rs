//! Excel and CSV writers.

mod column;
mod csv;
#[cfg(test)]
mod tests;
mod xlsx;

use malecon_domain::StoredCountry;
use malecon_ports::{Sheet, SheetError, SheetFormat};

/// Writes countries as an Excel workbook or as comma-separated values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sheets;

impl Sheets {
    /// A writer of sheets.
    pub fn new() -> Self {
        Self
    }
}

impl Sheet for Sheets {
    fn write(&self, format: SheetFormat, countries: &[StoredCountry]) -> Result<Vec<u8>, SheetError> {
        match format {
            SheetFormat::Xlsx => xlsx::write(countries).map_err(|error| SheetError(error.into())),
            SheetFormat::Csv => csv::write(countries).map_err(SheetError),
        }
    }
}
