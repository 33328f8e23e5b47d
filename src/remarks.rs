//! What a daemon goes on without, and what deserves a word: told by `config check`, at start, and at
//! a reload where it is new.
//!
//! Failure: nothing told here keeps mail from being served. What does is an error of
//! [`Runtime::build`], of [`telemetry::check`](crate::telemetry::check) or of the sockets.

use std::fmt;

use crate::checks::logins::Logins;
use crate::config::Config;
use crate::dns::TsigKey;
use crate::keys::KeyRing;
use crate::runtime::Runtime;
use crate::sign::seal;

/// One sentence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remark {
    /// Whether something that was asked for is not done.
    pub is_error: bool,
    /// What there is to say.
    pub text: String,
}

impl Remark {
    /// Tells it to the log.
    pub fn log(&self) {
        if self.is_error {
            tracing::error!("{}", self.text);
        } else {
            tracing::warn!("{}", self.text);
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// All that there is to say of a runtime.
pub(crate) fn remarks(runtime: &Runtime) -> Vec<Remark> {
    let Runtime { config, key_problems, rules, logins, .. } = runtime;
    let error = |text: String| Remark { is_error: true, text };
    let warning = |text: String| Remark { is_error: false, text };
    let problems = key_problems.iter().map(|problem| error(format!("key store: {problem}")));
    let of_logins = logins.iter().flat_map(Logins::warnings);
    let of_logins = of_logins.map(|said| warning(format!("identity_gate.map: {said}")));
    let undone = unsealed(config, &runtime.keys.current()).into_iter();
    let undone = undone.chain(unsigned(config, &runtime.keys.current())).chain(unpublished(config));
    problems
        .chain(rules.warnings().into_iter().map(warning))
        .chain(of_logins)
        .chain(undone.map(error))
        .collect()
}

/// What `arc.seal_domain` asks for and nothing can do.
fn unsealed(config: &Config, keys: &KeyRing) -> Option<String> {
    let domain = config.arc.seal_domain.as_deref()?;
    seal::key(keys, domain).is_none().then(|| {
        format!(
            "nothing is sealed: there is no active RSA key for {domain}, which arc.seal_domain names; run: mailseal keys generate {domain}"
        )
    })
}

/// What `sign.map` asks for and nobody can do.
fn unsigned(config: &Config, keys: &KeyRing) -> Vec<String> {
    let unkeyed = config.sign.map.unkeyed(|domain| !keys.for_domain(domain).is_empty());
    let said = |domain: &str| {
        format!(
            "mail that {domain} is to sign by sign.map is not signed: it has no active key; run: mailseal keys generate {domain}"
        )
    };
    unkeyed.into_iter().map(said).collect()
}

/// Why updates of DNS cannot be signed. A machine that only reads makes none.
fn unpublished(config: &Config) -> Option<String> {
    let is_wanted = config.rotation.primary && config.publish.server.is_some();
    let path = config.publish.key_file.as_ref().filter(|_| is_wanted)?;
    let error = TsigKey::read(path).err()?;
    Some(format!("nothing is published: publish.key_file: {error}"))
}
