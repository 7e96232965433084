//! The carrier of mail, before a server of every kind and mood.

use std::time::Duration;

use chrono::DateTime;
use malecon::domain::{Line, Mail, Mailbox};
use malecon_mail::{Server, Smtp, SmtpOptions};
use malecon_ports::{MailError, MailFault, Mailer, Refusal};
use rstest::rstest;

use crate::smtp::{Mood, PostOffice, Tls};

fn mail() -> Mail {
    Mail {
        id: uuid::Uuid::from_u128(7),
        date: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        from: Mailbox::parse("Malecón <r@example.com>").unwrap(),
        to: Mailbox::parse_list("ana@example.com, ben@example.com").unwrap(),
        subject: Line::new("Countries"),
        text: ".\r\n..\r\nwhat begins with dots\r\n".to_owned(),
        html: String::new(),
        attachments: vec![],
    }
}

/// A carrier to this server, which it trusts.
fn smtp(office: &PostOffice, url: &str) -> Smtp {
    let options = SmtpOptions { roots: vec![office.certificate.clone()], ..SmtpOptions::default() };
    Smtp::new(Server::parse(url).unwrap(), options).unwrap()
}

async fn fault(smtp: &Smtp) -> (MailFault, String) {
    let MailError { fault, reason } = smtp.send(&mail()).await.unwrap_err();
    (fault, reason)
}

#[tokio::test]
async fn a_mail_is_taken_for_all_it_goes_to() {
    let office = PostOffice::new().await;
    let smtp = smtp(&office, &format!("{}/client.example.com", office.url()));
    assert_eq!(smtp.send(&mail()).await.unwrap(), []);
    let letter = &office.letters()[0];
    assert_eq!((letter.from.as_str(), letter.encrypted), ("r@example.com", false));
    assert_eq!(letter.to, ["ana@example.com", "ben@example.com"]);
    let read = mail_parser::MessageParser::default().parse(&letter.bytes).unwrap();
    assert_eq!(read.message_id(), Some("00000000-0000-0000-0000-000000000007@example.com"));
    assert_eq!(read.body_text(0).unwrap(), mail().text);
    let heard = office.heard();
    assert_eq!((heard[0].as_str(), heard.last().unwrap().as_str()), ("EHLO client.example.com", "QUIT"));
    assert_eq!(smtp.check().await, Ok(()));
    assert_eq!(office.letters().len(), 1, "a check sends nothing");
}

#[rstest]
#[case::plain("PLAIN")]
#[case::login("LOGIN")]
#[tokio::test]
async fn it_logs_in(#[case] mechanism: &'static str) {
    let office = PostOffice::with(Tls::Never, Some((mechanism, "p:ss wörd"))).await;
    let url = |password: &str| format!("smtp://ana%40example.com:{password}@{}", office.address);
    let right = smtp(&office, &url("p%3Ass%20w%C3%B6rd"));
    assert_eq!(right.check().await, Ok(()));
    assert_eq!(right.send(&mail()).await.unwrap(), []);
    let login = Some(("ana@example.com".to_owned(), "p:ss wörd".to_owned()));
    assert_eq!(office.letters()[0].login, login);

    let wrong = smtp(&office, &url("wr0ng"));
    let (kind, reason) = fault(&wrong).await;
    assert_eq!(kind, MailFault::Refused);
    assert!(
        reason.contains("535") && reason.contains("wrong password") && !reason.contains("wr0ng"),
        "{reason}"
    );
    assert_eq!(wrong.check().await.unwrap_err().fault, MailFault::Refused);
    let without = smtp(&office, &office.url());
    assert!(fault(&without).await.1.contains("log in first"));
    assert_eq!(office.letters().len(), 1);
}

