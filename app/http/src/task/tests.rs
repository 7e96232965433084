//! Merge patches, and what becomes of the members of a task.

use malecon::domain::{Payload, TaskConfig, Zone};
use rstest::rstest;
use serde_json::{Value, json};

use super::body::ConfigBody;
use super::read;

/// The examples of RFC 7396, appendix A.
#[rstest]
#[case(json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"}))]
#[case(json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"}))]
#[case(json!({"a": "b"}), json!({"a": null}), json!({}))]
#[case(json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"}))]
#[case(json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"}))]
#[case(json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]}))]
#[case(json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}}))]
#[case(json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]}))]
#[case(json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"]))]
#[case(json!({"a": "b"}), json!(["c"]), json!(["c"]))]
#[case(json!({"a": "foo"}), json!(null), json!(null))]
#[case(json!({"a": "foo"}), json!("bar"), json!("bar"))]
#[case(json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1}))]
#[case(json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"}))]
#[case(json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}}))]
fn a_merge_patch_is_merged(#[case] mut target: Value, #[case] patch: Value, #[case] result: Value) {
    read::merge(&mut target, patch);
    assert_eq!(target, result);
}

fn config(more: Value) -> TaskConfig {
    let mut config = json!({"base_url": "https://example.com/", "http_method": "post"});
    read::merge(&mut config, more);
    read::config(&config, Zone::UTC).unwrap()
}

#[test]
fn what_is_shown_is_read_as_the_same() {
    let config = config(json!({
        "payload": {"z": 1, "a": [null, 0.1]},
        "headers": {"X-A": "1", "X-B": "2"},
        "timeout_ms": 1500,
        "max_redirects": 2,
        "retry": {"max_attempts": 7, "on_status": [500, 503], "on_timeout": true},
        "success": {"status": 201, "body_regex": "ok"},
        "schedule": {"cron": "*/5 8-18 * * MON-FRI", "time_zone": "Europe/Madrid", "overlap": "allow"},
    }));
    assert_eq!(config.success.status, Some(vec![201]));
    assert_eq!(read::config(&json!(ConfigBody::from(&config)), Zone::UTC).unwrap(), config);
}

#[rstest]
#[case(json!("text"), Payload::Text("text".to_owned()))]
#[case(json!({"b": 1, "a": 2}), Payload::Json(r#"{"b":1,"a":2}"#.to_owned()))]
#[case(json!(false), Payload::Json("false".to_owned()))]
fn a_string_is_sent_as_it_is_and_all_else_as_json(#[case] payload: Value, #[case] sent: Payload) {
    assert_eq!(config(json!({ "payload": payload })).payload, Some(sent));
}
