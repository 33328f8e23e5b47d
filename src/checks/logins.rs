//! Who may write as whom: a text in the form of Postfix's `smtpd_sender_login_maps` (postmap(1)).
//!
//! ```text
//! # address            logins
//! ann@example.org      ann, the-secretary
//! "j. doe"@example.org joe
//! joe                  joe
//! @example.net         admin
//! ```
//!
//! Look-ups are Postfix's: the address, the address without its extension, the same of the local
//! part alone in some domains, then the domain. The first entry that there is decides. Neither
//! addresses nor logins have a case, as for Postfix.
//!
//! Failure: what cannot be read, and all faults of a text that can, are `ConfigErrors`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use super::login_line::{self, Line};
use crate::config::error::Places;
use crate::config::{ConfigErrors, source};
use crate::file;

/// A million addresses of 60 octets, twice.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// With more faults than this it is no such text, and is not read on.
const FAULTS_MAX: usize = 1000;

/// More warnings than this are only counted.
const WARNINGS_MAX: usize = 10;

/// The logins of addresses.
#[derive(Clone, Debug, Default)]
pub struct Logins {
    /// By `local@domain`, `local@` and `@domain`; the logins in lower case, as written else.
    owners: HashMap<String, Box<str>>,
    warnings: Vec<String>,
}

/// What an address is to a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ownership {
    /// The user's.
    Users,
    /// Somebody else's.
    Others,
    /// There is no entry for it.
    Unlisted,
}

/// How addresses are looked up.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The characters that separate an extension.
    pub delimiters: &'a str,
    /// The domains in which entries without one hold.
    pub bare_domains: &'a [String],
}

impl Logins {
    /// The logins in a file.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let unreadable =
            |reason: String| ConfigErrors::Unreadable { path: path.to_owned(), reason };
        let text = file::text(path, FILE_BYTES_MAX).map_err(|error| {
            unreadable(format!("{} (identity_gate.map names it)", error.reason()))
        })?;
        if text.is_empty() {
            // A full disk cuts a file to nothing; taken for a table, nobody's mail would be signed.
            return Err(unreadable(
                "is empty; name a table, or take identity_gate.map away".into(),
            ));
        }
        Self::parse(&text, path)
    }

    /// The logins in a text; `path` names it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        let mut faults = Vec::new();
        let mut logins = Self::default();
        let mut twice = Twice::default();
        for line in login_line::lines(text) {
            match line {
                Ok(Line { key, logins: of_key, at }) => match logins.owners.entry(key) {
                    Entry::Vacant(entry) => {
                        entry.insert(of_key.to_lowercase().into_boxed_str());
                    }
                    // Postfix, too, goes on with the first.
                    Entry::Occupied(_) => twice.push(at),
                },
                Err(fault) => faults.push(fault),
            }
            if faults.len() > FAULTS_MAX {
                break;
            }
        }
        source::faulty(path, text, &[], faults)?;
        logins.warnings = twice.warnings(text, path);
        Ok(logins)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// What deserves a word, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What an address is to a user; the domain is normalized, the local part has no quotes.
    pub fn ownership(
        &self,
        user: &str,
        local_part: &str,
        domain: &str,
        terms: Terms<'_>,
    ) -> Ownership {
        let local_part = local_part.to_lowercase();
        let stem = without_extension(&local_part, terms.delimiters);
        let is_bare = terms.bare_domains.iter().any(|bare| bare == domain);
        let in_domain = |local: &str| Some(format!("{local}@{domain}"));
        let alone = |local: &str| is_bare.then(|| format!("{local}@"));
        let keys = [
            in_domain(&local_part),
            stem.and_then(in_domain),
            alone(&local_part),
            stem.and_then(alone),
            in_domain(""),
        ];
        let Some(owners) = keys.into_iter().flatten().find_map(|key| self.owners.get(&key)) else {
            return Ownership::Unlisted;
        };
        let user = user.to_lowercase();
        let mut names = owners.split(|c: char| c == ',' || c.is_ascii_whitespace());
        if names.any(|name| !name.is_empty() && name == user) {
            Ownership::Users
        } else {
            Ownership::Others
        }
    }
}

/// Where entries are that stand above already; the first of them, and how many more there are.
#[derive(Default)]
struct Twice {
    first: Vec<usize>,
    more: usize,
}

impl Twice {
    fn push(&mut self, at: usize) {
        if self.first.len() < WARNINGS_MAX {
            self.first.push(at);
        } else {
            self.more += 1;
        }
    }

    fn warnings(&self, text: &str, path: &Path) -> Vec<String> {
        if self.first.is_empty() {
            return Vec::new();
        }
        let places = Places::new(text);
        let warning = |at: &usize| {
            let line = places.line(*at);
            format!("{}:{line}: there is an entry for this above, which holds", path.display())
        };
        let mut warnings: Vec<String> = self.first.iter().map(warning).collect();
        if self.more > 0 {
            let more = self.more;
            warnings.push(format!("{}: {more} more entries are there twice", path.display()));
        }
        warnings
    }
}

