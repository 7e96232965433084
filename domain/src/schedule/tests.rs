//! What is refused, and what happens when clocks are changed.

use rstest::rstest;

use super::*;

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule::new(cron, zone, Overlap::Skip).unwrap()
}

fn at(text: &str) -> Instant {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// The next ones, as hours and minutes of UTC.
fn next(cron: &str, zone: &str, from: &str, many: usize) -> Vec<String> {
    let schedule = schedule(cron, zone);
    let mut now = at(from);
    let step = |_| {
        now = schedule.next_after(now).unwrap();
        now.format("%d %H:%M").to_string()
    };
    (0..many).map(step).collect()
}

#[rstest]
#[case::spring_berlin("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", &["29 01:00", "30 00:30"])]
#[case::spring_berlin_many("*/20 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", &["29 01:00", "30 00:00"])]
#[case::spring_berlin_every_half_hour("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:20:00Z", &["29 00:30", "29 01:00", "29 01:30"])]
#[case::autumn_berlin("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", &["25 00:30", "26 01:30"])]
#[case::autumn_berlin_hourly("0 * * * *", "Europe/Berlin", "2026-10-24T23:40:00Z", &["25 00:00", "25 01:00", "25 02:00"])]
#[case::spring_new_york("15 2 * * *", "America/New_York", "2026-03-08T05:00:00Z", &["08 07:00", "09 06:15"])]
#[case::autumn_new_york("15 1 * * *", "America/New_York", "2026-11-01T04:00:00Z", &["01 05:15", "02 06:15"])]
#[case::spring_lord_howe("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", &["03 15:30", "04 15:15"])]
#[case::autumn_lord_howe("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", &["04 14:45", "05 15:15"])]
#[case::a_day_left_out("0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", &["30 10:00", "29 22:00"])]
fn clocks_that_change_leave_nothing_out_and_do_nothing_twice(
    #[case] cron: &str,
    #[case] zone: &str,
    #[case] from: &str,
    #[case] wanted: &[&str],
) {
    assert_eq!(next(cron, zone, from, wanted.len()), wanted);
}

#[test]
fn every_second_is_every_second() {
    let schedule = schedule("* * * * * *", "Europe/Berlin");
    let mut now = at("2026-10-25T00:59:50Z");
    for _ in 0..30 {
        let next = schedule.next_after(now).unwrap();
        assert_eq!(next - now, TimeDelta::seconds(1));
        now = next;
    }
}

#[rstest]
#[case::empty("", "UTC")]
#[case::few("* * * *", "UTC")]
#[case::beyond("61 * * * *", "UTC")]
#[case::words("every day at noon", "UTC")]
#[case::standing("*/0 * * * *", "UTC")]
#[case::never("0 0 30 2 *", "UTC")]
#[case::long(&format!("{} * * * *", "1,".repeat(200)), "UTC")]
#[case::no_zone("* * * * *", "")]
#[case::odd_zone("* * * * *", "Europe/Atlantis")]
fn what_is_no_schedule_is_refused(#[case] cron: &str, #[case] zone: &str) {
    assert!(Schedule::new(cron, zone, Overlap::Skip).is_err());
}

#[rstest]
#[case::every_hour(Rhythm::Every(Duration::from_secs(3_600)), "2026-03-29T07:59:59Z", "2026-03-29T07:00:00Z")]
#[case::on_the_tick(
    Rhythm::Every(Duration::from_secs(3_600)),
    "2026-03-29T08:00:00Z",
    "2026-03-29T08:00:00Z"
)]
#[case::no_length_is_a_second(
    Rhythm::Every(Duration::ZERO),
    "2026-03-29T08:00:01.5Z",
    "2026-03-29T08:00:01Z"
)]
#[case::before_the_jump(daily("0 7"), "2026-03-28T23:00:00Z", "2026-03-28T06:00:00Z")]
#[case::after_the_jump(daily("0 7"), "2026-03-29T05:00:00Z", "2026-03-29T05:00:00Z")]
#[case::left_out(daily("30 2"), "2026-03-29T12:00:00Z", "2026-03-29T01:00:00Z")]
#[case::of_yesterday(daily("0 7"), "2026-10-25T05:59:59Z", "2026-10-24T05:00:00Z")]
fn the_last_tick_is_found(#[case] rhythm: Rhythm, #[case] now: &str, #[case] tick: &str) {
    let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
    assert_eq!(rhythm.tick(at(now)), Some(at(tick)));
}

/// Each day in Madrid, at this minute and hour.
fn daily(cron: &str) -> Rhythm {
    Rhythm::At(Schedule::new(&format!("{cron} * * *"), "Europe/Madrid", Overlap::Skip).unwrap())
}
