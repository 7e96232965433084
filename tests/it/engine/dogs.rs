//! Dogs whose process is killed while they are posted, and while their pictures are looked for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::Value;

use super::ground::random;
use super::ground::{Engine, Ground, until};
use crate::dogs::{PICTURE, source};
use crate::support::{CONSUMER, Client};

const LEASE: Duration = Duration::from_secs(1);
/// Dogs that are posted at once.
const DOGS: usize = 200;

/// The status of a post, unless the process died first; again while the store has too much to do.
async fn post(client: &Client, n: usize) -> Option<u16> {
    loop {
        let request = client.request(Method::POST, &format!("/api/dogs/dog%20{n}")).bearer_auth(CONSUMER);
        match request.send().await.ok()?.status().as_u16() {
            503 => tokio::time::sleep(Duration::from_millis(100)).await,
            status => return Some(status),
        }
    }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[cfg_attr(not(postgres), ignore = "needs TEST_DATABASE_URL")]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_dog_is_there_once_and_gets_its_picture(#[case] engine: Engine) {
    let (ground, source) = (Ground::new(engine).await, source().await);
    let url = format!("{}/api", source.uri());
    let flags = ["--workers", "16", "--per-host", "16", "--dog-ceo-url", &url];
    let mut process = ground.process_with(&ground.url, &flags, LEASE).await;
    let (client, accepted) = (process.client.clone(), AtomicUsize::new(0));
    let posts = join_all((0..DOGS).map(async |n| {
        let status = post(&client, n).await;
        accepted.fetch_add(usize::from(status == Some(202)), Ordering::SeqCst);
        status
    }));
    let some = 1 + random(DOGS / 2);
    let killed = async {
        until("some dogs", async || (accepted.load(Ordering::SeqCst) >= some).then_some(())).await;
        process.kill();
    };
    let (first, ()) = tokio::join!(posts, killed);
    assert!(first.iter().all(|status| [None, Some(202)].contains(status)), "{first:?}");

    process = ground.process_with(&ground.url, &flags, LEASE).await;
    let again = join_all((0..DOGS).map(|n| post(&process.client, n))).await;
    for (first, again) in first.iter().zip(again) {
        assert!(again == Some(409) || first.is_none() && again == Some(202), "{first:?}, and then {again:?}");
    }
    ground.all_over().await;
    let mut names = vec![];
    for page in 1..=DOGS / 100 {
        let list = process.client.json(&format!("/api/dogs?page_size=100&page={page}")).await;
        assert_eq!(list["count"], DOGS);
        for dog in list["results"].as_array().unwrap() {
            assert_eq!((&dog["picture"], &dog["id_user"]), (&PICTURE.into(), &Value::Null), "{dog}");
            names.push(dog["name"].as_str().unwrap().to_owned());
        }
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), DOGS);
}
