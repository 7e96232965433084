//! The report: a mail with the spreadsheet of some countries, once a day or when it is asked for.

#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta};
use malecon_domain::{
    Attachment, AttemptEnd, CountryFilter, CountrySortKey, Instant, Job, Line, Mail, Mailbox, NewRun, Next,
    OnceKey, Principal, Rhythm, Run, Schedule, Sort, Trace, Zone,
};
use malecon_ports::{Clock, MailError, MailFault, Mailer, ScheduleRepository, Sheet, SheetFormat};

use self::text::Report;
use crate::error::Lack;
use crate::job::jittered;
use crate::worker::JobHandler;
use crate::{CountryService, JobService, ServiceError};

/// Media type of an Excel workbook.
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// How long a report is tried: after that the next one is there.
const WORTH: TimeDelta = TimeDelta::hours(24);
/// Attempts in that time, with the waits below between them.
const ATTEMPTS: u32 = 200;
/// The longest wait before a first retry.
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait before any.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30 * 60);

/// What [`ReportService`] needs.
#[derive(Clone)]
pub struct ReportPorts {
    /// What is reported.
    pub countries: CountryService,
    /// Where a report waits until it is sent.
    pub jobs: JobService,
    /// The store's clock.
    pub schedules: Arc<dyn ScheduleRepository>,
    /// Writes spreadsheets.
    pub sheet: Arc<dyn Sheet>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Who reports to whom, and by whom it is carried.
#[derive(Clone)]
pub struct Post {
    /// Who carries it.
    pub mailer: Arc<dyn Mailer>,
    /// Who writes.
    pub from: Mailbox,
    /// To whom.
    pub to: Vec<Mailbox>,
}

/// What is reported, and when.
#[derive(Clone, Debug)]
pub struct ReportSettings {
    /// Which countries.
    pub filter: CountryFilter,
    /// In which order.
    pub sort: Vec<Sort<CountrySortKey>>,
    /// The two as they were written, for people; empty for all countries.
    pub query: String,
    /// When a report is sent by itself.
    pub schedule: Schedule,
    /// By whose clocks times and dates are told.
    pub zone: Zone,
}

/// Sends reports.
#[derive(Clone)]
pub struct ReportService {
    ports: ReportPorts,
    post: Option<Post>,
    settings: ReportSettings,
    /// The day whose report this process knows to be there.
    made: Arc<ArcSwapOption<NaiveDate>>,
}

impl ReportService {
    /// A service over these ports; without a post it sends nothing.
    pub fn new(ports: ReportPorts, post: Option<Post>, settings: ReportSettings) -> Self {
        Self { ports, post, settings, made: Arc::default() }
    }

    /// Makes a report that is sent at once, for an administrator.
    ///
    /// # Errors
    /// `Forbidden` for others; `Unavailable` when nobody has said who carries mail, from whom and to
    /// whom, or when the store does not answer.
    pub async fn send_now(&self, caller: &Principal) -> Result<Run, ServiceError> {
        if !caller.is_admin() {
            return Err(ServiceError::Forbidden);
        }
        self.post()?;
        self.ports.jobs.add_unattended(&self.draft(Some(caller.user_id))).await
    }

    /// Makes the report of the day if its time has come; whether it did. However many processes do so,
    /// and however often they start anew, a day has one report. One whose time went by while nobody was
    /// there is made up for on the same day. The clock is the store's. For a schedule.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn tick_unattended(&self) -> Result<bool, ServiceError> {
        if self.post.is_none() {
            return Ok(false);
        }
        let now = self.ports.schedules.now().await?;
        let day = |at: Instant| self.settings.zone.clock(at).date();
        let today = day(now);
        let tick = Rhythm::At(self.settings.schedule.clone()).tick(now);
        if tick.map(day) != Some(today) || self.made.load().as_deref() == Some(&today) {
            return Ok(false);
        }
        let once = Some(OnceKey { key: format!("report:{today}"), fingerprint: String::new() });
        let draft = NewRun { once, ..self.draft(None) };
        let run = self.ports.jobs.add_unattended(&draft).await?;
        self.made.store(Some(Arc::new(today)));
        Ok(run.id == draft.id)
    }

    /// Whether mail of ours would be taken, and when the next report is due.
    ///
    /// # Errors
    /// `Unavailable`, also when no post is configured.
    pub async fn check_unattended(&self) -> Result<Option<Instant>, ServiceError> {
        self.post()?.mailer.check().await.map_err(|error| unavailable(Lack::Upstream, error))?;
        Ok(self.settings.schedule.next_after(self.ports.schedules.now().await?))
    }

