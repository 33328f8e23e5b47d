//! The DMARC policy record (RFC 9989 §4.7, §4.8).
//!
//! RFC 9989 wants all but `v` read leniently: what is broken is ignored or has its default. That
//! is not DKIM's tag list, where one broken tag condemns the record, and not mail-auth's parser,
//! which gives up at a broken `p` and so cannot tell whether `rua` saves it (§4.10.1).

use serde::Serialize;

use super::Policy;

/// What a domain publishes.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Record {
    /// `p`: what is asked for mail of the domain itself.
    pub p: Option<Policy>,
    /// `sp`: the same of domains below it.
    pub sp: Option<Policy>,
    /// `np`: the same of domains below it that do not exist.
    pub np: Option<Policy>,
    /// `sp` or `np` is there and is no policy.
    has_broken_policy: bool,
    /// `adkim`: which DKIM domains align.
    pub adkim: Mode,
    /// `aspf`: the same of SPF.
    pub aspf: Mode,
    /// Whether the domain is a public suffix.
    pub psd: Psd,
    /// `t=y`: the domain owner is testing.
    pub is_testing: bool,
    /// Where aggregate reports are wanted: the valid URIs of `rua`.
    pub rua: Vec<String>,
    /// Where failure reports are wanted: the valid URIs of `ruf`.
    pub ruf: Vec<String>,
    /// Of which failures (`fo`): its known options, `0` where there is none (RFC 9991 §4).
    pub fo: Vec<char>,
}

/// Which domains align with the author domain.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// `s`: itself alone.
    Strict,
    /// `r`, the default: all of its organizational domain.
    #[default]
    Relaxed,
}

/// The `psd` tag.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Psd {
    /// `y`: a public suffix; organizational domains begin one label below.
    Yes,
    /// `n`: an organizational domain.
    No,
    /// `u`, and where there is no such tag: the tree walk finds out.
    #[default]
    Unsaid,
}

/// What the author domain is to the domain with the record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Author {
    /// It has the record itself.
    Itself,
    /// It stands below.
    Subdomain,
    /// It stands below and does not exist.
    Nonexistent,
}

impl Record {
    /// Reads a TXT record; `None` where it is no DMARC record. RFC 9989 §4.7: `v` comes first
    /// and is exactly `DMARC1`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let mut tags = text.split(';').map(tag);
        let (name, version) = tags.next()??;
        if name != "v" || version != "DMARC1" || !text.starts_with(['v', 'V']) {
            return None;
        }
        let mut record = Self::default();
        let mut seen = Vec::new();
        for (name, value) in tags.flatten() {
            // RFC 6376 §3.2: a tag occurs once. What comes later is discarded.
            if let Some(known) = KNOWN.iter().find(|known| **known == name)
                && !seen.contains(known)
            {
                seen.push(*known);
                record.set(known, value);
            }
        }
        Some(record)
    }

    /// What the record asks for; `None` where DMARC is not to be applied. RFC 9989 §4.10.1:
    /// without a valid `p`, or with an invalid `sp` or `np`, the record counts as `p=none` if it
    /// wants reports, and for nothing otherwise.
    pub fn policy(&self, author: Author) -> Option<Policy> {
        match (self.p, self.has_broken_policy) {
            (Some(p), false) => Some(match author {
                Author::Itself => p,
                Author::Subdomain => self.sp.unwrap_or(p),
                Author::Nonexistent => self.np.or(self.sp).unwrap_or(p),
            }),
            _ if self.rua.is_empty() => None,
            _ => Some(Policy::None),
        }
    }

    /// Which tag says what [`Self::policy`] says.
    pub fn policy_tag(&self, author: Author) -> &'static str {
        match author {
            Author::Nonexistent if self.np.is_some() => "np",
            Author::Subdomain | Author::Nonexistent if self.sp.is_some() => "sp",
            _ => "p",
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        match name {
            "p" => self.p = policy(value),
            "sp" | "np" => {
                let policy = policy(value);
                self.has_broken_policy |= policy.is_none();
                *(if name == "sp" { &mut self.sp } else { &mut self.np }) = policy;
            }
            "adkim" if value.eq_ignore_ascii_case("s") => self.adkim = Mode::Strict,
            "aspf" if value.eq_ignore_ascii_case("s") => self.aspf = Mode::Strict,
            "t" => self.is_testing = value.eq_ignore_ascii_case("y"),
            "psd" if value.eq_ignore_ascii_case("y") => self.psd = Psd::Yes,
            "psd" if value.eq_ignore_ascii_case("n") => self.psd = Psd::No,
            "rua" => self.rua = uris(value),
            "ruf" => self.ruf = uris(value),
            "fo" => {
                let options = value.split(':').map(|option| option.trim_matches(WSP));
                let known = ['0', '1', 'd', 's'];
                let read = |option: &str| {
                    known.into_iter().find(|known| option.eq_ignore_ascii_case(&known.to_string()))
                };
                self.fo = options.filter_map(read).take(known.len()).collect();
            }
            _ => {}
        }
    }
}

