//! What bodies may hold, and what is said of it.

use regex::Regex;

use super::*;

#[test]
fn the_pattern_of_a_text_says_what_the_check_does() {
    for kind in [Kind::Text { least: 1, most: 9 }, Kind::Text { least: 0, most: 9 }] {
        let schema = kind.schema();
        let pattern = Regex::new(schema["pattern"].as_str().unwrap()).unwrap();
        // The last white space is U+3000.
        for c in '\0'..='\u{3100}' {
            for text in [format!("{c}"), format!("a{c}"), format!("{c}a"), format!("a{c}a"), format!("{c} ")]
            {
                let allowed = kind.check(&json!(text)).is_ok();
                assert_eq!(pattern.is_match(&text), allowed, "{text:?}, {schema}");
            }
        }
    }
}
