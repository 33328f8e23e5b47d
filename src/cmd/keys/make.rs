//! `mailseal keys generate`.

use mailseal::dkim::signing_key::{generate_ed25519, generate_rsa};
use mailseal::keys::Store;
use mailseal::keys::state::Algorithm;
use mailseal::runtime::system_clock;

use super::{config_option, parse_selector, refuse_reader};
use crate::cli::{Algorithms, Generate};
use crate::cmd::dns::key_lines;
use crate::cmd::parse_domain;
use crate::cmd::print::print;
use crate::cmd::{Outcome, UsageError, load};

pub(super) fn generate(args: &Generate) -> anyhow::Result<Outcome> {
    let domain = parse_domain(&args.domain)?;
    let selector = parse_selector(args.selector.as_deref())?;
    let algorithms = args.algorithm.list();
    if algorithms.len() > 1 && selector.is_some() {
        let reason = "two keys need two selectors: leave --selector away, or make one by one";
        return Err(UsageError(reason.to_owned()).into());
    }
    let config = load(&args.config)?.config;
    refuse_reader(&config)?;
    let store = Store::new(config.sign.keys);
    let bits = args.bits.unwrap_or(config.rotation.rsa_bits);
    let mut made = Vec::new();
    for &algorithm in algorithms {
        let pem = match algorithm {
            Algorithm::Rsa => generate_rsa(bits)?,
            Algorithm::Ed25519 => generate_ed25519()?,
        };
        let (now, style) = (system_clock(), config.rotation.selectors);
        let selector = match &selector {
            Some(selector) => selector.clone(),
            None => store.free_selector(&domain, style, now)?,
        };
        made.push(store.add(&domain, Some(selector), algorithm, &pem, now)?);
    }
    let mut lines = vec![
        format!(
            "; publish this in the zone of {domain}. A running mailseal serve activates it when"
        ),
        "; every name server shows it; without one, run:".to_owned(),
        format!(";     mailseal keys activate {domain}{}", config_option(&args.config)),
    ];
    lines.extend(key_lines(&store, &domain, config.publish.dkim_strict, |selector| {
        made.contains(selector)
    })?);
    print(&lines.join("\n"))?;
    Ok(Outcome::Done)
}

impl Algorithms {
    /// The algorithms, the one that every verifier knows first.
    pub(super) fn list(self) -> &'static [Algorithm] {
        match self {
            Self::Rsa => &[Algorithm::Rsa],
            Self::Ed25519 => &[Algorithm::Ed25519],
            Self::Both => &[Algorithm::Rsa, Algorithm::Ed25519],
        }
    }
}
