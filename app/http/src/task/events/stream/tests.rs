//! Streams of events: their places, their lines and their ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use malecon::domain::{Instant, RunId, RunState, RunSummary};
use serde_json::Value;

use super::*;

fn run() -> RunSummary {
    let at = Instant::UNIX_EPOCH;
    RunSummary {
        id: RunId::from_u128(7),
        owner: Some(1),
        task_id: Some(3),
        state: RunState::Running,
        attempts: 2,
        max_attempts: 3,
        replayed_from: None,
        created_at: at,
        due_at: at,
        started_at: Some(at),
        ended_at: None,
    }
}

/// A stream without events that may go on for so many beats.
fn live(beats: usize, stopping: Option<watch::Receiver<bool>>) -> BoxStream<'static, io::Result<String>> {
    let looks = AtomicUsize::new(0);
    let may_go_on = move || {
        let is_valid = looks.fetch_add(1, Ordering::Relaxed) < beats;
        async move { is_valid }.boxed()
    };
    let slot = Streams::default().enter(1).unwrap();
    let beat = (Duration::from_millis(1), Box::new(may_go_on) as Look);
    Live::new(stream::pending(), beat, stopping, slot).lines().boxed()
}

#[test]
fn a_user_has_ten_streams_and_all_have_a_thousand() {
    let streams = Streams::default();
    let mut slots: Vec<_> = (0..10).map(|_| streams.enter(1).unwrap()).collect();
    assert!(streams.enter(1).is_none());
    slots.pop();
    slots.push(streams.enter(1).unwrap());
    slots.extend(
        (2..=100).flat_map(|user| (0..10).map(move |_| user)).map(|user| streams.enter(user).unwrap()),
    );
    assert!(streams.enter(101).is_none());
    slots.pop();
    assert!(streams.enter(101).is_some());
    slots.clear();
    assert!(streams.open().is_empty(), "nothing is kept of who is gone");
}

#[test]
fn each_event_has_its_own_id_and_one_line_of_data() {
    for (kind, start) in [
        (RunEventKind::Queued, "id: 00000000-0000-0000-0000-000000000007-queued\nevent: queued\ndata: "),
        (RunEventKind::Started, "id: 00000000-0000-0000-0000-000000000007-started-2\nevent: started\ndata: "),
        (
            RunEventKind::Finished,
            "id: 00000000-0000-0000-0000-000000000007-finished\nevent: finished\ndata: ",
        ),
    ] {
        let lines = lines(&RunEvent { kind, run: run() });
        let data = lines.strip_prefix(start).unwrap().strip_suffix("\n\n").unwrap();
        assert!(!data.contains('\n'));
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&data["task_id"], &data["run"]["status"]), (&3.into(), &"running".into()));
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let lines: Vec<_> = live(3, None).collect().await;
    assert_eq!(lines.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [KEEP_ALIVE; 3]);
}

#[tokio::test]
async fn a_stream_ends_with_the_server() {
    let (stop, stopping) = watch::channel(false);
    let mut lines = live(usize::MAX, Some(stopping));
    assert_eq!(lines.next().await.unwrap().unwrap(), KEEP_ALIVE);
    stop.send(true).unwrap();
    assert!(lines.next().await.is_none());
    let (gone, stopping) = watch::channel(false);
    drop(gone);
    assert!(live(usize::MAX, Some(stopping)).next().await.is_none());
}
