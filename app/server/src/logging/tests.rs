//! What a log never tells.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;

/// Keeps what is written to it.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_filter_brings_out_the_url_of_the_database() {
    for log in ["trace", "sea_orm=trace,trace", "sea_orm::driver=trace,info", "[connect]=trace,info"] {
        for format in [LogFormat::Text, LogFormat::Json] {
            let paper = Paper::default();
            let writer = paper.clone();
            let logger = logger(log, format, move || writer.clone()).unwrap();
            tracing::subscriber::with_default(logger, || {
                // As SeaORM does it when it connects.
                let url = "postgres://ana:s3cret@db/x";
                tracing::trace_span!(target: "sea_orm::driver::sqlx_postgres", "connect", url)
                    .in_scope(|| tracing::info!("the last word"));
            });
            let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
            assert!(text.contains("the last word") && !text.contains("s3cret"), "{log}: {text}");
        }
    }
}
