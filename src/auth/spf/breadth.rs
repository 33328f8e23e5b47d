//! How many clients a record lets pass: `+all` in other words (`ip4:0.0.0.0/1 ip4:128.0.0.0/1`, `::/0`)
//! is still `+all`, and half of the world is as good as all of it.
//!
//! Only the networks that stand in the records read are counted: who passes by `exists:` or `ptr`
//! cannot be known, and records behind the match are not looked up for this.

use std::net::IpAddr;

use viaspf_record::{Ip4CidrLength, Ip6CidrLength, Mechanism};

/// Which part of all addresses makes a pass worthless.
const HALF: u128 = 2;
/// IPv6's global unicast addresses, `2000::/3`: no client has another (RFC 4291 §2.4).
const GLOBAL_UNICAST: Range = Range { first: 0x2 << 124, last: (0x4 << 124) - 1 };
/// IPv4's addresses, as they are counted here.
const IPV4: Range = Range { first: 0, last: u32::MAX as u128 };

/// What a pass says of other clients.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Breadth {
    /// Some clients pass.
    #[default]
    Some,
    /// At least half of all addresses pass.
    Most,
    /// All pass.
    Any,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Range {
    first: u128,
    last: u128,
}

/// The networks of the client's kind that pass by the records read so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Passing {
    ranges: Vec<Range>,
}

impl Passing {
    /// Adds the mechanism's network, where it is one of the client's kind.
    pub(super) fn add(&mut self, mechanism: &Mechanism, client: IpAddr) {
        self.ranges.extend(network(mechanism, client));
    }

    /// How many networks there are; [`Self::forget_since`] goes back to there.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Forgets the networks added since: they do not pass after all.
    pub(super) fn forget_since(&mut self, len: usize) {
        self.ranges.truncate(len);
    }

    /// How much of all addresses of the client's kind the networks make together.
    pub(super) fn breadth(&self, client: IpAddr) -> Breadth {
        let world = if client.is_ipv4() { IPV4 } else { GLOBAL_UNICAST };
        let mut ranges: Vec<Range> = self.ranges.iter().filter_map(|r| r.within(world)).collect();
        ranges.sort_unstable();
        let (mut next, mut covered) = (world.first, 0);
        for range in ranges {
            let first = range.first.max(next);
            if first <= range.last {
                covered += range.last - first + 1;
                next = range.last + 1;
            }
        }
        Breadth::of(covered, world.last - world.first + 1)
    }
}

impl Breadth {
    fn of(covered: u128, all: u128) -> Self {
        match covered {
            _ if covered == all => Self::Any,
            _ if covered >= all / HALF => Self::Most,
            _ => Self::Some,
        }
    }

    /// How much a prefix of this many bits covers by itself.
    pub(super) fn of_prefix(bits: u8) -> Self {
        match bits {
            0 => Self::Any,
            1 => Self::Most,
            _ => Self::Some,
        }
    }

    /// What is added to the reason of a pass.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Some => "",
            Self::Most => ", as most clients would",
            Self::Any => ", as any client would",
        }
    }
}

impl Range {
    fn within(self, world: Self) -> Option<Self> {
        let range = Self { first: self.first.max(world.first), last: self.last.min(world.last) };
        (range.first <= range.last).then_some(range)
    }
}

fn network(mechanism: &Mechanism, client: IpAddr) -> Option<Range> {
    let (addr, bits, length) = match mechanism {
        Mechanism::Ip4(ip4) if client.is_ipv4() => {
            (u128::from(ip4.addr.to_bits()), 32, ip4.prefix_len.map_or(32, Ip4CidrLength::get))
        }
        Mechanism::Ip6(ip6) if client.is_ipv6() => {
            (ip6.addr.to_bits(), 128, ip6.prefix_len.map_or(128, Ip6CidrLength::get))
        }
        _ => return None,
    };
    let host_bits: u32 = bits - u32::from(length);
    let mask = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |size| size - 1);
    Some(Range { first: addr & !mask, last: addr | mask })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::spf::record::select;

    fn breadth(record: &str, client: &str) -> Breadth {
        let client: IpAddr = client.parse().unwrap();
        let record = select(&[format!("v=spf1 {record}").into_bytes()]).unwrap().unwrap();
        let mut passing = Passing::default();
        for directive in &record.directives {
            passing.add(&directive.mechanism, client);
        }
        passing.breadth(client)
    }

    #[test]
    fn networks_are_added_up() {
        for (record, expected) in [
            ("ip4:0.0.0.0/0", Breadth::Any),
            ("ip4:128.0.0.0/1 ip4:0.0.0.0/1", Breadth::Any),
            ("ip4:64.0.0.0/2 ip4:0.0.0.0/2 ip4:192.0.0.0/2 ip4:128.0.0.0/2", Breadth::Any),
            ("ip4:1.2.3.4/1", Breadth::Most),
            ("ip4:0.0.0.0/2 ip4:64.0.0.0/3 ip4:96.0.0.0/3 ip4:127.0.0.1", Breadth::Most),
            ("ip4:0.0.0.0/2 ip4:0.0.0.0/2 ip4:32.0.0.0/3", Breadth::Some),
            ("ip4:192.0.2.0/24 ip6:::/0", Breadth::Some),
            ("all", Breadth::Some),
        ] {
            assert_eq!(breadth(record, "192.0.2.1"), expected, "{record}");
        }
        for (record, expected) in [
            ("ip6:::/0", Breadth::Any),
            ("ip6:2000::/3", Breadth::Any),
            ("ip6:2000::/4 ip6:3000::/4", Breadth::Any),
            ("ip6:2000::/4", Breadth::Most),
            ("ip6:2001:db8::/32 ip4:0.0.0.0/0", Breadth::Some),
        ] {
            assert_eq!(breadth(record, "2001:db8::1"), expected, "{record}");
        }
    }

    #[test]
    fn many_networks_cost_little() {
        let client = "192.0.2.1".parse().unwrap();
        let mut passing = Passing::default();
        let record = select(&[b"v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.1".to_vec()]);
        let directives = record.unwrap().unwrap().directives;
        for directive in directives.iter().cycle().take(500_000) {
            passing.add(&directive.mechanism, client);
        }
        let start = std::time::Instant::now();
        assert_eq!(passing.breadth(client), Breadth::Some);
        assert!(start.elapsed().as_secs() < 2);
    }
}
