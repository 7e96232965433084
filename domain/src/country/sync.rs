//! What a sync does with the answer of a source: which rows change, and when nothing may.

use std::collections::{BTreeMap, BTreeSet};

use super::{Country, CountryField, CountryRecord, FieldSet};
use crate::Instant;

/// A source may lose so many per cent of what we hold before we stop believing it.
const DRIFT_PER_CENT: usize = 10;

/// What a source answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The fields that the source was asked for; of others it says nothing.
    pub covered: FieldSet,
    /// The records that could be read, not yet checked.
    pub records: Vec<CountryRecord>,
    /// The records that could not even be read.
    pub rejected: Vec<Rejection>,
}

/// A record that was not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its alpha-3 code, or its place in the answer (`#17`) when it has none.
    pub record: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why an answer as a whole is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Drift {
    /// No valid country at all.
    #[error("the source has no valid country")]
    Empty,
    /// Over a tenth fewer countries than we hold.
    #[error("the source has {valid} valid countries, we hold {held}")]
    Fewer {
        /// Countries in the store.
        held: usize,
        /// Valid countries of the source.
        valid: usize,
    },
    /// Over a tenth of the countries would lose what we hold under one field.
    #[error("{countries} of {held} countries would lose their {}", field.name())]
    Lost {
        /// The field.
        field: CountryField,
        /// Countries that would lose it.
        countries: usize,
        /// Countries in the store.
        held: usize,
    },
}

/// What a sync is about to write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncPlan {
    /// Records in the answer, rejected ones included.
    pub seen: usize,
    /// Countries that are new.
    pub insert: Vec<Country>,
    /// Countries that differ from what we hold.
    pub update: Vec<Country>,
    /// Countries that do not.
    pub unchanged: usize,
    /// Alpha-3 codes of countries that we hold and the source no longer has. They are kept.
    pub missing: Vec<String>,
    /// Records that were not taken.
    pub rejected: Vec<Rejection>,
}

impl SyncPlan {
    /// Compares the answer with what we hold.
    ///
    /// Every record is checked; a bad one is rejected and the rest go on. Fields that the source
    /// does not cover keep the values we hold.
    ///
    /// # Errors
    /// [`Drift`] when the answer as a whole is not to be believed: nothing may be written then.
    pub fn new(held: &[Country], batch: Batch) -> Result<Self, Drift> {
        let by_code: BTreeMap<&str, &Country> = held.iter().map(|c| (c.cca3.as_str(), c)).collect();
        let mut plan = Self {
            seen: batch.records.len() + batch.rejected.len(),
            rejected: batch.rejected,
            ..Self::default()
        };
        let mut taken = Taken::default();
        let mut lost = BTreeMap::<CountryField, usize>::new();
        let mut named: BTreeSet<String> = plan.rejected.iter().map(|r| r.record.clone()).collect();
        let mut accepted = BTreeSet::new();

        for (index, mut record) in rightful_first(held, batch.records) {
            let label = if record.cca3.is_empty() {
                format!("#{index}")
            } else {
                record.cca3.chars().take(20).collect()
            };
            named.insert(label.clone());
            let before = by_code.get(record.cca3.as_str()).copied();
            if let Some(before) = before {
                record.keep_uncovered(before, batch.covered);
            }
            match Country::new(record)
                .map_err(|invalid| invalid.to_string())
                .and_then(|country| taken.add(country))
            {
                Err(reason) => plan.rejected.push(Rejection { record: label, reason }),
                Ok(country) => match before.inspect(|before| {
                    accepted.insert(before.cca3.clone());
                }) {
                    None => plan.insert.push(country),
                    Some(before) if *before == country => plan.unchanged += 1,
                    Some(before) => {
                        for field in
                            batch.covered.iter().filter(|f| f.is_empty(&country) && !f.is_empty(before))
                        {
                            *lost.entry(field).or_default() += 1;
                        }
                        plan.update.push(country);
                    }
                },
            }
        }
        plan.reject_stolen_keys(held, &accepted);

        let valid = plan.insert.len() + plan.update.len() + plan.unchanged;
        if valid == 0 {
            return Err(Drift::Empty);
        }
        if too_many(held.len().saturating_sub(valid), held.len()) {
            return Err(Drift::Fewer { held: held.len(), valid });
        }
        if let Some((&field, &countries)) = lost.iter().find(|(_, count)| too_many(**count, held.len())) {
            return Err(Drift::Lost { field, countries, held: held.len() });
        }
        plan.missing =
            by_code.keys().filter(|code| !named.contains(**code)).map(|code| (*code).to_owned()).collect();
        Ok(plan)
    }

