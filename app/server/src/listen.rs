//! The accept loop: deadlines for heads and idle connections, caps on connections, a graceful end.

mod activity;
mod linger;
mod observed;
mod refuse;
mod registry;
mod supervised;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use malecon::domain::Networks;
use poem::Endpoint;
use poem::endpoint::BoxEndpoint;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Request, Response};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use crate::Config;
use activity::{Activity, Answer, Order};
use linger::Linger;
use observed::Observed;
use refuse::refuse;
use registry::{Place, Refusal, Registry};
use supervised::Supervised;

/// Bounds of the server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a client may take until the whole head of its first request is there, and from the first
    /// byte of any later one (of HTTP/1) to the last of its head.
    pub header_timeout: Duration,
    /// How long a connection is kept between requests, whatever comes over it that is no request.
    pub idle_timeout: Duration,
    /// How long a client may refuse to take any byte of an answer. Who takes it slowly for longer than
    /// `header_timeout` loses its place when there is none left.
    pub write_timeout: Duration,
    /// Connections at once. When there are more, the one that has been idle longest is closed.
    pub connections: usize,
    /// Of them, from one address (of IPv6, its /64) that is no trusted proxy.
    pub connections_per_address: usize,
    /// Proxies of our own.
    pub trusted_proxies: Networks,
    /// How long we answer, and say that we are not ready, once the server is told to stop.
    pub drain: Duration,
    /// How long requests under way may take after that.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            connections: 10_000,
            connections_per_address: 5_000,
            trusted_proxies: Networks::default(),
            drain: Duration::ZERO,
            grace: Duration::from_secs(10),
        }
    }
}

/// Files that are open beside connections: databases, logs; and what each attempt of a run calls has two.
const OTHER_FILES: usize = 100;

impl Limits {
    /// What the settings say, for a system that lets us open so many files.
    pub fn of(config: &Config, files: usize) -> Self {
        let told = &config.connections;
        let others = (OTHER_FILES + 2 * usize::from(config.workers)).min(files / 2);
        let possible = (files - others).max(10);
        let connections = usize::try_from(told.max_connections).unwrap_or(usize::MAX).min(possible);
        if i64::try_from(connections).is_ok_and(|possible| possible < i64::from(told.max_connections)) {
            tracing::info!(
                files,
                connections,
                "the system lets us open fewer files than connections are wished"
            );
        }
        let of_one = told.max_connections_per_address.and_then(|most| usize::try_from(most).ok());
        Self {
            connections,
            connections_per_address: of_one.unwrap_or((connections / 2).max(1)),
            trusted_proxies: told.trusted_proxies.clone(),
            drain: told.drain,
            grace: told.grace,
            ..Self::default()
        }
    }
}

/// How long a connection that is told to end may take over it while nothing is under way.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long connections wait for a place while each is at work; then they are refused until one is free.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long until it is looked again whether there is room.
const PAUSE: Duration = Duration::from_millis(10);
/// Connections that may wait to be accepted; the system may allow less.
const BACKLOG: u32 = 4096;

/// A listener at this address.
///
/// # Errors
/// Those of the system: the address is taken, or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop` ends, then ends what is under way. Connections are accepted in a task of their own.
pub async fn serve(
    listener: TcpListener,
    app: BoxEndpoint<'static, Response>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let registry = Arc::new(Registry::new(&limits));
    let (alive, mut ended) = mpsc::channel(1);
    let grace = limits.grace;
    let acceptor = Arc::new(Acceptor {
        listener,
        app: Arc::new(app),
        registry: Arc::clone(&registry),
        builder: builder(&limits),
        limits: Arc::new(limits),
        alive,
    });
    let mut accepting = JoinSet::new();
    accepting.spawn(accept(Arc::clone(&acceptor)));
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(failed) = accepting.join_next() => {
                tracing::error!(?failed, "accepting connections ended; it begins again");
                sleep(PAUSE).await;
                accepting.spawn(accept(Arc::clone(&acceptor)));
            }
        }
    }
    accepting.shutdown().await;
    drop(acceptor);
    registry.tell_all(Order::Stop);
    if timeout(grace, ended.recv()).await.is_err() {
        let requests = registry.busy();
        registry.tell_all(Order::Cut);
        tracing::info!(requests, "what was still under way was cut off");
        let _ = timeout(LAST_WORDS, ended.recv()).await;
    }
}

