//! Where a request comes from, as the connection knows it. Both stand in the request's extensions.

use std::net::{IpAddr, Ipv6Addr};

/// The other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl Peer {
    /// What counts as one client where there are no names: an IPv4 address, or an IPv6 network of 64 bits,
    /// all of whose addresses one machine can take.
    pub(crate) fn client(address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 @ IpAddr::V4(_) => v4,
        }
    }
}

/// The name in the certificate with which the client has proved who it is: its common name, or else its first
/// alternative name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientName(pub String);
