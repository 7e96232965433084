//! Times that are none, and days on which clocks are changed.

use chrono::DateTime;
use rstest::rstest;

use super::*;

fn at(text: &str) -> Instant {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

#[rstest]
#[case("7:05", "07:05")]
#[case("07:05", "07:05")]
#[case(" 23:59 ", "23:59")]
#[case("00:00", "00:00")]
fn a_time_is_written_with_a_colon(#[case] text: &str, #[case] shown: &str) {
    assert_eq!(TimeOfDay::parse(text).unwrap().to_string(), shown);
}

#[rstest]
#[case("")]
#[case("7")]
#[case("24:00")]
#[case("07:60")]
#[case("7:5")]
#[case("007:00")]
#[case("+7:00")]
#[case("07:00:00")]
#[case("7am")]
#[case("-1:00")]
fn what_is_no_time_is_refused(#[case] text: &str) {
    assert_eq!(TimeOfDay::parse(text), None);
}

#[test]
fn zones_have_names_and_clocks() {
    assert_eq!(Zone::parse("Europe/Atlantis"), None);
    assert_eq!(Zone::parse(""), None);
    let madrid = Zone::parse(" Europe/Madrid ").unwrap();
    assert_eq!(madrid.name(), "Europe/Madrid");
    assert_eq!(madrid.clock(at("2026-07-01T22:30:00Z")).to_string(), "2026-07-02 00:30:00");
    assert_eq!(Zone::default().name(), "UTC");
}

/// Each report and the date by the clocks of its zone: one a day, whatever the clocks do.
#[rstest]
#[case::spring("07:00", "Europe/Madrid", "2026-03-28T00:00:00Z", &["28 06:00", "29 05:00", "30 05:00"])]
#[case::autumn("07:00", "Europe/Madrid", "2026-10-24T00:00:00Z", &["24 05:00", "25 06:00", "26 06:00"])]
#[case::left_out("02:30", "Europe/Madrid", "2026-03-28T00:00:00Z", &["28 01:30", "29 01:00", "30 00:30"])]
#[case::twice("02:30", "Europe/Madrid", "2026-10-24T00:00:00Z", &["24 00:30", "25 00:30", "26 01:30"])]
#[case::no_midnight("00:00", "America/Havana", "2026-03-07T06:00:00Z", &["08 05:00", "09 04:00"])]
#[case::half_an_hour("02:15", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", &["03 15:30", "04 15:15"])]
fn a_daily_time_comes_once_on_each_day(
    #[case] time: &str,
    #[case] zone: &str,
    #[case] from: &str,
    #[case] wanted: &[&str],
) {
    let zone = Zone::parse(zone).unwrap();
    let schedule = TimeOfDay::parse(time).unwrap().daily(zone).unwrap();
    let mut now = at(from);
    let mut dates = vec![];
    for wanted in wanted {
        now = schedule.next_after(now).unwrap();
        assert_eq!(now.format("%d %H:%M").to_string(), *wanted);
        dates.push(zone.clock(now).date());
    }
    assert!(dates.windows(2).all(|pair| pair[0].succ_opt() == Some(pair[1])), "{dates:?}");
}
