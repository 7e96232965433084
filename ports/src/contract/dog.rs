//! The promises of [`DogRepository`].

use std::pin::pin;
use std::time::Duration;

use futures_timer::Delay;
use futures_util::future::{Either, join, join_all, select};
use malecon_domain::{
    Direction, Dog, DogChange, DogName, DogQuery, DogSortKey, Job, NewRun, Page, PictureUrl, RunState, Sort,
};

use super::run::{find_run, new_run};
use super::task::{NOBODY, TaskStore, user};
use super::user::{CROWD, at};
use crate::{DogAdded, DogRepository, DogWrite, NewDog, RepositoryError};

/// Tests of every promise of [`DogRepository`] on the store that the expression makes: a
/// [`DogStore`].
#[macro_export]
macro_rules! dog_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::dog, [
            a_dog_comes_back_as_it_was_added,
            a_name_is_one_dogs,
            a_dog_comes_with_its_run,
            a_dog_needs_its_owner_to_be_there,
            a_change_leaves_the_rest,
            an_outdated_change_changes_nothing,
            a_picture_is_no_change,
            a_removed_dog_is_gone,
            dogs_are_sorted_and_cut_into_pages,
            dogs_are_found_by_home_and_owner,
            dogs_stay_without_their_owner,
        ]);
    };
}

/// A store under test: users, runs, and dogs that come with runs.
pub trait DogStore: TaskStore {
    /// The dogs.
    fn dogs(&self) -> &dyn DogRepository;
}

fn name(text: &str) -> DogName {
    DogName::new(text).expect("a name")
}

fn picture(n: u8) -> PictureUrl {
    PictureUrl::new(format!("https://images.example.org/dog%20{n}.jpg?a='b'")).expect("a URL")
}

/// A dog to be, of nobody.
fn new_dog(text: &str) -> NewDog {
    NewDog { name: name(text), is_adopted: false, owner: None, at: at(0) }
}

/// A run that fetches a picture, of whichever dog.
fn run_of(n: u8) -> NewRun {
    NewRun { job: Job::Picture { dog: 0 }, ..new_run(n) }
}

async fn write(store: &impl DogStore, dog: &NewDog, n: u8) -> DogAdded {
    store.dogs().add(dog, &run_of(n)).await.expect("add")
}

/// Adds a dog with the `n`th run.
async fn add(store: &impl DogStore, dog: &NewDog, n: u8) -> Dog {
    match write(store, dog, n).await {
        DogAdded::Done(dog, _) => dog,
        DogAdded::NameTaken => panic!("{dog:?} is there"),
    }
}

async fn get(store: &impl DogStore, id: i64) -> Option<Dog> {
    store.dogs().get(id).await.expect("get")
}

async fn find(store: &impl DogStore, text: &str) -> Option<Dog> {
    store.dogs().find(&name(text)).await.expect("find")
}

async fn change(store: &impl DogStore, dog: &Dog, change: DogChange) -> DogWrite {
    store.dogs().change(dog.id, &change, dog.revision).await.expect("change")
}

async fn remove(store: &impl DogStore, dog: &Dog) -> DogWrite {
    store.dogs().remove(dog.id, dog.revision).await.expect("remove")
}

fn done(write: DogWrite) -> Dog {
    match write {
        DogWrite::Done(dog) => dog,
        other => panic!("{other:?}"),
    }
}

fn adopted(is_adopted: bool) -> DogChange {
    DogChange { is_adopted: Some(is_adopted), ..DogChange::default() }
}

fn owned(owner: Option<i64>) -> DogChange {
    DogChange { owner: Some(owner), ..DogChange::default() }
}

fn whole() -> DogQuery {
    DogQuery { page: Page::new(1, 100).expect("a page"), ..DogQuery::default() }
}

async fn list(store: &impl DogStore, query: &DogQuery) -> (Vec<i64>, u64) {
    let paged = store.dogs().list(query).await.expect("list");
    (paged.items.iter().map(|dog| dog.id).collect(), paged.total)
}

