//! The report by mail: asked for, once a day, and what becomes of it when nobody takes it.

use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use chrono::Timelike;
use clap::Parser;
use mail_parser::{MessageParser, MimeHeaders};
use malecon_memory::SystemClock;
use malecon_ports::Clock;
use malecon_server::command::{Cli, start_worker};
use malecon_server::listen::Limits;
use malecon_sql::testing::postgres;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::engine::until;
use crate::smtp::{Letter, Mood, PostOffice};
use crate::support::{ADMIN, CONSUMER, Client, Malecon};
use crate::users::{ask, send};

const REPORT: &str = "/api/countries/report";
/// A time of day that has come, and one that has not, where it is about noon.
const PAST: &str = "00:00";
const AHEAD: &str = "23:59";

/// A zone in which it is about noon: far from both ends of a day.
fn noon() -> String {
    match i64::from(SystemClock.now().hour()) - 12 {
        hours @ 1.. => format!("Etc/GMT+{hours}"),
        hours => format!("Etc/GMT-{}", -hours),
    }
}

/// Flags of a report at this time.
fn flags(office: &PostOffice, at: &str, more: &[&str]) -> Vec<String> {
    let (url, zone) = (office.url(), noon());
    let report = ["--smtp-url", &url, "--report-from", "Malecón <r@example.com>", "--report-at", at];
    let to = ["--time-zone", &zone, "--report-to", "ana@example.com, ben@example.com", "--rate-limit", "0"];
    [&report[..], &to, more].concat().into_iter().map(str::to_owned).collect()
}

