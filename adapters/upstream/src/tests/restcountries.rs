//! restcountries v3.1 and v5, in invented answers.

use malecon_domain::{Country, CountryField, CountryRecord};
use malecon_ports::{CountryGateway, GatewayError};
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::stub::client;
use crate::json::rows;
use crate::restcountries_v31::join;
use crate::{RestCountriesV5, RestCountriesV31};

fn first() -> Value {
    json!({
        "cca3": "ATL", "cca2": "AL", "ccn3": "", "region": "Oceania", "subregion": "", "unknown": {"key": 1},
        "name": {"common": "Atlantis", "official": "Realm of Atlantis", "nativeName": {"grc": {"official": "Ἀ", "common": "Ἀτλαντίς"}}},
        "capital": ["Poseidonis"], "continents": ["Oceania"], "altSpellings": ["AL"],
        "currencies": {"ZZZ": {"name": "Pearl", "symbol": "p"}, "AAA": {"name": "Shell", "symbol": ""}},
    })
}

fn second() -> Value {
    json!({
        "cca3": "ATL", "languages": {"zzz": "Old", "aaa": "New"}, "population": 1200.0, "area": -1, "latlng": [30.5, -40],
        "timezones": ["UTC"], "flag": "🔱", "flags": {"png": "https://f.example/a.png", "svg": "", "alt": "words"},
        "independent": true, "borders": null,
    })
}

fn with(mut value: Value, member: &str, other: Value) -> Value {
    value[member] = other;
    value
}

#[test]
fn two_answers_make_one_country() {
    let batch = join(&[first()], &[second()]);
    assert!(batch.rejected.is_empty(), "{:?}", batch.rejected);
    let country = Country::new(batch.records[0].clone()).unwrap();
    assert_eq!(country.currencies.iter().map(|c| c.code.as_str()).collect::<Vec<_>>(), ["ZZZ", "AAA"]);
    assert_eq!(country.languages.iter().map(|l| l.code.as_str()).collect::<Vec<_>>(), ["zzz", "aaa"]);
    assert_eq!(
        (country.population, country.area, country.ccn3.as_ref(), country.subregion.as_ref()),
        (1200, None, None, None)
    );
    assert_eq!((country.latlng.unwrap().lat, country.latlng.unwrap().lng), (30.5, -40.0));
    assert_eq!((country.flags.svg.as_ref(), country.currencies[1].symbol.as_ref()), (None, None));
    assert_eq!(country.name.native["grc"].common, "Ἀτλαντίς");
    assert_eq!(batch.covered.iter().count(), 19);
    assert!(
        !batch.covered.contains(CountryField::Translations) && batch.covered.contains(CountryField::Borders)
    );
}

#[rstest]
#[case::array(json!([]))]
#[case::null(Value::Null)]
#[case::map(json!({}))]
fn currencies_and_languages_may_be_absent_in_any_way(#[case] nothing: Value) {
    let (mut bare_first, mut bare_second) = (first(), second());
    bare_first.as_object_mut().unwrap().remove("currencies");
    bare_second.as_object_mut().unwrap().remove("languages");
    for (a, b) in [
        (with(first(), "currencies", nothing.clone()), with(second(), "languages", nothing)),
        (bare_first, bare_second),
    ] {
        let batch = join(&[a], &[b]);
        assert!(batch.records[0].currencies.is_empty() && batch.records[0].languages.is_empty());
    }
}

#[rstest]
#[case("area", json!("wide"), "area is not a number")]
#[case("population", json!(1.5), "population is not a whole number")]
#[case("population", Value::Null, "population is missing")]
#[case("latlng", json!([1]), "latlng is not a latitude and a longitude")]
#[case("flags", json!("flag.png"), "flags is not an object")]
#[case("timezones", json!([1]), "timezones is not a list of texts")]
#[case("independent", json!("yes"), "independent is not a boolean")]
fn a_bad_record_is_rejected_and_says_which_member(
    #[case] member: &str,
    #[case] value: Value,
    #[case] reason: &str,
) {
    let other = with(first(), "cca3", json!("BBB"));
    let seconds = [with(second(), member, value), with(second(), "cca3", json!("BBB"))];
    let batch = join(&[first(), other], &seconds);
    assert_eq!(batch.records.len(), 1);
    assert_eq!((batch.rejected[0].record.as_str(), batch.rejected[0].reason.as_str()), ("ATL", reason));
}

#[test]
fn a_record_of_one_answer_alone_is_rejected() {
    let batch = join(&[first()], &[with(second(), "cca3", json!("BBB"))]);
    let rejected: Vec<_> = batch.rejected.iter().map(|r| (r.record.as_str(), r.reason.as_str())).collect();
    assert_eq!(rejected, [("ATL", "is not in the second answer"), ("BBB", "is not in the first answer")]);
}

#[rstest]
#[case::object(json!({"success": false, "data": null, "errors": []}), "expected an array, found an object with success, data, errors")]
#[case::text(json!("sorry"), "found a text")]
#[case::too_many(json!(vec![0; 1001]), "1001 rows are too many")]
fn what_is_no_list_is_malformed(#[case] answer: Value, #[case] reason: &str) {
    let error = rows(answer).unwrap_err();
    let GatewayError::Malformed(cause) = error else { panic!("{error:?}") };
    assert!(cause.to_string().contains(reason), "{cause}");
}

