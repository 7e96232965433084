//! Wikidata, in invented sights.

use std::time::Duration;

use malecon_domain::{Activity, ActivityKind, LatLng};
use malecon_ports::{ActivityGateway, GatewayError};
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::stub::{Reply, Stub, answer, ok, options};
use crate::{ClientOptions, UpstreamClient, Wikidata};

const JSON: &str = "application/sparql-results+json";

fn wikidata(url: &str) -> Wikidata {
    let client = UpstreamClient::new(Wikidata::options(options(), Some("ops@example.org"))).unwrap();
    Wikidata::new(client, url.parse().unwrap())
}

async fn against(reply: Reply) -> (Wikidata, Stub) {
    let stub = Stub::new(vec![reply]).await;
    (wikidata(stub.url.as_str()), stub)
}

fn cell(value: &str) -> Value {
    json!({"type": "literal", "value": value})
}

/// A row of one class, the fewer wikis the larger its number.
fn row(id: u32, class: u32) -> Value {
    json!({
        "item": {"type": "uri", "value": format!("http://www.wikidata.org/entity/Q{id}")},
        "itemLabel": {"xml:lang": "en", "type": "literal", "value": format!("Pier {id}")},
        "itemDescription": {"xml:lang": "en", "type": "literal", "value": "a pier by the sea"},
        "class": {"type": "uri", "value": format!("http://www.wikidata.org/entity/Q{class}")},
        "coord": {
            "datatype": "http://www.opengis.net/ont/geosparql#wktLiteral", "type": "literal",
            "value": "Point(-77.5 -12.25)",
        },
        "image": {"type": "uri", "value": "http://commons.wikimedia.org/wiki/Special:FilePath/A%20pier.jpg"},
        "sitelinks": {
            "datatype": "http://www.w3.org/2001/XMLSchema#integer", "type": "literal",
            "value": (1_000 - id).to_string(),
        },
        "unesco": {
            "datatype": "http://www.w3.org/2001/XMLSchema#boolean", "type": "literal", "value": "false",
        },
    })
}

fn answered(rows: &[Value]) -> String {
    let vars = ["item", "itemLabel", "itemDescription", "class", "coord", "image", "sitelinks", "unesco"];
    json!({"head": {"vars": vars}, "results": {"bindings": rows}}).to_string()
}

async fn ids(rows: &[Value]) -> Vec<String> {
    let (wikidata, _stub) = against(ok(&answered(rows))).await;
    wikidata.fetch("PE").await.unwrap().records.into_iter().map(|record| record.id).collect()
}

#[tokio::test]
async fn a_country_is_asked_for_as_wikidata_wants_it() {
    let server = MockServer::start().await;
    let agent = format!("malecon/{} (ops@example.org)", env!("CARGO_PKG_VERSION"));
    let mock = Mock::given(method("GET")).and(path("/sparql")).and(header("accept", JSON));
    let page = ResponseTemplate::new(200).set_body_raw(answered(&[row(1, 16_560)]), JSON);
    mock.and(header("user-agent", agent)).respond_with(page).expect(1).mount(&server).await;
    let batch = wikidata(&format!("{}/sparql", server.uri())).fetch("PE").await.unwrap();
    assert_eq!((batch.records.len(), batch.rejected.len()), (1, 0));
    let asked = server.received_requests().await.unwrap();
    let (name, query) = asked[0].url.query_pairs().next().unwrap();
    assert_eq!(name, "query");
    for part in ["wdt:P297 \"PE\"", "wd:Q33506", "LIMIT 300", "DESC(?sitelinks)", "wikibase:label"] {
        assert!(query.contains(part), "{part} in {query}");
    }
    assert!(!query.contains("P279") && asked[0].url.as_str().len() < 4_000, "{query}");
    assert_eq!(query.matches('{').count(), query.matches('}').count(), "{query}");
}

