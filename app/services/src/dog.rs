//! Dogs: who may add and change which, and the job that finds their pictures.

mod job;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use malecon_domain::{Dog, DogChange, DogName, DogQuery, Job, Paged, Principal, Run};
use malecon_ports::{
    ChoreGateway, Clock, DogAdded, DogRepository, DogWrite, NewDog, PictureGateway, RepositoryError,
    UserRepository,
};

use crate::user::{missing, own};
use crate::{JobService, ServiceError};

/// How often a change is begun anew because others change the same dog: more than write one dog at
/// once.
const TRIES: usize = 32;

/// What [`DogService`] needs.
#[derive(Clone)]
pub struct DogPorts {
    /// The dogs.
    pub dogs: Arc<dyn DogRepository>,
    /// Their owners.
    pub users: Arc<dyn UserRepository>,
    /// Where their pictures come from.
    pub pictures: Arc<dyn PictureGateway>,
    /// Who does a chore for each new dog, if anybody does.
    pub chores: Option<Arc<dyn ChoreGateway>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Keeps dogs. Everybody sees all of them; users add them for themselves or for nobody, and change
/// their own and nobody's; administrators change all.
#[derive(Clone)]
pub struct DogService {
    ports: DogPorts,
    jobs: JobService,
}

impl DogService {
    /// A service over these ports, whose jobs are made by this one.
    pub fn new(ports: DogPorts, jobs: JobService) -> Self {
        Self { ports, jobs }
    }

    /// One page of dogs, for everybody.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list(&self, query: &DogQuery) -> Result<Paged<Dog>, ServiceError> {
        Ok(self.ports.dogs.list(query).await?)
    }

    /// One page of a user's dogs: one's own, or anybody's for administrators.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else; `Unavailable`.
    pub async fn list_of(
        &self,
        caller: &Principal,
        user_id: i64,
        query: DogQuery,
    ) -> Result<Paged<Dog>, ServiceError> {
        own(caller, user_id)?;
        let page = self.ports.dogs.list(&DogQuery { owner: Some(user_id), ..query }).await?;
        if page.total == 0 {
            self.ports.users.find(user_id).await?.ok_or(ServiceError::NotFound)?;
        }
        Ok(page)
    }

    /// The dog of this name, for everybody.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn find(&self, name: &DogName) -> Result<Dog, ServiceError> {
        self.ports.dogs.find(name).await?.ok_or(ServiceError::NotFound)
    }

    /// Adds a dog, and the job that looks for its picture. It is nobody's and without a home unless told.
    ///
    /// # Errors
    /// `Forbidden` for another owner than oneself, for users; `Invalid` for an owner who is not there;
    /// `Conflict` (`name_taken`); `Unavailable`.
    pub async fn add(
        &self,
        caller: &Principal,
        name: &DogName,
        said: DogChange,
    ) -> Result<(Dog, Run), ServiceError> {
        let owner = said.owner.flatten();
        check_owner(caller, owner)?;
        let is_adopted = said.is_adopted.unwrap_or_default();
        let dog = NewDog { name: name.clone(), is_adopted, owner, at: self.ports.clock.now() };
        // The job's dog has no number yet.
        let run = self.jobs.draft(Job::Picture { dog: 0 }, Some(caller.user_id));
        match self.ports.dogs.add(&dog, &run).await.map_err(|error| ownerless(caller, owner, error))? {
            DogAdded::Done(dog, run) => Ok((dog, run)),
            DogAdded::NameTaken => {
                let detail = "another dog is called like this, whatever its case";
                Err(ServiceError::conflict("name_taken", detail))
            }
        }
    }

    /// Changes a dog; only while its revision is still this one, if one is given.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's; `Forbidden` for another owner than oneself, for users;
    /// `Invalid` for an owner who is not there; with a revision `Conflict` ([`ServiceError::OUTDATED`]);
    /// `Unavailable`.
    pub async fn change(
        &self,
        caller: &Principal,
        name: &DogName,
        change: DogChange,
        revision: Option<i64>,
    ) -> Result<Dog, ServiceError> {
        let owner = change.owner.flatten();
        for _ in 0..TRIES {
            let dog = self.changeable(caller, name).await?;
            if change.owner.is_some_and(|owner| owner != dog.owner) {
                check_owner(caller, owner)?;
            }
            let expected = revision.unwrap_or(dog.revision);
            let write = self.ports.dogs.change(dog.id, &change, expected).await;
            match write.map_err(|error| ownerless(caller, owner, error))? {
                DogWrite::Outdated if revision.is_none() => {}
                write => return written(write),
            }
        }
        Err(too_busy())
    }

    /// Removes a dog. A job that looks for its picture has nothing more to do.
    ///
    /// # Errors
    /// `NotFound`, also for somebody else's; `Unavailable`.
    pub async fn remove(&self, caller: &Principal, name: &DogName) -> Result<(), ServiceError> {
        for _ in 0..TRIES {
            let dog = self.changeable(caller, name).await?;
            match self.ports.dogs.remove(dog.id, dog.revision).await? {
                DogWrite::Outdated => {}
                write => return written(write).map(|_| ()),
            }
        }
        Err(too_busy())
    }

    /// The dog, if it is the caller's to change.
    async fn changeable(&self, caller: &Principal, name: &DogName) -> Result<Dog, ServiceError> {
        let dog = self.find(name).await?;
        dog.owner.map_or(Ok(()), |owner| own(caller, owner)).map(|()| dog)
    }
}

/// Whose a dog is to be: the caller's or nobody's, or anybody's for administrators.
fn check_owner(caller: &Principal, owner: Option<i64>) -> Result<(), ServiceError> {
    match owner {
        Some(owner) if !caller.may_act_for(owner) => Err(ServiceError::Forbidden),
        _ => Ok(()),
    }
}

/// The owner to be is not there, or the caller has gone in the meantime.
fn ownerless(caller: &Principal, owner: Option<i64>, error: RepositoryError) -> ServiceError {
    match error {
        RepositoryError::MissingReference(_) if owner.is_some_and(|owner| owner != caller.user_id) => {
            ServiceError::invalid("id_user", "there is no such user")
        }
        error => missing(error),
    }
}

fn written(write: DogWrite) -> Result<Dog, ServiceError> {
    match write {
        DogWrite::Done(dog) => Ok(dog),
        DogWrite::NotFound => Err(ServiceError::NotFound),
        DogWrite::Outdated => {
            Err(ServiceError::conflict(ServiceError::OUTDATED, "the dog has changed in the meantime"))
        }
    }
}

fn too_busy() -> ServiceError {
    ServiceError::store_unavailable("others change the same dog all the time")
}
