//! Selectors of new keys: dated, or not to be guessed.

use ring::rand::{SecureRandom as _, SystemRandom};

use super::domain::Selector;
use super::state::rfc3339;

/// What random selectors are made of: 32 signs, none of which is taken for another.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Eighty bits of randomness.
const RANDOM_SIGNS: usize = 16;

/// The dated selector of a new key, `s2026-11-a`, with the first letter that `is_taken` leaves.
pub(super) fn dated(now: u64, is_taken: impl Fn(&Selector) -> bool) -> Option<Selector> {
    let month = rfc3339(now);
    let month = month.get(.."2026-11".len())?;
    let names = (b'a'..=b'z').map(|letter| format!("s{month}-{}", char::from(letter)));
    names.filter_map(|name| Selector::parse(&name).ok()).find(|selector| !is_taken(selector))
}

/// A selector that nobody guesses; none where the system has no randomness.
pub(super) fn random() -> Option<Selector> {
    let mut octets = [0; RANDOM_SIGNS];
    SystemRandom::new().fill(&mut octets).ok()?;
    let sign = |octet: &u8| SIGNS.get(usize::from(octet & 31)).copied().map(char::from);
    let name: String = octets.iter().filter_map(sign).collect();
    Selector::parse(&format!("s{name}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_dated_and_lettered() {
        let now = 1_795_261_620;
        let named = |taken: &[&str]| {
            dated(now, |selector| taken.contains(&selector.as_str())).map(|s| s.to_string())
        };
        assert_eq!(named(&[]).as_deref(), Some("s2026-11-a"));
        assert_eq!(named(&["s2026-11-a", "s2026-11-b"]).as_deref(), Some("s2026-11-c"));
        assert_eq!(dated(now, |_| true), None);
    }

    #[test]
    fn random_selectors_are_names_and_differ() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert!(one != other && one.as_str().len() == 17, "{one} {other}");
        assert!(one.as_str().bytes().all(|octet| octet.is_ascii_alphanumeric()), "{one}");
    }
}
