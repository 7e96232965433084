//! The built-in country data, behind the same gateway port.

mod row;
#[cfg(test)]
mod tests;

use std::io::Read;

use async_trait::async_trait;
use flate2::read::GzDecoder;
use malecon_domain::{Batch, CountryRecord, FieldSet};
use malecon_ports::{CountryGateway, GatewayError};

use crate::row::Row;

/// Written by `make_snapshot.py`; its sources and licences are in NOTICE.
static PACKED: &[u8] = include_bytes!("../data/countries.json.gz");

/// 250 countries with all members of a v3.1 record, compiled in.
///
/// Nothing is unpacked before `fetch`, and nothing of it stays in memory afterwards.
#[derive(Clone, Copy, Debug, Default)]
pub struct Snapshot;

impl Snapshot {
    /// The gateway to the built-in data.
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl CountryGateway for Snapshot {
    fn source(&self) -> String {
        "snapshot".to_owned()
    }

    async fn fetch(&self) -> Result<Batch, GatewayError> {
        decode(PACKED)
    }
}

fn decode(packed: &[u8]) -> Result<Batch, GatewayError> {
    let mut json = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut json).map_err(|error| GatewayError::Malformed(error.into()))?;
    let rows: Vec<Row> =
        serde_json::from_slice(&json).map_err(|error| GatewayError::Malformed(error.into()))?;
    if rows.is_empty() {
        return Err(GatewayError::Malformed("the list of countries is empty".into()));
    }
    let records = rows.into_iter().map(CountryRecord::from).collect();
    Ok(Batch { covered: FieldSet::ALL, records, rejected: Vec::new() })
}
