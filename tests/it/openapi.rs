//! The document agrees with the code.

use serde_json::Value;

#[test]
fn openapi_yaml_is_what_the_code_says() {
    let made = malecon_http::openapi_yaml(&malecon_server::wiring::in_memory().unwrap());
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.yaml")).unwrap();
    let line = kept.lines().zip(made.lines()).position(|(kept, made)| kept != made);
    assert!(kept == made, "line {line:?}: run `malecon openapi > openapi.yaml`");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_and_the_page_need_nothing_from_elsewhere() {
    let client = crate::support::shared();
    let schema = client.json("/api/schema").await;
    assert!(schema["openapi"].as_str().unwrap().starts_with("3.0"));
    let yaml = client.get("/api/schema?format=yaml").await.text().await.unwrap();
    let yaml: Value = serde_yaml_ng::from_str(&yaml).unwrap();
    assert_eq!(yaml, schema);
    let page = client.get("/api/docs").await.text().await.unwrap();
    assert!(page.contains("SwaggerUIBundle(") && page.contains("listCountries"));
    for tag in ["<script src", "<link ", "<img src=\"http", "@import"] {
        assert!(!page.contains(tag), "{tag}");
    }
}

fn document() -> Value {
    serde_yaml_ng::from_str(&malecon_http::openapi_yaml(&malecon_server::wiring::in_memory().unwrap()))
        .unwrap()
}

#[test]
fn it_says_what_no_type_says() {
    let document = document();
    let popular = document["paths"]["/api/movies/popular"]["get"]["parameters"].as_array().unwrap();
    let page = popular.iter().find(|param| param["name"] == "page").unwrap();
    assert_eq!(page["schema"]["maximum"], 500);
    let made = &document["paths"]["/api/tokens"]["post"]["responses"];
    assert!(made["409"]["description"].as_str().unwrap().contains("expires_in_the_past"));
    assert!(made["201"]["headers"]["Location"].is_object());
}

#[test]
fn every_operation_is_described() {
    let document = document();
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            for member in ["summary", "operationId"] {
                assert!(operation[member].is_string(), "{method} {path} has no {member}");
            }
            for param in operation["parameters"].as_array().into_iter().flatten() {
                assert!(
                    param["description"].as_str().is_some_and(|text| !text.is_empty()),
                    "{method} {path} {param}"
                );
            }
            assert!(
                operation["responses"]["default"].is_object(),
                "{method} {path} says nothing of failures"
            );
        }
    }
    assert!(operations >= 21, "{operations}");
}
