//! Dogs, their names and their pictures.

#[cfg(test)]
mod tests;

use crate::text::{fold, fold_case};
use crate::{Instant, Page, Sort};

/// What a dog is called: 1 to 64 characters without blanks around them, none to control and no `/`,
/// since it stands in paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DogName(String);

impl DogName {
    /// Characters at most.
    pub const LONGEST: usize = 64;

    /// What paths mean otherwise.
    const TAKEN: [&str; 3] = ["is_adopted", ".", ".."];

    /// The name, trimmed; `None` for what no dog can be called.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (1..=Self::LONGEST).contains(&text.chars().count());
        if !fits || text.chars().any(|letter| letter.is_control() || letter == '/') {
            return None;
        }
        let folded = fold(text);
        // Accents alone fold to nothing.
        let is_free = !folded.trim().is_empty() && !Self::TAKEN.contains(&folded.as_str());
        is_free.then(|| Self(text.to_owned()))
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without regard to case: no two dogs have it in common.
    pub fn key(&self) -> String {
        fold_case(&self.0)
    }

    /// The name as it is sorted, without regard to case and accents.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

/// Where a picture is: an https URL in its normal form, of 2,000 characters at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PictureUrl(String);

impl PictureUrl {
    /// Characters at most.
    pub const LONGEST: usize = 2_000;

    /// The URL; `None` for what is none, or says more than where a picture is.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let host = text.strip_prefix("https://")?.split(['/', '?', '#']).next()?;
        let is_place = !host.is_empty() && !host.starts_with(':') && !host.contains('@');
        let fits = text.len() <= Self::LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        (is_place && fits).then_some(Self(text))
    }

    /// The URL itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A dog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dog {
    /// Its number, from 1.
    pub id: i64,
    /// What it is called, like no other dog.
    pub name: DogName,
    /// Its picture, once there is one.
    pub picture: Option<PictureUrl>,
    /// When it came.
    pub created_at: Instant,
    /// Whether it has found a home.
    pub is_adopted: bool,
    /// Whose it is; `None` for nobody's.
    pub owner: Option<i64>,
    /// Grows with every change that somebody makes; a picture is none.
    pub revision: i64,
}

/// What is to be changed of a dog; `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DogChange {
    /// Whether it has found a home.
    pub is_adopted: Option<bool>,
    /// Whose it is; `Some(None)` for nobody's.
    pub owner: Option<Option<i64>>,
}

/// What dogs are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DogSortKey {
    /// Number.
    Id,
    /// Name, whatever its case and accents.
    Name,
    /// When it came.
    CreateDate,
    /// Those without a home first.
    IsAdopted,
}

impl DogSortKey {
    /// All keys.
    pub const ALL: [Self; 4] = [Self::Id, Self::Name, Self::CreateDate, Self::IsAdopted];

    /// The name that the API shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::CreateDate => "create_date",
            Self::IsAdopted => "is_adopted",
        }
    }
}

/// Which dogs are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DogQuery {
    /// Only those that have found a home, or those that have not.
    pub is_adopted: Option<bool>,
    /// Only those of this user.
    pub owner: Option<i64>,
    /// Order; the number decides between equals.
    pub sort: Vec<Sort<DogSortKey>>,
    /// Which part of the list.
    pub page: Page,
}
