//! Domain names as mail compares them: ASCII, lower case, without a final dot (RFC 1123 §2.1,
//! RFC 4343, RFC 5890 §2.3). Every reader of names starts here and adds the rule of its own RFC:
//! `dkim::name` the signing domains', `auth::spf::domain` the looser one of SPF's identities.

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// The longest domain name as text (RFC 1035 §3.1).
pub(crate) const NAME_OCTETS_MAX: usize = 253;
/// The longest label (RFC 1035 §3.1).
pub(crate) const LABEL_OCTETS_MAX: usize = 63;
/// The longest text that is looked at: a name of U-labels takes more octets than its A-labels.
const TEXT_OCTETS_MAX: usize = 4 * NAME_OCTETS_MAX;

/// The one form of a domain name that is compared and looked up: A-labels in lower case, without
/// the final dot. `None` where it is none: an empty or overlong label or name, an address
/// literal, an octet outside letters, digits, hyphens and underscores (no host's, but DNS has
/// them), a hyphen at a label's end, or a label that only looks like its U-label (RFC 5890
/// §2.3.2.1): full-width letters, invisible characters.
pub fn normalize(name: &str) -> Option<String> {
    ascii(name).filter(|name| name.split('.').all(is_label))
}

/// The same for names whose labels may hold any octets: A-labels, lower case, no final dot, and
/// the lengths of the DNS.
pub(crate) fn ascii(name: &str) -> Option<String> {
    if name.len() > TEXT_OCTETS_MAX {
        return None;
    }
    let ascii = if name.is_ascii() { name.to_ascii_lowercase() } else { to_ascii(name)? };
    let ascii = ascii.strip_suffix('.').unwrap_or(&ascii);
    let fits = |label: &str| (1..=LABEL_OCTETS_MAX).contains(&label.len());
    let valid = ascii.len() <= NAME_OCTETS_MAX && ascii.split('.').all(fits);
    valid.then(|| ascii.to_owned())
}

/// The name with its A-labels as U-labels, as a reader may be shown it.
pub(crate) fn to_unicode(name: &str) -> String {
    Uts46::new().to_unicode(name.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow).0.into_owned()
}

/// Whether `name` is `ancestor` or stands below it. Both are normalized.
pub fn is_within(name: &str, ancestor: &str) -> bool {
    name.strip_suffix(ancestor).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_label(label: &str) -> bool {
    label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The A-labels of a name of U-labels. UTS 46 would map what merely looks alike and drop what is
/// invisible; a name is taken only where nothing but its case was mapped.
fn to_ascii(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let ascii = Uts46::new()
        .to_ascii(name.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore)
        .ok()?;
    let (unicode, valid) =
        Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
    let same = unicode.split('.').count() == name.split('.').count()
        && unicode.split('.').zip(name.split('.')).all(|(shown, label)| {
            shown == label || (label.is_ascii() && label.starts_with("xn--"))
        });
    (valid.is_ok() && same).then(|| ascii.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        for (name, form) in [
            ("Example.ORG", "example.org"),
            ("example.org.", "example.org"),
            ("_dmarc.example.org", "_dmarc.example.org"),
            ("localhost", "localhost"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("straße.example", "xn--strae-oqa.example"),
            ("xn--bcher-kva.straße.example", "xn--bcher-kva.xn--strae-oqa.example"),
        ] {
            assert_eq!(normalize(name).as_deref(), Some(form), "{name}");
        }
    }

    #[test]
    fn what_is_no_name_has_none() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = format!("{}example", "a.".repeat(124));
        for name in [
            "",
            ".",
            "a..b",
            ".a",
            "a..",
            "-a.example",
            "a-.example",
            "[192.0.2.1]",
            "a b.example",
            "a\0.example",
            "a\".example",
            "ｅxample.org",
            "example。org",
            "exam\u{ad}ple.org",
            "exam\u{200b}ple.org",
            &long_label,
            &long_name,
        ] {
            assert_eq!(normalize(name), None, "{name}");
        }
    }

    #[test]
    fn names_stand_below_whole_labels() {
        assert!(is_within("a.example.org", "example.org"));
        assert!(is_within("example.org", "example.org"));
        assert!(!is_within("evil-example.org", "example.org"));
        assert!(!is_within("example.org", "a.example.org"));
    }
}
