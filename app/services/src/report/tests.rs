//! Reports: what they say, who asks for them, one a day, and what becomes of those that are not taken.

use std::collections::VecDeque;
use std::sync::Mutex;

use malecon_domain::{RunState, TimeOfDay};
use malecon_memory::{ManualClock, MemoryCountries, MemoryLock, MemoryTasks};
use malecon_ports::{CountryGateway, GatewayError, Refusal, RunLease, RunRepository, TaskQueue};
use malecon_sheet::Sheets;
use malecon_snapshot::Snapshot;
use rstest::rstest;

use super::*;
use crate::task::tests::bench::{Bench, SECOND};
use crate::{CountryPorts, JobPorts, SyncSettings};

const HOUR: Duration = Duration::from_secs(60 * 60);
const NAME: &str = "2023-11-14";

/// Takes what it is given, or answers what it is told to.
#[derive(Default)]
struct Letterbox {
    answers: Mutex<VecDeque<Result<Vec<Refusal>, MailError>>>,
    taken: Mutex<Vec<Mail>>,
}

#[async_trait]
impl Mailer for Letterbox {
    async fn send(&self, mail: &Mail) -> Result<Vec<Refusal>, MailError> {
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Ok(vec![]));
        self.taken.lock().unwrap().push(mail.clone());
        answer
    }

    async fn check(&self) -> Result<(), MailError> {
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(vec![])).map(|_| ())
    }
}

/// The built-in countries the first time, nothing later.
struct Fading(Mutex<bool>);

#[async_trait]
impl CountryGateway for Fading {
    fn source(&self) -> String {
        "a <b>source</b>".to_owned()
    }

    async fn fetch(&self) -> Result<malecon_domain::Batch, GatewayError> {
        let is_first = !std::mem::replace(&mut *self.0.lock().unwrap(), true);
        if is_first { Snapshot::new().fetch().await } else { Err(GatewayError::Unavailable("gone".into())) }
    }
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

fn later() -> Result<Vec<Refusal>, MailError> {
    Err(MailError { fault: MailFault::Later, reason: "451 come back".to_owned() })
}

struct Office {
    bench: Bench,
    post: Arc<Letterbox>,
    countries: CountryService,
    reports: ReportService,
}

impl Office {
    async fn new(query: &str, time: &str, zone: &str) -> Self {
        let bench = Bench::new().await;
        let (post, lock) = (Arc::new(Letterbox::default()), MemoryLock::new());
        let source = Arc::new(Fading(Mutex::new(false)));
        let countries = CountryPorts {
            repository: Arc::new(MemoryCountries::new(lock.clone())),
            snapshot: source.clone(),
            source,
            lock: Arc::new(lock),
            sheet: Arc::new(Sheets::new()),
            clock: bench.clock.clone(),
        };
        let countries = CountryService::new(countries, SyncSettings::default());
        let reports = service(&bench.store, &bench.clock, &countries, Some(&post), query, time, zone);
        Self { bench, post, countries, reports }
    }

    /// Another process.
    fn other(&self) -> ReportService {
        let made = Arc::default();
        ReportService { made, ..self.reports.clone() }
    }

    /// The next run that is due, if there is one, and what becomes of it.
    async fn work(&self) -> Option<(Run, Trace)> {
        let run = self.bench.store.claim(&[], SECOND * 30).await.unwrap()?;
        let (next, trace) = self.reports.handler().attempt(&run).await.unwrap();
        let lease = RunLease { id: run.id, attempt: run.attempts };
        assert!(self.bench.store.finish(&lease, next, &trace).await.unwrap());
        Some((RunRepository::find(&self.bench.store, run.id).await.unwrap().unwrap(), trace))
    }

