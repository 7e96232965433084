//! Dogs, and the runs that fetch their pictures.

use malecon_ports::DogRepository;
use malecon_ports::contract::dog::DogStore;

use super::task::Store;

impl DogStore for Store {
    fn dogs(&self) -> &dyn DogRepository {
        &self.2
    }
}

malecon_ports::dog_contract!(Store::new());
