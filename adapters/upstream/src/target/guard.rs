//! Whom tasks may call: the URL, its host, and every address that it has.

use std::future::ready;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use malecon_domain::{AllowList, CallFault, is_public};
use malecon_ports::CallError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::fault::fault;

/// Names that mean something only within a machine or a network, at their ends.
const INNER_NAMES: [&str; 3] = [".localhost", ".internal", ".local"];

tokio::task_local! {
    /// The addresses that the request of this task may be sent to.
    pub(super) static JUDGED: Vec<SocketAddr>;
}

/// Knows no name but hands on what was judged; where nothing was, nothing is dialled.
pub(super) struct Judged;

impl Resolve for Judged {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses = JUDGED.try_with(|judged| Box::new(judged.clone().into_iter()) as Addrs);
        Box::pin(ready(addresses.map_err(Into::into)))
    }
}

/// Asks for the addresses of a name.
#[async_trait]
pub(crate) trait Lookup: Send + Sync {
    async fn addresses(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// Asks the system, on threads that may wait.
pub(super) struct System;

#[async_trait]
impl Lookup for System {
    async fn addresses(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }
}

/// Judges.
pub(super) struct Guard {
    pub allow: AllowList,
    pub own: Vec<SocketAddr>,
    pub lookup: Arc<dyn Lookup>,
    /// How long a name's addresses are waited for.
    pub patience: Duration,
}

impl Guard {
    /// The addresses of the URL's host, if tasks may call every one of them.
    pub async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, CallError> {
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses = match url.host() {
            Some(Host::Ipv4(ip)) => vec![SocketAddr::new(ip.into(), port)],
            Some(Host::Ipv6(ip)) => vec![SocketAddr::new(ip.into(), port)],
            Some(Host::Domain(name)) if self.may_ask(name, port) => self.look_up(name, port).await?,
            Some(Host::Domain(_)) | None => return Err(blocked()),
        };
        let host = url.host_str().unwrap_or_default();
        let may_call = addresses.iter().all(|address| self.may_dial(host, *address));
        if may_call { Ok(addresses) } else { Err(blocked()) }
    }

    fn may_ask(&self, name: &str, port: u16) -> bool {
        let bare = name.trim_end_matches('.');
        let is_inner = !bare.contains('.') || INNER_NAMES.iter().any(|end| bare.ends_with(end));
        !is_inner || self.allow.has_host(name, port)
    }

    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, CallError> {
        match tokio::time::timeout(self.patience, self.lookup.addresses(name, port)).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Ok(_) => Err(fault(CallFault::Dns, "no address was found for the host's name")),
            Err(_) => Err(fault(CallFault::Dns, "nobody told the addresses of the host's name in time")),
        }
    }

    fn may_dial(&self, host: &str, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip(), address.port());
        (is_public(ip) || self.allow.allows(host, ip, port))
            && (!self.is_own(address) || self.allow.names(host, ip, port))
    }

    /// Whether we would call ourselves.
    fn is_own(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.own.iter().filter(|own| own.port() == address.port()).any(|own| {
            let own = own.ip().to_canonical();
            own == ip || ip.is_unspecified() || own.is_unspecified() && is_here(ip)
        })
    }
}

/// Whether an address is one of this machine: the system would send from it to it. Nothing is sent.
fn is_here(ip: IpAddr) -> bool {
    let any = if ip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let source = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    ip.is_loopback() || source.is_ok_and(|source| source.ip() == ip)
}

fn blocked() -> CallError {
    fault(CallFault::Blocked, "tasks may not call this target")
}

/// The URL, if it is one that can be called, without its fragment.
pub(super) fn read(text: &str) -> Result<Url, CallError> {
    let mut url = Url::parse(text)
        .map_err(|error| fault(CallFault::Invalid, format!("the target is no URL: {error}")))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(fault(CallFault::Invalid, "a target is an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault(CallFault::Invalid, "a target's URL names no user; a header may"));
    }
    url.set_fragment(None);
    Ok(url)
}
