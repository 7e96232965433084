//! Who carries the report, and what it is about.

use std::sync::Arc;

use malecon::domain::{CountryFilter, TimeOfDay, Zone};
use malecon::{Post, ReportSettings};
use malecon_mail::{Server, Smtp, SmtpOptions};

use crate::config::ReportFilter;
use crate::{Config, Failure};

/// Who reports to whom, when the settings say all of it.
pub(super) fn post(config: &Config) -> Result<Option<Post>, Failure> {
    let server = config.smtp_url.as_deref().map(Server::parse).transpose();
    let server = server.map_err(|error| Failure::of("SMTP_URL makes no sense", error))?;
    let given = [
        ("SMTP_URL", server.is_some()),
        ("MALECON_REPORT_FROM", config.report_from.is_some()),
        ("MALECON_REPORT_TO", !config.report_to.is_empty()),
    ];
    let names = |wanted| given.iter().filter(move |(_, is_given)| *is_given == wanted).map(|(name, _)| *name);
    let (Some(server), Some(from), None) = (server, &config.report_from, names(false).next()) else {
        if let (Some(given), Some(missing)) = (names(true).next(), names(false).next()) {
            tracing::warn!("{given} is set and {missing} is not: no report is mailed");
        }
        return Ok(None);
    };
    let smtp = Smtp::new(server, SmtpOptions::default());
    let smtp = smtp.map_err(|error| Failure::of("SMTP_URL can't be used", error))?;
    Ok(Some(Post { mailer: Arc::new(smtp), from: from.clone(), to: config.report_to.clone() }))
}

/// Which countries are reported, and when.
pub(super) fn settings(config: &Config) -> Result<ReportSettings, Failure> {
    let ReportFilter { query, filter, sort } = config.report_filter.clone();
    Ok(ReportSettings { query, filter, sort, ..daily(config.report_at, config.time_zone)? })
}

/// What nobody has asked for: all countries, at midnight.
pub(super) fn unasked() -> Result<ReportSettings, Failure> {
    daily(TimeOfDay::default(), Zone::UTC)
}

fn daily(at: TimeOfDay, zone: Zone) -> Result<ReportSettings, Failure> {
    let schedule = at.daily(zone).map_err(|error| Failure::of("MALECON_REPORT_AT makes no sense", error))?;
    let filter = CountryFilter::default();
    Ok(ReportSettings { filter, sort: vec![], query: String::new(), schedule, zone })
}
