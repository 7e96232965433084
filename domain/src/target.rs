//! Where calls may go: which addresses are public, and which others a deployment allows.

mod networks;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use networks::{InvalidNetwork, Networks};

/// Addresses with a common beginning of so many bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    first: IpAddr,
    length: u8,
}

const fn v4(first: [u8; 4], length: u8) -> Network {
    let [a, b, c, d] = first;
    Network { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length }
}

const fn v6(first: u128, length: u8) -> Network {
    Network { first: IpAddr::V6(Ipv6Addr::from_bits(first)), length }
}

/// Addresses that lead into somebody's own network or nowhere: IANA's registries of special purposes,
/// multicast, what is reserved, and a cloud's public address that is not one.
const CLOSED: [Network; 28] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([168, 63, 129, 16], 32),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
    v6(0, 8),
    v6(0x0064_ff9b_0001 << 80, 48),
    v6(0x0100 << 112, 64),
    v6(0x2001 << 112, 23),
    v6(0x2001_0db8 << 96, 32),
    v6(0x2002 << 112, 16),
    v6(0x3fff << 112, 20),
    v6(0x5f00 << 112, 16),
    v6(0xfc00 << 112, 7),
    v6(0xfe80 << 112, 10),
    v6(0xfec0 << 112, 10),
    v6(0xff00 << 112, 8),
];

/// What is public of 2001::/23.
const GLOBAL: [Network; 7] = [
    v6((0x2001_0001 << 96) + 1, 128),
    v6((0x2001_0001 << 96) + 2, 128),
    v6((0x2001_0001 << 96) + 3, 128),
    v6(0x2001_0003 << 96, 32),
    v6(0x2001_0004_0112 << 80, 48),
    v6(0x2001_0020 << 96, 28),
    v6(0x2001_0030 << 96, 28),
];

/// IPv6 addresses that stand for the IPv4 address in their last 32 bits: mapped ones, and NAT64's.
const STAND_INS: [Network; 2] = [v6(0xffff << 32, 96), v6(0x0064_ff9b << 96, 96)];

/// What machines are told about themselves, with passwords among it: everything link-local, and the
/// clouds' other addresses for it.
const DELICATE: [Network; 8] = [
    v4([100, 100, 100, 200], 32),
    v4([168, 63, 129, 16], 32),
    v4([169, 254, 0, 0], 16),
    v4([192, 0, 0, 192], 32),
    v6((0xfd00_00c1 << 96) + 0xa9fe_a9fe, 128),
    v6((0xfd00_0ec2 << 96) + 0x254, 128),
    v6((0xfd20_00ce << 96) + 0x254, 128),
    v6(0xfe80 << 112, 10),
];

impl Network {
    fn contains(&self, ip: IpAddr) -> bool {
        let in_common = match (self.first, ip) {
            (IpAddr::V4(first), IpAddr::V4(ip)) => (first.to_bits() ^ ip.to_bits()).leading_zeros(),
            (IpAddr::V6(first), IpAddr::V6(ip)) => (first.to_bits() ^ ip.to_bits()).leading_zeros(),
            _ => return false,
        };
        in_common >= self.length.into()
    }

    fn is_one(&self) -> bool {
        self.length == self.width()
    }

    fn width(&self) -> u8 {
        if self.first.is_ipv4() { 32 } else { 128 }
    }
}

fn is_any(networks: &[Network], ip: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(ip))
}

/// The IPv4 address that an IPv6 address stands for, or the address itself.
fn meant(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) if is_any(&STAND_INS, ip) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        ip => ip,
    }
}

/// Whether an address is one of the public Internet: none of a private network, of this machine, of a
/// link, of a cloud's inside, of documentation, none that is reserved and none for many. IPv6 addresses
/// that stand for an IPv4 address are what that is.
pub fn is_public(ip: IpAddr) -> bool {
    let ip = meant(ip);
    is_any(&GLOBAL, ip) || !is_any(&CLOSED, ip)
}

/// What a deployment allows beside the public Internet: hosts, addresses and CIDRs, each on one port or
/// on all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    place: Place,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// In lower case, without a dot at its end.
    Host(String),
    Network(Network),
}

/// A part of an allow-list that says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{part}`: {reason}")]
pub struct InvalidAllowList {
    /// The part as it was written.
    pub part: String,
    /// What is wrong with it.
    pub reason: String,
}

