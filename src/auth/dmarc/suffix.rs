//! What DMARC of old would have said: RFC 7489, with organizational domains by the Public Suffix List
//! (§3.2, §6.6.3). It is shown to operators who compare, and decides nothing.
//!
//! Failure: as in RFC 9989's reading, an answer that DNS withholds and that matters is temperror.

use serde::Serialize;

use super::Policy;
use super::alignment::{Identifier, Method, identifiers};
use super::record::{Author, Mode, Record};
use super::walk::{Answer, ask};
use crate::auth::spf::Spf;
use crate::dkim::Verification;
use crate::dns::Dns;
use crate::result::AuthResult;

/// The reading by the Public Suffix List.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SuffixReading {
    /// none, pass, fail or temperror.
    pub result: AuthResult,
    /// The author domain's organizational domain.
    pub organizational_domain: String,
    /// What the record asks for, where there is one.
    pub policy: Option<Policy>,
}

/// Reads the author domain's policy and alignment as RFC 7489 does.
pub async fn read(dns: &Dns, author: &str, spf: &[Spf], dkim: &[Verification]) -> SuffixReading {
    let organizational = organizational_domain(author);
    let reading = |result, policy| {
        let organizational_domain = organizational.to_owned();
        SuffixReading { result, organizational_domain, policy }
    };
    let (record, relation) = match ask(dns, author).await {
        Answer::Record(record) => (record, Author::Itself),
        Answer::Unknown(_) => return reading(AuthResult::Temperror, None),
        Answer::Nothing => match ask(dns, organizational).await {
            Answer::Record(record) => (record, Author::Subdomain),
            Answer::Unknown(_) => return reading(AuthResult::Temperror, None),
            Answer::Nothing => return reading(AuthResult::None, None),
        },
    };
    let Some(policy) = record.policy(relation) else { return reading(AuthResult::None, None) };
    reading(judge(author, &record, &identifiers(spf, dkim)), Some(policy))
}

fn judge(author: &str, record: &Record, identifiers: &[Identifier]) -> AuthResult {
    let aligned = identifiers.iter().filter(|identifier| {
        let mode = match identifier.method {
            Method::Spf => record.aspf,
            Method::Dkim => record.adkim,
        };
        let organizational = organizational_domain(author);
        identifier.domain == author
            || (mode == Mode::Relaxed
                && organizational_domain(&identifier.domain) == organizational)
    });
    // Those that passed come first.
    match aligned.map(|identifier| identifier.has_passed).next() {
        Some(true) => AuthResult::Pass,
        Some(false) => AuthResult::Temperror,
        None => AuthResult::Fail,
    }
}

/// RFC 7489 §3.2: the public suffix and the label below it; the domain itself where it is a suffix.
fn organizational_domain(domain: &str) -> &str {
    psl::domain_str(domain).unwrap_or(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organizational_domains_by_the_list() {
        for (domain, organizational) in [
            ("example.org", "example.org"),
            ("a.b.example.org", "example.org"),
            ("mail.example.co.uk", "example.co.uk"),
            ("co.uk", "co.uk"),
            ("org", "org"),
            ("a.example.unlisted", "example.unlisted"),
            // A-labels, as all domains are here: xn--55qx5d.cn is on the list.
            ("a.example.xn--55qx5d.cn", "example.xn--55qx5d.cn"),
            // A suffix of the list's private part.
            ("a.joe.github.io", "joe.github.io"),
        ] {
            assert_eq!(organizational_domain(domain), organizational, "{domain}");
        }
    }
}
