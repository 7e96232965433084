//! The promises of [`TaskRepository`].

use std::time::Duration;

use futures_util::future::join_all;
use malecon_domain::{
    AttemptEnd, Direction, Header, HeaderText, HttpMethod, Job, NewRun, Next, Overlap, Page, Payload,
    RetryRule, Role, RunState, Schedule, Sort, SuccessRule, Task, TaskConfig, TaskDraft, TaskQuery,
    TaskSortKey,
};

use super::run::{add_run, cancel, find_run, finish_next, new_run};
use super::user::{CROWD, UserStore, add as add_user, at};
use crate::{RepositoryError, RunRepository, ScheduleRepository, TaskQueue, TaskRepository, TaskWrite};

/// Tests of every promise of [`TaskRepository`] on the store that the expression makes: a
/// [`TaskStore`].
#[macro_export]
macro_rules! task_contract {
    ($make:expr $(, #[$meta:meta])*) => {
        $crate::contract_tests!([$(#[$meta])*] $make, $crate::contract::task, [
            a_task_is_kept_as_it_was_drafted,
            no_more_tasks_are_kept_than_may_be,
            a_task_needs_its_owner,
            a_task_is_its_owners,
            a_change_counts_up,
            a_removed_task_is_gone,
            tasks_are_sorted_and_cut_into_pages,
            a_list_tells_all_but_payloads,
            tasks_are_found_by_name_and_state,
            a_task_shows_its_latest_run,
            tasks_end_with_their_owner,
        ]);
    };
}

/// A store under test: users, their tasks, and the runs of these.
pub trait TaskStore: UserStore {
    /// The tasks.
    fn tasks(&self) -> &dyn TaskRepository;
    /// When they are to be run by themselves.
    fn schedules(&self) -> &dyn ScheduleRepository;
    /// The runs.
    fn runs(&self) -> &dyn RunRepository;
    /// The runs as those see them that take them up.
    fn queue(&self) -> &dyn TaskQueue;
}

/// A number that nobody and nothing has.
pub(super) const NOBODY: i64 = 4_711;

/// Adds a user and tells its number.
pub(super) async fn user(store: &impl TaskStore, name: &str) -> i64 {
    add_user(store, name, Role::User).await.id
}

/// A call of which little is said.
pub(super) fn bare() -> TaskConfig {
    TaskConfig {
        base_url: "https://example.org".to_owned(),
        method: HttpMethod::Get,
        payload: None,
        headers: vec![],
        timeout: TaskConfig::DEFAULT_TIMEOUT,
        redirects: 0,
        retry: RetryRule::default(),
        success: SuccessRule::default(),
        schedule: None,
    }
}

pub(super) fn schedule(cron: &str, zone: &str, overlap: Overlap) -> Option<Schedule> {
    Some(Schedule::new(cron, zone, overlap).expect("a schedule"))
}

/// A call of which all is said.
pub(super) fn full() -> TaskConfig {
    let header = |name: &str, value| Header { name: name.to_owned(), value };
    let plain = |text: &str| HeaderText::Plain(text.to_owned());
    TaskConfig {
        base_url: "http://user.example.org:8080/a%20b?c='d'&e=\"f\"#g".to_owned(),
        method: HttpMethod::Patch,
        payload: Some(Payload::Json("{\"a\": 1.0,\n \"名\": \"\u{0}\\u0000\"}".to_owned())),
        headers: vec![
            header("X-Tag", plain("one")),
            header("Authorization", HeaderText::Sealed((0..=255).collect())),
            header("x-tag", plain("")),
            header("X-Key", HeaderText::Sealed(vec![])),
        ],
        timeout: Duration::from_millis(1_234),
        redirects: 3,
        retry: RetryRule {
            max_attempts: 20,
            backoff: Duration::from_millis(3_599_999),
            on_status: Some(vec![503, 100, 599, 503]),
            on_timeout: Some(true),
        },
        success: SuccessRule {
            status: Some(vec![204, 404]),
            body_regex: Some("^\\d+ '\u{0}' [“”]$".to_owned()),
        },
        schedule: schedule("30 */5 4 * JAN-MAR MON#2", "Europe/Madrid", Overlap::QueueOne),
    }
}

pub(super) fn draft(name: &str) -> TaskDraft {
    TaskDraft { name: name.to_owned(), config: bare() }
}

/// Adds a task.
pub(super) async fn task(store: &impl TaskStore, owner: i64, name: &str) -> Task {
    add(store, owner, &draft(name), 0).await
}

/// Adds a task in this second, of an owner who may have any number.
pub(super) async fn add(store: &impl TaskStore, owner: i64, draft: &TaskDraft, second: i64) -> Task {
    store.tasks().add(owner, draft, None, at(second)).await.expect("add").expect("there is no limit")
}

/// A run to be of a task.
pub(super) fn run_of(task: &Task, n: u8) -> NewRun {
    NewRun { owner: Some(task.owner), task_id: Some(task.id), ..new_run(n) }
}

pub(super) async fn remove(store: &impl TaskStore, task: &Task) -> bool {
    store.tasks().remove(task.owner, task.id).await.expect("remove")
}

pub(super) async fn find(store: &impl TaskStore, owner: i64, id: i64) -> Option<Task> {
    store.tasks().find(owner, id).await.expect("find")
}

pub(super) async fn change(
    store: &impl TaskStore,
    task: &Task,
    draft: &TaskDraft,
    revision: Option<i64>,
    second: i64,
) -> TaskWrite {
    store.tasks().change(task.owner, task.id, draft, revision, at(second)).await.expect("change")
}

pub(super) fn done(write: TaskWrite) -> Task {
    match write {
        TaskWrite::Done(task) => task,
        other => panic!("{other:?}"),
    }
}

fn whole() -> TaskQuery {
    TaskQuery { page: Page::new(1, 100).expect("a page"), ..TaskQuery::default() }
}

async fn list(store: &impl TaskStore, owner: i64, query: &TaskQuery) -> (Vec<i64>, u64) {
    let paged = store.tasks().list(owner, query).await.expect("list");
    (paged.items.iter().map(|task| task.id).collect(), paged.total)
}

/// Every part survives.
pub async fn a_task_is_kept_as_it_was_drafted(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let mut configs = vec![bare(), full()];
    configs.extend(HttpMethod::ALL.map(|method| TaskConfig { method, ..bare() }));
    configs.extend(
        Overlap::ALL
            .map(|overlap| TaskConfig { schedule: schedule("@daily", "US/Eastern", overlap), ..bare() }),
    );
    for text in ["", "null", "{\"b\":1,\"a\":2,\"a\":3}", "größe\r\n\u{0}"] {
        configs.extend(
            [Payload::Json(text.to_owned()), Payload::Text(text.to_owned())]
                .map(|payload| TaskConfig { payload: Some(payload), ..bare() }),
        );
    }
    let retry =
        RetryRule { max_attempts: 1, backoff: Duration::ZERO, on_timeout: Some(false), ..full().retry };
    configs.push(TaskConfig { retry, ..bare() });
    for (config, second) in configs.into_iter().zip(0..) {
        let draft = TaskDraft { name: "Größe '%_\\ 名".to_owned(), config };
        let task = add(store, ana, &draft, second).await;
        assert!(task.id >= 1);
        assert_eq!((task.owner, &task.draft, &task.last_run), (ana, &draft, &None));
        assert_eq!((task.created_at, task.updated_at), (at(second), at(second)));
        assert_eq!(find(store, ana, task.id).await, Some(task));
    }
    for id in [0, NOBODY, i64::MAX] {
        assert_eq!(find(store, ana, id).await, None);
    }
}

/// Others have room of their own, and room that is made is room.
pub async fn no_more_tasks_are_kept_than_may_be(store: &impl TaskStore) {
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let add = async |owner, most| store.tasks().add(owner, &draft("a"), most, at(0)).await.expect("add");
    let crowd = join_all((0..CROWD).map(|_| add(ana, Some(3)))).await;
    let added: Vec<_> = crowd.into_iter().flatten().collect();
    assert_eq!(added.len(), 3);
    assert_eq!(add(ana, Some(3)).await, None);
    assert_eq!(add(ben, Some(0)).await, None);
    assert!(add(ben, Some(3)).await.is_some() && add(ana, None).await.is_some());
    assert!(remove(store, &added[0]).await && remove(store, &added[1]).await);
    assert!(add(ana, Some(3)).await.is_some());
}

/// Nobody has no tasks.
pub async fn a_task_needs_its_owner(store: &impl TaskStore) {
    let gone = user(store, "gone").await;
    store.users().remove(gone).await.expect("remove");
    for nobody in [NOBODY, gone] {
        let answer = store.tasks().add(nobody, &draft("a"), Some(9), at(0)).await;
        assert!(matches!(answer, Err(RepositoryError::MissingReference(_))), "{answer:?}");
        assert_eq!(list(store, nobody, &whole()).await, (vec![], 0));
    }
}

/// For others it is not there.
pub async fn a_task_is_its_owners(store: &impl TaskStore) {
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let task = task(store, ana, "ana's").await;
    for other in [ben, NOBODY] {
        let as_if = Task { owner: other, ..task.clone() };
        assert_eq!(find(store, other, task.id).await, None);
        assert_eq!(list(store, other, &whole()).await, (vec![], 0));
        for revision in [None, Some(task.revision)] {
            assert_eq!(change(store, &as_if, &draft("b"), revision, 1).await, TaskWrite::Missing);
        }
        assert!(!remove(store, &as_if).await);
    }
    assert_eq!(find(store, ana, task.id).await, Some(task));
}

/// Who knew an older revision changes nothing.
pub async fn a_change_counts_up(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let (first, other) = (task(store, ana, "a").await, task(store, ana, "other").await);
    let next = TaskDraft { name: "b".to_owned(), config: full() };
    let second = done(change(store, &first, &next, Some(first.revision), 5).await);
    assert!(second.revision > first.revision);
    let wanted = Task { draft: next, updated_at: at(5), revision: second.revision, ..first.clone() };
    assert_eq!(second, wanted);
    assert_eq!(find(store, ana, first.id).await.as_ref(), Some(&second));
    for wrong in [first.revision, second.revision + 1] {
        assert_eq!(change(store, &first, &draft("c"), Some(wrong), 6).await, TaskWrite::Outdated);
    }
    assert_eq!(find(store, ana, first.id).await.as_ref(), Some(&second), "nothing changed");
    let third = done(change(store, &first, &draft("c"), None, 7).await);
    assert_eq!((third.draft.clone(), third.updated_at), (draft("c"), at(7)), "all of it is replaced");
    assert!(third.revision > second.revision);
    assert_eq!(find(store, ana, other.id).await, Some(other), "others stay as they are");
    let missing = Task { id: NOBODY, ..first.clone() };
    for revision in [None, Some(first.revision)] {
        assert_eq!(change(store, &missing, &draft("c"), revision, 8).await, TaskWrite::Missing);
    }

    let named: Vec<_> = (0..CROWD).map(|n| draft(&format!("name {n}"))).collect();
    let race =
        async |revision| join_all(named.iter().map(|draft| change(store, &first, draft, revision, 9))).await;
    let writes = race(Some(third.revision)).await;
    let outdated = writes.iter().filter(|write| **write == TaskWrite::Outdated).count();
    assert_eq!(outdated, usize::from(CROWD) - 1, "{writes:?}");
    let mut revisions: Vec<_> = race(None).await.into_iter().map(|write| done(write).revision).collect();
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), usize::from(CROWD), "none is lost that expects nothing");
}