impl AllowList {
    /// Reads a list with commas, e.g. `10.1.0.0/16,127.0.0.1:9000,[fd12::/64]:443,hooks.internal`. What
    /// is blank is nothing.
    ///
    /// # Errors
    /// [`InvalidAllowList`] for the first part that is no host, address or CIDR with or without a port.
    pub fn parse(text: &str) -> Result<Self, InvalidAllowList> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let entry =
            |part: &str| Entry::parse(part).map_err(|reason| InvalidAllowList { part: part.into(), reason });
        parts.map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a call of this host at this address and port is allowed. A host's name allows all
    /// addresses that it has; but those that are link-local, or tell machines about themselves, are
    /// allowed only one by one, as addresses.
    pub fn allows(&self, host: &str, ip: IpAddr, port: u16) -> bool {
        let ip = meant(ip);
        let is_delicate = is_any(&DELICATE, ip);
        self.on(port).any(|entry| match &entry.place {
            Place::Host(_) => !is_delicate && entry.is_host(host),
            Place::Network(network) => network.contains(ip) && (!is_delicate || network.is_one()),
        })
    }

    /// Whether the host is there by its name.
    pub fn has_host(&self, host: &str, port: u16) -> bool {
        self.on(port).any(|entry| entry.is_host(host))
    }

    /// Whether the host's name or the address alone is there with this very port.
    pub fn names(&self, host: &str, ip: IpAddr, port: u16) -> bool {
        self.on(port).filter(|entry| entry.port.is_some()).any(|entry| match &entry.place {
            Place::Host(_) => entry.is_host(host),
            Place::Network(network) => network.is_one() && network.contains(meant(ip)),
        })
    }

    fn on(&self, port: u16) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter(move |entry| entry.port.is_none_or(|only| only == port))
    }
}

impl Entry {
    fn parse(part: &str) -> Result<Self, String> {
        let (place, port) = match part.strip_prefix('[') {
            Some(rest) => {
                let (place, rest) = rest.split_once(']').ok_or("a `]` is missing")?;
                if !place.contains(':') {
                    return Err("brackets are for IPv6 addresses".to_owned());
                }
                let port = match rest {
                    "" => None,
                    rest => Some(rest.strip_prefix(':').ok_or("only `:` and a port may follow `]`")?),
                };
                (place, port)
            }
            // With more than one colon it is an IPv6 address.
            None => match part.split_once(':') {
                Some((place, port)) if !port.contains(':') => (place, Some(port)),
                _ => (part, None),
            },
        };
        let port = port.map(read_port).transpose()?;
        let place = match place.split_once('/') {
            Some((first, length)) => Place::Network(Network::parse(first, Some(length))?),
            None if place.contains(':') || ends_in_number(place) => {
                Place::Network(Network::parse(place, None)?)
            }
            None => Place::Host(read_host(place)?),
        };
        Ok(Self { place, port })
    }

    fn is_host(&self, host: &str) -> bool {
        matches!(&self.place, Place::Host(name) if *name == folded(host))
    }
}

impl Network {
    fn parse(first: &str, length: Option<&str>) -> Result<Self, String> {
        let first: IpAddr = first.parse().map_err(|_| format!("`{first}` is no address"))?;
        if meant(first) != first {
            return Err(format!("is to be written as IPv4, {}", meant(first)));
        }
        let mut network = Self { first, length: 0 };
        network.length = match length {
            None => network.width(),
            Some(text) => {
                let length = text.parse().ok().filter(|length| *length <= network.width());
                length.ok_or_else(|| format!("`{text}` is no length from 0 to {}", network.width()))?
            }
        };
        let has_rest = match first {
            IpAddr::V4(ip) => ip.to_bits().unbounded_shl(network.length.into()) != 0,
            IpAddr::V6(ip) => ip.to_bits().unbounded_shl(network.length.into()) != 0,
        };
        if has_rest {
            return Err(format!("has more bits than the {} of its length", network.length));
        }
        Ok(network)
    }
}

fn read_port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port != 0).ok_or_else(|| format!("`{text}` is no port"))
}

fn read_host(text: &str) -> Result<String, String> {
    let host = folded(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_host = host.len() <= 253 && host.split('.').all(is_label);
    if is_host { Ok(host) } else { Err("is no host, address or CIDR".to_owned()) }
}

/// A host as it is compared.
fn folded(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a URL parser would take it for an IPv4 address, of whatever spelling (WHATWG URL, 3.5).
fn ends_in_number(host: &str) -> bool {
    let host = folded(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_hex = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    is_hex || !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
}