    /// Whether anything is to be written.
    pub fn changes_something(&self) -> bool {
        !self.insert.is_empty() || !self.update.is_empty()
    }

    /// A country of which the answer has no good record keeps its codes and its name: a record that
    /// claims one is refused.
    fn reject_stolen_keys(&mut self, held: &[Country], accepted: &BTreeSet<String>) {
        let kept: BTreeMap<String, &str> = held
            .iter()
            .filter(|country| !accepted.contains(&country.cca3))
            .flat_map(|country| keys(country).map(|key| (key, country.cca3.as_str())))
            .collect();
        let rejected = &mut self.rejected;
        let mut check = |country: &Country| {
            let stolen = keys(country).find_map(|key| Some((kept.get(&key).copied()?, key)));
            if let Some((owner, key)) = &stolen {
                let reason = format!("{key} is that of {owner}");
                rejected.push(Rejection { record: country.cca3.clone(), reason });
            }
            stolen.is_none()
        };
        self.insert.retain(&mut check);
        self.update.retain(&mut check);
    }
}

/// The records and their places, those first that claim nothing which is another country's by what we
/// hold: so a wrong record does not push out a right one, wherever it stands.
fn rightful_first(held: &[Country], records: Vec<CountryRecord>) -> Vec<(usize, CountryRecord)> {
    let owners: BTreeMap<String, &str> =
        held.iter().flat_map(|country| keys(country).map(|key| (key, country.cca3.as_str()))).collect();
    let claims = |record: &CountryRecord| {
        keys(record).any(|key| owners.get(&key).is_some_and(|owner| *owner != record.cca3))
    };
    let (wrong, right): (Vec<_>, Vec<_>) =
        records.into_iter().enumerate().partition(|(_, record)| claims(record));
    right.into_iter().chain(wrong).collect()
}

/// What names one country only, beside its alpha-3 code.
fn keys(record: &CountryRecord) -> impl Iterator<Item = String> + use<> {
    [
        Some(format!("cca2 {}", record.cca2)),
        record.ccn3.as_ref().map(|code| format!("ccn3 {code}")),
        Some(format!("name {}", record.name.common)),
    ]
    .into_iter()
    .flatten()
}

/// The codes and names of one answer, each of which names one country only.
#[derive(Default)]
struct Taken(BTreeSet<String>);

impl Taken {
    fn add(&mut self, country: Country) -> Result<Country, String> {
        let keys: Vec<String> = keys(&country).chain([format!("cca3 {}", country.cca3)]).collect();
        if let Some(double) = keys.iter().rev().find(|key| self.0.contains(*key)) {
            return Err(format!("{double} comes twice"));
        }
        self.0.extend(keys);
        Ok(country)
    }
}

fn too_many(part: usize, whole: usize) -> bool {
    part * 100 > whole * DRIFT_PER_CENT
}

/// How a sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SyncOutcome {
    /// The source was believed and the store agrees with it.
    Succeeded,
    /// The source answered something that is not to be believed; nothing changed.
    SourceDrifted,
    /// The source did not answer; nothing changed.
    Failed,
}

impl SyncOutcome {
    /// The stable name: `succeeded`, `source_drifted` or `failed`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::SourceDrifted => "source_drifted",
            Self::Failed => "failed",
        }
    }

    /// The outcome of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Succeeded, Self::SourceDrifted, Self::Failed]
            .into_iter()
            .find(|outcome| outcome.name() == name)
    }
}

/// What a sync did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncReport {
    /// Which source was asked.
    pub source: String,
    /// When it began.
    pub started_at: Instant,
    /// When it ended.
    pub finished_at: Instant,
    /// How it ended.
    pub outcome: SyncOutcome,
    /// Why it ended so, when it did not succeed.
    pub detail: Option<String>,
    /// Records in the answer.
    pub seen: u64,
    /// Countries added.
    pub inserted: u64,
    /// Countries changed.
    pub updated: u64,
    /// Countries found as they were.
    pub unchanged: u64,
    /// Alpha-3 codes of countries that the source no longer has, and we keep.
    pub missing: Vec<String>,
    /// Records that were not taken.
    pub rejected: Vec<Rejection>,
}

/// Which state of the countries a store holds. A sync that changed something starts a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataVersion {
    /// Counts up from 0, the empty store.
    pub number: u64,
    /// When the version began.
    pub since: Instant,
    /// When a sync last succeeded, whether or not it changed anything.
    pub checked_at: Instant,
}

impl DataVersion {
    /// Whether both are of the same countries, whenever they were last checked.
    pub fn same_data(self, other: Self) -> bool {
        (self.number, self.since) == (other.number, other.since)
    }
}
