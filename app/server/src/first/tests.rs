//! First starts, one and many at once.

use std::path::PathBuf;

use clap::Parser;
use malecon::UserService;
use malecon::domain::{Credential, Principal};

use super::*;
use crate::command::Cli;
use crate::wiring::{Wired, wire};

/// A migrated database in a file that is gone with its owner.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("malecon-first-{name}-{}", std::process::id())))
    }

    /// What a process has of it.
    async fn open(&self) -> Wired {
        std::fs::create_dir_all(&self.0).unwrap();
        let url = format!("sqlite://{}/malecon.db?mode=rwc", self.0.display());
        let config = Cli::try_parse_from(["malecon", "--database-url", &url]).unwrap().config;
        let wired = wire(&config).await.unwrap();
        wired.migrate().await.unwrap();
        wired
    }

    /// Starts that happen at once; what each of them tells.
    async fn start(&self, many: usize, demo: bool) -> Vec<Result<Option<String>, Failure>> {
        let mut starts = vec![];
        for _ in 0..many {
            let Wired { services, store, .. } = self.open().await;
            starts.push(tokio::spawn(async move { introduce(&services, &store.lock(), demo).await }));
        }
        let mut told = vec![];
        for start in starts {
            told.push(start.await.unwrap());
        }
        told
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn admin() -> Principal {
    Principal { user_id: 0, name: String::new(), role: Role::Admin, credential: Credential::External }
}

/// Numbers and addresses.
async fn all(users: &UserService) -> Vec<(i64, String)> {
    let query = UserQuery { sort: vec![], page: Page::default() };
    let users = users.list_unattended(&query).await.unwrap();
    users.items.into_iter().map(|user| (user.id, user.profile.email.as_str().to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_first_starts_one_tells_a_token() {
    let place = Place::new("many");
    let told: Vec<_> = place.start(4, false).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(told.iter().flatten().count(), 1, "{told:?}");
    assert_eq!(all(&place.open().await.services.users).await, [(1, "admin@localhost".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_demos_at_once_make_the_same_two_users() {
    let place = Place::new("demos");
    for start in place.start(4, true).await {
        assert_eq!(start.unwrap(), None);
    }
    let two = [(1, "admin@demo.example".to_owned()), (2, "consumer@demo.example".to_owned())];
    assert_eq!(all(&place.open().await.services.users).await, two);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_another_that_makes_the_users() {
    let place = Place::new("wait");
    let Wired { services, store, .. } = place.open().await;
    let lease = store.lock().acquire(LEASE_NAME, LEASE).await.unwrap().unwrap();
    let start = tokio::spawn(async move {
        let told = place.start(1, true).await;
        (place, told)
    });
    tokio::time::sleep(3 * ASK_EVERY).await;
    assert_eq!(all(&services.users).await, []);
    store.lock().release(&lease).await.unwrap();
    let (_place, told) = start.await.unwrap();
    assert!(told.into_iter().all(|told| told.is_ok()));
    assert_eq!(all(&services.users).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_is_found_behind_any_number_of_users() {
    let place = Place::new("late");
    let services = place.open().await.services;
    for n in 0..12 {
        add(&services, &format!("user{n}"), OWN_HOST, Role::User).await.unwrap();
    }
    assert!(place.start(1, false).await.remove(0).unwrap().is_none(), "there is none yet");
    add(&services, "late", OWN_HOST, Role::Admin).await.unwrap();
    let token = place.start(1, false).await.remove(0).unwrap().unwrap();
    let caller = services.tokens.authenticate(&token).await.unwrap().unwrap();
    assert_eq!(caller.principal.name, "late");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_demo_may_go_and_change() {
    let place = Place::new("changed");
    place.start(1, true).await.remove(0).unwrap();
    let services = place.open().await.services;
    services.users.remove(&admin(), 2).await.unwrap();
    let email = Some("other@example.com".to_owned());
    services.users.change(&admin(), 1, UserInput { email, ..UserInput::default() }, None).await.unwrap();
    for _ in 0..2 {
        place.start(1, true).await.remove(0).unwrap();
        let users = all(&services.users).await;
        assert_eq!(users, [(1, "other@example.com".to_owned()), (3, "consumer@demo.example".to_owned())]);
    }
    for ((name, token, role), id) in DEMO.into_iter().zip([1, 3]) {
        let caller = services.tokens.authenticate(token).await.unwrap().unwrap();
        assert_eq!((caller.principal.user_id, caller.principal.role), (id, role), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_demo_leaves_the_users_as_they_are() {
    let place = Place::new("own");
    place.start(1, false).await.remove(0).unwrap();
    let services = place.open().await.services;
    let impostor = add(&services, "admin", DEMO_HOST, Role::User).await.unwrap();
    for users in [2, 1] {
        assert!(place.start(1, true).await.remove(0).is_err());
        assert_eq!(all(&services.users).await.len(), users);
        for (_, token, _) in DEMO {
            assert_eq!(services.tokens.holder_unattended(token).await.unwrap(), None);
        }
        let _ = services.users.remove(&admin(), impostor.id).await;
    }
}