    fn mails(&self) -> Vec<Mail> {
        self.post.taken.lock().unwrap().clone()
    }
}

fn service(
    store: &MemoryTasks,
    clock: &Arc<ManualClock>,
    countries: &CountryService,
    post: Option<&Arc<Letterbox>>,
    query: &str,
    time: &str,
    zone: &str,
) -> ReportService {
    let store = Arc::new(store.clone());
    let jobs = JobPorts { runs: store.clone(), schedules: store.clone(), clock: clock.clone() };
    let ports = ReportPorts {
        countries: countries.clone(),
        jobs: JobService::new(jobs),
        schedules: store,
        sheet: Arc::new(Sheets::new()),
        clock: clock.clone(),
    };
    let post = post.map(|post| Post {
        mailer: post.clone(),
        from: mailbox("Malecón <r@example.com>"),
        to: vec![mailbox("ana@example.com"), mailbox("ben@example.com")],
    });
    let zone = Zone::parse(zone).unwrap();
    let settings = ReportSettings {
        filter: CountryFilter { q: Some(query.to_owned()), ..CountryFilter::default() },
        sort: vec![],
        query: query.to_owned(),
        schedule: TimeOfDay::parse(time).unwrap().daily(zone).unwrap(),
        zone,
    };
    ReportService::new(ports, post, settings)
}

#[tokio::test]
async fn a_report_says_how_many_how_fresh_and_from_where() {
    let office = Office::new("per\u{fa}", "07:00", "America/Lima").await;
    office.countries.fill().await.unwrap();
    office.bench.clock.advance(HOUR * 3);
    office.reports.send_now(&office.bench.admin).await.unwrap();
    let (run, trace) = office.work().await.unwrap();
    assert_eq!(
        (run.state, trace.result.as_deref()),
        (RunState::Succeeded, Some("countries: 1; mailed to 2 of 2"))
    );
    let mail = office.mails().remove(0);
    assert_eq!((mail.id, mail.to.len()), (run.id, 2));
    assert_eq!(mail.subject.as_str(), format!("Countries on {NAME}: 1"));
    for said in [
        &*format!("1 country is in the file countries-{NAME}.xlsx."),
        "Asked for: per\u{fa}\n",
        "Source: a <b>source</b>\n",
        "Last checked against it: 2023-11-14 17:13 America/Lima, 3 hours ago\n",
    ] {
        assert!(mail.text.contains(said), "{said}: {}", mail.text);
    }
    assert!(mail.html.contains("<td>a &lt;b&gt;source&lt;/b&gt;</td>"), "{}", mail.html);
    assert!(mail.html.contains("3 hours ago"), "{}", mail.html);
    assert!(!mail.text.contains("took nothing over"));
    let file = &mail.attachments[0];
    assert_eq!((file.name.as_str(), file.media_type), (&*format!("countries-{NAME}.xlsx"), XLSX));
    assert!(file.bytes.starts_with(b"PK"));
}

#[tokio::test]
async fn a_report_of_old_data_says_so() {
    let office = Office::new("", "07:00", "UTC").await;
    office.countries.fill().await.unwrap();
    office.bench.clock.advance(HOUR * 24 * 5);
    office.countries.sync_unattended().await.unwrap();
    office.reports.send_now(&office.bench.admin).await.unwrap();
    office.work().await.unwrap();
    let mail = office.mails().remove(0);
    assert!(
        mail.text.contains("took nothing over (failed)") && mail.text.contains("5 days ago"),
        "{}",
        mail.text
    );
    assert!(mail.html.contains("took nothing over (failed)") && mail.text.contains("all countries"));
}

#[tokio::test]
async fn administrators_alone_ask_for_reports_and_only_where_there_is_a_post() {
    let office = Office::new("", "07:00", "UTC").await;
    let Bench { ana, admin, store, clock, .. } = &office.bench;
    assert!(matches!(office.reports.send_now(ana).await, Err(ServiceError::Forbidden)));
    let without = service(store, clock, &office.countries, None, "", "00:00", "UTC");
    let lack = Lack::NotConfigured("mail_not_configured");
    let answer = without.send_now(admin).await.unwrap_err();
    assert!(matches!(answer, ServiceError::Unavailable { lack: found, .. } if found == lack), "{answer:?}");
    assert!(matches!(without.send_now(ana).await, Err(ServiceError::Forbidden)));
    assert!(!without.tick_unattended().await.unwrap());
    assert!(without.check_unattended().await.is_err());
    assert!(office.work().await.is_none(), "nothing is there to do");
    let run = office.reports.send_now(admin).await.unwrap();
    assert_eq!((run.owner, run.job), (Some(admin.user_id), Job::Report));
}

/// It is 22:13 in Greenwich, and 23:13 in Madrid.
#[tokio::test]
async fn a_day_has_one_report_whoever_looks() {
    let office = Office::new("", "23:30", "Europe/Madrid").await;
    office.countries.fill().await.unwrap();
    assert!(!office.reports.tick_unattended().await.unwrap(), "its time has not come");
    office.bench.clock.advance(HOUR / 2);
    assert!(office.reports.tick_unattended().await.unwrap());
    assert!(!office.reports.tick_unattended().await.unwrap());
    assert!(!office.other().tick_unattended().await.unwrap(), "another process");
    office.work().await.unwrap();
    assert!(!office.other().tick_unattended().await.unwrap(), "one that was started anew");
    office.bench.clock.advance(HOUR);
    assert!(!office.other().tick_unattended().await.unwrap(), "yesterday is not made up for");
    office.bench.clock.advance(HOUR * 23);
    assert!(office.other().tick_unattended().await.unwrap(), "the next day");
    assert!(!office.reports.tick_unattended().await.unwrap());
    office.work().await.unwrap();
    assert!(office.work().await.is_none());
    assert_eq!(office.mails().len(), 2);
}

/// Looked at every ten minutes, over the days on which Madrid puts its clocks forward and back.
#[rstest]
#[case::forward("2024-03-30T00:00:00Z", &["30 01:30", "31 01:00", "01 00:30"])]
#[case::back("2024-10-25T23:00:00Z", &["26 00:30", "27 00:30", "28 01:30"])]
#[tokio::test]
async fn days_on_which_clocks_are_changed_have_one_report_too(#[case] from: &str, #[case] wanted: &[&str]) {
    let office = Office::new("", "02:30", "Europe/Madrid").await;
    let from = chrono::DateTime::parse_from_rfc3339(from).unwrap().to_utc();
    let clock = &office.bench.clock;
    clock.advance((from - clock.now()).to_std().unwrap());
    let mut made = vec![];
    for _ in 0..3 * 24 * 6 {
        if office.other().tick_unattended().await.unwrap() {
            made.push(clock.now().format("%d %H:%M").to_string());
        }
        clock.advance(HOUR / 6);
    }
    assert_eq!(made, wanted);
}

#[tokio::test]
async fn a_report_whose_time_went_by_is_made_up_for_on_its_day() {
    let office = Office::new("", "07:00", "UTC").await;
    assert!(office.reports.tick_unattended().await.unwrap(), "it is 22:13");
    assert!(!office.other().tick_unattended().await.unwrap());
}

#[tokio::test]
async fn a_report_that_is_put_off_is_the_same_mail_later() {
    let office = Office::new("", "07:00", "UTC").await;
    office.countries.fill().await.unwrap();
    office.post.answers.lock().unwrap().extend([later(), later()]);
    office.reports.tick_unattended().await.unwrap();
    for attempt in 1..=2 {
        let (run, trace) = office.work().await.unwrap();
        assert_eq!((run.state, run.attempts), (RunState::Queued, attempt));
        assert_eq!(trace.reason.as_deref(), Some("451 come back"));
        office.bench.clock.advance(LONGEST_BACKOFF);
    }
    let (run, _) = office.work().await.unwrap();
    assert_eq!((run.state, run.attempts), (RunState::Succeeded, 3));
    assert!(office.work().await.is_none());
    assert!(office.mails().iter().all(|mail| mail.id == run.id));
}

#[tokio::test]
async fn a_report_is_given_up_after_a_day() {
    let office = Office::new("", "07:00", "UTC").await;
    office.countries.fill().await.unwrap();
    office.post.answers.lock().unwrap().extend((0..500).map(|_| later()));
    office.reports.send_now(&office.bench.admin).await.unwrap();
    let begun = office.bench.clock.now();
    let mut last = office.work().await.unwrap().0;
    while !last.state.is_over() {
        office.bench.clock.advance(LONGEST_BACKOFF);
        last = office.work().await.unwrap().0;
    }
    let took = last.ended_at.unwrap() - begun;
    assert_eq!(last.state, RunState::Failed);
    assert!(took > WORTH && took < WORTH + TimeDelta::hours(1), "{took}");
}

#[tokio::test]
async fn an_empty_store_is_nothing_to_report() {
    let office = Office::new("", "07:00", "UTC").await;
    office.reports.send_now(&office.bench.admin).await.unwrap();
    let (run, trace) = office.work().await.unwrap();
    assert_eq!((run.state, trace.reason.as_deref()), (RunState::Queued, Some("the store is unavailable")));
    office.countries.fill().await.unwrap();
    office.bench.clock.advance(SECOND);
    assert_eq!(office.work().await.unwrap().0.state, RunState::Succeeded);
    assert_eq!(office.mails().len(), 1);
}

#[tokio::test]
async fn a_refusal_fails_the_job_and_says_whose_it_is() {
    let office = Office::new("", "07:00", "UTC").await;
    office.countries.fill().await.unwrap();
    let refusal = Refusal { to: mailbox("ben@example.com"), reason: "550 no such user".to_owned() };
    let none = MailError { fault: MailFault::Refused, reason: "535 wrong password".to_owned() };
    office.post.answers.lock().unwrap().extend([Ok(vec![refusal]), Err(none)]);
    for (reason, result) in [
        ("ben@example.com: 550 no such user", Some("countries: 250; mailed to 1 of 2")),
        ("535 wrong password", None),
    ] {
        office.reports.send_now(&office.bench.admin).await.unwrap();
        let (run, trace) = office.work().await.unwrap();
        assert_eq!((run.state, run.attempts), (RunState::Failed, 1));
        assert_eq!((trace.reason.as_deref(), trace.result.as_deref()), (Some(reason), result));
    }
    assert!(office.work().await.is_none(), "nothing is tried again");
}

#[tokio::test]
async fn a_check_tells_when_the_next_report_is_due() {
    let office = Office::new("", "07:00", "Europe/Madrid").await;
    let due = office.reports.check_unattended().await.unwrap().unwrap();
    assert_eq!(due.to_rfc3339(), "2023-11-15T06:00:00+00:00");
    office.post.answers.lock().unwrap().push_back(later());
    assert!(matches!(office.reports.check_unattended().await, Err(ServiceError::Unavailable { .. })));
}