#[tokio::test]
async fn v31_is_asked_twice_for_ten_fields() {
    let server = MockServer::start().await;
    for (field, answer) in [("name", first()), ("languages", second())] {
        let fields = move |request: &wiremock::Request| {
            let query = request.url.query().unwrap_or_default();
            query.split(',').count() == 10 && query.contains(field)
        };
        let mock = Mock::given(method("GET")).and(path("/v3.1/all")).and(fields);
        mock.respond_with(ResponseTemplate::new(200).set_body_json(json!([answer])))
            .expect(1)
            .mount(&server)
            .await;
    }
    let gateway = RestCountriesV31::new(client(), format!("{}/v3.1/", server.uri()).parse().unwrap());
    assert_eq!(gateway.fetch().await.unwrap().records.len(), 1);
    assert_eq!(gateway.source(), "restcountries-v3.1");
}

#[tokio::test]
async fn html_is_malformed_and_says_how_it_begins() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_string("<html>Sorry"))
        .mount(&server)
        .await;
    let gateway = RestCountriesV31::new(client(), server.uri().parse().unwrap());
    let GatewayError::Malformed(cause) = gateway.fetch().await.unwrap_err() else { panic!() };
    assert!(cause.to_string().contains("<html>"), "{cause}");
}

fn v5(code: &str) -> Value {
    json!({
        "names": {"common": format!("Land {code}"), "official": "Realm", "native": {"fra": {"official": "R", "common": "L"}}, "alternates": ["Alt"]},
        "codes": {"alpha_2": &code[..2], "alpha_3": code, "ccn3": "999", "cioc": code},
        "capitals": [{"name": "One"}, {"name": "Two"}], "coordinates": {"lat": 1.5, "lng": 2}, "area": {"kilometers": 12.5},
        "currencies": [{"code": "CAD", "name": "Dollar", "symbol": "$"}], "languages": [{"iso639_3": "fra", "name": "French"}],
        "flag": {"emoji": "🏳", "url_svg": "https://f.example/a.svg"}, "continents": ["Europe"], "timezones": ["UTC"],
        "borders": ["BBB"], "region": "Europe", "subregion": "Western Europe", "population": 5, "landlocked": true,
        "demonyms": {"eng": {"m": "M", "f": "F"}}, "classification": {"sovereign": true, "un_member": true},
        "tlds": [".x"], "calling_codes": ["1684", "1"], "cars": {"driving_side": "left", "signs": ["X"]}, "date": {"start_of_week": "sunday"},
    })
}

fn v5_page(objects: &[Value], more: bool) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_json(json!({"data": {"objects": objects, "meta": {"more": more, "total": 3}}}))
}

async fn v5_gateway(server: &MockServer) -> RestCountriesV5 {
    RestCountriesV5::new(
        client(),
        format!("{}/countries/v5", server.uri()).parse().unwrap(),
        "k3y".to_owned(),
    )
}

#[tokio::test]
async fn v5_is_read_page_by_page_with_the_key() {
    let server = MockServer::start().await;
    let unknown = json!({"names": {"common": "Nowhere"}, "region": "Asia"});
    for (offset, page) in [("0", v5_page(&[v5("AAA"), unknown], true)), ("2", v5_page(&[v5("BBB")], false))] {
        let mock = Mock::given(path("/countries/v5"))
            .and(query_param("offset", offset))
            .and(query_param("limit", "100"));
        mock.and(header("authorization", "Bearer k3y")).respond_with(page).expect(1).mount(&server).await;
    }
    let batch = v5_gateway(&server).await.fetch().await.unwrap();
    assert_eq!((batch.records.len(), batch.rejected.len()), (2, 1));
    assert_eq!(
        (batch.rejected[0].record.as_str(), batch.rejected[0].reason.as_str()),
        ("#1", "codes are missing")
    );
    let country: &CountryRecord = &Country::new(batch.records[0].clone()).unwrap();
    assert_eq!((country.capital.len(), country.area, country.latlng.unwrap().lng), (2, Some(12.5), 2.0));
    assert_eq!(
        (country.idd.root.as_deref(), &country.idd.suffixes[..]),
        (Some("+1"), &["684".to_owned(), String::new()][..])
    );
    assert_eq!((country.independent, country.un_member, country.landlocked), (Some(true), true, true));
    assert_eq!(
        (country.car.side.as_deref(), country.start_of_week.as_deref()),
        (Some("left"), Some("sunday"))
    );
    assert!(
        !batch.covered.contains(CountryField::CoatOfArms)
            && batch.covered.contains(CountryField::Translations)
    );
}

#[tokio::test]
async fn v5_pages_that_do_not_advance_are_malformed() {
    for objects in [vec![v5("AAA")], vec![]] {
        let server = MockServer::start().await;
        Mock::given(method("GET")).respond_with(v5_page(&objects, true)).mount(&server).await;
        let error = v5_gateway(&server).await.fetch().await.unwrap_err();
        assert!(matches!(error, GatewayError::Malformed(_)), "{error:?}");
    }
}

#[rstest]
#[case(401, "no key")]
#[case(403, "quota")]
#[tokio::test]
async fn v5_refusals_say_what_they_said(#[case] status: u16, #[case] words: &str) {
    let server = MockServer::start().await;
    let body = json!({"errors": [{"message": words, "code": "x"}]});
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(&server)
        .await;
    let GatewayError::Refused(cause) = v5_gateway(&server).await.fetch().await.unwrap_err() else { panic!() };
    assert!(cause.to_string().contains(words), "{cause}");
}
