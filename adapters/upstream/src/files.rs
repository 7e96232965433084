//! The service that takes files: one multipart request a file, sent in chunks as it comes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{StreamExt, poll_fn};
use malecon_ports::{Cause, File, FileAnswer, FileContent, FileGateway, GatewayError};
use reqwest::header::CONTENT_TYPE;
use reqwest::multipart::{Form, Part};
use reqwest::redirect::Policy;
use reqwest::{Body, Response};
use url::Url;

use crate::client::{Answer, ClientError, ClientOptions, TooLarge, chain};
use crate::json::{beginning, parse};

/// Bytes of an answer at most.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// The part of the request that the file is.
const PART: &str = "file";

/// Sends files to one URL. It follows no redirect, and ignores proxy variables of the environment.
#[derive(Clone, Debug)]
pub struct Files {
    http: reqwest::Client,
    url: Url,
    retries: u32,
    retry_base: Duration,
}

impl Files {
    /// The service at a URL. Of the options, those of connections and repetitions count: how long a
    /// file may take is not known here.
    ///
    /// # Errors
    /// [`ClientError`] when the system has no TLS to offer.
    pub fn new(url: Url, options: &ClientOptions) -> Result<Self, ClientError> {
        // An embedder may have chosen a provider already: then it is theirs.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "this is where clients are made")]
        let builder = reqwest::Client::builder();
        let http = builder
            .connect_timeout(options.connect_timeout.min(options.timeout))
            // A connection that is kept may be closed by the other side just when a file is sent.
            .pool_max_idle_per_host(0)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(concat!("malecon/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ClientError)?;
        Ok(Self { http, url, retries: options.retries, retry_base: options.retry_base })
    }

    async fn attempt(&self, file: &Loan, content: FileContent) -> Result<Response, reqwest::Error> {
        let bare = || Part::stream(Body::wrap_stream(content)).file_name(file.name.clone());
        let part = match &file.media_type {
            Some(media_type) => bare().mime_str(media_type)?,
            None => bare(),
        };
        self.http.post(self.url.clone()).multipart(Form::new().part(PART, part)).send().await
    }
}

#[async_trait]
impl FileGateway for Files {
    async fn send(&self, file: File) -> Result<FileAnswer, GatewayError> {
        let loan = Loan::new(file);
        let mut past = 0;
        let response = loop {
            match self.attempt(&loan, loan.content()).await {
                Ok(response) => break response,
                Err(error) if past < self.retries && error.is_connect() && !loan.is_touched() => {
                    tokio::time::sleep(self.retry_base.saturating_mul(2_u32.saturating_pow(past))).await;
                    past += 1;
                }
                // Its own text repeats the URL, which may hold a password.
                Err(error) => return Err(GatewayError::Unavailable(chain(&error.without_url()).into())),
            }
        };
        read(response).await
    }
}

/// A file whose content can be sent again as long as nobody has asked for any of it.
struct Loan {
    name: String,
    media_type: Option<String>,
    content: Arc<Mutex<FileContent>>,
    is_touched: Arc<AtomicBool>,
}

impl Loan {
    fn new(file: File) -> Self {
        Self {
            name: file.name.as_str().to_owned(),
            // One that can't be read is not repeated.
            media_type: file.media_type.filter(|text| Part::text("").mime_str(text).is_ok()),
            content: Arc::new(Mutex::new(file.content)),
            is_touched: Arc::default(),
        }
    }

    fn content(&self) -> FileContent {
        let (content, is_touched) = (Arc::clone(&self.content), Arc::clone(&self.is_touched));
        let lent = poll_fn(move |context| {
            is_touched.store(true, Ordering::Relaxed);
            content.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
        });
        lent.boxed()
    }

    fn is_touched(&self) -> bool {
        self.is_touched.load(Ordering::Relaxed)
    }
}

/// What the service says, if it has taken the file.
async fn read(mut response: Response) -> Result<FileAnswer, GatewayError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = BytesMut::new();
    while let Some(chunk) = chunk(&mut response).await? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(GatewayError::Malformed(TooLarge(ANSWER_LIMIT).into()));
        }
        body.extend_from_slice(&chunk);
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = Answer { status, headers, body: body.freeze() }.success()?;
    let essence = media_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    if essence == "text/html" {
        // Whatever stands between here and the service says that, not the service.
        let said: Cause = format!("a page, begins with {}", beginning(&body)).into();
        return Err(GatewayError::Malformed(said));
    }
    if essence == "application/json" || essence.ends_with("+json") {
        parse(&body)?;
    }
    Ok(FileAnswer { media_type, body })
}

async fn chunk(response: &mut Response) -> Result<Option<Bytes>, GatewayError> {
    let chunk = response.chunk().await;
    chunk.map_err(|error| GatewayError::Unavailable(chain(&error.without_url()).into()))
}
