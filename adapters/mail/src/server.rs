//! Where a mail server is, and who we are to it.

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::{Host, Url};

/// Why a URL names no mail server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServer {
    /// It is no URL of ours.
    #[error("not a URL like smtps://USER:PASSWORD@HOST or smtp://HOST:PORT?tls=required")]
    Url,
    /// It asks for what there is not.
    #[error(
        "{0:?} is nothing that can be asked for: there is tls=required and tls=opportunistic, with smtp://"
    )]
    Parameter(String),
    /// Half a login.
    #[error("a login has a user and a password, both percent-encoded")]
    Login,
    /// The path is no name to say.
    #[error("the path is the name that we greet the server with: a host's, e.g. /mail.example.com")]
    Name,
}

/// When a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Never.
    Plain,
    /// If the server offers it (STARTTLS). Whoever stands in between can keep it from being offered.
    Opportunistic,
    /// Before anything is said that matters (STARTTLS), or not at all.
    Required,
    /// From the beginning.
    Wrapped,
}

/// Where a mail server is, and who we are to it. Its `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct Server {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// When the connection is encrypted.
    pub security: Security,
    /// User and password.
    pub login: Option<(String, SecretString)>,
    /// What we greet it with; the machine's own name for `None`.
    pub name: Option<String>,
}

impl Server {
    /// The server of a URL: `smtp://` and `smtps://`, with a user and a password or without, `?tls=required`
    /// or `?tls=opportunistic`, and the name to greet it with as a path. The port is 25 unless given, 587
    /// with `tls`, 465 with `smtps`.
    ///
    /// # Errors
    /// [`InvalidServer`].
    pub fn parse(text: &str) -> Result<Self, InvalidServer> {
        let url = Url::parse(text.trim()).map_err(|_| InvalidServer::Url)?;
        let mut parameters = url.query_pairs();
        let (parameter, rest) = (parameters.next(), parameters.next());
        let tls = parameter.as_ref().map(|(name, value)| (name.as_ref(), value.as_ref()));
        let unknown = |_| InvalidServer::Parameter(url.query().unwrap_or_default().to_owned());
        let (security, port) = match (url.scheme(), tls, rest) {
            ("smtp", None, None) => (Security::Plain, 25),
            ("smtp", Some(("tls", "opportunistic")), None) => (Security::Opportunistic, 587),
            ("smtp", Some(("tls", "required")), None) => (Security::Required, 587),
            ("smtps", None, None) => (Security::Wrapped, 465),
            ("smtp" | "smtps", ..) => return Err(unknown(())),
            _ => return Err(InvalidServer::Url),
        };
        let host = match url.host() {
            Some(Host::Domain(name)) if is_name(name) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => return Err(InvalidServer::Url),
        };
        let name = Some(url.path().trim_matches('/').to_owned()).filter(|name| !name.is_empty());
        if name.as_ref().is_some_and(|name| !is_name(name)) {
            return Err(InvalidServer::Name);
        }
        let login = match (decoded(url.username())?, url.password()) {
            (user, None) if user.is_empty() => None,
            (user, Some(password)) if !user.is_empty() => Some((user, decoded(password)?.into())),
            _ => return Err(InvalidServer::Login),
        };
        Ok(Self { host, port: url.port().unwrap_or(port), security, login, name })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ['.', '-', '_'].contains(&c))
}

fn decoded(text: &str) -> Result<String, InvalidServer> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| InvalidServer::Login)?;
    // NUL stands between user and password (RFC 4616).
    if text.contains('\0') { Err(InvalidServer::Login) } else { Ok(text.into_owned()) }
}