/// Every part survives.
pub async fn a_dog_comes_back_as_it_was_added(store: &impl DogStore) {
    let ana = user(store, "ana").await;
    let longest = "犬".repeat(DogName::LONGEST);
    let drafts = [
        new_dog("Lazy"),
        NewDog { is_adopted: true, owner: Some(ana), at: at(5), ..new_dog("Ñandú '%_\\ 名 🐶") },
        NewDog { owner: Some(ana), ..new_dog(&longest) },
    ];
    for (draft, n) in drafts.iter().zip(1..) {
        let dog = add(store, draft, n).await;
        assert!(dog.id >= 1);
        let wanted = Dog {
            id: dog.id,
            name: draft.name.clone(),
            picture: None,
            created_at: draft.at,
            is_adopted: draft.is_adopted,
            owner: draft.owner,
            revision: dog.revision,
        };
        assert_eq!(dog, wanted);
        assert_eq!(find(store, draft.name.as_str()).await.as_ref(), Some(&dog));
        assert_eq!(get(store, dog.id).await, Some(dog));
    }
    assert_eq!(find(store, "Nobody").await, None);
    for id in [0, -1, NOBODY, i64::MAX] {
        assert_eq!(get(store, id).await, None);
    }
}

/// Of many at once, too.
pub async fn a_name_is_one_dogs(store: &impl DogStore) {
    let first = add(store, &new_dog("Große Ñandú"), 1).await;
    for (text, n) in [("Große Ñandú", 2), ("GROSSE ÑANDÚ", 3), ("grosse ÑANDÚ", 4)] {
        assert_eq!(write(store, &new_dog(text), n).await, DogAdded::NameTaken, "{text}");
        assert_eq!(find_run(store, n).await, None, "it has no picture to fetch");
        assert_eq!(find(store, text).await.as_ref(), Some(&first));
    }
    assert_ne!(add(store, &new_dog("Große Ñandú 2"), 5).await.id, first.id);

    let crowd: Vec<_> =
        (0..CROWD).map(|n| (new_dog(["Lazy", "LAZY", "lazY"][usize::from(n) % 3]), n)).collect();
    let added = join_all(crowd.iter().map(|(dog, n)| write(store, dog, 10 + n))).await;
    let runs = join_all((0..CROWD).map(|n| find_run(store, 10 + n))).await;
    for (added, run) in added.iter().zip(&runs) {
        assert_eq!(matches!(added, DogAdded::Done(..)), run.is_some());
    }
    assert_eq!(runs.iter().flatten().count(), 1);
    let there = find(store, "lazy").await.map(|dog| dog.id);
    assert!(added.iter().any(|added| matches!(added, DogAdded::Done(dog, _) if Some(dog.id) == there)));
    assert_eq!(list(store, &whole()).await.1, 3);
}

/// Both or neither.
pub async fn a_dog_comes_with_its_run(store: &impl DogStore) {
    let ana = user(store, "ana").await;
    let late = Delay::new(Duration::from_secs(10));
    let wait =
        async { matches!(select(pin!(store.queue().wait(Duration::MAX)), late).await, Either::Left(_)) };
    let new = NewRun { owner: Some(ana), job: Job::Picture { dog: NOBODY }, ..run_of(1) };
    let draft = new_dog("Lazy");
    let (is_woken, added) = join(wait, store.dogs().add(&draft, &new)).await;
    let DogAdded::Done(dog, run) = added.expect("add") else { panic!("it was not there") };
    assert!(is_woken);
    assert_eq!((run.id, run.owner, run.state), (new.id, Some(ana), RunState::Queued));
    assert_eq!((&run.job, &run.lane), (&Job::Picture { dog: dog.id }, &new.lane));
    assert_eq!((run.max_attempts, run.attempts), (new.max_attempts, 0));
    assert_eq!(find_run(store, 1).await, Some(run.clone()));
    let claimed = store.queue().claim(&[], Duration::from_secs(60)).await.expect("claim").expect("a run");
    assert_eq!((claimed.id, claimed.job), (run.id, run.job));

    let orphan = NewRun { owner: Some(NOBODY), ..run_of(2) };
    let answer = store.dogs().add(&new_dog("Orphan"), &orphan).await;
    assert!(matches!(answer, Err(RepositoryError::MissingReference(_))), "{answer:?}");
    assert_eq!(find(store, "Orphan").await, None, "nobody would fetch its picture");
    store.dogs().add(&new_dog("Twin"), &run_of(1)).await.expect_err("there is such a run");
    assert_eq!(find(store, "Twin").await, None);
}

