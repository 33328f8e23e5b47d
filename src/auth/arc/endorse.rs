//! What trusted sealers say of DMARC in their ARC-Authentication-Results (RFC 8617 §7.2.1).

use super::Endorsement;
use super::set::{Set, results_payload};
use crate::auth::results::read::{Statement, read};
use crate::message::domain;
use crate::message::header::HeaderBlock;

/// The words of the sealers from the newest back to the first that is not trusted. A seal vouches
/// for what was found when the message came to its sealer; what was done to it since is the later
/// sealers' doing, so that all of them must be trusted.
pub(super) fn endorsements(
    headers: &HeaderBlock,
    sets: &[Set],
    trusted: &[String],
) -> Vec<Endorsement> {
    let trusted = sets.iter().rev().take_while(|set| trusted.contains(&set.seal.domain));
    trusted
        .filter_map(|set| {
            let (_, payload) = results_payload(headers.iter().nth(set.results)?.value)?;
            let author_domain = dmarc_passed(&read(payload)?.results)?;
            Some(Endorsement {
                instance: set.instance,
                sealer: set.seal.domain.clone(),
                author_domain,
            })
        })
        .collect()
}

/// The domain of From for which DMARC passed. Where there are several results for DMARC, one that
/// is other than pass, or for another domain, leaves none.
fn dmarc_passed(results: &[Vec<String>]) -> Option<String> {
    let statements = results.iter().filter_map(|words| Statement::of(words));
    let mut dmarc = statements.filter(|statement| statement.method.eq_ignore_ascii_case("dmarc"));
    let passed = |statement: &Statement<'_>| {
        let from = statement.property("header.from")?;
        let passed = statement.result.eq_ignore_ascii_case("pass");
        domain::normalize(from).filter(|_| passed)
    };
    let first = passed(&dmarc.next()?)?;
    dmarc.all(|other| passed(&other).as_deref() == Some(&first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_voice_for_one_domain() {
        for (payload, domain) in [
            ("mx; dmarc=pass header.from=Example.org", Some("example.org")),
            (
                "mx; spf=fail; DMARC=Pass (p=reject) header.from=\"example.org\"",
                Some("example.org"),
            ),
            ("mx; dmarc=pass", None),
            ("mx; dmarc=pass header.from=a@example.org", None),
            ("mx; dmarc=fail header.from=example.org", None),
            ("mx; dmarc=pass header.from=a.example; dmarc=fail header.from=a.example", None),
            ("mx; dmarc=pass header.from=a.example; dmarc=pass header.from=b.example", None),
            ("mx; spf=pass smtp.helo=\"x; dmarc=pass header.from=a.example\"", None),
            ("mx; spf=pass (x; dmarc=pass header.from=a.example)", None),
            ("mx; spf=pass reason=\"; dmarc=pass header.from=a.example", None),
            ("dmarc=pass header.from=a.example", None),
            ("mx; none", None),
            ("", None),
        ] {
            let read = read(payload.as_bytes());
            let passed = read.and_then(|read| dmarc_passed(&read.results));
            assert_eq!(passed.as_deref(), domain, "{payload}");
        }
    }
}
