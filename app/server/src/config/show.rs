//! Which settings there are, what they are, and where they come from.

use std::collections::BTreeSet;
use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use crate::Failure;

/// An unknown `MALECON_…` variable is a mistake: it is refused with the nearest name.
pub(crate) fn check_names(command: &Command, names: impl IntoIterator<Item = String>) -> Result<(), Failure> {
    let known: BTreeSet<String> =
        command.get_arguments().filter_map(|arg| arg.get_env()?.to_str().map(str::to_owned)).collect();
    let Some(name) = names.into_iter().find(|name| name.starts_with("MALECON_") && !known.contains(name))
    else {
        return Ok(());
    };
    let likeness = |known: &str| strsim::jaro_winkler(&name, known);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
    Err(Failure::new(format!("there is no setting {name}{hint}")))
}

/// One line a setting: its value, secrets masked, and its origin. `dotenv` are the names that came
/// from the `.env` file.
pub(crate) fn show(command: &Command, matches: &ArgMatches, dotenv: &BTreeSet<String>) -> String {
    let mut text = String::new();
    for arg in command.get_arguments() {
        let Some(name) = arg.get_env().and_then(|name| name.to_str()) else { continue };
        let id = arg.get_id().as_str();
        let origin = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) if dotenv.contains(name) => ".env",
            Some(ValueSource::EnvVariable) => "environment",
            _ => "default",
        };
        let values: Vec<String> = matches
            .get_raw(id)
            .into_iter()
            .flatten()
            .map(|value| mask(name, &value.to_string_lossy()))
            .collect();
        let value = if values.is_empty() { "-".to_owned() } else { values.join(",") };
        let _ = writeln!(text, "{name:<28} {value:<50} {origin}");
    }
    text
}

/// What stands for a secret.
const MASK: &str = "****";

/// Values of such settings are secrets, wholly.
const SECRETS: [&str; 3] = ["_TOKEN", "_KEY", "_SECRET"];

/// A value without what may be a secret: of a URL, wherever it stands and whatever it is called, only the
/// scheme, the user's name, the host, the port and the plain words of the path are shown.
pub(super) fn mask(name: &str, value: &str) -> String {
    if value.is_empty() {
        return String::new();
    }
    if SECRETS.iter().any(|secret| name.ends_with(secret)) {
        return MASK.to_owned();
    }
    if !name.ends_with("_URL") && !value.contains("://") {
        return value.to_owned();
    }
    value.split(',').map(|url| mask_url(url.trim())).collect::<Vec<_>>().join(",")
}

fn mask_url(text: &str) -> String {
    if !text.contains("://") && !text.starts_with("sqlite:") {
        return MASK.to_owned();
    }
    let Ok(mut url) = url::Url::parse(text) else { return MASK.to_owned() };
    // A name alone may be a token, as https://TOKEN@host is.
    let masked = match url.password() {
        Some(_) => url.set_password(Some(MASK)),
        None if !url.username().is_empty() => url.set_username(MASK),
        None => Ok(()),
    };
    if masked.is_err() {
        return MASK.to_owned();
    }
    if url.scheme() != "sqlite" {
        let path: Vec<&str> =
            url.path().split('/').map(|part| if is_word(part) { part } else { MASK }).collect();
        let path = path.join("/");
        url.set_path(&path);
    }
    let query: Vec<String> = url.query_pairs().map(|(key, value)| pair(&key, &value)).collect();
    if url.query().is_some() {
        url.set_query(Some(&query.join("&")));
    }
    if url.fragment().is_some() {
        url.set_fragment(Some(MASK));
    }
    url.to_string()
}

/// A member of a query; what is known to be none of a secret is shown.
fn pair(key: &str, value: &str) -> String {
    const PLAIN: [&str; 6] = ["mode", "cache", "tls", "sslmode", "ssl-mode", "protocol"];
    let plain = PLAIN.contains(&key) && is_word(value);
    match (is_word(key), plain) {
        (true, true) => format!("{key}={value}"),
        (true, false) => format!("{key}={MASK}"),
        (false, _) => MASK.to_owned(),
    }
}

/// Whether it is short and looks like something that a person would call a thing, and not like a token:
/// those are long, or of letters and digits in turn, or in both cases.
fn is_word(part: &str) -> bool {
    let changes = part.as_bytes().windows(2).filter(|two| two[0].is_ascii_digit() != two[1].is_ascii_digit());
    let has = |is: fn(&char) -> bool| part.chars().any(|letter| is(&letter));
    part.len() <= 24
        && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.~".contains(letter))
        && changes.count() <= 3
        && !(part.len() > 12 && has(char::is_ascii_digit) && has(char::is_ascii_alphabetic))
        && !(has(char::is_ascii_digit) && has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase))
}
