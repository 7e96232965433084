//! Movies, and what users keep of them.

use malecon_ports::contract::movie::MovieStore;
use malecon_ports::{FavoriteRepository, MovieRepository, RatingRepository, UserRepository};

use crate::{MemoryMovies, MemoryUsers};

struct Store(MemoryUsers, MemoryMovies);

impl Store {
    fn new() -> Self {
        let users = MemoryUsers::new();
        Self(users.clone(), MemoryMovies::new(users))
    }
}

impl MovieStore for Store {
    fn users(&self) -> &dyn UserRepository {
        &self.0
    }

    fn movies(&self) -> &dyn MovieRepository {
        &self.1
    }

    fn favorites(&self) -> &dyn FavoriteRepository {
        &self.1
    }

    fn ratings(&self) -> &dyn RatingRepository {
        &self.1
    }
}

malecon_ports::movie_contract!(Store::new());
