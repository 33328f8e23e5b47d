//! `[[sign.map]]`: which domains sign for author domains other than by their own keys.
//!
//! A look-up costs one step a label of the author domain, however many maps there are.

use std::collections::{BTreeSet, HashMap};

use crate::dkim::name;
use crate::keys::Selector;
use crate::message::domain::is_within;

/// How many domains may sign for one `from`: more signatures than verifiers look at help nobody.
pub(crate) const SIGNERS_MAX: usize = 8;

/// The author domains that a map names.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Authors {
    /// This one.
    Domain(String),
    /// All below this one.
    Below(String),
    /// All.
    Any,
}

impl Authors {
    /// The patterns that all these authors are of, the most specific first, which is this one.
    pub fn and_wider(&self) -> Vec<Self> {
        match self {
            Self::Domain(name) | Self::Below(name) => {
                let above = parents(name).map(|parent| Self::Below(parent.to_owned()));
                std::iter::once(self.clone()).chain(above).chain([Self::Any]).collect()
            }
            Self::Any => vec![Self::Any],
        }
    }

    /// Whether all authors of the other are of this.
    pub fn covers(&self, other: &Self) -> bool {
        other.and_wider().contains(self)
    }
}

/// Who signs for them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mapped {
    /// `d=`: a domain whose active keys sign.
    pub domain: String,
    /// Which of its keys; empty: all.
    pub selectors: Vec<Selector>,
    /// Whether it signs beside those who sign anyway.
    pub also: bool,
    /// Whether `i=` names an author domain that is below `d=`.
    pub auid: bool,
}

/// All maps, found by the author domain.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SignMap {
    maps: HashMap<Authors, Vec<Mapped>>,
}

/// Why a map can't be added.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MapError {
    /// The same `from` and `domain` are there already.
    Twice,
    /// The `from` has [`SIGNERS_MAX`] domains already.
    TooMany,
}

/// One domain that signs a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Chosen<'a> {
    /// `d=`.
    pub domain: &'a str,
    /// Which of its keys; empty: all.
    pub selectors: &'a [Selector],
    /// Whether `i=` may be written.
    auid: bool,
    /// Whether a map chose it.
    pub is_mapped: bool,
}

impl SignMap {
    /// Adds a map.
    pub fn insert(&mut self, from: Authors, mapped: Mapped) -> Result<(), MapError> {
        let signers = self.maps.entry(from).or_default();
        if signers.iter().any(|other| other.domain == mapped.domain) {
            return Err(MapError::Twice);
        }
        if signers.len() >= SIGNERS_MAX {
            return Err(MapError::TooMany);
        }
        signers.push(mapped);
        Ok(())
    }

    /// The maps, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Authors, &Mapped)> {
        self.maps
            .iter()
            .flat_map(|(from, signers)| signers.iter().map(move |mapped| (from, mapped)))
    }

    /// The domains that are to sign and have nothing to sign with, each once.
    pub fn unkeyed(&self, has_key: impl Fn(&str) -> bool) -> Vec<&str> {
        let domains = self.iter().map(|(_, mapped)| mapped.domain.as_str());
        let unkeyed: BTreeSet<&str> = domains.filter(|domain| !has_key(domain)).collect();
        unkeyed.into_iter().collect()
    }

    /// Who signs for an author domain. The first of these that there is decides: maps of exactly
    /// this domain, its own keys (`has_own`), the maps of its nearest parent, those of all domains.
    /// Maps with `also` add to that.
    pub fn signers<'a>(&'a self, author: &'a str, has_own: bool) -> Vec<Chosen<'a>> {
        let mut chosen = Choice::default();
        chosen.level(self.of(&Authors::Domain(author.to_owned())));
        if has_own && !chosen.is_decided {
            let own = Chosen { domain: author, selectors: &[], auid: false, is_mapped: false };
            chosen.add(own);
            chosen.is_decided = true;
        }
        for parent in parents(author) {
            chosen.level(self.of(&Authors::Below(parent.to_owned())));
        }
        chosen.level(self.of(&Authors::Any));
        chosen.signers
    }

    fn of(&self, from: &Authors) -> &[Mapped] {
        self.maps.get(from).map_or(&[], Vec::as_slice)
    }
}

impl Chosen<'_> {
    /// `i=` for the author domain: RFC 6376 §3.5, "the domain part of the address MUST be the same
    /// as, or a subdomain of, the value of the "d=" tag". The same domain is what its absence says.
    pub fn auid(&self, author: &str) -> Option<String> {
        let is_below = author != self.domain && is_within(author, self.domain);
        let can_stand = is_below && self.auid && name::domain(author.as_bytes()).is_some();
        can_stand.then(|| format!("@{author}"))
    }
}

#[derive(Default)]
struct Choice<'a> {
    signers: Vec<Chosen<'a>>,
    is_decided: bool,
}

impl<'a> Choice<'a> {
    /// The maps of one pattern: they decide, unless that is done.
    fn level(&mut self, maps: &'a [Mapped]) {
        let was_decided = self.is_decided;
        for mapped in maps.iter().filter(|mapped| mapped.also || !was_decided) {
            let Mapped { domain, selectors, auid, also } = mapped;
            self.is_decided |= !also;
            self.add(Chosen { domain, selectors, auid: *auid, is_mapped: true });
        }
    }

