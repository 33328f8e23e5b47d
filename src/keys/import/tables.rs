//! OpenDKIM's `KeyTable` and `SigningTable` as texts (opendkim.conf(5), "DATA SETS" of opendkim(8)).
//!
//! A line is a name, white space, and a value whose parts colons separate; `#` begins a comment
//! where a line or a word does.

use crate::message::domain::normalize;
use crate::sign::map::Authors;

/// More lines than this are no table of a mail host.
const LINES_MAX: usize = 200_000;

/// How a table is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Exact names; the most specific decides.
    File,
    /// Patterns, from the top down.
    Refile,
}

/// A line of a `KeyTable`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyLine {
    /// From 1.
    pub line: usize,
    /// What a `SigningTable` calls it by; compared to the letter.
    pub name: String,
    /// `d=`; `%` is the author domain.
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// The file; a `%` in it is the author domain.
    pub path: String,
}

/// A line of a `SigningTable`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SigningLine {
    /// From 1.
    pub line: usize,
    /// Whose mail.
    pub who: Who,
    /// The name of a key; `%` is the author domain.
    pub key: String,
    /// What `i=` is to be; `%` in it is the author domain.
    pub signer: Option<String>,
}

/// The authors that a line means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Who {
    /// All of these domains.
    Domains(Vec<Authors>),
    /// The same, and domains whose name merely ends so.
    Ends(Vec<Authors>),
    /// Some addresses of these domains.
    Addresses(Authors),
    /// Nobody: the line never matches.
    Nobody(&'static str),
    /// What no `[[sign.map]]` can say.
    Unknown,
}

/// A line that is none, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BadLine {
    /// From 1.
    pub line: usize,
    /// Why.
    pub reason: &'static str,
}

/// The lines of a `KeyTable`.
pub fn key_table(text: &str) -> Vec<Result<KeyLine, BadLine>> {
    let key = |(line, name, value): (usize, &str, &str)| {
        let bad = |reason| Err(BadLine { line, reason });
        let parts: Vec<&str> = value.split(':').collect();
        let [domain, selector, path] = parts[..] else {
            return bad("is not of the form NAME DOMAIN:SELECTOR:PATH");
        };
        if [domain, selector, path].iter().any(|part| part.trim().is_empty()) {
            return bad("has an empty part; it must be NAME DOMAIN:SELECTOR:PATH");
        }
        if !["/", "./", "../"].iter().any(|start| path.starts_with(start)) {
            return bad(
                "holds the key itself; write the key to a file of its own and its path here",
            );
        }
        Ok(KeyLine {
            line,
            name: name.to_owned(),
            domain: domain.to_owned(),
            selector: selector.to_owned(),
            path: path.to_owned(),
        })
    };
    lines(text).map(key).collect()
}

/// The lines of a `SigningTable`.
pub fn signing_table(text: &str, kind: Kind) -> Vec<Result<SigningLine, BadLine>> {
    let signing = |(line, pattern, value): (usize, &str, &str)| {
        let (key, signer) = match value.split_once(':') {
            Some((key, signer)) => (key, Some(signer.to_owned())),
            None => (value, None),
        };
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(BadLine { line, reason: "names no key; it must be WHO KEYNAME" });
        }
        let who = match kind {
            Kind::File => file_who(pattern),
            Kind::Refile => refile_who(pattern),
        };
        Ok(SigningLine { line, who, key: key.to_owned(), signer })
    };
    lines(text).map(signing).collect()
}

/// The lines that say something: their number, first word and the rest.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    text.lines().take(LINES_MAX).enumerate().filter_map(|(index, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        (!name.is_empty()).then_some((index + 1, name, value.trim()))
    })
}

/// A key of an exact table: `user@host`, `host`, `user@.domain`, `.domain`, `user@*`, `*`.
fn file_who(pattern: &str) -> Who {
    let (local, host) = match pattern.rsplit_once('@') {
        Some((local, host)) => (Some(local), host),
        None => (None, pattern),
    };
    let authors = match host.strip_prefix('.') {
        _ if host == "*" => Some(Authors::Any),
        Some(parent) => normalize(parent).map(Authors::Below),
        None => normalize(host).map(Authors::Domain),
    };
    match (local, authors) {
        (Some("*"), _) => Who::Nobody("in a file: table * is no wildcard; was refile: meant?"),
        (Some(_), Some(authors)) => Who::Addresses(authors),
        (None, Some(authors)) => Who::Domains(vec![authors]),
        (_, None) if host.contains('*') => {
            Who::Nobody("in a file: table * is no wildcard; was refile: meant?")
        }
        (_, None) => Who::Unknown,
    }
}

