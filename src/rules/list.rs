//! A list in a file: domains, addresses and networks, an entry a line, found in constant time.
//!
//! The text of the file is kept once, in lower case, with a hash table of places in it: a million
//! domains of 20 octets take some 40 MB. Networks are in a hash table for each length of prefix.
//!
//! Failure: a file that is missing, unreadable or has a line that is no entry refuses the rule that
//! names it.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

use hashbrown::HashTable;
use ipnet::IpNet;

use crate::config::error::{Complaint, quoted};
use crate::message::domain;

/// The entries of a file.
#[derive(Debug, Default)]
pub(super) struct List {
    text: String,
    places: HashTable<(u32, u32)>,
    hasher: RandomState,
    v4: HashMap<u8, HashSet<u32>>,
    v6: HashMap<u8, HashSet<u128>>,
}

/// A line that is no entry: its number from 1, and what is wrong with it.
#[derive(Debug)]
pub(super) struct BadLine {
    pub(super) line: usize,
    pub(super) complaint: Complaint,
}

impl List {
    /// Reads a text of which each line has one entry, or none; `#` begins a comment.
    pub(super) fn read(text: &str) -> Result<Self, BadLine> {
        let mut list = Self { text: String::with_capacity(text.len()), ..Self::default() };
        for (index, line) in text.lines().enumerate() {
            let entry = line.split('#').next().unwrap_or_default().trim();
            if !entry.is_empty() {
                list.insert(entry).map_err(|complaint| BadLine { line: index + 1, complaint })?;
            }
        }
        list.text.shrink_to_fit();
        Ok(list)
    }

    fn insert(&mut self, entry: &str) -> Result<(), Complaint> {
        if entry.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Complaint::new(format!("{} is no entry of a list", quoted(entry)))
                .hint("one domain, address or network a line"));
        }
        if entry.contains('/') || entry.parse::<IpAddr>().is_ok() {
            return self.insert_network(entry);
        }
        let place = self.text.len() as u32;
        match entry.strip_prefix("@").unwrap_or(entry) {
            // Most are in this form already.
            name if name.is_ascii() => {
                let name = name.strip_suffix('.').unwrap_or(name);
                self.text.extend(name.chars().map(|c| c.to_ascii_lowercase()));
            }
            name => self.text.push_str(&normalized(name)),
        }
        let range = (place, self.text.len() as u32);
        let Self { text, places, hasher, .. } = self;
        let at = |range: &(u32, u32)| text.get(range.0 as usize..range.1 as usize).unwrap_or("");
        let hash = hasher.hash_one(at(&range));
        if places.find(hash, |other| at(other) == at(&range)).is_none() {
            places.insert_unique(hash, range, |range| hasher.hash_one(at(range)));
        }
        Ok(())
    }

    fn insert_network(&mut self, entry: &str) -> Result<(), Complaint> {
        let addr = |entry: &str| entry.parse::<IpAddr>().map(IpNet::from).ok();
        let Some(net) = entry.parse::<IpNet>().ok().or_else(|| addr(entry)) else {
            return Err(Complaint::new(format!("{} is no network", quoted(entry)))
                .hint("such as 192.0.2.0/24 or 2001:db8::/32"));
        };
        if net.addr() != net.network() {
            return Err(Complaint::new(format!("{} has bits beyond its prefix", quoted(entry)))
                .hint(format!("write {}", net.trunc())));
        }
        match net {
            IpNet::V4(net) => {
                self.v4.entry(net.prefix_len()).or_default().insert(net.network().to_bits());
            }
            IpNet::V6(net) => {
                self.v6.entry(net.prefix_len()).or_default().insert(net.network().to_bits());
            }
        }
        Ok(())
    }

    /// How many entries it has.
    #[cfg(test)]
    fn len(&self) -> usize {
        let v4: usize = self.v4.values().map(HashSet::len).sum();
        let v6: usize = self.v6.values().map(HashSet::len).sum();
        self.places.len() + v4 + v6
    }

    /// Whether it has this very text, whatever its case.
    pub(super) fn has(&self, text: &str) -> bool {
        self.has_lower(&lower(text))
    }

    fn has_lower(&self, text: &str) -> bool {
        let at = |range: &(u32, u32)| self.text.get(range.0 as usize..range.1 as usize);
        self.places.find(self.hasher.hash_one(text), |range| at(range) == Some(text)).is_some()
    }

    /// Whether it has this domain or one above it.
    pub(super) fn has_domain(&self, name: &str) -> bool {
        let name = normalized(name);
        let parents = name.match_indices('.').filter_map(|(dot, _)| name.get(dot + 1..));
        std::iter::once(name.as_str()).chain(parents).any(|name| self.has_lower(name))
    }

    /// Whether it has this mail address, its domain or one above that.
    pub(super) fn has_address(&self, address: &str) -> bool {
        match address.rsplit_once('@') {
            Some((local, name)) => {
                let address = format!("{}@{}", lower(local), normalized(name));
                self.has_lower(&address) || self.has_domain(name)
            }
            None => self.has(address),
        }
    }

    /// Whether it has this IP address or a network that holds it.
    pub(super) fn has_addr(&self, addr: IpAddr) -> bool {
        match addr.to_canonical() {
            IpAddr::V4(addr) => self.v4.iter().any(|(&length, networks)| {
                networks.contains(&(addr.to_bits() & mask::<32>(length) as u32))
            }),
            IpAddr::V6(addr) => self.v6.iter().any(|(&length, networks)| {
                networks.contains(&(addr.to_bits() & mask::<128>(length)))
            }),
        }
    }

    /// Whether it has this host: a domain, or an address, also in the brackets of a URL or of RFC
    /// 5321 §4.1.3.
    pub(super) fn has_host(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match bare.strip_prefix("IPv6:").unwrap_or(bare).parse() {
            Ok(addr) => self.has_addr(addr),
            Err(_) => self.has_domain(host),
        }
    }
}