async fn demo(office: &PostOffice, at: &str, more: &[&str]) -> Malecon {
    let flags = flags(office, at, more);
    Malecon::demo(&flags.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// Asks for a report; where its job can be seen.
async fn asked(client: &Client) -> String {
    let answer: Response = send(client, Method::POST, REPORT, ADMIN, Value::Null).await;
    assert_eq!(answer.status(), 202);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    let ticket: Value = answer.json().await.unwrap();
    assert_eq!(place, format!("/api/jobs/{}", ticket["job"]["id"].as_str().unwrap()));
    assert!(ticket["job"]["status"].is_string());
    place
}

/// The job when it is over.
async fn over(client: &Client, place: &str) -> Value {
    until("the end of the job", async || {
        let (status, job) = ask(client, Method::GET, place, ADMIN, Value::Null).await;
        assert_eq!(status, 200);
        ["succeeded", "failed"].contains(&job["status"].as_str().unwrap()).then_some(job)
    })
    .await
}

/// The rows of the workbook that goes with a letter, the heading first, and its name.
fn workbook(letter: &Letter) -> (String, Vec<Vec<String>>) {
    let mail = MessageParser::default().parse(&letter.bytes).unwrap();
    assert_eq!(mail.attachment_count(), 1);
    let file = mail.attachment(0).unwrap();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(file.contents().to_vec())).unwrap();
    let range = book.worksheet_range("Countries").unwrap();
    let rows = range.rows().map(|row| row.iter().map(Data::to_string).collect()).collect();
    (file.attachment_name().unwrap().to_owned(), rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_asked_for_is_one_mail_with_the_countries_that_match() {
    let office = PostOffice::new().await;
    let malecon = demo(&office, AHEAD, &["--report-filter", "continent=europe&sort=-population"]).await;
    let place = asked(&malecon.client).await;
    let job = over(&malecon.client, &place).await;
    assert_eq!(
        (&job["status"], &job["kind"], &job["attempts"]),
        (&json!("succeeded"), &json!("report"), &json!(1))
    );
    let letters = office.delivered(1).await;
    assert_eq!((letters.len(), letters[0].to.len()), (1, 2));

    let wanted = malecon.client.json("/api/countries?continent=europe&sort=-population&page_size=100").await;
    let count = wanted["count"].as_u64().unwrap();
    let codes: Vec<&str> = wanted["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|country| country["code"].as_str().unwrap())
        .collect();
    let (name, rows) = workbook(&letters[0]);
    assert_eq!(rows[0][0], "code");
    assert_eq!(rows[1..].iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), codes);
    assert_eq!(job["result"], format!("countries: {count}; mailed to 2 of 2"));

    let mail = MessageParser::default().parse(&letters[0].bytes).unwrap();
    let id = place.rsplit_once('/').unwrap().1;
    assert_eq!(mail.message_id(), Some(&*format!("{id}@example.com")));
    let date = name.strip_prefix("countries-").unwrap().strip_suffix(".xlsx").unwrap();
    assert_eq!((date.len(), mail.subject()), (10, Some(&*format!("Countries on {date}: {count}"))));
    for text in [mail.body_text(0).unwrap(), mail.body_html(0).unwrap()] {
        assert!(text.contains(&format!("{count} countries are in the file {name}.")), "{text}");
        assert!(text.contains("snapshot") && text.contains("less than a minute ago"), "{text}");
        assert!(text.contains("continent=europe"), "{text}");
    }
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_post_nothing_is_mailed() {
    let office = PostOffice::new().await;
    let malecon = Malecon::demo(&["--smtp-url", &office.url(), "--report-to", "ana@example.com"]).await;
    let (status, problem) = ask(&malecon.client, Method::POST, REPORT, ADMIN, Value::Null).await;
    assert_eq!((status, &problem["code"]), (503, &json!("mail_not_configured")), "{problem}");
    let (status, _) = ask(&malecon.client, Method::POST, REPORT, CONSUMER, Value::Null).await;
    assert_eq!(status, 403);
    malecon.stop().await;
    assert!(office.heard().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_one_report_however_often_one_starts() {
    let office = PostOffice::new().await;
    let malecon = demo(&office, PAST, &[]).await;
    let database = malecon.database().to_owned();
    office.delivered(1).await;
    let folder = malecon.end().await;
    let flags = flags(&office, PAST, &["--demo", "--database-url", &database]);
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    for _ in 0..2 {
        let malecon = Malecon::with(&flags, Limits::default()).await;
        // It looks at once, and then every second. One that is asked for comes after any that it makes.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        over(&malecon.client, &asked(&malecon.client).await).await;
        malecon.stop().await;
    }
    assert_eq!(office.letters().len(), 1 + 2);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
async fn three_replicas_send_one_mail() {
    let office = PostOffice::new().await;
    let database = postgres(env!("TEST_DATABASE_URL")).await;
    let flags = flags(&office, PAST, &["--demo", "--database-url", &database.url]);
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    let start = || Malecon::with(&flags, Limits::default());
    let replicas = tokio::join!(start(), start(), start());
    let replicas = [replicas.0, replicas.1, replicas.2];
    office.delivered(1).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    for replica in &replicas {
        over(&replica.client, &asked(&replica.client).await).await;
    }
    assert_eq!(office.letters().len(), 1 + replicas.len());
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_the_api_mails_too() {
    let office = PostOffice::new().await;
    let malecon = Malecon::demo(&[]).await;
    let database = malecon.database().to_owned();
    let _folder = malecon.end().await;
    let flags = flags(&office, PAST, &["--database-url", &database]);
    let program = ["malecon".to_owned()];
    let config = Cli::try_parse_from(program.iter().chain(&flags)).unwrap().config.resolve().unwrap();
    let working = start_worker(&config).await.unwrap();
    let letters = office.delivered(1).await;
    assert_eq!(workbook(&letters[0]).1.len(), 251);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_gets_the_mail_later_and_once() {
    let office = PostOffice::new().await;
    let malecon = demo(&office, PAST, &[]).await;
    office.delivered(1).await;
    for mood in [Mood::Gone, Mood::Greylisting("ben")] {
        office.turn(mood);
        let before = office.letters().len();
        let place = asked(&malecon.client).await;
        let job = until("a retry", async || {
            let (_, job) = ask(&malecon.client, Method::GET, &place, ADMIN, Value::Null).await;
            (job["attempts"].as_u64().unwrap() >= 3).then_some(job)
        })
        .await;
        assert!(
            ["queued", "running"].contains(&job["status"].as_str().unwrap()) && job["error"].is_string(),
            "{job}"
        );
        assert_eq!(office.letters().len(), before);
        office.turn(Mood::Fine);
        let job = over(&malecon.client, &place).await;
        assert_eq!((&job["status"], &job["error"]), (&json!("succeeded"), &Value::Null));
        assert_eq!(office.letters().len(), before + 1);
    }
    malecon.stop().await;
}

/// The one case in which a mail comes twice, and what tells that it is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_receipt_is_lost_comes_again_as_the_same() {
    let office = PostOffice::new().await;
    let malecon = demo(&office, AHEAD, &[]).await;
    office.turn(Mood::HangingUp);
    let place = asked(&malecon.client).await;
    office.delivered(1).await;
    office.turn(Mood::Fine);
    assert_eq!(over(&malecon.client, &place).await["status"], "succeeded");
    let read = |letter: &Letter| {
        let mail = MessageParser::default().parse(&letter.bytes).unwrap();
        mail.message_id().unwrap().to_owned()
    };
    let ids: Vec<String> = office.letters().iter().map(read).collect();
    assert!(ids.len() >= 2 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_refused_for_good_fails_the_job_which_says_why() {
    let office = PostOffice::new().await;
    let malecon = demo(&office, AHEAD, &[]).await;
    for (name, delivered) in [("ben", 1), ("", 1)] {
        office.turn(Mood::Refusing(name));
        let job = over(&malecon.client, &asked(&malecon.client).await).await;
        assert_eq!((&job["status"], &job["attempts"]), (&json!("failed"), &json!(1)));
        let error = job["error"].as_str().unwrap();
        assert!(error.contains("ben@example.com: ") && error.contains("no such user here"), "{error}");
        assert_eq!(office.letters().len(), delivered);
    }
    assert_eq!(office.letters()[0].to, ["ana@example.com"], "the others have it");
    malecon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_ends_no_header() {
    let office = PostOffice::new().await;
    let filter = "q=%0D%0ABcc:%20eve@example.com<b>";
    let malecon = demo(&office, AHEAD, &["--report-filter", filter]).await;
    over(&malecon.client, &asked(&malecon.client).await).await;
    let letter = &office.letters()[0];
    let mail = MessageParser::default().parse(&letter.bytes).unwrap();
    assert!(mail.bcc().is_none() && letter.to.iter().all(|to| !to.contains("eve")));
    assert!(mail.body_html(0).unwrap().contains("&lt;b&gt;") && workbook(letter).1.len() == 1);
    malecon.stop().await;
}
