//! A connection for which there is no place.

use std::io::{Read, Write};
use std::net::Shutdown;

use tokio::net::TcpStream;

const BODY: &str = "{\"type\":\"urn:malecon:problem:too_many_connections\",\"title\":\"Service Unavailable\",\
                    \"status\":503,\"detail\":\"there are too many connections; try again later\",\
                    \"code\":\"too_many_connections\",\"request_id\":\"none\"}";

/// Says so, whatever the client says, and closes. Nothing here waits.
pub(super) fn refuse(stream: TcpStream) {
    let Ok(mut stream) = stream.into_std() else { return };
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nretry-after: 1\r\nconnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    let _ = stream.write(answer.as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
    // What is left unread would be a reset, which takes the answer from the client.
    let mut rubbish = [0; 16 * 1024];
    let _ = stream.read(&mut rubbish);
}
