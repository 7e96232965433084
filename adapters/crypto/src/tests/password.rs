//! What hashes cost, and who waits.

use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use malecon_domain::Password;
use malecon_ports::{PasswordHasher, SecretError};

use crate::Argon2Hasher;

mod contract {
    malecon_ports::password_contract!(crate::Argon2Hasher::cheap());
}

fn password() -> Password {
    Password::new("correct horse").unwrap()
}

#[tokio::test]
async fn a_hash_is_at_owasps_floor() {
    let hasher = Argon2Hasher::new();
    let hash = hasher.hash(&password()).await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(hasher.fits("correct horse", Some(hash)).await.unwrap());
}

#[tokio::test]
async fn a_hash_of_other_cost_is_still_read() {
    let old = Argon2Hasher::cheap().hash(&password()).await.unwrap();
    assert!(Argon2Hasher::new().fits("correct horse", Some(old)).await.unwrap());
}

#[tokio::test]
async fn what_was_in_the_memory_before_changes_nothing() {
    let (hasher, strange) = (Argon2Hasher::new(), Argon2Hasher::cheap());
    let mut hashes = vec![];
    for text in ["correct horse", "another horse", "correct horse"] {
        hashes.push((text, hasher.hash(&Password::new(text).unwrap()).await.unwrap()));
        hashes.push((text, strange.hash(&Password::new(text).unwrap()).await.unwrap()));
    }
    for (text, hash) in hashes {
        // By the library's own way, whose memory is new.
        use argon2::PasswordVerifier as _;
        let phc = argon2::password_hash::phc::PasswordHash::new(&hash).unwrap();
        argon2::Argon2::default().verify_password(text.as_bytes(), &phc).unwrap();
        assert!(hasher.fits(text, Some(hash.clone())).await.unwrap());
        assert!(!hasher.fits("wrong horse", Some(hash)).await.unwrap());
    }
}

#[tokio::test]
async fn other_variants_of_argon2_are_strange() {
    use argon2::password_hash::PasswordHasher as _;
    use argon2::{Algorithm, Argon2, Params, Version};

    for algorithm in [Algorithm::Argon2i, Algorithm::Argon2d] {
        let argon2 = Argon2::new(algorithm, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        let hash = argon2.hash_password(b"correct horse").unwrap().to_string();
        assert!(!Argon2Hasher::cheap().fits("correct horse", Some(hash)).await.unwrap());
    }
}

/// The least of a few, since other tests run at the same time.
async fn least(mut work: impl AsyncFnMut()) -> Duration {
    let mut times = vec![];
    for _ in 0..3 {
        let begun = Instant::now();
        work().await;
        times.push(begun.elapsed());
    }
    times.into_iter().min().unwrap()
}

#[tokio::test]
async fn no_hash_takes_as_long_as_one() {
    let hasher = Argon2Hasher::new();
    let hash = hasher.hash(&password()).await.unwrap();
    let known = least(async || assert!(!hasher.fits("wrong horse", Some(hash.clone())).await.unwrap())).await;
    let unknown = least(async || assert!(!hasher.fits("wrong horse", None).await.unwrap())).await;
    assert!(unknown * 4 > known && known * 4 > unknown, "{known:?} and {unknown:?}");
}

#[tokio::test]
async fn many_take_turns_and_none_is_lost() {
    let hasher = Argon2Hasher::cheap();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let hasher = hasher.clone();
            tokio::spawn(async move { hasher.hash(&password()).await.unwrap() })
        })
        .collect();
    // Who goes away early takes no turn along.
    for _ in 0..50 {
        drop(tokio::time::timeout(Duration::ZERO, hasher.hash(&password())).await);
    }
    for task in tasks {
        assert!(task.await.unwrap().starts_with("$argon2id$"));
    }
    assert!(hasher.hash(&password()).await.is_ok());
}

#[test]
fn no_more_than_64_wait() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        // Nobody hashes as long as the only thread for it is kept.
        let (release, kept) = std::sync::mpsc::channel::<()>();
        let thread = tokio::task::spawn_blocking(move || kept.recv());
        let (hasher, password) = (Argon2Hasher::cheap(), password());
        let mut all: Vec<_> = (0..200).map(|_| hasher.hash(&password)).collect();
        let mut context = Context::from_waker(Waker::noop());
        let polls: Vec<_> = all.iter_mut().map(|hash| hash.as_mut().poll(&mut context)).collect();
        let refused = polls.iter().filter(|poll| matches!(poll, Poll::Ready(Err(SecretError::Busy)))).count();
        let turns = Argon2Hasher::turns();
        assert_eq!(refused, 200 - 64 - turns);
        assert_eq!(polls.iter().filter(|poll| poll.is_pending()).count(), 64 + turns);
        drop(all);
        release.send(()).unwrap();
        thread.await.unwrap().unwrap();
        assert!(hasher.hash(&password).await.is_ok(), "who went away keeps no place");
    });
}
