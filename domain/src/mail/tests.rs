//! Which addresses are taken, and that nothing of one ends a header.

use rstest::rstest;

use super::*;

#[rstest]
#[case("Ana@Example.com", None, "ana@example.com")]
#[case(" ana.b+c@localhost ", None, "ana.b+c@localhost")]
#[case("Ana Pérez <ana@example.com>", Some("Ana Pérez"), "ana@example.com")]
#[case("\"Malecón, reports\" <r@example.com>", Some("Malecón, reports"), "r@example.com")]
#[case("ana@example.com\n", None, "ana@example.com")]
#[case("<ana@example.com>", None, "ana@example.com")]
fn an_address_is_taken_with_a_name_or_without(
    #[case] text: &str,
    #[case] name: Option<&str>,
    #[case] email: &str,
) {
    let mailbox = Mailbox::parse(text).unwrap();
    assert_eq!((mailbox.name(), mailbox.email().as_str()), (name, email));
    assert_eq!(Some(mailbox.parts()), email.rsplit_once('@'));
}

#[rstest]
#[case("")]
#[case("ana")]
#[case("@example.com")]
#[case("ana@")]
#[case("ana@example..com")]
#[case("ana@example.com\r\nBcc: eve@example.com")]
#[case("ana\r\nRCPT@example.com")]
#[case("ana@example.com> BODY=8BITMIME")]
#[case("a>b@example.com")]
#[case("\"a b\"@example.com")]
#[case(".ana@example.com")]
#[case("a..b@example.com")]
#[case("Ana\r\nBcc: eve@example.com <ana@example.com>")]
#[case("Ana\u{0} <ana@example.com>")]
#[case("Ana ana@example.com>")]
#[case("Ana <eve@example.com> <ana@example.com>")]
#[case("ana@example.com, eve@example.com")]
#[case("añá@example.com")]
#[case("ana@[127.0.0.1]")]
#[case(&format!("{}@example.com", "a".repeat(65)))]
#[case(&format!("{} <ana@example.com>", "A".repeat(101)))]
fn what_is_no_address_is_refused(#[case] text: &str) {
    let refused = Mailbox::parse(text).unwrap_err().to_string();
    assert!(refused.contains("is no mail address") && !refused.contains(['\r', '\n']), "{refused}");
}

#[test]
fn a_list_has_commas_between_its_addresses() {
    let list = Mailbox::parse_list("ana@example.com, Ben <ben@example.com>,").unwrap();
    let shown: Vec<_> = list.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["ana@example.com", "Ben <ben@example.com>"]);
    assert_eq!(Mailbox::parse_list(" , "), Ok(vec![]));
    assert!(Mailbox::parse_list("ana@example.com;ben@example.com").is_err());
}

#[test]
fn a_line_is_one() {
    assert_eq!(Line::new(" a\r\nBcc: b\u{85}\u{2028}\tc\u{0}d ").as_str(), "a Bcc: b c d");
}
