//! Old details, and details that are too old.

use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn titles(service: &MovieService, caller: &Principal) -> Vec<(i64, String)> {
    let query = MovieQuery { page: malecon_domain::Page::new(1, 100).unwrap(), ..MovieQuery::default() };
    let list = service.favorites(caller, caller.user_id, &query).await.unwrap().items;
    let mut titles: Vec<_> = list.into_iter().map(|f| (f.movie.id, f.movie.title)).collect();
    titles.sort();
    titles
}

#[tokio::test]
async fn old_details_are_refreshed_the_oldest_first_and_twenty_at_once() {
    let bench = bench().await;
    let (service, ana) = (bench.service(), &bench.ana);
    for id in 1..=25 {
        service.add_favorite(ana, ana.user_id, id).await.unwrap();
        bench.clock.advance(SECOND);
    }
    bench.asked();
    let idle = service.refresh_due().await.unwrap();
    assert_eq!((idle.refreshed, idle.forgotten, bench.asked().len()), (0, 0, 0));
    bench.clock.advance(DAY * 7);
    let first = service.refresh_due().await.unwrap();
    assert!(first.stopped_by.is_none());
    assert_eq!(first.refreshed, 20);
    assert_eq!(bench.asked(), (1..=20).map(|id| format!("full {id}")).collect::<Vec<_>>());
    assert_eq!(service.refresh_due().await.unwrap().refreshed, 5);
    assert_eq!(service.refresh_due().await.unwrap().refreshed, 0);
}

#[tokio::test]
async fn a_refresh_stops_when_the_source_fails() {
    let bench = bench().await;
    let (service, ana) = (bench.service(), &bench.ana);
    for id in 1..=3 {
        service.add_favorite(ana, ana.user_id, id).await.unwrap();
    }
    bench.take_down(true);
    bench.clock.advance(DAY * 8);
    bench.asked();
    let stopped = service.refresh_due().await.unwrap();
    assert_eq!((stopped.refreshed, stopped.forgotten, bench.asked().len()), (0, 0, 1));
    assert!(matches!(stopped.stopped_by, Some(ServiceError::Unavailable { lack: Lack::Upstream, .. })));

    // What stands in for the source is no success of it.
    bench.take_down(false);
    bench.clock.advance(SECOND * 5);
    assert_eq!(service.refresh_due().await.unwrap().refreshed, 3);
    bench.clock.advance(DAY * 8 - SECOND * 3_600);
    service.movie(ana, 1).await.unwrap();
    bench.clock.advance(SECOND * 3_600);
    bench.take_down(true);
    let stopped = service.refresh_due().await.unwrap();
    assert!(stopped.refreshed == 0 && stopped.stopped_by.is_some(), "{stopped:?}");
}

#[tokio::test]
async fn what_is_too_old_is_forgotten_even_without_a_source() {
    let bench = bench().await;
    let (service, ana) = (bench.service(), &bench.ana);
    service.add_favorite(ana, ana.user_id, 1).await.unwrap();
    let bare = MovieService::new(bench.ports(None));
    bench.clock.advance(DAY * 180);
    assert_eq!(bare.refresh_due().await.unwrap().forgotten, 0);
    bench.clock.advance(SECOND);
    assert_eq!(bare.refresh_due().await.unwrap().forgotten, 1);
    assert_eq!(titles(&bare, ana).await, [(1, String::new())]);
    let upkeep = service.refresh_due().await.unwrap();
    assert_eq!((upkeep.refreshed, upkeep.forgotten), (1, 0));
    assert_eq!(titles(&bare, ana).await, [(1, "Movie 1".to_owned())]);
}

#[tokio::test]
async fn of_what_the_source_no_longer_knows_the_number_is_kept() {
    let bench = bench().await;
    let (service, ana) = (bench.service(), &bench.ana);
    for id in [1, 2] {
        service.add_favorite(ana, ana.user_id, id).await.unwrap();
    }
    bench.source.lock().unwrap().lost = Some(1);
    bench.clock.advance(DAY * 8);
    assert_eq!(service.refresh_due().await.unwrap().refreshed, 2);
    assert_eq!(titles(&service, ana).await, [(1, String::new()), (2, "Movie 2".to_owned())]);
    assert_eq!(service.refresh_due().await.unwrap().refreshed, 0, "it is not in the way of others");
}
