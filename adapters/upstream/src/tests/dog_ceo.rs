//! dog.ceo, in good moods and bad ones.

use malecon_ports::{GatewayError, PictureGateway};
use rstest::rstest;
use wiremock::matchers::{method, path, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::stub::{Reply, Stub, answer, client, ok};
use crate::DogCeo;

const PICTURE: &str = "https://images.dog.example/breeds/pier/n1.jpg";

fn success(message: &str) -> String {
    serde_json::json!({"message": message, "status": "success"}).to_string()
}

/// Asks an upstream that gives one reply for ever.
async fn against(reply: Reply) -> (DogCeo, Stub) {
    let stub = Stub::new(vec![reply]).await;
    (DogCeo::new(client(), stub.url.clone()), stub)
}

#[rstest]
#[case("/api")]
#[case("/api/")]
#[case("")]
#[tokio::test]
async fn any_picture_is_asked_for(#[case] base: &str) {
    let server = MockServer::start().await;
    let wanted = format!("{}/breeds/image/random", base.trim_end_matches('/'));
    let wanted = Mock::given(method("GET")).and(path(wanted)).and(query_param_is_missing("page"));
    let reply = ResponseTemplate::new(200).set_body_raw(success(PICTURE), "application/json");
    wanted.respond_with(reply).expect(1).mount(&server).await;
    let dogs = DogCeo::new(client(), format!("{}{base}", server.uri()).parse().unwrap());
    assert_eq!(dogs.random().await.unwrap().as_str(), PICTURE);
}

#[tokio::test]
async fn a_url_is_brought_into_its_normal_form() {
    let (dogs, _stub) = against(ok(&success("HTTPS://Images.Dog.example/perro ñ.jpg"))).await;
    assert_eq!(dogs.random().await.unwrap().as_str(), "https://images.dog.example/perro%20%C3%B1.jpg");
}

#[rstest]
#[case::not_encrypted(&success("http://images.dog.example/n1.jpg"), "https URL")]
#[case::script(&success("javascript:alert(1)"), "https URL")]
#[case::relative(&success("/breeds/n1.jpg"), "https URL")]
#[case::no_url(&success("Lazy"), "https URL")]
#[case::endless(&success(&format!("https://images.dog.example/{}", "a".repeat(2_000))), "https URL")]
#[case::password(&success("https://ana:s3cret@images.dog.example/n1.jpg"), "https URL")]
#[case::no_message(r#"{"status": "success"}"#, "message is missing")]
#[case::no_status(&format!("{{\"message\": \"{PICTURE}\"}}"), "status is missing")]
#[case::a_list(r#"{"message": ["a"], "status": "success"}"#, "message is not a text")]
#[case::error(&format!("{{\"message\": \"{PICTURE}\", \"status\": \"error\", \"code\": 404}}"), "\"error\"")]
#[case::html("<html>Sorry</html>", "no JSON")]
#[case::no_object("[]", "not an object")]
#[tokio::test]
async fn what_is_no_picture_is_malformed(#[case] body: &str, #[case] words: &str) {
    let (dogs, stub) = against(ok(body)).await;
    let error = dogs.random().await.unwrap_err();
    let GatewayError::Malformed(cause) = error else { panic!("{error:?}") };
    assert!(cause.to_string().contains(words), "{cause}");
    assert!(cause.to_string().len() < 200, "{cause}");
    assert_eq!(stub.asked(), 1);
}

#[rstest]
#[case::outage(answer("503 Busy", "content-type: text/html\r\n", "<html>Busy"), 3)]
#[case::silence(Reply::Nothing, 3)]
#[case::error(answer("404 Not Found", "content-type: application/json\r\n", r#"{"status": "error"}"#), 1)]
#[tokio::test]
async fn what_may_pass_is_tried_again(#[case] reply: Reply, #[case] attempts: usize) {
    let (dogs, stub) = against(reply).await;
    let error = dogs.random().await.unwrap_err();
    assert!(matches!(error, GatewayError::Unavailable(_)) == (attempts > 1), "{error:?}");
    assert_eq!(stub.asked(), attempts);
    let stub = Stub::new(vec![answer("500 Oh", "", ""), ok(&success(PICTURE))]).await;
    assert_eq!(DogCeo::new(client(), stub.url.clone()).random().await.unwrap().as_str(), PICTURE);
}
