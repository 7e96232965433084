//! Lists of addresses and networks.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use super::Network;

/// Addresses and networks, e.g. those of one's own proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// A part of a list that is no address or network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{part}`: {reason}")]
pub struct InvalidNetwork {
    /// The part as it was written.
    pub part: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Networks {
    /// Reads a list with commas, e.g. `10.1.0.0/16,127.0.0.1,fd12::/64`. What is blank is nothing.
    ///
    /// # Errors
    /// [`InvalidNetwork`] for the first part that is no address or CIDR.
    pub fn parse(text: &str) -> Result<Self, InvalidNetwork> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network = |part: &str| {
            let (first, length) =
                part.split_once('/').map_or((part, None), |(first, length)| (first, Some(length)));
            Network::parse(first, length).map_err(|reason| InvalidNetwork { part: part.into(), reason })
        };
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the address is in one of them; an IPv4 address is the same, written as IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}
