//! Which activities of a country are wanted, and in which order.

use std::cmp::Ordering;

use super::{Activity, ActivityKind};
use crate::page::{Direction, Page, Paged, Sort};
use crate::text::fold;

/// What activities are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActivitySortKey {
    /// The sight's name, without regard to case and accents.
    Name,
    /// The kind's name.
    Kind,
}

impl ActivitySortKey {
    /// All keys.
    pub const ALL: [Self; 2] = [Self::Name, Self::Kind];

    /// The name that the API shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Kind => "kind",
        }
    }
}

/// A question for the activities of a country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityQuery {
    /// Of these kinds; of all for none.
    pub kinds: Vec<ActivityKind>,
    /// Order; the best known sight first for none. The key decides between equals.
    pub sort: Vec<Sort<ActivitySortKey>>,
    /// Which part of the list.
    pub page: Page,
}

impl ActivityQuery {
    /// The page that is wanted of a country's activities, which come with the best known sight first.
    pub fn select(&self, mut all: Vec<Activity>) -> Paged<Activity> {
        all.retain(|activity| self.kinds.is_empty() || self.kinds.contains(&activity.kind));
        if !self.sort.is_empty() {
            all.sort_by(|a, b| self.compare(a, b));
        }
        let total = all.len() as u64;
        let offset = usize::try_from(self.page.offset()).unwrap_or(usize::MAX);
        let items = all.into_iter().skip(offset).take(self.page.size() as usize).collect();
        Paged { items, total }
    }

    fn compare(&self, a: &Activity, b: &Activity) -> Ordering {
        let by_key = self.sort.iter().map(|Sort { key, direction }| {
            let order = match key {
                ActivitySortKey::Name => fold(&a.name).cmp(&fold(&b.name)),
                ActivitySortKey::Kind => a.kind.name().cmp(b.kind.name()),
            };
            if *direction == Direction::Descending { order.reverse() } else { order }
        });
        by_key.fold(Ordering::Equal, Ordering::then).then_with(|| a.id.cmp(&b.id))
    }
}
