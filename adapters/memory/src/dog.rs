//! Dogs in RAM.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use malecon_domain::{
    Direction, Dog, DogChange, DogName, DogQuery, DogSortKey, Job, NewRun, Paged, PictureUrl,
};
use malecon_ports::{DogAdded, DogRepository, DogWrite, NewDog, RepositoryError, RunWrite};

use crate::user::paged;
use crate::{MemoryTasks, MemoryUsers};

/// Keeps dogs of the users of one [`MemoryUsers`], whose runs lie in one [`MemoryTasks`], in RAM.
/// Clones share them.
#[derive(Clone)]
pub struct MemoryDogs {
    users: MemoryUsers,
    tasks: MemoryTasks,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    dogs: BTreeMap<i64, Dog>,
    last_dog: i64,
}

impl MemoryDogs {
    /// An empty store.
    pub fn new(users: MemoryUsers, tasks: MemoryTasks) -> Self {
        Self { users, tasks, state: Arc::default() }
    }

    /// The state, where dogs of users that are gone are nobody's.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for dog in state.dogs.values_mut() {
            dog.owner = dog.owner.filter(|owner| self.users.exists(*owner));
        }
        state
    }

    fn check_owner(&self, owner: Option<i64>) -> Result<(), RepositoryError> {
        owner.map_or(Ok(()), |owner| self.users.state().owner(owner).map(|_| ()))
    }
}

impl State {
    fn named(&self, name: &DogName) -> Option<&Dog> {
        let key = name.key();
        self.dogs.values().find(|dog| dog.name.key() == key)
    }

    /// The dog, if it is there and has this revision; else what a write comes to.
    fn expected(&mut self, id: i64, revision: i64) -> Result<&mut Dog, DogWrite> {
        match self.dogs.get_mut(&id) {
            None => Err(DogWrite::NotFound),
            Some(dog) if dog.revision != revision => Err(DogWrite::Outdated),
            Some(dog) => Ok(dog),
        }
    }
}

fn compare(query: &DogQuery, a: &Dog, b: &Dog) -> Ordering {
    let by_key = query.sort.iter().map(|sort| {
        let order = match sort.key {
            DogSortKey::Id => a.id.cmp(&b.id),
            DogSortKey::Name => a.name.folded().cmp(&b.name.folded()),
            DogSortKey::CreateDate => a.created_at.cmp(&b.created_at),
            DogSortKey::IsAdopted => a.is_adopted.cmp(&b.is_adopted),
        };
        if sort.direction == Direction::Descending { order.reverse() } else { order }
    });
    by_key.fold(Ordering::Equal, Ordering::then).then(a.id.cmp(&b.id))
}

#[async_trait]
impl DogRepository for MemoryDogs {
    async fn add(&self, new: &NewDog, run: &NewRun) -> Result<DogAdded, RepositoryError> {
        let mut state = self.state();
        if state.named(&new.name).is_some() {
            return Ok(DogAdded::NameTaken);
        }
        self.check_owner(new.owner)?;
        let id = state.last_dog + 1;
        let mut runs = self.tasks.state();
        let run = NewRun { job: Job::Picture { dog: id }, ..run.clone() };
        let run = match self.tasks.put(&mut runs, &run)? {
            RunWrite::Added(run) => run,
            RunWrite::There(run) => {
                return Err(RepositoryError::Conflict(format!("there is a run {} for it", run.id)));
            }
            RunWrite::Full => return Err(RepositoryError::Conflict("there are too many runs".to_owned())),
        };
        let dog = Dog {
            id,
            name: new.name.clone(),
            picture: None,
            created_at: new.at,
            is_adopted: new.is_adopted,
            owner: new.owner,
            revision: 1,
        };
        state.last_dog = id;
        state.dogs.insert(id, dog.clone());
        drop(state);
        MemoryTasks::wake(runs);
        Ok(DogAdded::Done(dog, run))
    }

    async fn find(&self, name: &DogName) -> Result<Option<Dog>, RepositoryError> {
        Ok(self.state().named(name).cloned())
    }

    async fn get(&self, id: i64) -> Result<Option<Dog>, RepositoryError> {
        Ok(self.state().dogs.get(&id).cloned())
    }

    async fn list(&self, query: &DogQuery) -> Result<Paged<Dog>, RepositoryError> {
        let mut dogs: Vec<Dog> = self.state().dogs.values().cloned().collect();
        dogs.retain(|dog| query.is_adopted.is_none_or(|wanted| dog.is_adopted == wanted));
        dogs.retain(|dog| query.owner.is_none_or(|owner| dog.owner == Some(owner)));
        dogs.sort_by(|a, b| compare(query, a, b));
        Ok(paged(dogs, query.page))
    }

    async fn change(&self, id: i64, change: &DogChange, revision: i64) -> Result<DogWrite, RepositoryError> {
        let mut state = self.state();
        let dog = match state.expected(id, revision) {
            Ok(dog) => dog,
            Err(write) => return Ok(write),
        };
        self.check_owner(change.owner.flatten())?;
        dog.is_adopted = change.is_adopted.unwrap_or(dog.is_adopted);
        dog.owner = change.owner.unwrap_or(dog.owner);
        dog.revision += 1;
        Ok(DogWrite::Done(dog.clone()))
    }

    async fn set_picture(&self, id: i64, picture: &PictureUrl) -> Result<bool, RepositoryError> {
        let mut state = self.state();
        let Some(dog) = state.dogs.get_mut(&id) else { return Ok(false) };
        dog.picture = Some(picture.clone());
        Ok(true)
    }

    async fn remove(&self, id: i64, revision: i64) -> Result<DogWrite, RepositoryError> {
        let mut state = self.state();
        if let Err(write) = state.expected(id, revision) {
            return Ok(write);
        }
        Ok(state.dogs.remove(&id).map_or(DogWrite::NotFound, DogWrite::Done))
    }
}
