//! Dogs, where their pictures come from, and who is slow.

use async_trait::async_trait;
use malecon_domain::{Dog, DogChange, DogName, DogQuery, Instant, NewRun, Paged, PictureUrl, Run};

use crate::{GatewayError, RepositoryError};

/// A dog to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDog {
    /// What it is called.
    pub name: DogName,
    /// Whether it has found a home.
    pub is_adopted: bool,
    /// Whose it is.
    pub owner: Option<i64>,
    /// When it came.
    pub at: Instant,
}

/// What became of a new dog.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart as soon as it is made")]
pub enum DogAdded {
    /// It is there, and so is the run that fetches its picture.
    Done(Dog, Run),
    /// Another dog is called like this.
    NameTaken,
}

/// What became of a write of a dog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DogWrite {
    /// It is written; the dog as it now is, or was, for one that was removed.
    Done(Dog),
    /// There is no such dog.
    NotFound,
    /// It has changed since the revision that the caller knew.
    Outdated,
}

/// Keeps dogs.
///
/// # Contract
/// - `a_dog_comes_back_as_it_was_added`: under its name and its number, without a picture.
/// - `a_name_is_one_dogs`: whatever its case; a second dog of it is `NameTaken` and leaves
///   no run; of many that add it at once, one gets it.
/// - `a_dog_comes_with_its_run`: which fetches the picture of that dog, whatever number its job had
///   before; it is queued, and those who wait for runs are woken.
/// - `a_dog_needs_its_owner_to_be_there`: `MissingReference` without, by adding and by changing; then
///   nothing is added or changed.
/// - `a_change_leaves_the_rest`: only what is in the change changes, and the revision grows.
/// - `an_outdated_change_changes_nothing`: `Outdated` when the revision is not the one expected, for
///   `change` and `remove`; of many that expect the same one at once, one is done.
/// - `a_picture_is_no_change`: it is set whatever the revision, which stays; `false` without the dog.
/// - `a_removed_dog_is_gone`: and its name is free, its number is not given again.
/// - `dogs_are_sorted_and_cut_into_pages`: by number unless told, and the number decides between equals;
///   names compare folded.
/// - `dogs_are_found_by_home_and_owner`.
/// - `dogs_stay_without_their_owner`: when it is removed they are nobody's.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait DogRepository: Send + Sync {
    /// Adds a dog, and with it the run of a [`Job::Picture`](malecon_domain::Job::Picture) of it.
    ///
    /// # Errors
    /// `MissingReference`; others of the store.
    async fn add(&self, dog: &NewDog, run: &NewRun) -> Result<DogAdded, RepositoryError>;

    /// The dog of this name.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn find(&self, name: &DogName) -> Result<Option<Dog>, RepositoryError>;

    /// The dog of this number.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn get(&self, id: i64) -> Result<Option<Dog>, RepositoryError>;

    /// One page of dogs.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn list(&self, query: &DogQuery) -> Result<Paged<Dog>, RepositoryError>;

    /// Changes a dog that has this revision.
    ///
    /// # Errors
    /// `MissingReference`; others of the store.
    async fn change(&self, id: i64, change: &DogChange, revision: i64) -> Result<DogWrite, RepositoryError>;

    /// Sets a dog's picture; whether there is such a dog.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn set_picture(&self, id: i64, picture: &PictureUrl) -> Result<bool, RepositoryError>;

    /// Removes a dog that has this revision.
    ///
    /// # Errors
    /// [`RepositoryError`] of the store.
    async fn remove(&self, id: i64, revision: i64) -> Result<DogWrite, RepositoryError>;
}

/// Gives pictures of dogs.
///
/// # Contract
/// - What is no URL of a picture is `Malformed`; whether there is a picture nobody has looked.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait PictureGateway: Send + Sync {
    /// Any picture of a dog.
    ///
    /// # Errors
    /// [`GatewayError`] after the adapter's own retries.
    async fn random(&self) -> Result<PictureUrl, GatewayError>;
}

/// Does chores that take a while.
///
/// # Contract
/// - A chore is done once a call, and never repeated by the adapter: whoever wants it again calls again.
/// - An answer that does not say that it was done is `Malformed`.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ChoreGateway: Send + Sync {
    /// Does a chore that takes about so many seconds.
    ///
    /// # Errors
    /// [`GatewayError`].
    async fn perform(&self, complexity: u32) -> Result<(), GatewayError>;
}
