//! Pages and sort orders of lists.

use std::num::NonZeroU32;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    number: NonZeroU32,
    size: NonZeroU32,
}

impl Page {
    /// Rows on a page unless somebody asks otherwise.
    pub const DEFAULT_SIZE: u32 = 10;
    /// Rows on a page at most.
    pub const MAX_SIZE: u32 = 100;

    /// Page `number` (from 1) of `size` rows (1 to [`Page::MAX_SIZE`]); `None` outside those bounds.
    pub fn new(number: u32, size: u32) -> Option<Self> {
        if size > Self::MAX_SIZE {
            return None;
        }
        Some(Self { number: NonZeroU32::new(number)?, size: NonZeroU32::new(size)? })
    }

    /// The page's number, from 1.
    pub fn number(self) -> u32 {
        self.number.get()
    }

    /// Rows on the page.
    pub fn size(self) -> u32 {
        self.size.get()
    }

    /// Rows before the page.
    pub fn offset(self) -> u64 {
        u64::from(self.number() - 1) * u64::from(self.size())
    }
}

impl Default for Page {
    fn default() -> Self {
        Self { number: NonZeroU32::MIN, size: NonZeroU32::MIN.saturating_add(Self::DEFAULT_SIZE - 1) }
    }
}

/// One page of a list, and how long the whole list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paged<T> {
    /// The rows of the page, in the order asked for.
    pub items: Vec<T>,
    /// Rows of the whole list.
    pub total: u64,
}

/// Which way a list runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// One key of a sort order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sort<K> {
    /// What is compared.
    pub key: K,
    /// Which way.
    pub direction: Direction,
}