/// A pattern, compared with the whole address; `*` is any text.
fn refile_who(pattern: &str) -> Who {
    if pattern.chars().all(|c| c == '*') {
        return Who::Domains(vec![Authors::Any]);
    }
    let (local, host) = match pattern.rsplit_once('@') {
        Some((local, host)) => (local, host),
        // The wildcard stands for the local part and the @, too.
        None if pattern.starts_with('*') => ("*", pattern),
        None => return Who::Nobody("a refile: pattern is compared with the whole address"),
    };
    let Some(who) = host_who(host) else { return Who::Unknown };
    match (local, who) {
        ("*", who) => who,
        (_, Who::Domains(authors) | Who::Ends(authors)) => {
            authors.into_iter().next().map_or(Who::Unknown, Who::Addresses)
        }
        (_, who) => who,
    }
}

fn host_who(host: &str) -> Option<Who> {
    if host == "*" {
        return Some(Who::Domains(vec![Authors::Any]));
    }
    if let Some(parent) = host.strip_prefix("*.") {
        return Some(Who::Domains(vec![Authors::Below(normalize(parent)?)]));
    }
    if let Some(end) = host.strip_prefix('*') {
        let end = normalize(end)?;
        return Some(Who::Ends(vec![Authors::Domain(end.clone()), Authors::Below(end)]));
    }
    Some(Who::Domains(vec![Authors::Domain(normalize(host)?)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(pattern: &str, kind: Kind) -> Who {
        match &signing_table(&format!("{pattern} k"), kind)[..] {
            [Ok(line)] => line.who.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn domain(name: &str) -> Authors {
        Authors::Domain(name.into())
    }

    fn below(name: &str) -> Authors {
        Authors::Below(name.into())
    }

    #[test]
    fn patterns_mean_domains_where_they_can() {
        for (pattern, authors) in [
            ("*", vec![Authors::Any]),
            ("*@*", vec![Authors::Any]),
            ("*@Example.ORG", vec![domain("example.org")]),
            ("*@*.example.org", vec![below("example.org")]),
            ("*.example.org", vec![below("example.org")]),
        ] {
            assert_eq!(who(pattern, Kind::Refile), Who::Domains(authors), "{pattern}");
        }
        let ends = Who::Ends(vec![domain("example.org"), below("example.org")]);
        assert_eq!(who("*@*example.org", Kind::Refile), ends);
        assert_eq!(who("*example.org", Kind::Refile), ends);
        assert_eq!(who("joe@example.org", Kind::Refile), Who::Addresses(domain("example.org")));
        assert_eq!(who("joe*@*.example.org", Kind::Refile), Who::Addresses(below("example.org")));
        assert!(matches!(who("example.org", Kind::Refile), Who::Nobody(_)));
        assert_eq!(who("*@a*b.example", Kind::Refile), Who::Unknown);
    }

    #[test]
    fn names_of_exact_tables_are_no_patterns() {
        assert_eq!(who("example.org", Kind::File), Who::Domains(vec![domain("example.org")]));
        assert_eq!(who(".example.org", Kind::File), Who::Domains(vec![below("example.org")]));
        assert_eq!(who("*", Kind::File), Who::Domains(vec![Authors::Any]));
        assert_eq!(who("joe@.example.org", Kind::File), Who::Addresses(below("example.org")));
        assert_eq!(who("joe@*", Kind::File), Who::Addresses(Authors::Any));
        assert!(matches!(who("*@example.org", Kind::File), Who::Nobody(_)));
        assert!(matches!(who("*.example.org", Kind::File), Who::Nobody(_)));
    }

    #[test]
    fn lines_have_their_parts() {
        let text = "# keys\n\n k1  example.org:mail:/k # mine\nk2 a:b\nk3 a:b:MIIE\nk4 a:b:/c:d\n";
        let lines = key_table(text);
        let key = lines[0].as_ref().unwrap();
        assert_eq!((key.line, &*key.name, &*key.path), (3, "k1", "/k"));
        let bad: Vec<usize> = lines[1..].iter().map(|l| l.as_ref().unwrap_err().line).collect();
        assert_eq!(bad, [4, 5, 6]);
        let signing = signing_table("a.example k1:@%\nb.example\nc.example k1 k2\n", Kind::File);
        assert_eq!(signing[0].as_ref().unwrap().signer.as_deref(), Some("@%"));
        assert!(signing[1].is_err() && signing[2].is_err());
    }
}