/// What it takes to accept connections.
struct Acceptor {
    listener: TcpListener,
    app: Arc<BoxEndpoint<'static, Response>>,
    registry: Arc<Registry>,
    builder: Builder<TokioExecutor>,
    limits: Arc<Limits>,
    /// Gone when all connections are.
    alive: mpsc::Sender<Infallible>,
}

async fn accept(acceptor: Arc<Acceptor>) {
    let mut full_since = None;
    loop {
        let (stream, remote) = match acceptor.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                acceptor.failed(&error).await;
                continue;
            }
        };
        match acceptor.place(remote, &mut full_since).await {
            Ok(place) => acceptor.begin(stream, remote, place),
            Err(refusal) => {
                tracing::debug!(%remote, ?refusal, "a connection was refused");
                metrics::counter!("malecon_connections_refused_total", "reason" => refusal.name())
                    .increment(1);
                refuse(stream);
            }
        }
    }
}

impl Acceptor {
    /// A place for a connection. While each is at work it waits, but from some time on no longer: who
    /// waits may as well ask somebody else.
    async fn place(&self, remote: SocketAddr, full_since: &mut Option<Instant>) -> Result<Place, Refusal> {
        loop {
            match self.registry.admit(remote.ip()) {
                Err(Refusal::Full) if full_since.get_or_insert_with(Instant::now).elapsed() < PATIENCE => {
                    sleep(PAUSE).await;
                }
                Err(refusal) => return Err(refusal),
                Ok(place) => {
                    *full_since = None;
                    return Ok(place);
                }
            }
        }
    }

    /// What one connection did wrong is its own; else the system has no room for more.
    async fn failed(&self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        tracing::debug!(%error, "a connection could not be accepted");
        metrics::counter!("malecon_connections_refused_total", "reason" => "system").increment(1);
        if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            self.registry.make_room();
            sleep(PAUSE).await;
        }
    }

    fn begin(&self, stream: TcpStream, remote: SocketAddr, place: Place) {
        let Ok(local) = stream.local_addr() else { return };
        let activity = Arc::clone(&place.activity);
        let service = {
            let (app, activity) = (Arc::clone(&self.app), Arc::clone(&activity));
            service_fn(move |request| answer(Arc::clone(&app), &activity, request, local, remote))
        };
        let stream = Observed::new(stream_of(stream, &self.limits), Arc::clone(&activity));
        let connection = self.builder.serve_connection(TokioIo::new(Linger::new(stream)), service);
        let connection = Supervised::new(connection.into_owned(), activity, Arc::clone(&self.limits));
        let alive = self.alive.clone();
        tokio::spawn(async move {
            metrics::gauge!("malecon_connections").increment(1.0);
            let end = connection.await;
            metrics::gauge!("malecon_connections").decrement(1.0);
            metrics::counter!("malecon_connections_closed_total", "reason" => end.name()).increment(1);
            tracing::debug!(%remote, ?end, "a connection ended");
            drop((place, alive));
        });
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Heads and idle connections have deadlines of ours, in every protocol.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.header_timeout)
        .keep_alive_timeout(limits.header_timeout)
        .max_concurrent_streams(100)
        .max_header_list_size(64 * 1024);
    builder
}

fn stream_of(stream: TcpStream, limits: &Limits) -> TimeoutStream<TcpStream> {
    // A small answer must not wait for the acknowledgement of the one before it.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_timeout));
    stream
}

type Body = Answer<http_body_util::combinators::BoxBody<bytes::Bytes, io::Error>>;

fn answer(
    app: Arc<BoxEndpoint<'static, Response>>,
    activity: &Arc<Activity>,
    request: hyper::Request<Incoming>,
    local: SocketAddr,
    remote: SocketAddr,
) -> impl Future<Output = Result<hyper::Response<Body>, Infallible>> + use<> {
    let under_way = activity.begin(request.version());
    async move {
        let request =
            Request::from((request, LocalAddr(local.into()), RemoteAddr(remote.into()), Scheme::HTTP));
        let response: hyper::Response<_> = app.get_response(request).await.into();
        Ok(response.map(|body| Answer::new(body, under_way)))
    }
}
