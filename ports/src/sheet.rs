//! Spreadsheets.

use malecon_domain::StoredCountry;

use crate::Cause;

/// The sheet could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the sheet could not be written")]
pub struct SheetError(#[source] pub Cause);

/// A kind of spreadsheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SheetFormat {
    /// Excel workbook (Office Open XML).
    Xlsx,
    /// Comma-separated values (RFC 4180), UTF-8.
    Csv,
}

/// Writes countries as a spreadsheet: a header row, then one country a row.
///
/// # Contract
/// - Numbers are numbers, times are times; lists are joined with `, `.
/// - No text is ever taken for a formula, whatever it begins with.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Sheet: Send + Sync {
    /// The bytes of the file.
    ///
    /// # Errors
    /// [`SheetError`] when the rows do not fit the format.
    fn write(&self, format: SheetFormat, countries: &[StoredCountry]) -> Result<Vec<u8>, SheetError>;
}
