//! Who has a place, and who makes room.

use hyper::Version;

use super::*;

const STALLED: Duration = Duration::from_millis(500);

fn registry(connections: usize, connections_per_address: usize) -> Arc<Registry> {
    let trusted_proxies = Networks::parse("10.0.0.0/8").unwrap();
    let limits = Limits {
        header_timeout: STALLED,
        connections,
        connections_per_address,
        trusted_proxies,
        ..Limits::default()
    };
    Arc::new(Registry::new(&limits))
}

fn from(registry: &Arc<Registry>, peer: &str) -> Result<Place, Refusal> {
    // Two connections are idle since the same microsecond only where nobody cares which one goes.
    std::thread::sleep(Duration::from_micros(5));
    registry.admit(peer.parse().unwrap())
}

fn is_evicted(place: &Place) -> bool {
    place.activity.order() == Order::Evict
}

#[test]
fn the_longest_idle_makes_room_and_never_one_at_work() {
    let registry = registry(3, 3);
    let [first, second, third] = ["1.1.1.1", "2.2.2.2", "3.3.3.3"].map(|peer| from(&registry, peer).unwrap());
    let request = first.activity.begin(Version::HTTP_11);
    let fourth = from(&registry, "4.4.4.4").unwrap();
    assert!(is_evicted(&second) && !is_evicted(&first) && !is_evicted(&third) && !is_evicted(&fourth));
    drop(request);
    let _fifth = from(&registry, "5.5.5.5").unwrap();
    assert!(is_evicted(&third), "the first has been idle for a shorter time");
    let _sixth = from(&registry, "6.6.6.6").unwrap();
    assert!(is_evicted(&fourth) && !is_evicted(&first));
}

#[test]
fn when_all_are_at_work_nobody_goes_and_nobody_comes() {
    let registry = registry(2, 2);
    let places = ["1.1.1.1", "2.2.2.2"].map(|peer| from(&registry, peer).unwrap());
    let requests = places.each_ref().map(|place| place.activity.begin(Version::HTTP_11));
    assert_eq!(from(&registry, "3.3.3.3").err(), Some(Refusal::Full));
    drop(requests);
    let third = from(&registry, "3.3.3.3").unwrap();
    assert!(is_evicted(&places[0]) && !is_evicted(&places[1]));
    drop(third);
    from(&registry, "4.4.4.4").unwrap();
    assert!(!is_evicted(&places[1]), "there was a free place");
}

#[test]
fn whoever_has_long_been_reading_slowly_goes_before_somebody_is_refused() {
    let registry = registry(2, 2);
    let [slow, quick] = ["1.1.1.1", "2.2.2.2"].map(|peer| from(&registry, peer).unwrap());
    let _requests = [slow.activity.begin(Version::HTTP_11), quick.activity.begin(Version::HTTP_11)];
    slow.activity.has_written(true);
    assert_eq!(from(&registry, "3.3.3.3").err(), Some(Refusal::Full), "it has its time");
    std::thread::sleep(STALLED * 2);
    slow.activity.has_written(false);
    slow.activity.has_written(true);
    let _third = from(&registry, "3.3.3.3").unwrap();
    assert_eq!((slow.activity.order(), quick.activity.order()), (Order::Cut, Order::None));
}

#[test]
fn an_address_with_too_many_makes_room_for_itself() {
    let registry = registry(10, 2);
    let other = from(&registry, "9.9.9.9").unwrap();
    let [first, second] = [(); 2].map(|()| from(&registry, "1.1.1.1").unwrap());
    let third = from(&registry, "::ffff:1.1.1.1").unwrap();
    assert!(is_evicted(&first) && !is_evicted(&second) && !is_evicted(&other));
    let _requests = [second.activity.begin(Version::HTTP_11), third.activity.begin(Version::HTTP_11)];
    assert_eq!(from(&registry, "1.1.1.1").err(), Some(Refusal::Address));
    assert!(from(&registry, "1.1.1.2").is_ok(), "another address");
    drop(second);
    assert!(from(&registry, "1.1.1.1").is_ok());
}

#[test]
fn an_ipv6_address_counts_by_its_network() {
    let registry = registry(10, 1);
    let first = from(&registry, "2a00::1:2:3:4").unwrap();
    let _second = from(&registry, "2a00::ffff:2:3:4").unwrap();
    assert!(is_evicted(&first));
    let third = from(&registry, "2a00:0:0:1::1").unwrap();
    let _fourth = from(&registry, "2a00:0:0:2::1").unwrap();
    assert!(!is_evicted(&third), "another network");
}

#[test]
fn proxies_are_not_counted_by_address() {
    let registry = registry(4, 1);
    let places: Vec<Place> = (0..4).map(|_| from(&registry, "10.1.2.3").unwrap()).collect();
    assert!(!places.iter().any(is_evicted));
    let _more = from(&registry, "::ffff:10.1.2.4").unwrap();
    assert!(is_evicted(&places[0]), "but they count as all do");
}

#[test]
fn many_go_in_the_order_in_which_they_fell_idle() {
    let registry = registry(3 * BATCH, 3 * BATCH);
    let places: Vec<Place> = (0..3 * BATCH).map(|_| from(&registry, "1.1.1.1").unwrap()).collect();
    // Every other one has had a request since, the later ones first.
    for place in places.iter().skip(1).step_by(2).rev() {
        std::thread::sleep(Duration::from_micros(5));
        drop(place.activity.begin(Version::HTTP_11));
    }
    let expected = (0..places.len()).step_by(2).chain((0..places.len()).skip(1).step_by(2).rev());
    let mut newer = vec![];
    for (evicted, index) in expected.enumerate() {
        newer.push(from(&registry, "1.1.1.1").unwrap());
        assert!(is_evicted(&places[index]), "{index}");
        assert_eq!(places.iter().filter(|place| is_evicted(place)).count(), evicted + 1);
    }
}

#[test]
fn a_place_is_free_when_its_connection_is_gone() {
    let registry = registry(1, 1);
    for _ in 0..3 {
        let place = from(&registry, "1.1.1.1").unwrap();
        assert!(!is_evicted(&place));
        drop(place);
    }
    let inner = registry.inner();
    assert!(inner.by_address.is_empty() && inner.all.members.is_empty());
}
