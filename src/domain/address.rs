//! Where a caller comes from, as it is counted.

use std::net::{IpAddr, SocketAddr};

use sha2::{Digest, Sha256};

/// A caller's network and, of IPv6, the wider one that one customer may have many of. They are hashed with what
/// is counted, so that no table holds an address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    near: String,
    wide: Option<String>,
}

/// How much more a wider network may do than one of its parts.
const WIDE_FACTOR: i64 = 4;

impl Address {
    /// Reads an IP with or without a port: of IPv4 all of it counts, of IPv6 the first 64 bits, and the first 48
    /// at four times the limit. Anything else counts as it stands.
    pub fn parse(entry: &str) -> Self {
        let bare = entry.trim_start_matches('[').trim_end_matches(']');
        let address = entry
            .parse::<SocketAddr>()
            .map(|address| address.ip())
            .or_else(|_| bare.parse::<IpAddr>())
            .map(|address| address.to_canonical());
        match address {
            Ok(IpAddr::V4(address)) => Self { near: address.to_string(), wide: None },
            Ok(IpAddr::V6(address)) => {
                let first = |parts| address.segments()[..parts].iter().map(|part| format!("{part:x}:")).collect();
                Self { near: first(4), wide: Some(first(3)) }
            }
            Err(_) => Self { near: entry.to_owned(), wide: None },
        }
    }

    /// What is counted under which key, and how often each may: `limit` for the caller's network. A key is 32
    /// hex characters.
    pub fn limits(&self, purpose: &str, limit: i64) -> Vec<(String, i64)> {
        let key = |network: &str| hex::encode(&Sha256::digest(format!("{purpose}\0{network}").as_bytes())[..16]);
        let near = (key(&self.near), limit);
        let wide = self.wide.as_deref().map(|network| (key(network), limit.saturating_mul(WIDE_FACTOR)));
        [near].into_iter().chain(wide).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_found_in_every_form_of_an_address() {
        for (one, other) in [
            ("203.0.113.7", "203.0.113.7:4711"),
            ("203.0.113.7", "::ffff:203.0.113.7"),
            ("2001:db8:1:2::1", "[2001:DB8:1:2:ffff::9]:443"),
            ("2001:db8:1:2::1", "[2001:db8:0001:0002::]"),
        ] {
            assert_eq!(Address::parse(one), Address::parse(other), "{one} {other}");
        }
        for (one, other) in [
            ("203.0.113.7", "203.0.113.8"),
            ("2001:db8:1:2::1", "2001:db8:1:3::1"),
            ("", "unknown"),
            ("_hidden", "_other"),
        ] {
            assert_ne!(Address::parse(one), Address::parse(other), "{one} {other}");
        }
    }

    #[test]
    fn of_ipv6_the_wider_network_counts_as_well() {
        let limits = |address| Address::parse(address).limits("posts", 10);
        let (one, other) = (limits("2001:db8:1:2::1"), limits("2001:db8:1:3::1"));
        assert_eq!(one.iter().map(|(_, limit)| *limit).collect::<Vec<_>>(), [10, 40]);
        assert_ne!(one[0], other[0]);
        assert_eq!(one[1], other[1]);
        assert_eq!(limits("203.0.113.7").len(), 1);
    }

    #[test]
    fn what_is_counted_for_one_thing_does_not_count_for_another() {
        let address = Address::parse("203.0.113.7");
        assert_ne!(address.limits("posts", 1), address.limits("rooms", 1));
        assert_eq!(address.limits("posts", 1)[0].0.len(), 32);
    }
}
