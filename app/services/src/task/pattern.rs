//! Regular expressions that users give, matched with answers of targets.

use regex::{Regex, RegexBuilder};

/// Bytes of memory that a compiled expression may take. Matching takes time by this and by the text.
const MOST_COMPILED: usize = 64 * 1024;
/// Bytes of memory that matching may take beside it, to be quick.
const MOST_CACHED: usize = 1024 * 1024;
/// Bytes of an answer's body that are looked at.
const MOST_MATCHED: usize = 64 * 1024;

/// The expression, compiled. This can take long.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(MOST_COMPILED).dfa_size_limit(MOST_CACHED).build()
}

/// What is wrong with one, for whoever has written it.
pub(super) fn told(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!(
            "this regular expression is too large: compiled it takes more than {} KiB; repeat less, or \
             write (?-u:\\w) for \\w where ASCII is enough",
            MOST_COMPILED / 1024
        ),
        error => error.to_string(),
    }
}

/// The same for one that was good enough when it was written.
pub(super) fn told_later(error: &regex::Error) -> String {
    let kind = if matches!(error, regex::Error::CompiledTooBig(_)) { "too_large" } else { "invalid" };
    format!("regex_{kind}: {}; it is the task's success.body_regex", told(error))
}

/// Whether the beginning of a body matches somewhere. This can take long.
pub(super) fn matches(regex: &Regex, body: &[u8]) -> bool {
    regex.is_match(&String::from_utf8_lossy(beginning(body)))
}

/// The beginning, without a part of a character at its end.
fn beginning(body: &[u8]) -> &[u8] {
    if body.len() <= MOST_MATCHED {
        return body;
    }
    let is_whole = |end: &usize| body[*end] & 0b1100_0000 != 0b1000_0000;
    let end = (MOST_MATCHED - 3..=MOST_MATCHED).rev().find(is_whole).unwrap_or(MOST_MATCHED);
    &body[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_expressions_are_small_enough_and_others_say_how_to_be() {
        for small in
            ["ok", r"\d+", r"^\w+$", r"(?i)\bstatus\b.*\bdone\b", r#""id":"[0-9a-f-]{36}""#, "[01]{500}"]
        {
            assert!(compile(small).is_ok(), "{small}");
        }
        let error = told(&compile("[01]*1[01]{9000}[2-9a-z]").unwrap_err());
        assert!(error.contains("too large") && error.contains("64 KiB"), "{error}");
        assert!(told(&compile("(").unwrap_err()).contains("unclosed"), "another fault is told as it is");
    }

    #[test]
    fn no_more_than_the_beginning_of_a_body_is_matched() {
        let regex = compile("end|\u{fffd}").unwrap();
        let mut body = vec![b'x'; MOST_MATCHED - 3];
        body.extend(b"end");
        assert!(matches(&regex, &body));
        body.insert(0, b'x');
        assert!(!matches(&regex, &body), "one byte too far");
        for before in MOST_MATCHED - 4..=MOST_MATCHED {
            let cut = [vec![b'x'; before], "\u{1f415}".repeat(3).into_bytes()].concat();
            assert!(!matches(&regex, &cut), "a character that is cut is none at all");
        }
    }
}
