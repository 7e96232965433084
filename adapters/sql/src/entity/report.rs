//! A sync's report as JSON.

use malecon_domain::{Rejection, SyncOutcome, SyncReport};
use malecon_ports::RepositoryError;
use serde::{Deserialize, Serialize};

use super::country::instant;

#[derive(Serialize, Deserialize)]
pub struct ReportJson {
    source: String,
    started_at: i64,
    finished_at: i64,
    outcome: String,
    detail: Option<String>,
    seen: u64,
    inserted: u64,
    updated: u64,
    unchanged: u64,
    missing: Vec<String>,
    rejected: Vec<(String, String)>,
}

impl From<&SyncReport> for ReportJson {
    fn from(report: &SyncReport) -> Self {
        Self {
            source: report.source.clone(),
            started_at: report.started_at.timestamp_micros(),
            finished_at: report.finished_at.timestamp_micros(),
            outcome: report.outcome.name().to_owned(),
            detail: report.detail.clone(),
            seen: report.seen,
            inserted: report.inserted,
            updated: report.updated,
            unchanged: report.unchanged,
            missing: report.missing.clone(),
            rejected: report.rejected.iter().map(|r| (r.record.clone(), r.reason.clone())).collect(),
        }
    }
}

impl TryFrom<ReportJson> for SyncReport {
    type Error = RepositoryError;

    fn try_from(json: ReportJson) -> Result<Self, RepositoryError> {
        let outcome = SyncOutcome::from_name(&json.outcome).ok_or_else(|| {
            RepositoryError::Corrupt(format!("there is no outcome {}", json.outcome).into())
        })?;
        Ok(Self {
            source: json.source,
            started_at: instant(json.started_at)?,
            finished_at: instant(json.finished_at)?,
            outcome,
            detail: json.detail,
            seen: json.seen,
            inserted: json.inserted,
            updated: json.updated,
            unchanged: json.unchanged,
            missing: json.missing,
            rejected: json
                .rejected
                .into_iter()
                .map(|(record, reason)| Rejection { record, reason })
                .collect(),
        })
    }
}
