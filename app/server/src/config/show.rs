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

fn mask(name: &str, value: &str) -> String {
    if !value.is_empty() && ["_TOKEN", "_KEY", "_SECRET"].iter().any(|secret| name.ends_with(secret)) {
        return "****".to_owned();
    }
    match url::Url::parse(value) {
        Ok(mut url) if url.password().is_some() => {
            let _ = url.set_password(Some("****"));
            url.to_string()
        }
        _ => value.to_owned(),
    }
}
