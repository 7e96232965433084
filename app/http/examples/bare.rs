//! The yardstick of the benchmarks: poem alone, answering one body from memory.
//!
//! `bare PORT FILE`

use std::error::Error;

use bytes::Bytes;
use poem::listener::TcpListener;
use poem::{EndpointExt, Response, Route, Server, get, handler, web::Data};

#[handler]
fn answer(Data(bytes): Data<&Bytes>) -> Response {
    Response::builder().content_type("application/json").body(bytes.clone())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(port), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("bare PORT FILE".into());
    };
    let bytes = Bytes::from(std::fs::read(file)?);
    let app = Route::new().at("/", get(answer)).data(bytes);
    Ok(Server::new(TcpListener::bind(format!("127.0.0.1:{port}"))).run(app).await?)
}