/// The local part without its extension, where it has one (Postfix's `split_addr`).
fn without_extension<'a>(local_part: &'a str, delimiters: &str) -> Option<&'a str> {
    let is_kept_whole = ["postmaster", "mailer-daemon", "double-bounce"].contains(&local_part)
        || (delimiters.contains('-')
            && (local_part.starts_with("owner-") || local_part.ends_with("-request")));
    let at = local_part.find(|c| delimiters.contains(c)).filter(|at| *at > 0 && !is_kept_whole)?;
    Some(&local_part[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms<'_> = Terms { delimiters: "+", bare_domains: &[] };

    fn parse(text: &str) -> Result<Logins, String> {
        Logins::parse(text, Path::new("logins")).map_err(|errors| errors.to_string())
    }

    fn of(logins: &Logins, user: &str, address: &str, terms: Terms<'_>) -> Ownership {
        let (local_part, domain) = address.rsplit_once('@').unwrap();
        logins.ownership(user, local_part, domain, terms)
    }

    #[test]
    fn the_first_entry_that_there_is_decides() {
        let text = "ann@example.org  ann\n@example.org admin\njoe joe\nann+x@example.org bob\n";
        let logins = parse(text).unwrap();
        let bare = ["example.org".to_owned(), "example.net".to_owned()];
        let with_bare = Terms { bare_domains: &bare, ..TERMS };
        for (user, address, terms, expected) in [
            ("ann", "ann@example.org", TERMS, Ownership::Users),
            ("ANN", "Ann@example.org", TERMS, Ownership::Users),
            ("admin", "ann@example.org", TERMS, Ownership::Others),
            ("admin", "eve@example.org", TERMS, Ownership::Users),
            ("ann", "ann+list@example.org", TERMS, Ownership::Users),
            ("ann", "ann+x@example.org", TERMS, Ownership::Others),
            ("bob", "ann+x@example.org", TERMS, Ownership::Users),
            ("joe", "joe@example.org", TERMS, Ownership::Others),
            ("joe", "joe@example.org", with_bare, Ownership::Users),
            ("joe", "joe+x@example.net", with_bare, Ownership::Users),
            ("joe", "joe@example.com", with_bare, Ownership::Unlisted),
            ("ann", "+x@example.net", TERMS, Ownership::Unlisted),
            ("", "ann@example.org", TERMS, Ownership::Others),
        ] {
            assert_eq!(of(&logins, user, address, terms), expected, "{user} {address}");
        }
    }

    #[test]
    fn lines_are_those_of_postmap() {
        let text = "# a\n\n  \nann@example.org\n\tann,\n# b\n  the-secretary\tbob\n\
                    \"J. \\\"D\\\" @\"@Example.ORG. joe\n@b\u{fc}cher.example bea\r\n";
        let logins = parse(text).unwrap();
        assert_eq!(logins.len(), 3);
        for (user, address) in [
            ("ann", "ann@example.org"),
            ("the-secretary", "ann@example.org"),
            ("bob", "ann@example.org"),
            ("joe", "j. \"d\" @@example.org"),
            ("bea", "x@xn--bcher-kva.example"),
        ] {
            assert_eq!(of(&logins, user, address, TERMS), Ownership::Users, "{user} {address}");
        }
    }

    #[test]
    fn faults_have_their_places() {
        let text = " joe joe\nann@example.org\nann: ann\n\"ann ann\n@ ann\na@b@-c.example ann\n";
        assert_eq!(
            parse(text).unwrap_err(),
            "logins:1:1: nothing is above this that it could go on with (begin an entry without white space)\n\
             logins:2:1: no login for \"ann@example.org\" (write the address, white space and its logins)\n\
             logins:3:1: \"ann:\" ends with a colon (this is no file of aliases: write no colon)\n\
             logins:4:1: a quoted string does not end\n\
             logins:5:1: \"@\" is no address (write USER@DOMAIN, USER or @DOMAIN)\n\
             logins:6:1: \"a@b@-c.example\" is no address (write USER@DOMAIN, USER or @DOMAIN)"
        );
    }

    #[test]
    fn the_first_of_two_entries_holds() {
        let logins = parse("ann@example.org ann\nANN@example.org eve\n").unwrap();
        assert_eq!(of(&logins, "eve", "ann@example.org", TERMS), Ownership::Others);
        assert_eq!(logins.warnings(), ["logins:2: there is an entry for this above, which holds"]);
    }

    #[test]
    fn some_addresses_have_no_extension() {
        assert_eq!(without_extension("joe-x", "-"), Some("joe"));
        assert_eq!(without_extension("joe+x-y", "-+"), Some("joe"));
        for whole in ["owner-list", "list-request", "mailer-daemon", "-x", "joe"] {
            assert_eq!(without_extension(whole, "-"), None, "{whole}");
        }
    }
}
