//! Addresses and passwords.

use super::*;

#[test]
fn addresses_are_trimmed_and_in_lower_case() {
    assert_eq!(Email::new(" Ana.Núñez@Example.COM ").unwrap().as_str(), "ana.núñez@example.com");
    assert_eq!(Email::new("root@localhost").unwrap().as_str(), "root@localhost");
}

#[test]
fn what_is_no_address_is_none() {
    let long = format!("{}@example.com", "a".repeat(250));
    for text in
        ["", "ana", "@", "ana@", "@example.com", "a b@c.d", "a@b@c", "a@b..c", "a@-b.c", "a@b_c", &long]
    {
        assert_eq!(Email::new(text), None, "{text}");
    }
}

#[test]
fn passwords_have_8_to_128_characters_and_are_not_shown() {
    assert!(Password::new("1234567").is_none());
    assert!(Password::new("ñ".repeat(8)).is_some());
    assert!(Password::new("ñ".repeat(128)).is_some());
    assert!(Password::new("a".repeat(129)).is_none());
    assert!(!format!("{:?}", Password::new("correct horse").unwrap()).contains("horse"));
}

#[test]
fn only_a_new_password_or_an_end_ends_tokens() {
    assert!(!UserChange::default().ends_tokens());
    assert!(!UserChange { disabled: Some(false), ..UserChange::default() }.ends_tokens());
    assert!(UserChange { disabled: Some(true), ..UserChange::default() }.ends_tokens());
    assert!(UserChange { password_hash: Some(String::new()), ..UserChange::default() }.ends_tokens());
}