#[test]
fn wikidata_is_waited_for_longer_than_others() {
    let patience = |timeout| {
        let options = Wikidata::options(ClientOptions { timeout, ..ClientOptions::default() }, None);
        (options.timeout, options.retries, options.user_agent)
    };
    let agent = format!("malecon/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(patience(Duration::from_secs(5)), (Wikidata::PATIENCE, 0, agent.clone()));
    assert_eq!(patience(Duration::from_secs(90)), (Duration::from_secs(90), 0, agent));
    assert!(Wikidata::PATIENCE > Duration::from_secs(60));
}

#[tokio::test]
async fn rows_of_one_sight_are_one_activity() {
    let mut other = row(2, 23_413);
    other["unesco"] = cell("true");
    other["image"] = cell("http://commons.wikimedia.org/wiki/Special:FilePath/Another.jpg");
    let rows = [row(2, 570_116), row(3, 40_080), other, row(2, 4)];
    let (wikidata, _stub) = against(ok(&answered(&rows))).await;
    let batch = wikidata.fetch("PE").await.unwrap();
    assert!(batch.rejected.is_empty(), "{:?}", batch.rejected);
    let [castle, beach] = &batch.records[..] else { panic!("{:?}", batch.records) };
    assert_eq!((castle.id.as_str(), castle.name.as_str()), ("Q2", "Pier 2"));
    assert_eq!((castle.kind, castle.world_heritage), (ActivityKind::VisitCastle, true));
    assert_eq!(castle.description.as_deref(), Some("a pier by the sea"));
    assert_eq!(castle.latlng, Some(LatLng { lat: -12.25, lng: -77.5 }));
    let picture = "https://commons.wikimedia.org/wiki/Special:FilePath/A%20pier.jpg";
    assert_eq!(castle.picture.as_deref(), Some(picture), "the first, and by TLS");
    assert_eq!(castle.source, "https://www.wikidata.org/wiki/Q2");
    assert_eq!((beach.kind, beach.world_heritage), (ActivityKind::Swim, false));
    for record in batch.records {
        Activity::new(record).unwrap();
    }
}

#[tokio::test]
async fn the_best_known_sight_comes_first() {
    assert_eq!(ids(&[row(7, 1), row(2, 1), row(5, 1)]).await, ["Q2", "Q5", "Q7"]);
    let bare = |id| {
        let mut row = row(id, 1);
        row.as_object_mut().unwrap().remove("sitelinks");
        row
    };
    assert_eq!(ids(&[bare(7), bare(2), row(9, 1)]).await, ["Q9", "Q7", "Q2"]);
}

#[tokio::test]
async fn what_may_be_missing_is_missing() {
    let mut bare = row(1, 1);
    bare.as_object_mut().unwrap().retain(|name, _| ["item", "itemLabel"].contains(&name.as_str()));
    let mut unknown = row(2, 1);
    unknown["coord"] = json!({"type": "bnode", "value": "t42"});
    unknown["image"] = json!({"type": "uri", "value": "http://www.wikidata.org/.well-known/genid/0a"});
    unknown["itemDescription"] = cell("  ");
    let (wikidata, _stub) = against(ok(&answered(&[bare, unknown]))).await;
    let batch = wikidata.fetch("PE").await.unwrap();
    assert_eq!((batch.records.len(), batch.rejected.len()), (2, 0), "{batch:?}");
    for record in batch.records {
        assert_eq!((record.kind, record.world_heritage), (ActivityKind::Sightsee, false));
        assert_eq!((record.description, record.latlng, record.picture), (None, None, None));
    }
}

#[rstest]
#[case::no_label("itemLabel", cell("Q9"), "Q9", "it has no label")]
#[case::blank_label("itemLabel", cell(""), "Q9", "it has no label")]
#[case::moon("coord", cell("<http://www.wikidata.org/entity/Q405> Point(1 2)"), "Q9", "coord")]
#[case::one_number("coord", cell("Point(1)"), "Q9", "coord")]
#[case::three_numbers("coord", cell("Point(1 2 3)"), "Q9", "coord")]
#[case::words("coord", cell("Point(here there)"), "Q9", "coord")]
#[case::property("item", cell("http://www.wikidata.org/entity/P31"), "#0", "not an entity")]
#[case::elsewhere("item", cell("http://evil.example/entity/Q9"), "#0", "not an entity")]
#[case::script("item", cell("http://www.wikidata.org/entity/Q9<script>"), "#0", "not an entity")]
#[case::number("item", json!(9), "#0", "not an entity")]
#[tokio::test]
async fn a_bad_row_is_rejected_and_the_rest_go_on(
    #[case] member: &str,
    #[case] value: Value,
    #[case] label: &str,
    #[case] words: &str,
) {
    let mut bad = row(9, 1);
    bad[member] = value;
    let (wikidata, _stub) = against(ok(&answered(&[bad, row(10, 1)]))).await;
    let batch = wikidata.fetch("PE").await.unwrap();
    assert_eq!(batch.records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["Q10"]);
    let [rejection] = &batch.rejected[..] else { panic!("{:?}", batch.rejected) };
    assert_eq!(rejection.record, label);
    assert!(rejection.reason.contains(words), "{}", rejection.reason);
}

#[tokio::test]
async fn a_country_without_sights_is_an_empty_batch() {
    let (wikidata, _stub) = against(ok(&answered(&[]))).await;
    assert_eq!(wikidata.fetch("BV").await.unwrap(), malecon_domain::ActivityBatch::default());
}

#[rstest]
#[case::html(ok("<html>Sorry"))]
#[case::nothing(ok(""))]
#[case::half(ok(&answered(&[row(1, 1)])[..200]))]
#[case::stack_trace(ok(&format!("{}java.util.concurrent.TimeoutException", &answered(&[row(1, 1)])[..200])))]
#[case::empty(ok("{}"))]
#[case::null(ok("null"))]
#[case::ask(ok(r#"{"head": {}, "boolean": true}"#))]
#[case::map(ok(r#"{"results": {"bindings": {}}}"#))]
#[case::no_rows(ok(&answered(&[json!({}), json!(5)])))]
#[case::many(ok(&answered(&vec![json!({}); 1_001])))]
#[tokio::test]
async fn what_is_no_answer_is_malformed(#[case] reply: Reply) {
    let (wikidata, stub) = against(reply).await;
    let error = wikidata.fetch("PE").await.unwrap_err();
    assert!(matches!(error, GatewayError::Malformed(_)), "{error:?}");
    assert_eq!(stub.asked(), 1);
}

#[tokio::test]
async fn failures_are_classed_and_not_tried_again() {
    let limited = answer("429 Slow", "retry-after: 7\r\n", "");
    let (wikidata, stub) = against(limited).await;
    let error = wikidata.fetch("PE").await.unwrap_err();
    let GatewayError::RateLimited { retry_after } = error else { panic!("{error:?}") };
    assert_eq!((retry_after, stub.asked()), (Some(Duration::from_secs(7)), 1));
    let cut = Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"head\"".to_vec());
    for reply in [answer("504 Gateway Timeout", "", ""), answer("500 Oh", "", "TimeoutException"), cut] {
        let (wikidata, stub) = against(reply).await;
        let error = wikidata.fetch("PE").await.unwrap_err();
        assert!(matches!(error, GatewayError::Unavailable(_)), "{error:?}");
        assert_eq!(stub.asked(), 1);
    }
    let (wikidata, _stub) = against(answer("403 Forbidden", "", "")).await;
    assert!(matches!(wikidata.fetch("PE").await, Err(GatewayError::Refused(_))));
    let (wikidata, _stub) = against(Reply::Endless).await;
    assert!(matches!(wikidata.fetch("PE").await, Err(GatewayError::Malformed(_))), "it has an end for us");
}

#[rstest]
#[case("")]
#[case("pe")]
#[case("PER")]
#[case("\"}")]
#[tokio::test]
async fn what_is_no_code_is_not_asked_for(#[case] code: &str) {
    let (wikidata, stub) = against(ok(&answered(&[]))).await;
    assert!(matches!(wikidata.fetch(code).await, Err(GatewayError::Refused(_))));
    assert_eq!(stub.asked(), 0);
}
