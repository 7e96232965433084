//! Which URLs name a server, and what goes over the wire, read back with a library of others.

use chrono::DateTime;
use mail_parser::{MessageParser, MimeHeaders};
use malecon_domain::{Attachment, Line, Mail, Mailbox};
use rstest::rstest;
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::*;
use crate::message::message;

#[rstest]
#[case("smtp://mail", "mail", 25, Security::Plain)]
#[case("smtp://mail.example.com:2525/", "mail.example.com", 2525, Security::Plain)]
#[case("smtp://mail?tls=opportunistic", "mail", 587, Security::Opportunistic)]
#[case("smtp://mail:25?tls=required", "mail", 25, Security::Required)]
#[case(" smtps://mail ", "mail", 465, Security::Wrapped)]
#[case("smtps://[::1]:1025", "::1", 1025, Security::Wrapped)]
#[case("smtp://127.0.0.1:1025", "127.0.0.1", 1025, Security::Plain)]
fn a_url_names_a_server(
    #[case] url: &str,
    #[case] host: &str,
    #[case] port: u16,
    #[case] security: Security,
) {
    let server = Server::parse(url).unwrap();
    assert_eq!((server.host.as_str(), server.port, server.security), (host, port, security));
    assert!(server.login.is_none() && server.name.is_none());
}

#[test]
fn a_url_may_have_a_login_and_a_name_to_greet_with() {
    let server =
        Server::parse("smtps://ana%40example.com:p%3Ass%2Fw%C3%B6rd@mail/client.example.com").unwrap();
    let (user, password) = server.login.as_ref().unwrap();
    assert_eq!((user.as_str(), password.expose_secret()), ("ana@example.com", "p:ss/wörd"));
    assert_eq!(server.name.as_deref(), Some("client.example.com"));
    assert!(!format!("{server:?}").contains("ss/w"), "{server:?}");
    let smtp = Smtp::new(server, SmtpOptions::default()).unwrap();
    assert!(!format!("{smtp:?}").contains("ss/w"), "{smtp:?}");
}

#[rstest]
#[case("mail.example.com", InvalidServer::Url)]
#[case("http://mail", InvalidServer::Url)]
#[case("smtp://", InvalidServer::Url)]
#[case("smtp://a%0d%0ab", InvalidServer::Url)]
#[case("smtp://mail?tls=sometimes", InvalidServer::Parameter("tls=sometimes".to_owned()))]
#[case("smtp://mail?tsl=required", InvalidServer::Parameter("tsl=required".to_owned()))]
#[case("smtp://mail?tls=required&tls=required", InvalidServer::Parameter("tls=required&tls=required".to_owned()))]
#[case("smtps://mail?tls=required", InvalidServer::Parameter("tls=required".to_owned()))]
#[case("smtp://ana@mail", InvalidServer::Login)]
#[case("smtp://:secret@mail", InvalidServer::Login)]
#[case("smtp://ana:%ff@mail", InvalidServer::Login)]
#[case("smtp://ana:a%00b@mail", InvalidServer::Login)]
#[case("smtp://mail/a%0d%0aMAIL", InvalidServer::Name)]
fn what_names_no_server_is_refused(#[case] url: &str, #[case] why: InvalidServer) {
    let refused = Server::parse(url).unwrap_err();
    assert_eq!(refused, why);
    assert!(!refused.to_string().contains("secret"));
}

fn mail() -> Mail {
    Mail {
        id: Uuid::from_u128(7),
        date: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        from: Mailbox::parse("Malecón <r@example.com>").unwrap(),
        to: ["ana@example.com", "Ben, the other <ben@example.org>"]
            .map(|to| Mailbox::parse(to).unwrap())
            .into(),
        subject: Line::new("Länder\r\nBcc: eve@example.com"),
        text: "Größe: 3\n.\nFrom here on\n".to_owned(),
        html: format!("<p>Größe: {}</p>", "3 ".repeat(2_000)),
        attachments: vec![Attachment {
            name: Line::new("länder 1.xlsx"),
            media_type: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            bytes: (0..=255).cycle().take(100_000).collect(),
        }],
    }
}

#[test]
fn a_mail_is_read_back_as_it_was_written() {
    let (mail, bytes) = (mail(), message(&mail()).unwrap());
    assert!(bytes.is_ascii(), "any server takes it");
    assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 998));
    let read = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(read.message_id(), Some("00000000-0000-0000-0000-000000000007@example.com"));
    assert_eq!(read.subject(), Some("Länder Bcc: eve@example.com"));
    assert!(read.bcc().is_none(), "nothing becomes a header");
    assert_eq!(read.date().unwrap().to_timestamp(), 1_700_000_000);
    let addresses = |list: Option<&mail_parser::Address>| {
        let pair =
            |one: &mail_parser::Addr| (one.name().map(str::to_owned), one.address().unwrap().to_owned());
        list.unwrap().iter().map(pair).collect::<Vec<_>>()
    };
    assert_eq!(addresses(read.from()), [(Some("Malecón".to_owned()), "r@example.com".to_owned())]);
    let to = [(None, "ana@example.com"), (Some("Ben, the other"), "ben@example.org")];
    assert_eq!(addresses(read.to()), to.map(|(name, address)| (name.map(str::to_owned), address.to_owned())));
    assert_eq!(read.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
    assert_eq!(read.body_text(0).unwrap().replace("\r\n", "\n"), mail.text);
    assert_eq!(read.body_html(0).unwrap(), mail.html);
    assert_eq!(read.attachment_count(), 1);
    let file = read.attachment(0).unwrap();
    assert_eq!(file.attachment_name(), Some("länder 1.xlsx"));
    assert_eq!(file.contents(), mail.attachments[0].bytes);
    let kind = file.content_type().unwrap();
    assert_eq!(format!("{}/{}", kind.ctype(), kind.subtype().unwrap()), mail.attachments[0].media_type);
}