/// The first bits of an address of so many.
fn mask<const BITS: u32>(length: u8) -> u128 {
    let host_bits = BITS.saturating_sub(u32::from(length));
    u128::MAX.checked_shl(host_bits).unwrap_or(0)
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

/// A name as mail compares it, or any other text in lower case.
fn normalized(name: &str) -> String {
    domain::ascii(name).unwrap_or_else(|| lower(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> List {
        List::read(text).unwrap()
    }

    #[test]
    fn entries_are_domains_addresses_networks_and_names() {
        let list = list(
            "# bad ones\nExample.ORG\n  spam@example.net # known\n\n192.0.2.0/24\n198.51.100.7\n\
             2001:db8::/32\nbücher.example\njoe\n@at.example\ndot.example.\r\n",
        );
        assert_eq!(list.len(), 9);
        for name in ["example.org", "EXAMPLE.org", "a.b.example.org", "example.org."] {
            assert!(list.has_domain(name), "{name}");
        }
        assert!(!list.has_domain("evil-example.org") && !list.has_domain("org"));
        assert!(list.has_address("x@sub.example.org") && list.has_address("SPAM@Example.net"));
        assert!(!list.has_address("other@example.net") && list.has_address("joe@at.example"));
        assert!(list.has_domain("xn--bcher-kva.example") && list.has_domain("Bücher.example"));
        assert!(list.has("JOE") && !list.has("jo") && list.has_domain("x.dot.example"));
        for (addr, is_in) in [
            ("192.0.2.255", true),
            ("::ffff:192.0.2.1", true),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:1::1", true),
            ("2001:db9::", false),
        ] {
            assert_eq!(list.has_addr(addr.parse().unwrap()), is_in, "{addr}");
        }
        assert!(list.has_host("[192.0.2.1]") && list.has_host("[IPv6:2001:db8::1]"));
        assert!(!list.has_host("203.0.113.1") && list.has_host("a.example.org"));
    }

    #[test]
    fn a_whole_network_is_one_of_every_length() {
        let all = list("0.0.0.0/0\n::/0\n");
        assert!(all.has_addr("192.0.2.1".parse().unwrap()));
        assert!(all.has_addr("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn a_line_that_is_no_entry_is_named() {
        for (text, line, says) in [
            ("ok\ntwo words\n", 2, "is no entry"),
            ("192.0.2.1/24", 1, "write 192.0.2.0/24"),
            ("\n\nhttp://example.org/", 3, "is no network"),
        ] {
            let bad = List::read(text).unwrap_err();
            assert_eq!(bad.line, line);
            assert!(bad.complaint.to_string().contains(says), "{}", bad.complaint);
        }
    }
}