/// It is removed once.
pub async fn a_removed_task_is_gone(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let (first, second) = (task(store, ana, "a").await, task(store, ana, "b").await);
    let removed = join_all((0..CROWD).map(|_| remove(store, &first))).await;
    assert_eq!(removed.into_iter().filter(|gone| *gone).count(), 1);
    assert_eq!(find(store, ana, first.id).await, None);
    assert_eq!(change(store, &first, &draft("c"), None, 1).await, TaskWrite::Missing);
    assert_eq!(list(store, ana, &whole()).await, (vec![second.id], 1));
}

/// Every key, both ways; names go by their folded letters.
pub async fn tasks_are_sorted_and_cut_into_pages(store: &impl TaskStore) {
    use {Direction::*, TaskSortKey::*};
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    assert_eq!(list(store, ana, &whole()).await, (vec![], 0));
    let mut ids = vec![];
    for (name, second) in [("Zoe", 5), ("Åsa", 5), ("asb", 1), ("zoé", 9), ("b", 1), ("ASA", 3)] {
        let task = add(store, ana, &draft(name), second).await;
        // A day later, and the other way round.
        done(change(store, &task, &task.draft, None, 86_400 - second).await);
        ids.push(task.id);
    }
    task(store, ben, "ben's").await;
    for (keys, wanted) in [
        (vec![], [0, 1, 2, 3, 4, 5]),
        (vec![(Id, Ascending)], [0, 1, 2, 3, 4, 5]),
        (vec![(Id, Descending)], [5, 4, 3, 2, 1, 0]),
        (vec![(Name, Ascending)], [1, 5, 2, 4, 0, 3]),
        (vec![(Name, Descending)], [0, 3, 4, 2, 1, 5]),
        (vec![(CreatedAt, Ascending)], [2, 4, 5, 0, 1, 3]),
        (vec![(CreatedAt, Descending)], [3, 0, 1, 5, 2, 4]),
        (vec![(UpdatedAt, Ascending)], [3, 0, 1, 5, 2, 4]),
        (vec![(UpdatedAt, Descending)], [2, 4, 5, 0, 1, 3]),
        (vec![(Name, Descending), (CreatedAt, Descending)], [3, 0, 4, 2, 1, 5]),
        (vec![(CreatedAt, Ascending), (Id, Descending)], [4, 2, 5, 1, 0, 3]),
    ] {
        let wanted = wanted.map(|n: usize| ids[n]);
        let sort: Vec<_> = keys.into_iter().map(|(key, direction)| Sort { key, direction }).collect();
        let query = TaskQuery { sort, ..whole() };
        assert_eq!(list(store, ana, &query).await, (wanted.to_vec(), 6), "{:?}", query.sort);
        for (number, part) in [(1, &wanted[..4]), (2, &wanted[4..]), (3, &[]), (u32::MAX, &[])] {
            let query = TaskQuery { page: Page::new(number, 4).expect("a page"), ..query.clone() };
            assert_eq!(list(store, ana, &query).await, (part.to_vec(), 6), "page {number}");
        }
    }
}

