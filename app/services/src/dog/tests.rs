//! Who may do what with which dog, and what becomes of a picture's job.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::FutureExt;
use malecon_domain::{Attempt, AttemptEnd, Email, Next, PictureUrl, Profile, Role, RunId, Trace};
use malecon_memory::{ManualClock, MemoryDogs, MemoryTasks, MemoryUsers};
use malecon_ports::{
    GatewayError, MockChoreGateway, MockDogRepository, MockPictureGateway, NewUser, RunRepository, TaskQueue,
    UserWrite,
};

use super::*;
use crate::{JobPorts, JobService, ServiceError};

const HOUR: Duration = Duration::from_secs(3_600);

type Found = Result<PictureUrl, GatewayError>;

struct Bench {
    clock: Arc<ManualClock>,
    users: MemoryUsers,
    runs: MemoryTasks,
    store: MemoryDogs,
    /// What the source of pictures answers, one a question.
    found: Arc<Mutex<VecDeque<Found>>>,
    ana: Principal,
    ben: Principal,
    admin: Principal,
    dogs: DogService,
}

impl Bench {
    async fn new() -> Self {
        Self::with(None).await
    }

    async fn with(chores: Option<MockChoreGateway>) -> Self {
        let start = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let (clock, users) = (Arc::new(ManualClock::new(start)), MemoryUsers::new());
        let runs = MemoryTasks::with_clock(users.clone(), clock.clone());
        let store = MemoryDogs::new(users.clone(), runs.clone());
        let mut principals = vec![];
        for (name, role) in [("ana", Role::User), ("ben", Role::User), ("admin", Role::Admin)] {
            principals.push(principal(&users, name, role, &clock).await);
        }
        let [ana, ben, admin] = principals.try_into().unwrap();
        let found = Arc::new(Mutex::new(VecDeque::new()));
        let (mut pictures, next) = (MockPictureGateway::new(), Arc::clone(&found));
        pictures.expect_random().returning(move || next.lock().unwrap().pop_front().unwrap());
        let dogs = service(&store, &users, &runs, &clock, pictures, chores);
        Self { clock, users, runs, store, found, ana, ben, admin, dogs }
    }

    fn will_find(&self, found: impl IntoIterator<Item = Found>) {
        self.found.lock().unwrap().extend(found);
    }

    /// Adds a dog of nobody.
    async fn add(&self, text: &str) -> (Dog, Run) {
        self.dogs.add(&self.ana, &name(text), DogChange::default()).await.unwrap()
    }

    /// Makes the next attempt of the run that is due.
    async fn attempt(&self) -> (Next, Trace) {
        let run = self.runs.claim(&[], HOUR).await.unwrap().expect("a run is due");
        let lease = malecon_ports::RunLease { id: run.id, attempt: run.attempts };
        let (next, trace) = self.dogs.handler().attempt(&run).await.unwrap();
        assert!(self.runs.finish(&lease, next, &trace).await.unwrap());
        (next, trace)
    }

    async fn attempts(&self, id: RunId) -> Vec<Attempt> {
        self.runs.attempts(id).await.unwrap()
    }

    async fn picture(&self, dog: &Dog) -> Option<PictureUrl> {
        self.store.get(dog.id).await.unwrap().unwrap().picture
    }
}