/// Neither one that never was, nor one that is gone.
pub async fn a_dog_needs_its_owner_to_be_there(store: &impl DogStore) {
    let gone = user(store, "gone").await;
    store.users().remove(gone).await.expect("remove");
    let dog = add(store, &new_dog("Lazy"), 1).await;
    for nobody in [NOBODY, gone] {
        let answer = store.dogs().add(&NewDog { owner: Some(nobody), ..new_dog("Stray") }, &run_of(2)).await;
        assert!(matches!(answer, Err(RepositoryError::MissingReference(_))), "{answer:?}");
        assert_eq!((find(store, "Stray").await, find_run(store, 2).await), (None, None));
        let to_nobody = DogChange { is_adopted: Some(true), ..owned(Some(nobody)) };
        let answer = store.dogs().change(dog.id, &to_nobody, dog.revision).await;
        assert!(matches!(answer, Err(RepositoryError::MissingReference(_))), "{answer:?}");
        assert_eq!(get(store, dog.id).await.as_ref(), Some(&dog));
    }
}

/// Each member alone, and all of them.
pub async fn a_change_leaves_the_rest(store: &impl DogStore) {
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let other = add(store, &NewDog { owner: Some(ana), ..new_dog("Other") }, 1).await;
    let mut dog = add(store, &NewDog { owner: Some(ana), at: at(9), ..new_dog("Lazy") }, 2).await;
    assert!(store.dogs().set_picture(dog.id, &picture(1)).await.expect("set_picture"));
    dog.picture = Some(picture(1));
    for (is_adopted, owner) in [
        (Some(true), None),
        (None, Some(Some(ben))),
        (None, Some(None)),
        (Some(false), Some(Some(ana))),
        (None, None),
    ] {
        let next = done(change(store, &dog, DogChange { is_adopted, owner }).await);
        assert!(next.revision > dog.revision);
        let (is_adopted, owner) = (is_adopted.unwrap_or(dog.is_adopted), owner.unwrap_or(dog.owner));
        assert_eq!(next, Dog { is_adopted, owner, revision: next.revision, ..dog });
        assert_eq!(get(store, next.id).await.as_ref(), Some(&next));
        dog = next;
    }
    let missing = Dog { id: NOBODY, ..dog };
    assert_eq!(change(store, &missing, adopted(true)).await, DogWrite::NotFound);
    assert_eq!(remove(store, &missing).await, DogWrite::NotFound);
    assert_eq!(get(store, other.id).await, Some(other), "others stay as they are");
}

/// Whoever knew an older one has to look again.
pub async fn an_outdated_change_changes_nothing(store: &impl DogStore) {
    let first = add(store, &new_dog("Lazy"), 1).await;
    let second = done(change(store, &first, adopted(true)).await);
    for wrong in [first.revision, second.revision + 1] {
        let wrong = Dog { revision: wrong, ..first.clone() };
        assert_eq!(change(store, &wrong, adopted(false)).await, DogWrite::Outdated);
        assert_eq!(remove(store, &wrong).await, DogWrite::Outdated);
    }
    assert_eq!(get(store, first.id).await.as_ref(), Some(&second));
    let is_done = |write: &&DogWrite| matches!(write, DogWrite::Done(_));
    let changes = join_all((0..CROWD).map(|n| change(store, &second, adopted(n % 2 == 0)))).await;
    assert_eq!(changes.iter().filter(is_done).count(), 1, "{changes:?}");
    let third = get(store, first.id).await.expect("a dog");
    let (changes, removals) = join(
        join_all((0..CROWD).map(|_| change(store, &third, adopted(true)))),
        join_all((0..CROWD).map(|_| remove(store, &third))),
    )
    .await;
    assert_eq!(changes.iter().chain(&removals).filter(is_done).count(), 1, "{changes:?} {removals:?}");
}