/// Also after changes, and with runs.
pub async fn a_list_tells_all_but_payloads(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let whole_draft = TaskDraft { name: "whole".to_owned(), config: full() };
    let task = add(store, ana, &whole_draft, 1).await;
    add(store, ana, &draft("bare"), 2).await;
    let check = async || {
        let listed = store.tasks().list(ana, &whole()).await.expect("list").items;
        assert_eq!(listed.len(), 2);
        for summary in listed {
            assert_eq!(summary.config.payload, None);
            let found = find(store, ana, summary.id).await.expect("a task");
            assert_eq!(summary, found.summary());
        }
    };
    check().await;
    let other = Payload::Text("another".to_owned());
    let changed = TaskConfig { payload: Some(other), redirects: 1, ..full() };
    done(change(store, &task, &TaskDraft { config: changed, ..whole_draft }, None, 3).await);
    add_run(store, &NewRun { job: Job::Call(full()), ..run_of(&task, 1) }).await;
    check().await;
}

/// By what people see of them.
pub async fn tasks_are_found_by_name_and_state(store: &impl TaskStore) {
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let mut tasks = vec![];
    for name in ["Curaçao hook", "CURACAO 100%", "curacao_1", "Größe \\", "a%b", "never", "never 2"] {
        tasks.push(task(store, ana, name).await);
    }
    task(store, ben, "Curaçao").await;
    let named = async |text: &str, wanted: &[usize]| {
        let query = TaskQuery { text: Some(text.to_owned()), ..whole() };
        let wanted: Vec<_> = wanted.iter().map(|n| tasks[*n].id).collect();
        let count = wanted.len() as u64;
        assert_eq!(list(store, ana, &query).await, (wanted, count), "{text}");
    };
    named("ÇURA", &[0, 1, 2]).await;
    named("o h", &[0]).await;
    named("%", &[1, 4]).await;
    named("_", &[2]).await;
    named("\\", &[3]).await;
    named("grosse", &[3]).await;
    named("c%o", &[]).await;
    named("'", &[]).await;
    named("", &[0, 1, 2, 3, 4, 5, 6]).await;

    // An earlier run of the first task succeeded; its latest one is the last that is added here.
    add_run(store, &run_of(&tasks[0], 1)).await;
    finish_next(store, Next::Over(AttemptEnd::Succeeded)).await;
    for (n, end) in [(1, AttemptEnd::Succeeded), (2, AttemptEnd::Failed)] {
        add_run(store, &run_of(&tasks[n], 2 + n as u8)).await;
        finish_next(store, Next::Over(end)).await;
    }
    add_run(store, &run_of(&tasks[3], 5)).await;
    cancel(store, 5).await;
    add_run(store, &run_of(&tasks[4], 6)).await;
    store.queue().claim(&[], Duration::from_secs(60)).await.expect("claim").expect("a run");
    add_run(store, &run_of(&tasks[0], 7)).await;
    let search = async |text: Option<&str>, state, wanted: &[usize]| {
        let query = TaskQuery { text: text.map(str::to_owned), state: Some(state), ..whole() };
        let wanted: Vec<_> = wanted.iter().map(|n| tasks[*n].id).collect();
        let count = wanted.len() as u64;
        assert_eq!(list(store, ana, &query).await, (wanted, count), "{text:?} {state:?}");
    };
    for (state, n) in [
        (RunState::Queued, 0),
        (RunState::Succeeded, 1),
        (RunState::Failed, 2),
        (RunState::Cancelled, 3),
        (RunState::Running, 4),
    ] {
        search(None, Some(state), &[n]).await;
    }
    search(None, None, &[5, 6]).await;
    search(Some("2"), None, &[6]).await;
    search(Some("hook"), Some(RunState::Queued), &[0]).await;
    search(Some("hook"), Some(RunState::Succeeded), &[]).await;
    let second =
        TaskQuery { state: Some(None), page: Page::new(2, 1).expect("a page"), ..TaskQuery::default() };
    assert_eq!(list(store, ana, &second).await, (vec![tasks[6].id], 2));
}

