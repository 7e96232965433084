//! `/v3.1`: what thousands of programs still speak.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::shared;

fn codes(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|country| country["cca3"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_has_250_countries_by_name() {
    let all = shared().json("/v3.1/all?fields=name,capital").await;
    let list = all.as_array().unwrap();
    assert_eq!(list.len(), 250);
    assert_eq!(list[0]["name"]["common"], "Afghanistan");
    let position = |name: &str| list.iter().position(|c| c["name"]["common"] == name).unwrap();
    assert!(position("Åland Islands") < position("Albania"), "accents are folded");
    assert!(list.iter().all(|country| country.as_object().unwrap().len() == 2));
}

/// As in its good years: most programs that still speak v3.1 ask for nothing more.
#[rstest]
#[case("", 20)]
#[case("?fields=", 20)]
#[case("?fields=%20,,", 20)]
#[tokio::test(flavor = "multi_thread")]
async fn a_bare_all_has_all_members(#[case] query: &str, #[case] least: usize) {
    let all = shared().json(&format!("/v3.1/all{query}")).await;
    let list = all.as_array().unwrap();
    assert_eq!(list.len(), 250);
    assert!(list.iter().all(|country| country.as_object().unwrap().len() > least));
    let peru = list.iter().find(|country| country["cca3"] == "PER").unwrap();
    assert_eq!(*peru, shared().json("/v3.1/alpha/per").await[0]);
}

#[rstest]
#[case("fields=cca2,cca3,ccn3,cioc,name,region,area,flag,flags,latlng,tld,idd", 12)]
#[case("fields=name,,%20capital%20,nonsense", 2)]
#[case("fields=name&fields=capital", 2)]
#[case("fields=name&fields=capital,cca3&fields=", 3)]
#[tokio::test(flavor = "multi_thread")]
async fn fields_are_read_kindly(#[case] query: &str, #[case] count: usize) {
    for path in
        ["/v3.1/all", "/v3.1//all//", "//v3.1/region/europe", "/v3.1/alpha?codes=pe,%20no,&codes=est&"]
    {
        let separator = if path.contains('?') { "" } else { "?" };
        let found = shared().json(&format!("{path}{separator}{query}")).await;
        let list = found.as_array().unwrap();
        assert!(list.len() >= 3, "{path}: {}", list.len());
        assert!(list.iter().all(|country| country.as_object().unwrap().len() == count), "{path}?{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_a_currency_is_no_part_of_a_name() {
    let found = shared().json("/v3.1/currency/aud?fields=cca3").await;
    assert!(codes(&found).contains(&"AUS") && !codes(&found).contains(&"SAU"), "{found}");
    let found = shared().json("/v3.1/currency/RON?fields=cca3").await;
    assert_eq!(codes(&found), ["ROU"]);
    let found = shared().json("/v3.1/currency/riyal?fields=cca3").await;
    assert!(codes(&found).contains(&"SAU"), "{found}");
}

#[rstest]
#[case("name/eesti", &["EST"])]
#[case("name/GERMANY", &["DEU"])]
#[case("name/peru?fullText=true", &["PER"])]
#[case("name/peru?fullText=TRUE", &["PER"])]
#[case("name/republic%20of%20peru?fullText=true", &["PER"])]
#[case("alpha/ch", &["CHE"])]
#[case("alpha/756", &["CHE"])]
#[case("alpha/SUI", &["CHE"])]
#[case("alpha?codes=170,no,est,pe", &["COL", "EST", "NOR", "PER"])]
#[case("currency/cop", &["COL"])]
#[case("currency/peruvian", &["PER"])]
#[case("lang/cat", &["AND", "ESP", "ITA"])]
#[case("lang/finnish", &["FIN"])]
#[case("capital/tallinn", &["EST"])]
#[case("capital/bogota", &["COL"])]
#[case("region/antarctic", &["ATA", "BVT", "ATF", "HMD", "SGS"])]
#[case("region/north%20america", &["MEX", "UMI", "BMU", "CAN", "GRL", "SPM", "USA"])]
#[case("subregion/north%20am", &["MEX", "UMI", "BMU", "CAN", "GRL", "SPM", "USA"])]
#[case("translation/saksamaa", &["DEU"])]
#[case("demonym/peruvian", &["PER"])]
#[tokio::test(flavor = "multi_thread")]
async fn routes_match(#[case] path: &str, #[case] expected: &[&str]) {
    let separator = if path.contains('?') { '&' } else { '?' };
    let found = shared().json(&format!("/v3.1/{path}{separator}fields=cca3,name")).await;
    let found = if found.is_object() { json!([found]) } else { found };
    let mut found = codes(&found);
    let mut expected = expected.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn independent_counts_unknown_as_not() {
    let yes = shared().json("/v3.1/independent?fields=cca3").await;
    let no = shared().json("/v3.1/independent?status=false&fields=cca3").await;
    assert_eq!(yes.as_array().unwrap().len() + no.as_array().unwrap().len(), 250);
    assert!(codes(&no).contains(&"ATA") && codes(&yes).contains(&"PER"));
    assert_eq!(shared().json("/v3.1/independent?status=true&fields=cca3").await, yes);
}

#[rstest]
#[case("name/nowhere")]
#[case("alpha/zz")]
#[case("alpha?codes=zz,qq")]
#[case("currency/xyzzy")]
#[case("lang/xyzzy")]
#[case("capital/xyzzy")]
#[case("region/xyzzy")]
#[case("subregion/xyzzy")]
#[case("translation/xyzzy")]
#[case("demonym/xyzzy")]
#[case("nothing/at/all")]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_found_is_the_old_404(#[case] path: &str) {
    let (status, body) = shared().status_and_json(&format!("/v3.1/{path}")).await;
    assert_eq!((status, body), (404, json!({"message": "Not Found", "status": 404})));
}

#[rstest]
#[case("alpha/peru")]
#[case("alpha/p")]
#[case("alpha")]
#[case("alpha?codes=")]
#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_the_old_400(#[case] path: &str) {
    let (status, body) = shared().status_and_json(&format!("/v3.1/{path}")).await;
    assert_eq!((status, body), (400, json!({"message": "Bad Request", "status": 400})));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_is_a_list_of_one_and_with_fields_an_object() {
    let list = shared().json("/v3.1/alpha/pe").await;
    assert_eq!(codes(&list), ["PER"]);
    assert_eq!(shared().json("/v3.1/alpha/pe?fields=cca3").await, json!({"cca3": "PER"}));
    assert_eq!(shared().json("/v3.1/alpha?codes=pe&fields=cca3").await, json!([{"cca3": "PER"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn empties_are_left_out_without_fields_and_present_with_them() {
    let whole = shared().json("/v3.1/alpha/aq").await;
    let whole = whole[0].as_object().unwrap();
    for absent in ["capital", "currencies", "languages", "borders", "gini", "subregion", "fifa"] {
        assert!(!whole.contains_key(absent), "{absent}");
    }
    assert!(!whole["name"].as_object().unwrap().contains_key("nativeName"));
    for present in ["idd", "capitalInfo", "coatOfArms", "maps", "car", "flags", "flag", "population"] {
        assert!(whole.contains_key(present), "{present}");
    }
    let named = shared()
        .json("/v3.1/alpha/aq?fields=capital,currencies,languages,borders,gini,subregion,name,nonsense")
        .await;
    let expected = json!({
        "name": {"common": "Antarctica", "official": "Antarctica", "nativeName": {}},
        "capital": [], "currencies": {}, "languages": {}, "borders": [], "gini": {}, "subregion": "",
    });
    assert_eq!(named, expected);
    let kosovo = shared().json("/v3.1/alpha/xk").await;
    assert!(!kosovo[0].as_object().unwrap().contains_key("ccn3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_record_has_the_members_of_v31() {
    let list = shared().json("/v3.1/alpha/pe").await;
    let peru = list[0].as_object().unwrap();
    assert_eq!(peru.len(), 35, "{:?}", peru.keys().collect::<Vec<_>>());
    assert_eq!(peru["name"]["nativeName"]["spa"]["common"], "Perú");
    assert_eq!(peru["currencies"], json!({"PEN": {"name": "Peruvian sol", "symbol": "S/ "}}));
    assert_eq!(peru["idd"], json!({"root": "+5", "suffixes": ["1"]}));
    assert_eq!(peru["translations"]["deu"]["common"], "Peru");
    assert_eq!(peru["demonyms"]["fra"], json!({"f": "Péruvienne", "m": "Péruvien"}));
    assert!(
        !peru["flags"].as_object().unwrap().contains_key("alt"),
        "descriptions of flags are not ours to give"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_v31_did_not_know_are_ignored() {
    assert_eq!(shared().get("/v3.1/name/peru?_=1718000000").await.status(), 200);
}
