//! What is left of hostile names.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

#[rstest]
#[case::plain("report.pdf", "report.pdf")]
#[case::unicode("Malecón 漁港 🌊.png", "Malecón 漁港 🌊.png")]
#[case::path("../../etc/passwd", "passwd")]
#[case::windows("C:\\Users\\ana\\map.png", "map.png")]
#[case::mixed("a/b\\..\\c.txt", "c.txt")]
#[case::control("a\r\nb\0c\u{7f}.txt", "abc.txt")]
#[case::turned("gpj.\u{202e}exe", "gpj.exe")]
#[case::padded("  a b .txt\t", "a b .txt")]
#[case::quoted("a\"b.txt", "a\"b.txt")]
#[case::empty("", "file")]
#[case::spaces(" \t ", "file")]
#[case::folder("uploads/", "file")]
#[case::here(".", "file")]
#[case::above("..", "file")]
#[case::above_in_disguise("\u{1}.\u{200f}.", "file")]
#[case::hidden_file(".profile", ".profile")]
fn a_name_is_cleaned(#[case] given: &str, #[case] wanted: &str) {
    assert_eq!(FileName::clean(given).as_str(), wanted);
}

#[test]
fn a_long_name_is_cut_between_characters_and_keeps_its_ending() {
    let long = format!("{}.tar.gz", "ñ".repeat(200));
    let name = FileName::clean(&long);
    assert_eq!(name.as_str(), format!("{}.gz", "ñ".repeat(126)));
    assert_eq!(FileName::clean(&"x".repeat(300)).as_str(), "x".repeat(255));
    let all_ending = format!("a.{}", "é".repeat(300));
    assert_eq!(FileName::clean(&all_ending).as_str(), format!("a.{}", "é".repeat(126)));
}

proptest! {
    #[test]
    fn whatever_is_given_a_name_is_one(given in any::<String>()) {
        let name = FileName::clean(&given);
        let name = name.as_str();
        prop_assert!((1..=FileName::LONGEST).contains(&name.len()));
        prop_assert!(!name.contains(['/', '\\', '\0', '\r', '\n']));
        prop_assert!(name != "." && name != "..");
        let again = FileName::clean(name);
        prop_assert_eq!(again.as_str(), name);
    }
}
