//! When a file is sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use malecon_domain::FileName;
use malecon_ports::{File, FileGateway, GatewayError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use url::Url;

use super::stub::{Reply, Stub, answer, options};
use crate::{ClientOptions, Files};

fn file(chunks: &[&'static str]) -> (File, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from(*chunk))).collect();
    let content = stream::iter(chunks).inspect(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    (File { name: FileName::clean("a.txt"), media_type: None, content: content.boxed() }, asked)
}

#[tokio::test]
async fn a_service_that_is_not_there_yet_is_tried_again_with_the_whole_file() {
    // A port that is ours and refuses connections.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = Url::parse(&format!("http://{}/", socket.local_addr().unwrap())).unwrap();
    let options = ClientOptions { retries: 12, retry_base: Duration::from_millis(10), ..options() };
    let files = Files::new(url, &options).unwrap();
    let sending = tokio::spawn(async move { files.send(file(&["one ", "and two"]).0).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (mut stream, _) = socket.listen(1).unwrap().accept().await.unwrap();
    let mut seen = vec![];
    while !seen.ends_with(b"\r\n0\r\n\r\n") {
        stream.read_buf(&mut seen).await.unwrap();
    }
    let seen = String::from_utf8(seen).unwrap();
    assert!(seen.contains("one ") && seen.contains("and two"), "{seen}");
    let Reply::Bytes(thanks) = answer("201 Created", "", "thanks") else { unreachable!() };
    stream.write_all(&thanks).await.unwrap();
    assert_eq!(sending.await.unwrap().unwrap().body, "thanks");
}

#[tokio::test]
async fn nothing_is_asked_of_a_file_that_nobody_takes() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = Url::parse(&format!("http://{}/?key=s3cret", socket.local_addr().unwrap())).unwrap();
    let (file, asked) = file(&["one"]);
    let error = Files::new(url, &options()).unwrap().send(file).await.unwrap_err();
    let GatewayError::Unavailable(cause) = error else { panic!("{error:?}") };
    assert!(!cause.to_string().contains("s3cret"), "{cause}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_file_that_has_been_begun_is_not_sent_again() {
    let stub = Stub::new(vec![Reply::Bytes(vec![])]).await;
    let error = Files::new(stub.url.clone(), &options()).unwrap().send(file(&["one"]).0).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unavailable(_)), "{error:?}");
    assert_eq!(stub.asked(), 1);
}

#[tokio::test]
async fn an_answer_without_end_is_malformed() {
    let stub = Stub::new(vec![Reply::Endless]).await;
    let error = Files::new(stub.url.clone(), &options()).unwrap().send(file(&["one"]).0).await.unwrap_err();
    assert!(matches!(error, GatewayError::Malformed(_)), "{error:?}");
}
