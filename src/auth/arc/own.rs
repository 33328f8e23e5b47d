//! The set that we ourselves put on a message when it came: a list host sees its mail twice, the
//! second time changed.
//!
//! Our seal proves that we verified the message and what we found; that nobody but the list has
//! changed it since is what the operator says by trusting the network that it comes from.

use super::seal::append_set;
use super::set::{Gathered, gather, results_payload};
use crate::auth::results::read::{Statement, read};
use crate::dkim::key_check::check_lookup;
use crate::dkim::verify::KeyLookup;
use crate::message::header::HeaderBlock;
use crate::result::AuthResult;

/// What we found when the message came, with the chain passing since our seal is on it; `None` where
/// the newest seal is not of this domain and selector, and an error where it only says so.
pub(crate) fn own_results(
    headers: &HeaderBlock,
    domain: &str,
    selector: &str,
    key: &KeyLookup,
) -> Option<Result<Vec<Vec<String>>, String>> {
    let Gathered { sets, has_failed: false, .. } = gather(headers)? else { return None };
    let sets = sets.ok()?;
    let (newest, before) = sets.split_last()?;
    if newest.seal.domain != domain || newest.seal.selector != selector {
        return None;
    }
    let mut sealed = Vec::with_capacity(4096);
    for set in before {
        append_set(&mut sealed, headers, &set.indices());
    }
    let [results, message, seal] = newest.indices();
    append_set(&mut sealed, headers, &[results, message]);
    newest.seal.append_unsigned(&mut sealed, headers.iter().nth(seal)?);
    let outcome = check_lookup(newest.seal.signed(), || sealed, key, 0);
    if outcome.result != AuthResult::Pass {
        return Some(Err("the newest ARC seal is in our name and not ours".to_owned()));
    }
    let (_, payload) = results_payload(headers.iter().nth(results)?.value)?;
    let arc = vec!["arc=pass".to_owned()];
    let is_arc = |words: &Vec<String>| Statement::of(words).is_some_and(|s| s.method == "arc");
    let others = read(payload)?.results.into_iter().filter(|words| !is_arc(words));
    Some(Ok(std::iter::once(arc).chain(others).collect()))
}