#[rstest]
#[case::offered(Tls::Offered, "smtp", "?tls=required")]
#[case::taken_if_offered(Tls::Offered, "smtp", "?tls=opportunistic")]
#[case::from_the_beginning(Tls::Always, "smtps", "")]
#[tokio::test]
async fn it_encrypts_before_it_logs_in(#[case] tls: Tls, #[case] scheme: &str, #[case] query: &str) {
    let office = PostOffice::with(tls, Some(("PLAIN", "secret"))).await;
    let url = format!("{scheme}://ana:secret@{}{query}", office.address);
    assert_eq!(smtp(&office, &url).send(&mail()).await.unwrap(), []);
    assert!(office.letters()[0].encrypted);

    let stranger = Smtp::new(Server::parse(&url).unwrap(), SmtpOptions::default()).unwrap();
    let (kind, reason) = fault(&stranger).await;
    assert_eq!(kind, MailFault::Later, "a certificate may be renewed: {reason}");
    let logins = office.heard().iter().filter(|command| *command == "AUTH").count();
    assert_eq!(
        (logins, office.letters().len()),
        (1, 1),
        "nothing is said to a server that nobody vouches for"
    );
}

#[tokio::test]
async fn what_must_be_encrypted_is_not_sent_otherwise() {
    let office = PostOffice::new().await;
    let required = smtp(&office, &format!("{}?tls=required", office.url()));
    assert_eq!(fault(&required).await.0, MailFault::Refused);
    assert!(office.letters().is_empty() && !office.heard().iter().any(|command| command.starts_with("MAIL")));
    let opportunistic = smtp(&office, &format!("{}?tls=opportunistic", office.url()));
    assert_eq!(opportunistic.send(&mail()).await.unwrap(), []);
    assert!(!office.letters()[0].encrypted);
}

#[tokio::test]
async fn while_one_is_put_off_nobody_gets_it() {
    let office = PostOffice::new().await;
    let smtp = smtp(&office, &office.url());
    office.turn(Mood::Greylisting("ben"));
    let (kind, reason) = fault(&smtp).await;
    assert_eq!(kind, MailFault::Later);
    assert!(reason.contains("ben@example.com") && reason.contains("come back in a minute"), "{reason}");
    assert!(office.letters().is_empty());
    office.turn(Mood::Fine);
    smtp.send(&mail()).await.unwrap();
    assert_eq!(office.letters().len(), 1);
}

#[tokio::test]
async fn who_is_refused_is_told_and_the_others_get_it() {
    let office = PostOffice::new().await;
    let smtp = smtp(&office, &office.url());
    office.turn(Mood::Refusing("ana"));
    let refusals = smtp.send(&mail()).await.unwrap();
    let [Refusal { to, reason }] = &refusals[..] else { panic!("{refusals:?}") };
    assert_eq!(to.email().as_str(), "ana@example.com");
    assert!(reason.contains("550") && reason.contains("no such user here"), "{reason}");
    assert_eq!(office.letters()[0].to, ["ben@example.com"]);

    office.turn(Mood::Refusing(""));
    let (kind, reason) = fault(&smtp).await;
    assert_eq!(kind, MailFault::Refused);
    assert!(reason.contains("ana@example.com: ") && reason.contains("ben@example.com: "), "{reason}");
    office.turn(Mood::Spam);
    let (kind, reason) = fault(&smtp).await;
    assert!(kind == MailFault::Refused && reason.contains("looks like spam"), "{reason}");
    assert_eq!(office.letters().len(), 1);
}

#[tokio::test]
async fn a_server_that_goes_away_or_says_nothing_is_tried_later() {
    let office = PostOffice::new().await;
    let patient = smtp(&office, &office.url());
    for mood in [Mood::Gone, Mood::HangingUp] {
        office.turn(mood);
        assert_eq!(fault(&patient).await.0, MailFault::Later, "{mood:?}");
    }
    assert_eq!(office.letters().len(), 1, "it was taken, and nobody was told");
    office.turn(Mood::Silent);
    let options = SmtpOptions { timeout: Duration::from_millis(200), ..SmtpOptions::default() };
    let smtp = Smtp::new(Server::parse(&office.url()).unwrap(), options).unwrap();
    let (kind, reason) = fault(&smtp).await;
    assert!(kind == MailFault::Later && reason.contains("does not answer within"), "{reason}");
    let nobody = Smtp::new(Server::parse("smtp://127.0.0.1:9").unwrap(), SmtpOptions::default()).unwrap();
    assert_eq!(nobody.check().await.unwrap_err().fault, MailFault::Later);
}