    /// Who does [`Job::Report`], for a [`Worker`](crate::Worker).
    pub fn handler(&self) -> Arc<dyn JobHandler> {
        Arc::new(Postman(self.clone()))
    }

    fn post(&self) -> Result<&Post, ServiceError> {
        let lack = Lack::NotConfigured("mail_not_configured");
        self.post.as_ref().ok_or_else(|| unavailable(lack, "nobody has said who mails to whom"))
    }

    fn draft(&self, owner: Option<i64>) -> NewRun {
        NewRun { max_attempts: ATTEMPTS, ..self.ports.jobs.draft(Job::Report, owner) }
    }

    /// What is to be reported now, as the mail of this run.
    async fn mail(&self, run: &Run, post: &Post) -> Result<(Mail, usize), ServiceError> {
        let held = self.ports.countries.refresh().await?;
        if held.version.number == 0 {
            return Err(ServiceError::store_unavailable("it has no countries yet"));
        }
        let rows = held.select(&self.settings.filter, &self.settings.sort);
        let bytes = self.ports.sheet.write(SheetFormat::Xlsx, &rows)?;
        let date = self.ports.clock.now();
        let report = Report {
            count: rows.len(),
            query: &self.settings.query,
            version: held.version,
            last_sync: self.ports.countries.last_report_unattended().await?,
            now: date,
            zone: self.settings.zone,
        };
        let file = Attachment { name: Line::new(&report.file()), media_type: XLSX, bytes };
        let mail = Mail {
            id: run.id,
            date,
            from: post.from.clone(),
            to: post.to.clone(),
            subject: report.subject(),
            text: report.text(),
            html: report.html(),
            attachments: vec![file],
        };
        Ok((mail, rows.len()))
    }

    /// What becomes of a run that has failed for now.
    async fn again(&self, run: &Run) -> Next {
        // Whoever can't ask the store waits for it.
        let now = self.ports.schedules.now().await.unwrap_or(run.created_at);
        if now - run.created_at > WORTH {
            return Next::Over(AttemptEnd::Failed);
        }
        Next::Again(jittered(BACKOFF, run.counted_attempts(), LONGEST_BACKOFF))
    }
}

/// Sees reports through.
struct Postman(ReportService);

#[async_trait]
impl JobHandler for Postman {
    async fn attempt(&self, run: &Run) -> Result<(Next, Trace), ServiceError> {
        let Self(reports) = self;
        let Some(post) = &reports.post else {
            let reason = "this process is not told who mails to whom";
            return Ok((reports.again(run).await, Trace::of_failure(reason)));
        };
        let (mail, count) = match reports.mail(run, post).await {
            Ok(written) => written,
            Err(error @ ServiceError::Unavailable { .. }) => {
                return Ok((reports.again(run).await, Trace::of_failure(error.to_string())));
            }
            Err(error) => return Err(error),
        };
        Ok(match post.mailer.send(&mail).await {
            Ok(refusals) => {
                let reached = post.to.len() - refusals.len();
                let result = Some(format!("countries: {count}; mailed to {reached} of {}", post.to.len()));
                let each = refusals.iter().map(|one| format!("{}: {}", one.to.email().as_str(), one.reason));
                let reason = (!refusals.is_empty()).then(|| each.collect::<Vec<_>>().join("; "));
                if let Some(reason) = &reason {
                    tracing::error!(run = %run.id, reason, "the report is refused by some");
                }
                let end = if refusals.is_empty() { AttemptEnd::Succeeded } else { AttemptEnd::Failed };
                (Next::Over(end), Trace { reason, result, ..Trace::default() })
            }
            Err(MailError { fault: MailFault::Refused, reason }) => {
                tracing::error!(run = %run.id, reason, "the report is refused");
                (Next::Over(AttemptEnd::Failed), Trace::of_failure(reason))
            }
            Err(MailError { fault: MailFault::Later, reason }) => {
                (reports.again(run).await, Trace::of_failure(reason))
            }
        })
    }
}

fn unavailable(lack: Lack, cause: impl Into<malecon_ports::Cause>) -> ServiceError {
    ServiceError::Unavailable {
        what: "mail",
        lack,
        retry_after: Duration::from_secs(60 * 60),
        source: Arc::from(cause.into()),
    }
}
