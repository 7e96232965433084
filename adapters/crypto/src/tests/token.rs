//! Tokens that nobody should believe.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use malecon_domain::Instant;
use malecon_ports::{Claims, SigningKey, TokenSigner};
use serde_json::{Value, json};

use crate::Hs256;

mod contract {
    malecon_ports::signer_contract!(crate::Hs256::new());
}

fn key() -> SigningKey {
    SigningKey(vec![7; 32])
}

fn body() -> Value {
    json!({
        "iss": "malecon", "aud": "api", "sub": "42", "exp": 1_700_000_900, "nbf": 1_700_000_000,
        "iat": 1_700_000_000, "jti": "one", "ver": 3, "sid": 5,
    })
}

fn at(seconds: i64) -> Instant {
    Instant::from_timestamp(seconds, 0).unwrap()
}

fn claims() -> Claims {
    Claims {
        issuer: "malecon".to_owned(),
        audience: "api".to_owned(),
        subject: 42,
        version: 3,
        session: 5,
        id: "one".to_owned(),
        issued_at: at(1_700_000_000),
        not_before: at(1_700_000_000),
        expires_at: at(1_700_000_900),
    }
}

fn read(token: &str) -> Option<Claims> {
    Hs256::new().read(token, &key())
}

/// Signed with HS256 and our key, whatever is in it.
fn signed(header: &[u8], body: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(body));
    let key = EncodingKey::from_secret(&key().0);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn signed_body(body: &Value) -> String {
    signed(br#"{"typ":"JWT","alg":"HS256"}"#, body.to_string().as_bytes())
}

#[test]
fn claims_have_the_names_that_others_know() {
    let token = Hs256::new().sign(&claims(), &key()).unwrap();
    let parts: Vec<Value> = token
        .split('.')
        .take(2)
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts, [json!({"typ": "JWT", "alg": "HS256"}), body()]);
    assert_eq!(read(&signed_body(&body())), Some(claims()), "and the tests' own tokens are read");
}

#[test]
fn parts_of_a_second_are_cut_off() {
    let late = claims().issued_at + chrono::TimeDelta::milliseconds(999);
    let precise = Claims { issued_at: late, not_before: late, ..claims() };
    assert_eq!(read(&Hs256::new().sign(&precise, &key()).unwrap()), Some(claims()));
}

#[test]
fn a_good_signature_of_another_algorithm_is_nothing() {
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = encode(&Header::new(algorithm), &body(), &EncodingKey::from_secret(&key().0)).unwrap();
        assert_eq!(read(&token), None, "{algorithm:?}");
    }
}

#[test]
fn a_header_that_lies_about_its_signature_is_nothing() {
    let others = [
        "none", "NONE", "HS384", "HS512", "RS256", "RS512", "PS256", "ES256", "EdDSA", "hs256", "HS256 ", "",
    ];
    for algorithm in others {
        let header = json!({"typ": "JWT", "alg": algorithm}).to_string();
        let token = signed(header.as_bytes(), body().to_string().as_bytes());
        assert_eq!(read(&token), None, "{algorithm:?}");
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        assert_eq!(read(&format!("{unsigned}.")), None, "{algorithm:?} without a signature");
        assert_eq!(read(unsigned), None, "{algorithm:?} in two parts");
    }
}

#[test]
fn strange_headers_are_nothing() {
    let headers = [
        r#"{"typ":"JWT"}"#,
        r#"{"typ":"JWT","alg":null}"#,
        r#"{"typ":"JWT","alg":["HS256"]}"#,
        r#"{"typ":"JWT","alg":"HS256","alg":"none"}"#,
        r#"{"typ":"JWT","alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"typ":7,"alg":"HS256"}"#,
        r#"["HS256"]"#,
        "null",
        "",
        "\u{0}",
        "{",
    ];
    for header in headers {
        assert_eq!(read(&signed(header.as_bytes(), body().to_string().as_bytes())), None, "{header}");
    }
    // The key that a header brings along is not asked for.
    let own = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"kid":"../../dev/null","jku":"http://x"}"#;
    let message = signed(own.as_bytes(), body().to_string().as_bytes());
    let (unsigned, _) = message.rsplit_once('.').unwrap();
    let theirs = EncodingKey::from_secret(&[0; 3]);
    let signature = jsonwebtoken::crypto::sign(unsigned.as_bytes(), &theirs, Algorithm::HS256).unwrap();
    assert_eq!(read(&format!("{unsigned}.{signature}")), None);
}

#[test]
fn every_claim_is_needed_and_has_one_type() {
    let names: Vec<String> = body().as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 9);
    for name in names {
        let mut body = body();
        let right = body[&name].clone();
        let wrong = [
            Value::Null,
            json!(true),
            json!([]),
            json!({}),
            json!([right]),
            json!(1.5),
            json!(1e300),
            json!(u64::MAX),
            if right.is_string() { json!(42) } else { json!("42") },
        ];
        for wrong in wrong {
            body[&name] = wrong;
            assert_eq!(read(&signed_body(&body)), None, "{body}");
        }
        body.as_object_mut().unwrap().remove(&name);
        assert_eq!(read(&signed_body(&body)), None, "{body}");
    }
}

#[test]
fn values_without_a_meaning_are_nothing() {
    for subject in ["", "ana", "4 2", "0x1", "99999999999999999999", "1.0"] {
        let mut body = body();
        body["sub"] = json!(subject);
        assert_eq!(read(&signed_body(&body)), None, "{subject:?}");
    }
    for name in ["exp", "nbf", "iat"] {
        for time in [i64::MAX, i64::MIN] {
            let mut body = body();
            body[name] = json!(time);
            assert_eq!(read(&signed_body(&body)), None, "{name} {time}");
        }
    }
    let bodies: [&[u8]; 7] = [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"{\"iss\":", b"\"malecon\""];
    for body in bodies {
        assert_eq!(read(&signed(br#"{"alg":"HS256"}"#, body)), None, "{body:?}");
    }
    let twice = body().to_string().replacen('{', r#"{"sub":"1","#, 1);
    assert_eq!(read(&signed(br#"{"alg":"HS256"}"#, twice.as_bytes())), None, "which one is meant?");
}

#[test]
fn the_key_of_nobody_signs_nothing_for_us() {
    for secret in [&b""[..], &[0; 32], b"secret"] {
        let token =
            encode(&Header::new(Algorithm::HS256), &body(), &EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(read(&token), None);
    }
}

#[test]
fn what_is_no_token_is_nothing() {
    for text in ["", ".", "..", "...", "a.b.c", "ä.ö.ü", "\0.\0.\0", "Bearer x.y.z", "🔑"] {
        assert_eq!(read(text), None, "{text:?}");
    }
}

#[test]
fn a_huge_token_is_not_looked_at() {
    let mut body = body();
    body["jti"] = json!("x".repeat(10_000));
    assert_eq!(read(&signed_body(&body)), None, "though it is signed");
    assert_eq!(read(&"a".repeat(10_000_000)), None);
    assert_eq!(read(&".".repeat(10_000_000)), None);
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(read(&signed(br#"{"alg":"HS256"}"#, deep.as_bytes())), None);
}
