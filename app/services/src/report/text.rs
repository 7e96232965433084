//! What a report says: how many countries, and how fresh.

use malecon_domain::{DataVersion, Instant, Line, SyncOutcome, SyncReport, Zone};

/// What is reported.
pub(super) struct Report<'a> {
    /// How many countries.
    pub count: usize,
    /// Which ones were asked for, as it was written.
    pub query: &'a str,
    /// Which state of the data this is.
    pub version: DataVersion,
    /// What the last sync did.
    pub last_sync: Option<SyncReport>,
    /// When it is written.
    pub now: Instant,
    /// By whose clocks.
    pub zone: Zone,
}

impl Report<'_> {
    /// The name of the file.
    pub fn file(&self) -> String {
        format!("countries-{}.xlsx", self.zone.clock(self.now).format("%F"))
    }

    /// What the mail is about.
    pub fn subject(&self) -> Line {
        Line::new(&format!("Countries on {}: {}", self.zone.clock(self.now).format("%F"), self.count))
    }

    /// All of it, in plain text.
    pub fn text(&self) -> String {
        let lines = self.lines();
        let facts = lines.facts.iter().map(|(name, fact)| format!("{name}: {fact}\n"));
        let warning = lines.warning.map(|warning| format!("{warning}\n\n")).unwrap_or_default();
        format!("{}\n\n{warning}{}", lines.head, facts.collect::<String>())
    }

    /// All of it, in HTML.
    pub fn html(&self) -> String {
        let lines = self.lines();
        let row = |(name, fact): &(&str, String)| {
            format!("<tr><th align=\"left\">{name}</th><td>{}</td></tr>\n", escaped(fact))
        };
        let rows: String = lines.facts.iter().map(row).collect();
        let warning = lines.warning.map(|text| format!("<p><strong>{}</strong></p>\n", escaped(&text)));
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head><body>\n\
             <p>{}</p>\n{}<table>\n{rows}</table>\n</body></html>\n",
            escaped(self.subject().as_str()),
            escaped(&lines.head),
            warning.unwrap_or_default(),
        )
    }

    fn lines(&self) -> Lines {
        let (noun, verb) = if self.count == 1 { ("country", "is") } else { ("countries", "are") };
        let head = format!("{} {noun} {verb} in the file {}.", self.count, self.file());
        let query = if self.query.is_empty() { "all countries" } else { self.query };
        let checked = self.version.checked_at;
        let last = self.last_sync.as_ref();
        let mut facts = vec![("Asked for", query.to_owned())];
        facts.extend(last.map(|sync| ("Source", sync.source.clone())));
        facts.push(("Last checked against it", format!("{}, {} ago", self.at(checked), self.age(checked))));
        facts.push(("Last changed", self.at(self.version.since)));
        let failed = last.filter(|sync| sync.outcome != SyncOutcome::Succeeded);
        let warning = failed.map(|sync| {
            format!(
                "The last sync, of {}, took nothing over ({}): the data is that of the one before.",
                self.at(sync.finished_at),
                sync.outcome.name()
            )
        });
        Lines { head, warning, facts }
    }

    fn at(&self, at: Instant) -> String {
        format!("{} {}", self.zone.clock(at).format("%F %H:%M"), self.zone.name())
    }

    /// How long ago something was, in the largest unit that says it well.
    fn age(&self, at: Instant) -> String {
        let minutes = (self.now - at).num_minutes().max(0);
        let (count, unit) = match minutes {
            0 => return "less than a minute".to_owned(),
            1..120 => (minutes, "minute"),
            120..2_880 => (minutes / 60, "hour"),
            _ => (minutes / 1_440, "day"),
        };
        format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// The sentences of a report.
struct Lines {
    head: String,
    warning: Option<String>,
    facts: Vec<(&'static str, String)>,
}

/// The text as HTML shows it.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}
