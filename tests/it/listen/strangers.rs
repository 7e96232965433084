//! What strangers do is no matter for warnings.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use malecon_server::listen::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::frames::{Http2, PREFACE};
use super::{at_work, rest, with};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// On one thread, so that what is logged by this server is logged here.
#[tokio::test]
async fn nobody_without_a_token_can_make_a_warning() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let limits = Limits {
        header_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(300),
        connections: 30,
        connections_per_address: 3,
        grace: Duration::from_millis(500),
        ..Limits::default()
    };
    let malecon = with(limits).await;
    let address = malecon.client.address;
    let garbage: [&[u8]; 8] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\0\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /api/countries?name=%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /api/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        PREFACE,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nno frame at all",
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        rest(&mut stream).await;
        // And once more, with a reset instead of an end.
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.set_zero_linger().unwrap();
    }
    let mut http2 = Http2::connect(address).await;
    http2.send(1, 5, 1, b"\xff\xff\xff\xff\xff").await;
    while http2.next().await.is_some() {}
    let mut working = vec![];
    for _ in 0..5 {
        working.push(at_work("127.0.0.1", address).await);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    malecon.stop().await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(text.is_empty(), "{text}");
}