/// It comes by itself, and is in nobody's way.
pub async fn a_picture_is_no_change(store: &impl DogStore) {
    let dog = add(store, &new_dog("Lazy"), 1).await;
    let set = async |id, n| store.dogs().set_picture(id, &picture(n)).await.expect("set_picture");
    for n in [1, 2] {
        assert!(set(dog.id, n).await);
        assert_eq!(get(store, dog.id).await, Some(Dog { picture: Some(picture(n)), ..dog.clone() }));
    }
    assert!(!set(NOBODY, 3).await);
    let changed = done(change(store, &dog, adopted(true)).await);
    assert_eq!(changed.picture, Some(picture(2)));
    done(remove(store, &changed).await);
    assert!(!set(dog.id, 3).await);
    assert_eq!(get(store, dog.id).await, None);
}

/// It is removed once.
pub async fn a_removed_dog_is_gone(store: &impl DogStore) {
    let (dog, other) = (add(store, &new_dog("Lazy"), 1).await, add(store, &new_dog("Other"), 2).await);
    let removed = join_all((0..CROWD).map(|_| remove(store, &dog))).await;
    let gone: Vec<_> = removed.iter().filter(|write| **write != DogWrite::NotFound).collect();
    assert_eq!(gone, [&DogWrite::Done(dog.clone())], "as it was");
    assert_eq!((get(store, dog.id).await, find(store, "Lazy").await), (None, None));
    assert_eq!(list(store, &whole()).await, (vec![other.id], 1));
    done(remove(store, &other).await);
    let again = add(store, &new_dog("LAZY"), 3).await;
    assert!(again.id > other.id);
}

/// Every key, both ways; names go by their folded letters.
pub async fn dogs_are_sorted_and_cut_into_pages(store: &impl DogStore) {
    use {Direction::*, DogSortKey::*};
    assert_eq!(list(store, &whole()).await, (vec![], 0));
    let mut ids = vec![];
    for (text, second, is_adopted) in
        [("Zoe", 5, false), ("Ása", 5, true), ("asb", 1, false), ("b", 1, true), ("ASA 2", 3, false)]
    {
        let draft = NewDog { is_adopted, at: at(second), ..new_dog(text) };
        ids.push(add(store, &draft, ids.len() as u8).await.id);
    }
    for (keys, wanted) in [
        (vec![], [0, 1, 2, 3, 4]),
        (vec![(Id, Ascending)], [0, 1, 2, 3, 4]),
        (vec![(Id, Descending)], [4, 3, 2, 1, 0]),
        (vec![(Name, Ascending)], [1, 4, 2, 3, 0]),
        (vec![(Name, Descending)], [0, 3, 2, 4, 1]),
        (vec![(CreateDate, Ascending)], [2, 3, 4, 0, 1]),
        (vec![(CreateDate, Descending)], [0, 1, 4, 2, 3]),
        (vec![(IsAdopted, Ascending)], [0, 2, 4, 1, 3]),
        (vec![(IsAdopted, Descending)], [1, 3, 0, 2, 4]),
        (vec![(IsAdopted, Descending), (Name, Descending)], [3, 1, 0, 2, 4]),
        (vec![(CreateDate, Ascending), (Id, Descending)], [3, 2, 4, 1, 0]),
    ] {
        let wanted = wanted.map(|n: usize| ids[n]);
        let sort: Vec<_> = keys.into_iter().map(|(key, direction)| Sort { key, direction }).collect();
        let query = DogQuery { sort, ..whole() };
        assert_eq!(list(store, &query).await, (wanted.to_vec(), 5), "{:?}", query.sort);
        for (number, part) in [(1, &wanted[..3]), (2, &wanted[3..]), (3, &[]), (u32::MAX, &[])] {
            let query = DogQuery { page: Page::new(number, 3).expect("a page"), ..query.clone() };
            assert_eq!(list(store, &query).await, (part.to_vec(), 5), "page {number}");
        }
    }
}

