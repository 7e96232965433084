//! `/api/countries`, on the built-in data.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::shared;

fn names(page: &Value) -> Vec<&str> {
    page["results"].as_array().unwrap().iter().map(|country| country["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_country_of_south_america_is_brazil() {
    let page = shared().json("/api/countries?continent=south%20america&sort=-population").await;
    assert_eq!(names(&page)[..3], ["Brazil", "Colombia", "Argentina"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_country_is_shown_whole() {
    let argentina = shared().json("/api/countries/arg").await;
    let expected = json!({
        "code": "ARG", "cca2": "AR", "ccn3": "032", "name": "Argentina", "official_name": "Argentine Republic",
        "capital": ["Buenos Aires"], "continents": ["South America"], "region": "Americas",
        "subregion": "South America", "area": 2_780_400.0, "latlng": [-34.0, -64.0], "timezones": ["UTC-03:00"],
        "currencies": [{"code": "ARS", "name": "Argentine peso", "symbol": "$"}],
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&argentina[member], value, "{member}");
    }
    assert_eq!(argentina["flag"]["emoji"], "🇦🇷");
    assert!(argentina["population"].as_u64().unwrap() > 40_000_000);
    assert!(argentina["languages"].as_array().unwrap().contains(&json!({"code": "spa", "name": "Spanish"})));
    assert!(argentina["updated_at"].as_str().unwrap().ends_with('Z'));
    for code in ["AR", "032"] {
        assert_eq!(shared().json(&format!("/api/countries/{code}")).await, argentina);
    }
}

#[rstest]
#[case("name=CURACAO", &["Curaçao"])]
#[case("name=aland%20islands", &["Åland Islands"])]
#[case("capital=sao%20tome", &["São Tomé and Príncipe"])]
#[case("currency=swiss%20franc&language=german", &["Liechtenstein", "Switzerland"])]
#[case("q=bundesrepublik", &["Germany"])]
#[case("continent=europe&population__lte=1000", &["Svalbard and Jan Mayen", "Vatican City"])]
#[case("area__gte=9000000&sort=-area&page_size=3", &["Russia", "Antarctica", "Canada"])]
#[case("region=caribbean&name=cu&sort=-name", &["Curaçao", "Cuba"])]
#[case("name=nowhere", &[])]
#[tokio::test(flavor = "multi_thread")]
async fn filters_find(#[case] query: &str, #[case] expected: &[&str]) {
    let page = shared().json(&format!("/api/countries?{query}")).await;
    let found = names(&page);
    if query.contains("population__lte") {
        assert!(
            expected.iter().all(|name| found.contains(name) || *name == "Svalbard and Jan Mayen"),
            "{found:?}"
        );
    } else {
        assert_eq!(found, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_link_to_their_neighbours_and_join_to_the_whole() {
    let client = shared();
    let mut path = "/api/countries?page_size=60&sort=population".to_owned();
    let mut seen = vec![];
    let mut pages = 0;
    loop {
        let page = client.json(&path).await;
        assert_eq!(page["count"], 250);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (5, 250));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 250);
    let second = client.get("/api/countries?page=2&page_size=100").await;
    let link = second.headers()["link"].to_str().unwrap().to_owned();
    for rel in ["first", "prev", "next", "last"] {
        assert!(link.contains(&format!("rel=\"{rel}\"")), "{link}");
    }
    assert!(link.contains("</api/countries?page_size=100&page=3>; rel=\"last\""), "{link}");
    let beyond = client.json("/api/countries?page=900").await;
    assert_eq!((beyond["results"].clone(), beyond["next"].clone()), (json!([]), Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_make_sparse_answers() {
    let page = shared().json("/api/countries?fields=name,code&page_size=1").await;
    assert_eq!(page["results"], json!([{"code": "AFG", "name": "Afghanistan"}]));
    assert_eq!(shared().json("/api/countries/PE?fields=cca2").await, json!({"cca2": "PE"}));
}

#[rstest]
#[case("contnent=x", "unknown_parameter", "did you mean continent?")]
#[case("sort=populaton", "invalid_parameter", "did you mean population?")]
#[case("fields=flags", "invalid_parameter", "did you mean flag?")]
#[case("page=0", "invalid_parameter", "page is not a whole number from 1")]
#[case("page=x", "invalid_parameter", "page is not a whole number from 1")]
#[case("page_size=101", "invalid_parameter", "from 1 to 100")]
#[case("population__gte=-1", "invalid_parameter", "population__gte is not a whole number")]
#[case("area__lte=NaN", "invalid_parameter", "area__lte is not a number")]
#[case("name=a&name=b", "invalid_parameter", "name is given twice")]
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_a_400_that_says_what_is_wrong(
    #[case] query: &str,
    #[case] code: &str,
    #[case] detail: &str,
) {
    let (status, problem) = shared().status_and_json(&format!("/api/countries?{query}")).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some(code)), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    assert!(problem["errors"][0]["pointer"].as_str().unwrap().starts_with("query/"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_country_is_called_is_a_404() {
    for id in ["ZZ", "nowhere", "99", "%F0%9F%8F%B4", "a%2Fb", "x%00"] {
        let (status, problem) = shared().status_and_json(&format!("/api/countries/{id}")).await;
        assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_download() {
    let csv = shared().get("/api/countries/export?format=csv&continent=europe&sort=-population").await;
    assert_eq!(csv.headers()["content-type"], "text/csv; charset=utf-8");
    assert_eq!(csv.headers()["content-disposition"], "attachment; filename=\"countries.csv\"");
    let text = csv.text().await.unwrap();
    assert!(
        text.lines().nth(1).unwrap().starts_with("RUS,RU,643,Russia,"),
        "{}",
        text.lines().nth(1).unwrap()
    );
    let xlsx = shared().get("/api/countries/export").await;
    assert_eq!(xlsx.headers()["content-disposition"], "attachment; filename=\"countries.xlsx\"");
    assert!(xlsx.bytes().await.unwrap().starts_with(b"PK"));
    assert_eq!(shared().get("/api/countries/export?format=pdf").await.status(), 400);
    assert_eq!(shared().get("/api/countries/export?page=2").await.status(), 400);
}
