//! When something is run by itself: cron expressions in time zones.

#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, LocalResult, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use crate::Instant;

/// What happens when a run is due while an earlier one is not over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overlap {
    /// There is none this time.
    #[default]
    Skip,
    /// It waits; but no more than one waits.
    QueueOne,
    /// It is run beside the other.
    Allow,
}

impl Overlap {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Skip, Self::QueueOne, Self::Allow];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::QueueOne => "queue_one",
            Self::Allow => "allow",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|overlap| overlap.name() == name)
    }
}

/// What is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// The cron expression.
    #[error("this is no cron expression: {0}")]
    Cron(String),
    /// The time zone.
    #[error("this is no name of the IANA time zone database, such as Europe/Madrid")]
    Zone,
    /// It never comes to anything.
    #[error("this never happens")]
    Never,
}

/// A cron expression of five fields, or six with seconds before them, in a time zone.
///
/// Where clocks are put forward, what falls into the hour that is left out happens once, when they are.
/// Where they are put back, what names its hours happens in the first of the two alone, and what
/// happens every hour in both.
#[derive(Clone, Debug)]
pub struct Schedule {
    text: String,
    cron: Cron,
    zone: Tz,
    overlap: Overlap,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.zone, self.overlap) == (&other.text, other.zone, other.overlap)
    }
}

impl Eq for Schedule {}

impl Schedule {
    /// Characters of a cron expression.
    pub const LONGEST: usize = 200;

    /// The schedule of a cron expression in a zone of the IANA database.
    ///
    /// # Errors
    /// [`InvalidSchedule`].
    pub fn new(cron: &str, zone: &str, overlap: Overlap) -> Result<Self, InvalidSchedule> {
        let text = cron.trim();
        if text.chars().count() > Self::LONGEST {
            return Err(InvalidSchedule::Cron(format!("it has more than {} characters", Self::LONGEST)));
        }
        let zone = zone.parse().map_err(|_| InvalidSchedule::Zone)?;
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        let cron = parser.parse(text).map_err(|error| InvalidSchedule::Cron(error.to_string()))?;
        let schedule = Self { text: text.to_owned(), cron, zone, overlap };
        // Of all days, some leap day comes after this one.
        schedule.next_after(DateTime::UNIX_EPOCH).map(|_| schedule).ok_or(InvalidSchedule::Never)
    }

    /// The expression as it was written.
    pub fn cron(&self) -> &str {
        &self.text
    }

    /// The zone's name.
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }

    /// What happens while an earlier run is not over.
    pub fn overlap(&self) -> Overlap {
        self.overlap
    }

    /// The first instant after this one that it names; `None` when there is none any more.
    pub fn next_after(&self, after: Instant) -> Option<Instant> {
        let local = after.with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&local, false).ok().map(|next| next.to_utc());
        let clock = Utc.from_utc_datetime(&local.naive_local());
        let on_the_clock = self.cron.find_next_occurrence(&clock, false).ok();
        let at_a_jump = on_the_clock.and_then(|clock| self.jump(clock)).filter(|jump| *jump > after);
        next.into_iter().chain(at_a_jump).min()
    }

    /// The instant at which this time of the clock is left out, if it is.
    fn jump(&self, clock: DateTime<Utc>) -> Option<Instant> {
        let at = |clock: DateTime<Utc>| self.zone.from_local_datetime(&clock.naive_utc());
        if at(clock) != LocalResult::None {
            return None;
        }
        // No zone has put its clocks forward by more than a day.
        let minutes = (1..=24 * 60).map(|minutes| clock + TimeDelta::minutes(minutes));
        let after = minutes.filter_map(|clock| at(clock).earliest()).next()?.to_utc();
        let offset = |instant: Instant| instant.with_timezone(&self.zone).naive_local() - instant.naive_utc();
        let (mut before, mut jump) = (after - TimeDelta::hours(25), after);
        let new = offset(after);
        while jump - before > TimeDelta::seconds(1) {
            let middle = before + (jump - before) / 2;
            if offset(middle) == new { jump = middle } else { before = middle }
        }
        DateTime::from_timestamp(jump.timestamp() + i64::from(jump.timestamp_subsec_nanos() > 0), 0)
    }
}

/// When something comes again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there are a handful of them")]
pub enum Rhythm {
    /// After so long, a second at least, counted from 1970.
    Every(Duration),
    /// As a schedule says that comes once a day or more often, but not as often as every minute.
    At(Schedule),
}

impl Rhythm {
    /// The last tick until now.
    pub fn tick(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Every(every) => {
                let every = i64::try_from(every.as_secs()).unwrap_or(i64::MAX).max(1);
                DateTime::from_timestamp(now.timestamp().div_euclid(every) * every, 0)
            }
            Self::At(schedule) => {
                // A day has 25 hours at most, but where a zone moves across the date line.
                let begin = now - TimeDelta::hours(50);
                let next = |after: &Instant| schedule.next_after(*after).filter(|next| *next <= now);
                std::iter::successors(next(&begin), next).last()
            }
        }
    }
}
