//! Files under a clock that the tests turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::TryStreamExt;
use malecon_domain::{Credential, FileName, Instant, Role};
use malecon_memory::ManualClock;
use malecon_ports::MockFileGateway;
use rstest::rstest;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const SETTINGS: FileSettings =
    FileSettings { most_bytes: 10, idle: Duration::from_secs(8), total: Duration::from_secs(60) };

/// Takes so many chunks, then no more; with `usize::MAX` all of them, and answers.
struct Taker {
    most: usize,
    taken: Arc<AtomicUsize>,
}

#[async_trait]
impl FileGateway for Taker {
    async fn send(&self, mut file: File) -> Result<FileAnswer, GatewayError> {
        let mut body = vec![];
        while self.taken.load(Ordering::SeqCst) < self.most {
            let Some(chunk) = file.content.try_next().await.map_err(GatewayError::Unavailable)? else {
                return Ok(FileAnswer { media_type: None, body: body.into() });
            };
            body.extend_from_slice(&chunk);
            self.taken.fetch_add(1, Ordering::SeqCst);
        }
        std::future::pending().await
    }
}

/// A file that is being sent.
struct Sent {
    clock: Arc<ManualClock>,
    chunks: mpsc::UnboundedSender<Result<Bytes, Cause>>,
    taken: Arc<AtomicUsize>,
    sending: JoinHandle<Result<FileAnswer, FileError>>,
}

fn anybody() -> Principal {
    Principal { user_id: 1, name: "ana".to_owned(), role: Role::User, credential: Credential::External }
}

fn service(gateway: impl FileGateway + 'static, clock: &Arc<ManualClock>) -> FileService {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    FileService::new(FilePorts { gateway: Some(Arc::new(gateway)), clock }, SETTINGS)
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Instant::default()))
}

impl Sent {
    fn to(most: usize) -> Self {
        let (clock, taken) = (clock(), Arc::default());
        let service = service(Taker { most, taken: Arc::clone(&taken) }, &clock);
        let (chunks, come) = mpsc::unbounded_channel();
        let content = stream::unfold(come, async |mut come: mpsc::UnboundedReceiver<_>| {
            Some((come.recv().await?, come))
        });
        let file = File { name: FileName::default(), media_type: None, content: content.boxed() };
        let sending = tokio::spawn(async move { service.send(&anybody(), file).await });
        Self { clock, chunks, taken, sending }
    }

    fn chunk(&self, text: &'static str) {
        self.chunks.send(Ok(Bytes::from(text))).unwrap();
    }

    async fn turn(&self, seconds: u32) {
        for _ in 0..seconds {
            settle().await;
            self.clock.advance(SECOND);
        }
        settle().await;
    }

    async fn end(self) -> Result<FileAnswer, FileError> {
        drop(self.chunks);
        self.sending.await.unwrap()
    }
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn lack(error: FileError) -> Lack {
    match error {
        FileError::Service(ServiceError::Unavailable { lack, .. }) => lack,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_is_passed_on_with_what_the_service_says() {
    let sent = Sent::to(usize::MAX);
    sent.chunk("12345");
    sent.turn(7).await;
    sent.chunk("67890");
    assert_eq!(sent.end().await.unwrap().body, "1234567890");
}

#[tokio::test]
async fn one_byte_too_many_ends_it() {
    let sent = Sent::to(usize::MAX);
    sent.chunk("1234567890");
    sent.chunk("1");
    settle().await;
    assert_eq!(sent.taken.load(Ordering::SeqCst), 1, "nothing of what is too much is sent");
    assert!(matches!(sent.end().await, Err(FileError::TooLarge(10))));
}

#[test]
fn a_declared_length_is_refused_before_anything_comes() {
    let service = service(MockFileGateway::new(), &clock());
    assert!(service.admit(&anybody(), None).is_ok() && service.admit(&anybody(), Some(10)).is_ok());
    assert!(matches!(service.admit(&anybody(), Some(11)), Err(FileError::TooLarge(10))));
}

#[tokio::test]
async fn who_does_not_go_on_sending_is_told_so() {
    let sent = Sent::to(usize::MAX);
    sent.chunk("1");
    sent.turn(20).await;
    assert!(matches!(sent.sending.await.unwrap(), Err(FileError::Stalled)));
}

#[tokio::test]
async fn a_service_that_does_not_go_on_taking_is_late() {
    let sent = Sent::to(1);
    sent.chunk("1");
    sent.chunk("2");
    sent.turn(20).await;
    assert_eq!(lack(sent.sending.await.unwrap().unwrap_err()), Lack::UpstreamLate);
}

#[tokio::test]
async fn who_goes_on_slowly_has_the_whole_time_and_no_more() {
    let sent = Sent::to(usize::MAX);
    for _ in 0..8 {
        sent.chunk("1");
        sent.turn(7).await;
    }
    assert!(!sent.sending.is_finished());
    sent.chunk("1");
    sent.turn(4).await;
    assert!(matches!(sent.sending.await.unwrap(), Err(FileError::Stalled)));
}

#[tokio::test]
async fn content_that_breaks_off_is_told_as_it_is() {
    let sent = Sent::to(usize::MAX);
    sent.chunk("1");
    sent.chunks.send(Err("the client is gone".into())).unwrap();
    match sent.end().await {
        Err(FileError::Broken(cause)) => assert_eq!(cause.to_string(), "the client is gone"),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::down(GatewayError::Unavailable("refused".into()), Lack::Upstream, 1)]
#[case::busy(GatewayError::RateLimited { retry_after: Some(SECOND * 7) }, Lack::Upstream, 7)]
#[case::refused(GatewayError::Refused("403".into()), Lack::UpstreamWrong, 1)]
#[case::nonsense(GatewayError::Malformed("a page".into()), Lack::UpstreamWrong, 1)]
#[tokio::test]
async fn what_the_service_lacks_is_told(
    #[case] error: GatewayError,
    #[case] wanted: Lack,
    #[case] wait: u64,
) {
    let mut gateway = MockFileGateway::new();
    gateway.expect_send().times(1).return_once(|_| Err(error));
    let file = File { name: FileName::default(), media_type: None, content: stream::empty().boxed() };
    match service(gateway, &clock()).send(&anybody(), file).await {
        Err(FileError::Service(ServiceError::Unavailable { lack, retry_after, .. })) => {
            assert_eq!((lack, retry_after.as_secs()), (wanted, wait));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_service_there_is_none() {
    let service = FileService::new(FilePorts { gateway: None, clock: clock() }, SETTINGS);
    let error = service.admit(&anybody(), None).unwrap_err();
    assert_eq!(lack(error), Lack::NotConfigured("files_not_configured"));
}