    fn add(&mut self, signer: Chosen<'a>) {
        if !self.signers.iter().any(|other| other.domain == signer.domain) {
            self.signers.push(signer);
        }
    }
}

/// The domains above one, nearest first.
fn parents(domain: &str) -> impl Iterator<Item = &str> {
    domain.match_indices('.').map(|(dot, _)| &domain[dot + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(domain: &str, also: bool) -> Mapped {
        Mapped { domain: domain.into(), selectors: vec![], also, auid: true }
    }

    fn map(maps: &[(Authors, &str, bool)]) -> SignMap {
        let mut map = SignMap::default();
        for (from, domain, also) in maps {
            map.insert(from.clone(), mapped(domain, *also)).unwrap();
        }
        map
    }

    fn domains<'a>(map: &'a SignMap, author: &'a str, has_own: bool) -> Vec<&'a str> {
        map.signers(author, has_own).iter().map(|chosen| chosen.domain).collect()
    }

    #[test]
    fn the_most_specific_decides() {
        let map = map(&[
            (Authors::Below("example.org".into()), "example.org", false),
            (Authors::Below("lists.example.org".into()), "lists.example.org", false),
            (Authors::Domain("a.example.org".into()), "exact.example", false),
            (Authors::Any, "any.example", false),
        ]);
        for (author, has_own, signs) in [
            ("a.example.org", true, "exact.example"),
            ("b.example.org", true, "b.example.org"),
            ("b.example.org", false, "example.org"),
            ("x.y.lists.example.org", false, "lists.example.org"),
            ("lists.example.org", false, "example.org"),
            ("example.org", false, "any.example"),
            ("notexample.org", false, "any.example"),
        ] {
            assert_eq!(domains(&map, author, has_own), [signs], "{author}");
        }
        assert_eq!(domains(&SignMap::default(), "example.org", false), [""; 0]);
    }

    #[test]
    fn others_sign_too_where_asked() {
        let map = map(&[
            (Authors::Any, "esp.example", true),
            (Authors::Domain("example.org".into()), "also.example", true),
            (Authors::Domain("example.net".into()), "example.net", false),
            (Authors::Domain("example.net".into()), "two.example", false),
        ]);
        assert_eq!(
            domains(&map, "example.org", true),
            ["also.example", "example.org", "esp.example"]
        );
        assert_eq!(
            domains(&map, "example.net", true),
            ["example.net", "two.example", "esp.example"]
        );
        assert_eq!(domains(&map, "esp.example", true), ["esp.example"]);
    }

    #[test]
    fn domains_without_keys_are_told_once() {
        let map = map(&[
            (Authors::Any, "b.example", true),
            (Authors::Below("a.example".into()), "b.example", false),
            (Authors::Domain("c.example".into()), "a.example", false),
            (Authors::Domain("d.example".into()), "d.example", false),
        ]);
        assert_eq!(map.unkeyed(|domain| domain == "d.example"), ["a.example", "b.example"]);
    }

    #[test]
    fn the_auid_is_of_the_signing_domain() {
        let auid = |domain: &str, author: &str| {
            let map = map(&[(Authors::Any, domain, false)]);
            map.signers(author, false)[0].auid(author)
        };
        assert_eq!(auid("example.org", "a.b.example.org").as_deref(), Some("@a.b.example.org"));
        assert_eq!(auid("example.org", "example.org"), None);
        assert_eq!(auid("example.org", "notexample.org"), None);
        assert_eq!(auid("a.example.org", "example.org"), None);
        assert_eq!(auid("example.org", "a_b.example.org"), None);
    }

    /// 10,000 maps and one: linear look-ups would differ ten-thousandfold.
    #[test]
    fn a_pick_costs_the_same_among_ten_thousand_maps() {
        let author = |index: usize| format!("mail.host{index}.example");
        let maps = |count: usize| {
            let mut maps = SignMap::default();
            for index in 0..count {
                let parent = format!("host{index}.example");
                maps.insert(Authors::Below(parent.clone()), mapped(&parent, false)).unwrap();
            }
            maps
        };
        let picks = |maps: &SignMap, count: usize| {
            let authors: Vec<String> = (0..10_000).map(|index| author(index % count)).collect();
            let start = std::time::Instant::now();
            for author in &authors {
                assert_eq!(maps.signers(author, false)[0].domain, &author["mail.".len()..]);
            }
            start.elapsed()
        };
        let least = |count: usize| {
            let maps = maps(count);
            (0..5).map(|_| picks(&maps, count)).min().unwrap()
        };
        let (one, many) = (least(1), least(10_000));
        eprintln!("10,000 picks: {one:?} with one map, {many:?} with 10,000");
        assert!(many < 500 * one, "{many:?} {one:?}");
    }

    #[test]
    fn a_from_has_few_signers() {
        let mut map = SignMap::default();
        for index in 0..SIGNERS_MAX {
            map.insert(Authors::Any, mapped(&format!("{index}.example"), true)).unwrap();
        }
        let twice = map.insert(Authors::Any, mapped("0.example", false));
        assert_eq!(twice, Err(MapError::Twice));
        let more = map.insert(Authors::Any, mapped("more.example", false));
        assert_eq!(more, Err(MapError::TooMany));
    }
}