/// Either, both, and with a page.
pub async fn dogs_are_found_by_home_and_owner(store: &impl DogStore) {
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let mut ids = vec![];
    for (owner, is_adopted) in [
        (None, false),
        (Some(ana), true),
        (Some(ana), false),
        (Some(ben), true),
        (None, true),
        (Some(ana), true),
    ] {
        let draft = NewDog { owner, is_adopted, ..new_dog(&format!("dog {}", ids.len())) };
        ids.push(add(store, &draft, ids.len() as u8).await.id);
    }
    for (is_adopted, owner, wanted) in [
        (None, None, vec![0, 1, 2, 3, 4, 5]),
        (Some(true), None, vec![1, 3, 4, 5]),
        (Some(false), None, vec![0, 2]),
        (None, Some(ana), vec![1, 2, 5]),
        (Some(true), Some(ana), vec![1, 5]),
        (Some(false), Some(ben), vec![]),
        (None, Some(NOBODY), vec![]),
    ] {
        let wanted: Vec<_> = wanted.into_iter().map(|n: usize| ids[n]).collect();
        let total = wanted.len() as u64;
        let query = DogQuery { is_adopted, owner, ..whole() };
        assert_eq!(list(store, &query).await, (wanted.clone(), total), "{query:?}");
        let second = DogQuery { page: Page::new(2, 1).expect("a page"), ..query };
        assert_eq!(list(store, &second).await, (wanted.into_iter().skip(1).take(1).collect(), total));
    }
}

/// Also one that comes while its owner goes.
pub async fn dogs_stay_without_their_owner(store: &impl DogStore) {
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let mut dogs = vec![];
    for (owner, text) in [(Some(ana), "a"), (Some(ben), "b"), (None, "c"), (Some(ana), "d")] {
        dogs.push(add(store, &NewDog { owner, ..new_dog(text) }, dogs.len() as u8).await);
    }
    store.users().remove(ana).await.expect("remove");
    for dog in &dogs {
        let found = get(store, dog.id).await.expect("it stays");
        assert_eq!(found.owner, dog.owner.filter(|owner| *owner == ben));
        assert_eq!(Dog { owner: dog.owner, ..found }, *dog, "nothing else changes");
    }
    assert_eq!(list(store, &DogQuery { owner: Some(ana), ..whole() }).await, (vec![], 0));
    assert_eq!(list(store, &whole()).await.1, 4);
    let orphan = get(store, dogs[0].id).await.expect("a dog");
    assert_eq!(done(change(store, &orphan, owned(Some(ben))).await).owner, Some(ben));

    for n in 0..CROWD {
        let brief = user(store, &format!("brief{n}")).await;
        let draft = NewDog { owner: Some(brief), ..new_dog(&format!("dog {n}")) };
        let run = run_of(100 + n);
        let (added, removed) = join(store.dogs().add(&draft, &run), store.users().remove(brief)).await;
        removed.expect("remove");
        let found = find(store, draft.name.as_str()).await;
        match added {
            Ok(DogAdded::Done(dog, _)) => assert_eq!(found, Some(Dog { owner: None, ..dog })),
            Err(RepositoryError::MissingReference(_)) => assert_eq!(found, None),
            other => panic!("{other:?}"),
        }
        assert_eq!(
            find_run(store, 100 + n).await.is_some(),
            find(store, draft.name.as_str()).await.is_some()
        );
    }
}
