//! Things to do in a country: its sights, and what one does there.

mod kind;
mod query;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Deref;

pub use kind::ActivityKind;
pub use query::{ActivityQuery, ActivitySortKey};

use crate::country::{LatLng, Rejection};
use crate::{Instant, RunId};

/// Characters of one text at most.
const LONGEST_TEXT: usize = 1_000;

/// A thing to do as its source describes it, not yet checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityRecord {
    /// The source's name for the sight, e.g. `Q676203`. The key.
    pub id: String,
    /// What people call the sight.
    pub name: String,
    /// What one does there.
    pub kind: ActivityKind,
    /// A few words about the sight.
    pub description: Option<String>,
    /// Where it lies.
    pub latlng: Option<LatLng>,
    /// URL of a picture.
    pub picture: Option<String>,
    /// URL of the source's page about it.
    pub source: String,
    /// Whether it is on UNESCO's World Heritage List.
    pub world_heritage: bool,
}

/// A thing to do. There is none without a key, a name and a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity(ActivityRecord);

/// Why a record is no thing to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidActivity {
    /// Something that every one has is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A text is longer than 1,000 characters.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// A text holds a control character.
    #[error("{0} holds a control character")]
    ControlCharacter(&'static str),
    /// A picture or a source is not an https URL.
    #[error("{0} is not an https URL")]
    Url(&'static str),
    /// It does not lie on earth.
    #[error("latlng is out of range")]
    OutOfRange,
}

impl Activity {
    /// Checks a record.
    ///
    /// # Errors
    /// The first thing that is wrong with it; see [`InvalidActivity`].
    pub fn new(record: ActivityRecord) -> Result<Self, InvalidActivity> {
        let texts = [
            ("id", Some(&record.id)),
            ("name", Some(&record.name)),
            ("source", Some(&record.source)),
            ("description", record.description.as_ref()),
            ("picture", record.picture.as_ref()),
        ];
        for (member, text) in texts.into_iter().filter_map(|(member, text)| Some((member, text?))) {
            if text.trim().is_empty() {
                return Err(InvalidActivity::Missing(member));
            }
            if text.chars().count() > LONGEST_TEXT {
                return Err(InvalidActivity::TooLong(member));
            }
            if text.chars().any(char::is_control) {
                return Err(InvalidActivity::ControlCharacter(member));
            }
        }
        for (member, url) in [("source", Some(&record.source)), ("picture", record.picture.as_ref())] {
            if url.is_some_and(|url| !url.starts_with("https://")) {
                return Err(InvalidActivity::Url(member));
            }
        }
        let on_earth =
            |point: LatLng| (-90.0..=90.0).contains(&point.lat) && (-180.0..=180.0).contains(&point.lng);
        if !record.latlng.is_none_or(on_earth) {
            return Err(InvalidActivity::OutOfRange);
        }
        Ok(Self(record))
    }

    /// The record itself.
    pub fn into_record(self) -> ActivityRecord {
        self.0
    }
}

impl Deref for Activity {
    type Target = ActivityRecord;

    fn deref(&self) -> &ActivityRecord {
        &self.0
    }
}

/// What a source answered about one country.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActivityBatch {
    /// What could be read, not yet checked, the best known sight first.
    pub records: Vec<ActivityRecord>,
    /// What could not even be read.
    pub rejected: Vec<Rejection>,
}

/// The source has less than half of the activities that we hold: that is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source has {found} activities, we hold {held}")]
pub struct ActivityDrift {
    /// Activities in the store.
    pub held: u64,
    /// Valid activities of the source.
    pub found: u64,
}

/// What is to be kept of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActivityPlan {
    /// All that is to be kept, the best known sight first.
    pub activities: Vec<Activity>,
    /// What is not.
    pub rejected: Vec<Rejection>,
}

impl ActivityPlan {
    /// Checks every record: a bad one is rejected, and of two with one key the second; the rest go on.
    ///
    /// # Errors
    /// [`ActivityDrift`] when the answer as a whole is not to be believed: nothing may be written then.
    pub fn new(held: u64, batch: ActivityBatch) -> Result<Self, ActivityDrift> {
        let mut plan = Self { activities: vec![], rejected: batch.rejected };
        let mut taken = BTreeSet::new();
        for record in batch.records {
            let label: String = record.id.chars().take(20).collect();
            match Activity::new(record) {
                Ok(activity) if taken.insert(activity.id.clone()) => plan.activities.push(activity),
                Ok(_) => plan.rejected.push(Rejection { record: label, reason: "comes twice".to_owned() }),
                Err(invalid) => plan.rejected.push(Rejection { record: label, reason: invalid.to_string() }),
            }
        }
        let found = plan.activities.len() as u64;
        if found.saturating_mul(2) < held {
            return Err(ActivityDrift { held, found });
        }
        Ok(plan)
    }
}

/// How a store stands to the activities of one country.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActivityState {
    /// When they were fetched; `None` before they ever were.
    pub fetched_at: Option<Instant>,
    /// How many there are.
    pub count: u64,
    /// The last run that was made to fetch them.
    pub run: Option<RunId>,
}