/// As it is now, wherever the task is seen.
pub async fn a_task_shows_its_latest_run(store: &impl TaskStore) {
    let ana = user(store, "ana").await;
    let (task, other) = (task(store, ana, "a").await, task(store, ana, "b").await);
    let shows = async |run: u8| {
        let wanted = Task { last_run: Some(find_run(store, run).await.expect("a run")), ..task.clone() };
        assert_eq!(find(store, ana, task.id).await.as_ref(), Some(&wanted), "no run changes the draft");
        let listed = store.tasks().list(ana, &whole()).await.expect("list").items;
        assert_eq!(listed, [wanted.summary(), other.summary()]);
    };
    add_run(store, &NewRun { job: Job::Call(full()), ..run_of(&task, 1) }).await;
    shows(1).await;
    finish_next(store, Next::Again(Duration::from_secs(60))).await;
    shows(1).await;
    add_run(store, &run_of(&task, 2)).await;
    shows(2).await;
    cancel(store, 1).await;
    shows(2).await;
    cancel(store, 2).await;
    shows(2).await;
    let changed = done(change(store, &task, &draft("c"), None, 1).await);
    assert_eq!(changed.last_run, find_run(store, 2).await);
    let Job::Call(config) = find_run(store, 1).await.expect("a run").job else { panic!("a call") };
    assert_eq!(config, full(), "a run stays as it was made");
}

/// A removed user has none.
pub async fn tasks_end_with_their_owner(store: &impl TaskStore) {
    let (ana, ben) = (user(store, "ana").await, user(store, "ben").await);
    let (gone, kept) = (task(store, ana, "a").await, task(store, ben, "b").await);
    store.users().remove(ana).await.expect("remove");
    assert_eq!(find(store, ana, gone.id).await, None);
    assert_eq!(list(store, ana, &whole()).await, (vec![], 0));
    assert_eq!(change(store, &gone, &draft("c"), None, 1).await, TaskWrite::Missing);
    assert!(!remove(store, &gone).await);
    assert_eq!(find(store, ben, kept.id).await, Some(kept));
}