fn service(
    dogs: &(impl DogRepository + Clone + 'static),
    users: &MemoryUsers,
    runs: &MemoryTasks,
    clock: &Arc<ManualClock>,
    pictures: MockPictureGateway,
    chores: Option<MockChoreGateway>,
) -> DogService {
    let jobs =
        JobPorts { runs: Arc::new(runs.clone()), schedules: Arc::new(runs.clone()), clock: clock.clone() };
    let ports = DogPorts {
        dogs: Arc::new(dogs.clone()),
        users: Arc::new(users.clone()),
        pictures: Arc::new(pictures),
        chores: chores.map(|chores| Arc::new(chores) as Arc<dyn ChoreGateway>),
        clock: clock.clone(),
    };
    DogService::new(ports, JobService::new(jobs))
}

async fn principal(users: &MemoryUsers, name: &str, role: Role, clock: &ManualClock) -> Principal {
    let email = Email::new(&format!("{name}@example.com")).unwrap();
    let profile = Profile { name: name.to_owned(), last_name: String::new(), email, role };
    match users.add(&NewUser { profile, password_hash: None, at: clock.now() }).await.unwrap() {
        UserWrite::Done(user) => Principal::from(&user),
        other => panic!("{other:?}"),
    }
}

fn name(text: &str) -> DogName {
    DogName::new(text).unwrap()
}

fn url(n: u8) -> PictureUrl {
    PictureUrl::new(format!("https://images.example.org/{n}.jpg")).unwrap()
}

fn owned(owner: Option<i64>) -> DogChange {
    DogChange { owner: Some(owner), ..DogChange::default() }
}

fn adopted(is_adopted: bool) -> DogChange {
    DogChange { is_adopted: Some(is_adopted), ..DogChange::default() }
}

fn down() -> Found {
    Err(GatewayError::Unavailable("status 503".into()))
}

macro_rules! assert_error {
    ($answer:expr, $error:pat) => {{
        let answer = $answer;
        assert!(matches!(answer, Err($error)), "{answer:?}");
    }};
}

#[tokio::test]
async fn a_dog_is_ones_own_or_nobodys_and_of_administrators_anybodys() {
    let bench = Bench::new().await;
    let (dogs, ana, ben, admin) = (&bench.dogs, &bench.ana, &bench.ben, &bench.admin);
    let mut count = 0;
    let mut add = async |caller: &Principal, owner: Option<i64>| {
        count += 1;
        dogs.add(caller, &name(&format!("dog {count}")), owned(owner)).await
    };
    for (caller, owner) in [(ana, None), (ana, Some(ana.user_id)), (admin, None), (admin, Some(ana.user_id))]
    {
        let (dog, run) = add(caller, owner).await.unwrap();
        assert_eq!(
            (dog.owner, dog.is_adopted, dog.picture, dog.created_at),
            (owner, false, None, bench.clock.now())
        );
        assert_eq!((run.job, run.owner), (Job::Picture { dog: dog.id }, Some(caller.user_id)));
    }
    assert_error!(add(ana, Some(ben.user_id)).await, ServiceError::Forbidden);
    assert_error!(add(ana, Some(4_711)).await, ServiceError::Forbidden);
    let ServiceError::Invalid(faults) = add(admin, Some(4_711)).await.unwrap_err() else { panic!() };
    assert_eq!(faults[0].member, "id_user");
    bench.users.remove(ben.user_id).await.unwrap();
    assert_error!(add(ben, Some(ben.user_id)).await, ServiceError::NotFound);
    assert_error!(add(ben, None).await, ServiceError::NotFound);
    assert_eq!(dogs.list(&DogQuery::default()).await.unwrap().total, 4);
}

#[tokio::test]
async fn users_change_their_own_and_nobodys() {
    let bench = Bench::new().await;
    let (dogs, ana, ben, admin) = (&bench.dogs, &bench.ana, &bench.ben, &bench.admin);
    let lazy = name("Lazy");
    dogs.add(ana, &lazy, owned(None)).await.unwrap();
    assert!(dogs.change(ben, &lazy, adopted(true), None).await.unwrap().is_adopted);
    let taken = dogs.change(ana, &name("LAZY"), owned(Some(ana.user_id)), None).await.unwrap();
    assert_eq!((taken.owner, taken.is_adopted), (Some(ana.user_id), true));
    assert_error!(dogs.change(ben, &lazy, adopted(false), None).await, ServiceError::NotFound);
    assert_error!(dogs.change(ben, &lazy, owned(Some(ben.user_id)), None).await, ServiceError::NotFound);
    assert_error!(dogs.remove(ben, &lazy).await, ServiceError::NotFound);
    assert_error!(dogs.change(ana, &lazy, owned(Some(ben.user_id)), None).await, ServiceError::Forbidden);
    let given = dogs.change(admin, &lazy, owned(Some(ben.user_id)), None).await.unwrap();
    assert_eq!(given.owner, Some(ben.user_id));
    let same = dogs.change(ben, &lazy, owned(Some(ben.user_id)), None).await.unwrap();
    assert_eq!(same.owner, given.owner);
    assert_error!(dogs.change(admin, &lazy, owned(Some(4_711)), None).await, ServiceError::Invalid(_));
    dogs.change(ben, &lazy, owned(None), None).await.unwrap();
    dogs.remove(ana, &lazy).await.unwrap();
    for caller in [ana, admin] {
        assert_error!(dogs.remove(caller, &lazy).await, ServiceError::NotFound);
        assert_error!(dogs.change(caller, &lazy, adopted(true), None).await, ServiceError::NotFound);
    }
    assert_error!(dogs.find(&lazy).await, ServiceError::NotFound);
}

#[tokio::test]
async fn a_users_dogs_are_listed_for_itself_and_administrators() {
    let bench = Bench::new().await;
    let (ana, ben) = (bench.ana.user_id, bench.ben.user_id);
    bench.dogs.add(&bench.ana, &name("a"), owned(Some(ana))).await.unwrap();
    bench.add("nobody's").await;
    let total = async |caller: &Principal, user: i64| {
        let page = bench.dogs.list_of(caller, user, DogQuery::default()).await;
        page.map(|page| page.total)
    };
    assert_eq!(total(&bench.ana, ana).await.unwrap(), 1);
    assert_eq!(total(&bench.admin, ana).await.unwrap(), 1);
    assert_eq!(total(&bench.ben, ben).await.unwrap(), 0);
    assert_error!(total(&bench.ben, ana).await, ServiceError::NotFound);
    assert_error!(total(&bench.admin, 4_711).await, ServiceError::NotFound);
}

#[tokio::test]
async fn a_name_is_taken_whatever_its_case() {
    let bench = Bench::new().await;
    bench.add("Ñandú").await;
    let answer = bench.dogs.add(&bench.ana, &name("ÑANDÚ"), DogChange::default()).await;
    assert_error!(answer, ServiceError::Conflict { code: "name_taken", .. });
}

#[tokio::test]
async fn a_change_of_another_revision_is_outdated_and_one_without_is_begun_anew() {
    let bench = Bench::new().await;
    let (dog, _) = bench.add("Lazy").await;
    let lazy = name("Lazy");
    let changed = bench.dogs.change(&bench.ana, &lazy, adopted(true), Some(dog.revision)).await.unwrap();
    let outdated = bench.dogs.change(&bench.ana, &lazy, adopted(false), Some(dog.revision)).await;
    assert_error!(outdated, ServiceError::Conflict { code: ServiceError::OUTDATED, .. });

    // Ben takes it right before Ana's change, which is not hers to make then.
    for removes in [false, true] {
        let mut raced = MockDogRepository::new();
        let [find, change, remove] = [(); 3].map(|()| bench.store.clone());
        let (id, ben) = (changed.id, bench.ben.user_id);
        let take = move |store: &MemoryDogs| {
            let dog = store.get(id).now_or_never().unwrap().unwrap().unwrap();
            if dog.owner.is_none() {
                store.change(id, &owned(Some(ben)), dog.revision).now_or_never().unwrap().unwrap();
            }
        };
        raced.expect_find().returning(move |name| find.find(name).now_or_never().unwrap());
        raced.expect_change().returning(move |id, what, revision| {
            take(&change);
            change.change(id, what, revision).now_or_never().unwrap()
        });
        raced.expect_remove().returning(move |id, revision| {
            take(&remove);
            remove.remove(id, revision).now_or_never().unwrap()
        });
        let mut service = bench.dogs.clone();
        service.ports.dogs = Arc::new(raced);
        if removes {
            assert_error!(service.remove(&bench.ana, &lazy).await, ServiceError::NotFound);
        } else {
            let answer = service.change(&bench.ana, &lazy, adopted(false), None).await;
            assert_error!(answer, ServiceError::NotFound);
        }
        let now = bench.dogs.find(&lazy).await.unwrap();
        assert_eq!((now.owner, now.is_adopted), (Some(ben), true));
        bench.dogs.change(&bench.ben, &lazy, owned(None), None).await.unwrap();
    }
}

#[tokio::test]
async fn a_job_finds_the_picture() {
    let bench = Bench::new().await;
    let (dog, run) = bench.add("Lazy").await;
    bench.will_find([Ok(url(1))]);
    let (next, trace) = bench.attempt().await;
    assert_eq!(next, Next::Over(AttemptEnd::Succeeded));
    assert_eq!(trace.result.as_deref(), Some("the dog's picture is https://images.example.org/1.jpg"));
    assert_eq!(bench.picture(&dog).await, Some(url(1)));
    assert_eq!(bench.attempts(run.id).await.len(), 1);
}

#[tokio::test]
async fn an_outage_of_the_source_is_survived_and_told() {
    let bench = Bench::new().await;
    let (dog, run) = bench.add("Lazy").await;
    let begun = bench.clock.now();
    let errors = [
        (GatewayError::Unavailable("status 503".into()), "does not answer (status 503)"),
        (GatewayError::Malformed("no JSON".into()), "answers what makes no sense (no JSON)"),
        (GatewayError::Refused("status 404".into()), "refuses (status 404)"),
        (GatewayError::RateLimited { retry_after: Some(HOUR * 2) }, "is asked too often"),
    ];
    let words: Vec<_> = errors.iter().map(|(_, words)| *words).collect();
    bench.will_find(errors.map(|(error, _)| Err(error)));
    for words in words {
        let (next, trace) = bench.attempt().await;
        let Next::Again(wait) = next else { panic!("{next:?}") };
        assert!(trace.reason.unwrap().contains(words));
        assert_eq!((wait == HOUR, wait > HOUR), (words == "is asked too often", false), "{wait:?}");
        assert_eq!(bench.picture(&dog).await, None);
        bench.clock.advance(wait);
    }
    bench.will_find([Ok(url(1))]);
    assert_eq!(bench.attempt().await.0, Next::Over(AttemptEnd::Succeeded));
    assert_eq!(bench.picture(&dog).await, Some(url(1)));
    let ends: Vec<_> = bench.attempts(run.id).await.into_iter().map(|attempt| attempt.end.unwrap()).collect();
    assert_eq!(ends[..4], [AttemptEnd::Failed; 4]);
    assert!(bench.clock.now() - begun >= chrono::TimeDelta::hours(1));
}

#[tokio::test]
async fn minutes_without_the_source_are_not_too_long() {
    let bench = Bench::new().await;
    let (_, run) = bench.add("Lazy").await;
    let begun = bench.clock.now();
    loop {
        bench.will_find([down()]);
        let (Next::Again(wait), _) = bench.attempt().await else { panic!("it goes on") };
        if RunRepository::find(&bench.runs, run.id).await.unwrap().unwrap().state.is_over() {
            break;
        }
        bench.clock.advance(wait);
    }
    let minutes = (bench.clock.now() - begun).num_minutes();
    assert!(minutes >= 5, "{minutes}");
}

#[tokio::test]
async fn a_dog_that_is_gone_needs_no_picture() {
    let bench = Bench::new().await;
    let (dog, _) = bench.add("Lazy").await;
    bench.dogs.remove(&bench.ana, &dog.name).await.unwrap();
    let (next, trace) = bench.attempt().await;
    assert_eq!(next, Next::Over(AttemptEnd::Succeeded));
    assert!(trace.result.unwrap().contains("gone"));

    // It goes while its picture is looked for.
    let (_, run) = bench.add("Brief").await;
    let mut brief = MockDogRepository::new();
    let store = bench.store.clone();
    brief.expect_get().returning(move |id| store.get(id).now_or_never().unwrap());
    brief.expect_set_picture().returning(|_, _| Ok(false));
    let mut service = bench.dogs.clone();
    service.ports.dogs = Arc::new(brief);
    bench.will_find([Ok(url(1))]);
    let (next, trace) = service.handler().attempt(&run).await.unwrap();
    assert_eq!(next, Next::Over(AttemptEnd::Succeeded));
    assert!(trace.result.unwrap().contains("gone"));
}

#[tokio::test]
async fn a_job_that_is_done_again_looks_for_another_picture() {
    let bench = Bench::new().await;
    let (dog, run) = bench.add("Lazy").await;
    bench.will_find([Ok(url(1)), Ok(url(2))]);
    bench.attempt().await;
    bench.dogs.jobs.replay(&bench.ana, run.id).await.unwrap();
    bench.attempt().await;
    assert_eq!(bench.picture(&dog).await, Some(url(2)));
}

#[tokio::test]
async fn a_chore_is_done_for_each_dog_and_its_failure_costs_no_picture() {
    let mut chores = MockChoreGateway::new();
    let left = Mutex::new(2);
    chores.expect_perform().times(3).returning(move |complexity| {
        assert!(complexity > 0);
        let mut left = left.lock().unwrap();
        *left -= 1;
        if *left >= 0 { Err(GatewayError::Unavailable("status 500".into())) } else { Ok(()) }
    });
    let bench = Bench::with(Some(chores)).await;
    let (dog, _) = bench.add("Lazy").await;
    bench.will_find([Ok(url(1))]);
    for _ in 0..2 {
        let (next, trace) = bench.attempt().await;
        let Next::Again(wait) = next else { panic!("{next:?}") };
        assert_eq!(trace.reason.as_deref(), Some("the worker service does not answer (status 500)"));
        assert_eq!(bench.picture(&dog).await, Some(url(1)), "it is not asked for again");
        bench.clock.advance(wait);
    }
    assert_eq!(bench.attempt().await.0, Next::Over(AttemptEnd::Succeeded));
}
