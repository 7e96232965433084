//! HTTP/2, frame by frame.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PATIENCE;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const HEADERS: u8 = 1;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const ACK: u8 = 1;

pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// A connection that has said its preface and its settings.
pub struct Http2(pub TcpStream);

impl Http2 {
    pub async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(PREFACE).await.unwrap();
        let mut http2 = Self(stream);
        http2.send(SETTINGS, 0, 0, &[]).await;
        http2
    }

    /// Sends a frame, if the server still listens.
    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        let _ = self.0.write_all(&[&head, payload].concat()).await;
    }

    /// Asks for a path, with these bytes of HPACK more.
    pub async fn get(&mut self, stream: u32, path: &str, more: &[u8]) {
        let length = [0x04, u8::try_from(path.len()).unwrap()];
        let block = [&[0x82, 0x86], &length[..], path.as_bytes(), more].concat();
        self.send(HEADERS, 5, stream, &block).await;
    }

    /// The next frame; `None` at the end. Answers pings, as clients do.
    pub async fn next(&mut self) -> Option<Frame> {
        let read = async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap()];
            self.0.read_exact(&mut payload).await.ok()?;
            Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
        };
        let frame = tokio::time::timeout(PATIENCE, read).await.expect("a frame or an end")?;
        if frame.kind == PING && frame.flags & ACK == 0 {
            let payload = frame.payload.clone();
            self.send(PING, ACK, 0, &payload).await;
        }
        Some(frame)
    }

    /// The first byte of the answer's head: `:status 200` is 0x88, 400 is 0x8c.
    pub async fn status(&mut self, stream: u32) -> u8 {
        loop {
            let frame = self.next().await.expect("an answer");
            if frame.kind == HEADERS && frame.stream == stream {
                return frame.payload[0];
            }
        }
    }
}

/// `:authority: x`.
pub const AUTHORITY: &[u8] = &[0x01, 1, b'x'];
