//! Excel workbooks: typed cells, a frozen heading, a filter over everything.

use malecon_domain::StoredCountry;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, XlsxError};

use crate::column::{COLUMNS, Cell};

/// Characters of a cell at most, by Excel's own limit.
const LONGEST: usize = 32_767;

pub(crate) fn write(countries: &[StoredCountry]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let heading = Format::new().set_bold();
    let time = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    let sheet = workbook.add_worksheet_with_constant_memory()?;
    sheet.set_name("Countries")?;
    sheet.set_freeze_panes(1, 0)?;
    let last_row = u32::try_from(countries.len()).unwrap_or(u32::MAX);
    let last_column = u16::try_from(COLUMNS.len() - 1).unwrap_or(u16::MAX);
    sheet.autofilter(0, 0, last_row, last_column)?;
    for (number, column) in (0..).zip(COLUMNS) {
        sheet.set_column_width(number, f64::from(column.width))?;
        sheet.write_string_with_format(0, number, column.heading, &heading)?;
    }
    for (row, stored) in (1..).zip(countries) {
        for (number, column) in (0..).zip(COLUMNS) {
            match (column.cell)(stored) {
                // write_string and nothing else: no text becomes a formula, a number or a link.
                Cell::Text(text) => sheet.write_string(row, number, cut(text))?,
                Cell::Number(value) => sheet.write_number(row, number, value)?,
                Cell::Time(instant) => {
                    let value = ExcelDateTime::from_timestamp(instant.timestamp())?;
                    sheet.write_datetime_with_format(row, number, &value, &time)?
                }
                Cell::Blank => continue,
            };
        }
    }
    workbook.save_to_buffer()
}

fn cut(text: String) -> String {
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}