/// The tags that mean something here. RFC 9989 §4.7: unknown ones, and `pct`, `rf` and `ri` of
/// old, are ignored.
const KNOWN: [&str; 10] = ["p", "sp", "np", "adkim", "aspf", "t", "psd", "rua", "ruf", "fo"];
/// More URIs of one tag are not kept: they only cost.
const URIS_MAX: usize = 32;

fn uris(value: &str) -> Vec<String> {
    let uris = value.split(',').map(str::trim).filter(|uri| is_uri(uri));
    uris.map(str::to_owned).take(URIS_MAX).collect()
}

fn tag(text: &str) -> Option<(String, &str)> {
    let (name, value) = text.split_once('=')?;
    Some((name.trim_matches(WSP).to_ascii_lowercase(), value.trim_matches(WSP)))
}

const WSP: [char; 2] = [' ', '\t'];

fn policy(value: &str) -> Option<Policy> {
    [Policy::None, Policy::Quarantine, Policy::Reject]
        .into_iter()
        .find(|policy| value.eq_ignore_ascii_case(policy.as_str()))
}

/// RFC 3986 §3, as far as it matters here: a scheme, and something of printable ASCII.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet))
        && !rest.is_empty()
        && rest.bytes().all(|octet| octet.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Record {
        Record::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_version_comes_first_and_is_exact() {
        for text in ["v=DMARC1", "v=DMARC1;", "v = DMARC1 ; p=none", "V=DMARC1;p=none"] {
            assert!(Record::parse(text.as_bytes()).is_some(), "{text:?}");
        }
        for text in [
            "",
            " v=DMARC1; p=none",
            "v=dmarc1; p=none",
            "v=DMARC1 p=none",
            "v=DMARC2; p=none",
            "v=DMARC10; p=none",
            "p=none; v=DMARC1",
            ";v=DMARC1",
            "v=spf1 -all",
            "vv=DMARC1",
        ] {
            assert_eq!(Record::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn policies_fall_back() {
        let policies = |text: &str| {
            [Author::Itself, Author::Subdomain, Author::Nonexistent]
                .map(|author| read(text).policy(author))
        };
        let (none, quarantine, reject) =
            (Some(Policy::None), Some(Policy::Quarantine), Some(Policy::Reject));
        for (text, wanted) in [
            ("v=DMARC1; p=reject", [reject; 3]),
            ("v=DMARC1;P = Reject ;;", [reject; 3]),
            ("v=DMARC1; p=reject; sp=none", [reject, none, none]),
            ("v=DMARC1; p=none; np=reject", [none, none, reject]),
            ("v=DMARC1; p=none; sp=quarantine; np=reject", [none, quarantine, reject]),
            ("v=DMARC1; p=reject; p=none", [reject; 3]),
            ("v=DMARC1; p=reject; bogus", [reject; 3]),
            ("v=DMARC1; p=reject; pct=0; rf=x; ri=y; fo=z; \u{fc}=\u{fc}", [reject; 3]),
            ("v=DMARC1; p=none none", [None; 3]),
            ("v=DMARC1", [None; 3]),
            ("v=DMARC1; p=", [None; 3]),
            ("v=DMARC1; sp=reject", [None; 3]),
            ("v=DMARC1; p=reject; sp=x", [None; 3]),
            ("v=DMARC1; p=reject; np=x; rua=mailto:a@example.org", [none; 3]),
            ("v=DMARC1; p=x; rua=mailto:a@example.org", [none; 3]),
            ("v=DMARC1; rua=x, https://example.org/", [none; 3]),
            ("v=DMARC1; rua=a@example.org", [None; 3]),
            ("v=DMARC1; rua=mailto:", [None; 3]),
            ("v=DMARC1; rua=:a", [None; 3]),
        ] {
            assert_eq!(policies(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn what_reports_will_want_is_kept() {
        let record = read("v=DMARC1; p=none; ruf=mailto:a@example.org,x; fo=1 : D:q; rua=x:y");
        assert_eq!(
            (record.ruf, record.rua),
            (vec!["mailto:a@example.org".into()], vec!["x:y".into()])
        );
        assert_eq!(record.fo, ['1', 'd']);
    }

    #[test]
    fn broken_tags_have_their_defaults() {
        let plain = read("v=DMARC1; p=none");
        assert_eq!(read("v=DMARC1; p=none; adkim=x; aspf=strict; t=1; psd=x; =; a"), plain);
        let all = read("v=DMARC1; adkim=s; aspf=S; t=y; psd=Y; p=none");
        assert_eq!((all.adkim, all.aspf, all.is_testing), (Mode::Strict, Mode::Strict, true));
        assert_eq!((all.psd, read("v=DMARC1;psd=n").psd), (Psd::Yes, Psd::No));
    }
}
