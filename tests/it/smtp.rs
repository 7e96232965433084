//! A mail server that takes mail, or misbehaves on demand.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::engine::until;

/// What the server does with whoever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It takes all mail.
    Fine,
    /// It hangs up before it says a word.
    Gone,
    /// It listens, and says nothing.
    Silent,
    /// It asks everybody to come back later for this addressee.
    Greylisting(&'static str),
    /// It has no such addressees: those that begin like this.
    Refusing(&'static str),
    /// It takes nothing, once it has seen it.
    Spam,
    /// It takes the mail, and hangs up instead of saying so.
    HangingUp,
}

/// When connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    Never,
    Offered,
    Always,
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub struct Letter {
    pub from: String,
    pub to: Vec<String>,
    pub bytes: Vec<u8>,
    pub login: Option<(String, String)>,
    pub encrypted: bool,
}

/// A mail server.
pub struct PostOffice {
    pub address: SocketAddr,
    /// Its certificate, in DER.
    pub certificate: Vec<u8>,
    state: Arc<State>,
}

struct State {
    mood: Mutex<Mood>,
    letters: Mutex<Vec<Letter>>,
    /// Every command that it heard, but for secrets.
    heard: Mutex<Vec<String>>,
    tls: Tls,
    acceptor: TlsAcceptor,
    /// `PLAIN` or `LOGIN`, with the one password that is right; without one nobody logs in.
    login: Option<(&'static str, &'static str)>,
}

impl PostOffice {
    pub async fn new() -> Self {
        Self::with(Tls::Never, None).await
    }

    pub async fn with(tls: Tls, login: Option<(&'static str, &'static str)>) -> Self {
        let identity = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
        let certificate = identity.cert.der().to_vec();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.into()], key.into())
            .unwrap();
        let state = Arc::new(State {
            mood: Mutex::new(Mood::Fine),
            letters: Mutex::default(),
            heard: Mutex::default(),
            tls,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            login,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move { receive(&state, stream).await });
            }
        });
        Self { address, certificate, state }
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub fn turn(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    /// What it has taken.
    pub fn letters(&self) -> Vec<Letter> {
        self.state.letters.lock().unwrap().clone()
    }

    /// What it was told, in one line a command.
    pub fn heard(&self) -> Vec<String> {
        self.state.heard.lock().unwrap().clone()
    }

    /// The letters as soon as there are so many.
    pub async fn delivered(&self, count: usize) -> Vec<Letter> {
        until(&format!("letter {count}"), async || Some(self.letters()).filter(|all| all.len() >= count))
            .await
    }
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// One connection.
struct Line(BufStream<Box<dyn Wire>>);

impl Line {
    fn over(wire: Box<dyn Wire>) -> Self {
        Self(BufStream::new(wire))
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(format!("{text}\r\n").as_bytes()).await?;
        self.0.flush().await
    }

    /// The next line, without its end.
    async fn hear(&mut self) -> io::Result<Vec<u8>> {
        let mut line = vec![];
        if self.0.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.len() - 2);
        Ok(line)
    }

    async fn hear_secret(&mut self) -> io::Result<String> {
        let line = self.hear().await?;
        Ok(String::from_utf8(BASE64_STANDARD.decode(line).unwrap()).unwrap())
    }

    /// A mail up to its dot.
    async fn hear_mail(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![];
        loop {
            let line = self.hear().await?;
            if line == b"." {
                return Ok(bytes);
            }
            bytes.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            bytes.extend_from_slice(b"\r\n");
        }
    }
}

fn between_brackets(text: &str) -> String {
    text.split_once('<').unwrap().1.split_once('>').unwrap().0.to_owned()
}

async fn receive(state: &State, stream: TcpStream) -> io::Result<()> {
    let mood = || *state.mood.lock().unwrap();
    match mood() {
        Mood::Gone => return Ok(()),
        Mood::Silent => tokio::time::sleep(Duration::from_secs(600)).await,
        _ => {}
    }
    let mut encrypted = state.tls == Tls::Always;
    let wire: Box<dyn Wire> =
        if encrypted { Box::new(state.acceptor.accept(stream).await?) } else { Box::new(stream) };
    let mut line = Line::over(wire);
    let (mut login, mut from, mut to) = (None, String::new(), vec![]);
    line.say("220 post.example.com ESMTP").await?;
    loop {
        let command = String::from_utf8(line.hear().await?).unwrap();
        let (verb, rest) = command.split_once(' ').unwrap_or((&command, ""));
        state.heard.lock().unwrap().push(if verb == "AUTH" { verb.to_owned() } else { command.clone() });
        match verb {
            "EHLO" => {
                line.say("250-post.example.com").await?;
                if state.tls == Tls::Offered && !encrypted {
                    line.say("250-STARTTLS").await?;
                }
                if let Some((mechanism, _)) = state.login {
                    line.say(&format!("250-AUTH {mechanism}")).await?;
                }
                line.say("250 SIZE 10000000").await?;
            }
            "STARTTLS" => {
                line.say("220 go on").await?;
                line = Line::over(Box::new(state.acceptor.accept(line.0.into_inner()).await?));
                encrypted = true;
            }
            "AUTH" => {
                let (user, password) = match rest.split_once(' ') {
                    Some(("PLAIN", secret)) => {
                        let secret = String::from_utf8(BASE64_STANDARD.decode(secret).unwrap()).unwrap();
                        let parts: Vec<_> = secret.split('\0').map(str::to_owned).collect();
                        (parts[1].clone(), parts[2].clone())
                    }
                    _ => {
                        line.say("334 VXNlcm5hbWU6").await?;
                        let user = line.hear_secret().await?;
                        line.say("334 UGFzc3dvcmQ6").await?;
                        (user, line.hear_secret().await?)
                    }
                };
                if state.login.is_some_and(|(_, right)| right == password) {
                    line.say("235 welcome").await?;
                    login = Some((user, password));
                } else {
                    line.say("535 5.7.8 wrong password").await?;
                }
            }
            "MAIL" if state.login.is_some() && login.is_none() => line.say("530 5.7.0 log in first").await?,
            "MAIL" => {
                (from, to) = (between_brackets(rest), vec![]);
                line.say("250 ok").await?;
            }
            "RCPT" => {
                let address = between_brackets(rest);
                match mood() {
                    Mood::Greylisting(name) if address.starts_with(name) => {
                        line.say("451 4.7.1 come back in a minute").await?;
                    }
                    Mood::Refusing(name) if address.starts_with(name) => {
                        line.say("550 5.1.1 no such user here").await?;
                    }
                    _ => {
                        to.push(address);
                        line.say("250 ok").await?;
                    }
                }
            }
            "DATA" => {
                line.say("354 go on").await?;
                let bytes = line.hear_mail().await?;
                if mood() == Mood::Spam {
                    line.say("554 5.7.1 looks like spam").await?;
                    continue;
                }
                let (from, to, login) = (from.clone(), to.clone(), login.clone());
                state.letters.lock().unwrap().push(Letter { from, to, bytes, login, encrypted });
                if mood() == Mood::HangingUp {
                    return Ok(());
                }
                line.say("250 ok").await?;
            }
            "QUIT" => return line.say("221 goodbye").await,
            _ => line.say("250 ok").await?,
        }
    }
}
