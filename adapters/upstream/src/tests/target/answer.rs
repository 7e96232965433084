//! What is made of a target's answer, and of none.

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};
use rstest::rstest;
use tokio_rustls::TlsAcceptor;

use super::*;

const SHORT: Duration = Duration::from_millis(300);

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// Zeros, 1 GiB of them, in 1 MB: the same whole part of 16 MiB again and again.
fn bomb() -> Vec<u8> {
    let mut part = Vec::with_capacity(1 << 20);
    Compress::new(Compression::fast(), false)
        .compress_vec(&vec![0; 16 << 20], &mut part, FlushCompress::Full)
        .unwrap();
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    [&head[..], &part.repeat(64), &[3, 0]].concat()
}

#[tokio::test]
async fn what_came_is_told_whole() {
    let body = b"\xff\x00 not text";
    let head = b"HTTP/1.1 418 I'm a teapot\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-Latin: ma\xf1ana\r\n\
                 Content-Length: 11\r\n\r\n";
    let bytes = [&head[..], body].concat();
    let target = Peer::new(vec![Say::Bytes(bytes)]).await;
    let received = only(&target).call(&call(target.url("/"))).await.unwrap();
    let headers = [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-latin", "ma\u{fffd}ana"),
        ("content-length", "11"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let expected =
        Received { status: 418, headers, body: body.to_vec(), truncated: false, redirected_to: None };
    assert_eq!(received, expected);
}

#[rstest]
#[case::less(Received::MOST_BYTES - 1, false)]
#[case::all(Received::MOST_BYTES, false)]
#[case::more(Received::MOST_BYTES + 1, true)]
#[tokio::test]
async fn so_much_of_a_body_is_kept(#[case] length: usize, #[case] truncated: bool) {
    let body = vec![b'x'; length];
    let plain = answer("200 OK", "", &body);
    let zipped = answer("200 OK", "content-encoding: gzip\r\n", gzip(&body));
    for say in [plain, zipped] {
        let target = Peer::new(vec![say]).await;
        let received = only(&target).call(&call(target.url("/"))).await.unwrap();
        assert_eq!(received.body.len(), length.min(Received::MOST_BYTES));
        assert_eq!(received.truncated, truncated);
    }
}

#[tokio::test]
async fn a_zipped_body_is_told_unzipped() {
    let target =
        Peer::new(vec![answer("200 OK", "content-encoding: gzip\r\n", gzip("¡hola!".as_bytes()))]).await;
    assert_eq!(body_of(&only(&target), target.url("/")).await.unwrap(), "¡hola!");
}

#[rstest]
#[case::head(HttpMethod::Head, "200 OK")]
#[case::nothing(HttpMethod::Get, "204 No Content")]
#[case::unchanged(HttpMethod::Get, "304 Not Modified")]
#[tokio::test]
async fn what_has_no_body_is_not_unzipped(#[case] method: HttpMethod, #[case] status: &str) {
    let head = format!("HTTP/1.1 {status}\r\ncontent-encoding: gzip\r\n\r\n");
    let target = Peer::new(vec![Say::Bytes(head.into_bytes())]).await;
    let received = only(&target).call(&Call { method, ..call(target.url("/")) }).await.unwrap();
    assert_eq!((received.body, received.truncated), (vec![], false));
}

#[rstest]
#[case::endless(Say::Endless([&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'0'; 65_536]].concat()))]
#[case::bomb(answer("200 OK", "content-encoding: gzip\r\n", bomb()))]
#[tokio::test]
async fn no_body_is_too_large(#[case] say: Say) {
    let target = Peer::new(vec![say]).await;
    let received = only(&target).call(&call(target.url("/"))).await.unwrap();
    assert_eq!((received.body.len(), received.truncated), (Received::MOST_BYTES, true));
    target.is_left().await;
}

#[tokio::test]
async fn endless_redirects_and_heads_end() {
    let endless = Peer::new(vec![Say::Endless(
        b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 9999999\r\n\r\n".to_vec(),
    )])
    .await;
    let asked = Call { redirects: 3, ..call(endless.url("/")) };
    assert_eq!(fault_of(only(&endless).call(&asked).await), CallFault::Redirect);
    endless.is_left().await;

    let head = Peer::new(vec![
        Say::Endless(b"HTTP/1.1 200 OK\r\nx: y\r\n".to_vec()),
        Say::Endless([&b"HTTP/1.1 200 OK\r\nx: "[..], &[b'y'; 65_536]].concat()),
    ])
    .await;
    for _ in 0..2 {
        assert_eq!(fault_of(only(&head).call(&call(head.url("/"))).await), CallFault::Broken);
    }
    head.is_left().await;
}

#[rstest]
#[case::drops(Say::Drops)]
#[case::nothing(Say::Nothing)]
#[case::early_hints(Say::Endless(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()))]
#[case::half(Say::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1".to_vec()))]
#[tokio::test]
async fn all_of_it_has_one_deadline(#[case] say: Say) {
    let target = Peer::new(vec![say]).await;
    let error = only(&target).call(&Call { timeout: SHORT, ..call(target.url("/")) }).await.unwrap_err();
    assert_eq!((error.fault, &*error.reason), (CallFault::Timeout, "no whole answer within 300ms"));
    target.is_left().await;
}

#[tokio::test]
async fn redirects_share_the_deadline() {
    let late = Peer::new(vec![Say::Nothing]).await;
    let target = Peer::new(vec![redirect("302 Found", &late.url("/"))]).await;
    let targets = Targets::new(allowing(&format!("{},{}", target.address, late.address))).unwrap();
    let asked = Call { redirects: 1, timeout: SHORT, ..call(target.url("/")) };
    assert_eq!(fault_of(targets.call(&asked).await), CallFault::Timeout);
}

#[rstest]
#[case::unknown(&["-"], CallFault::Dns)]
#[case::empty(&[], CallFault::Dns)]
#[case::silent(&["..."], CallFault::Dns)]
#[tokio::test]
async fn names_without_addresses(#[case] answer: &'static [&'static str], #[case] fault: CallFault) {
    let options = TargetOptions { connect_timeout: SHORT, ..TargetOptions::default() };
    let targets = Targets::with_lookup(options, Names::new(&[answer])).unwrap();
    let error = targets.call(&call("http://example.com/")).await.unwrap_err();
    assert_eq!(error.fault, fault);
    assert!(!error.reason.contains("10.9.8.7"));
    assert_eq!(targets.judge("http://example.com/").await, Err(error));
}

#[tokio::test]
async fn a_silent_resolver_is_within_the_deadline() {
    let targets = Targets::with_lookup(TargetOptions::default(), Names::new(&[&["..."]])).unwrap();
    let asked = Call { timeout: SHORT, ..call("http://example.com/") };
    assert_eq!(fault_of(targets.call(&asked).await), CallFault::Timeout);
}

#[rstest]
#[case::no_http(Say::Last(b"SSH-2.0-OpenSSH_9.7\r\n".to_vec()))]
#[case::at_once(Say::Last(vec![]))]
#[case::in_the_head(Say::Last(b"HTTP/1.1 200 OK\r\nx: ".to_vec()))]
#[case::in_the_body(Say::Last(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1".to_vec()))]
#[case::in_a_chunk(Say::Last(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n1".to_vec()))]
#[case::no_gzip(answer("200 OK", "content-encoding: gzip\r\n", "not zipped"))]
#[tokio::test]
async fn what_breaks_is_broken(#[case] say: Say) {
    let target = Peer::new(vec![say]).await;
    assert_eq!(fault_of(only(&target).call(&call(target.url("/"))).await), CallFault::Broken);
    assert_eq!(target.requests().len(), 1);
}

#[tokio::test]
async fn nobody_there_is_no_connection() {
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = target.local_addr().unwrap();
    drop(target);
    let targets = Targets::with_lookup(allowing("127.0.0.0/8"), Names::new(&[&["127.0.0.1"]])).unwrap();
    let error = targets.call(&call(format!("http://example.com:{}/", address.port()))).await.unwrap_err();
    assert_eq!((error.fault, &*error.reason), (CallFault::Connect, "the target refuses connections"));
}

#[rstest]
#[case::no_tls(false, "the two sides found no encryption")]
#[case::unknown_issuer(true, "nobody we trust issued the certificate")]
#[tokio::test]
async fn encryption_that_nobody_trusts_is_none(#[case] speaks_tls: bool, #[case] reason: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let targets = Targets::new(allowing(&address.to_string())).unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        if speaks_tls {
            return TlsAcceptor::from(Arc::new(config)).accept(stream).await.map(drop);
        }
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await?;
        stream.read_to_end(&mut vec![]).await.map(drop)
    });
    let error = targets.call(&call(format!("https://{address}/"))).await.unwrap_err();
    assert_eq!((error.fault, &*error.reason), (CallFault::Tls, reason));
}
