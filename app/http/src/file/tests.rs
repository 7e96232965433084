//! Multipart bodies, well made and hostile.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use malecon::ports::File;
use rstest::rstest;

use super::*;

const MULTIPART: &str = "multipart/form-data; boundary=XX";
const HEAD: &str = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n";

/// The body in chunks of this size; how many of them were taken.
fn request(content_type: &str, body: &str, size: usize) -> (Request, Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let chunks: Vec<Bytes> = body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
    let chunks = stream::iter(chunks).map(move |chunk| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok::<_, std::io::Error>(chunk)
    });
    let request = Request::builder().content_type(content_type).finish();
    (request, Body::from_bytes_stream(chunks), taken)
}

async fn file(body: &str, size: usize) -> Result<File, Problem> {
    let (request, body, _) = request(MULTIPART, body, size);
    parts::file(&request, body).await
}

/// The whole file, or what is wrong with it.
async fn whole(file: File) -> Result<Vec<u8>, Problem> {
    let bytes = file.content.try_fold(vec![], async |mut all, chunk| {
        all.extend_from_slice(&chunk);
        Ok(all)
    });
    bytes.await.map_err(|cause| FileError::Broken(cause).into())
}

#[rstest]
#[case::at_once(10_000)]
#[case::in_pieces(7)]
#[case::byte_by_byte(1)]
#[tokio::test]
async fn the_file_is_found_among_other_parts(#[case] size: usize) {
    let note = "--XX\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nsome text\r\n";
    let content = "one\r\n--X\r\n\r\ntwo";
    let body = format!("{note}{HEAD}{content}\r\n{note}--XX--\r\n");
    let file = file(&body, size).await.unwrap();
    assert_eq!((file.name.as_str(), file.media_type.as_deref()), ("a.txt", Some("text/plain")));
    assert_eq!(whole(file).await.unwrap(), content.as_bytes());
}

#[tokio::test]
async fn a_file_comes_chunk_by_chunk() {
    let body = format!("{HEAD}{}\r\n--XX--\r\n", "0".repeat(1_000_000));
    let (request, body, taken) = request(MULTIPART, &body, 1_000);
    let mut file = parts::file(&request, body).await.unwrap();
    for nth in 1..=100 {
        file.content.try_next().await.unwrap().unwrap();
        assert!(taken.load(Ordering::SeqCst) <= nth + 1, "no more is taken than is asked for");
    }
}

#[rstest]
#[case::json("application/json", 415, "unsupported_media_type")]
#[case::nothing("", 415, "unsupported_media_type")]
#[case::mixed("multipart/mixed; boundary=XX", 415, "unsupported_media_type")]
#[case::boundless("multipart/form-data", 400, "malformed_body")]
#[tokio::test]
async fn other_bodies_are_refused(#[case] content_type: &str, #[case] status: u16, #[case] code: &str) {
    let (request, body, _) = request(content_type, HEAD, 100);
    let problem = parts::file(&request, body).await.unwrap_err();
    assert_eq!((problem.status.as_u16(), problem.code), (status, code));
}

#[rstest]
#[case::empty("", 400)]
#[case::no_part("--XX--\r\n", 422)]
#[case::another_part("--XX\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nx\r\n--XX--\r\n", 422)]
#[case::no_boundary("what is this?", 400)]
#[case::half_a_head("--XX\r\nContent-Disposition: form-da", 400)]
#[case::long_preamble(&"x".repeat(1_000_000), 413)]
#[case::long_head(&format!("--XX\r\nX-Long: {}", "x".repeat(1_000_000)), 413)]
#[case::long_other_part(&format!("{}{}", HEAD.replace("\"file\"", "\"note\""), "x".repeat(1_000_000)), 413)]
#[tokio::test]
async fn a_body_without_a_file_is_told_so(#[case] body: &str, #[case] status: u16) {
    let (request, body, taken) = request(MULTIPART, body, 1_000);
    assert_eq!(parts::file(&request, body).await.unwrap_err().status.as_u16(), status);
    assert!(taken.load(Ordering::SeqCst) <= parts::MOST_BESIDE / 1_000 + 1);
}

#[rstest]
#[case::it_ends("", 400)]
#[case::a_second_file(&format!("\r\n{HEAD}more\r\n--XX--\r\n"), 422)]
#[case::a_long_rest(&format!("\r\n{}{}", HEAD.replace("\"file\"", "\"note\""), "x".repeat(1_000_000)), 413)]
#[tokio::test]
async fn what_follows_a_file_can_spoil_it(#[case] rest: &str, #[case] status: u16) {
    let file = file(&format!("{HEAD}content{rest}"), 1_000).await.unwrap();
    assert_eq!(whole(file).await.unwrap_err().status.as_u16(), status);
}
