//! Time zones, and times of day in them.

#[cfg(test)]
mod tests;

use std::fmt;

use chrono::NaiveDateTime;
use chrono_tz::Tz;

use crate::{Instant, InvalidSchedule, Overlap, Schedule};

/// A time zone of the IANA database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone of that name, e.g. `Europe/Madrid`.
    pub fn parse(name: &str) -> Option<Self> {
        name.trim().parse().ok().map(Self)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What the clocks of the zone show at an instant.
    pub fn clock(self, at: Instant) -> NaiveDateTime {
        at.with_timezone(&self.0).naive_local()
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

/// A time of day, to the minute; midnight unless told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeOfDay {
    hour: u8,
    minute: u8,
}

impl TimeOfDay {
    /// The time that is written like `07:00` or `7:00`, from 0:00 to 23:59.
    pub fn parse(text: &str) -> Option<Self> {
        let part = |text: &str, most: u8| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| is_plain && *number <= most)
        };
        let (hour, minute) = text.trim().split_once(':')?;
        let is_whole = (1..=2).contains(&hour.len()) && minute.len() == 2;
        is_whole.then_some(())?;
        Some(Self { hour: part(hour, 23)?, minute: part(minute, 59)? })
    }

    /// Every day at this time, by the clocks of a zone. Where they leave it out, it comes when they are
    /// put forward; where it comes twice, the first one counts.
    ///
    /// # Errors
    /// None: each day has it.
    pub fn daily(self, zone: Zone) -> Result<Schedule, InvalidSchedule> {
        Schedule::new(&format!("{} {} * * *", self.minute, self.hour), zone.name(), Overlap::Skip)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}
