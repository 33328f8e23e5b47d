//! The known name that a misspelt one was meant to be.

/// Longer names are nobody's misspelling, and comparing them would cost.
const NAME_CHARS_MAX: usize = 64;

/// The nearest of `known`, where one is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.chars().nth(NAME_CHARS_MAX).is_some() {
        return None;
    }
    let name = name.to_ascii_lowercase().replace('-', "_");
    known
        .map(|candidate| (strsim::damerau_levenshtein(&name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.chars().count() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_none() {
        let known = ["listen", "allow_peers", "off"];
        let near = |name| nearest(name, known.into_iter());
        assert_eq!(near("lisen"), Some("listen"));
        assert_eq!(near("Allow-Peers"), Some("allow_peers"));
        assert_eq!(near("of"), Some("off"));
        assert_eq!(near("metrics"), None);
        assert_eq!(near(&"listen".repeat(20)), None);
    }
}
