//! Keys by the names of their files: what opendkim-genkey, rspamd, mailcow, maddy and mailseal
//! itself leave in a directory, and one file alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::plan::{Plan, plain, shown};
use super::read::{KEY_BYTES_MAX, read, reason};
use crate::keys::DomainName;

/// More files than this are not looked at.
const FILES_MAX: usize = 200_000;
/// The selector of rspamd and mailcow where nothing else is said.
const RSPAMD_SELECTOR: &str = "dkim";
/// What stands beside private keys and is none.
const COMPANIONS: [&str; 5] = ["txt", "dns", "pub", "toml", "md"];

/// Whose key a file holds.
type Names = (String, String);

/// Plans the import of one file whose domain and selector the operator may have given.
pub fn key_file(plan: &mut Plan, path: &Path, domain: Option<&str>, selector: Option<&str>) {
    if let Err(error) = fs::metadata(path) {
        return plan.refuse(format!("{}: {}", plain(path), reason(&error)));
    }
    match names(path, domain, selector) {
        Ok((domain, selector)) => {
            plan.add_file(path, (&domain, &selector), None);
        }
        Err(reason) => plan.refuse(format!("{}: {reason}", plain(path))),
    }
}

/// Plans the import of a directory and of the directories in it.
pub fn scan(plan: &mut Plan, dir: &Path, domain: Option<&str>, selector: Option<&str>) {
    let mut left = Vec::new();
    for path in files(plan, dir) {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if COMPANIONS.contains(&ending) {
            continue;
        }
        if ["private", "key", "dkim", "pem"].contains(&ending) {
            key_file(plan, &path, domain, selector);
        } else {
            left.push(plain(&path));
        }
    }
    if !left.is_empty() {
        let first = left.first().cloned().unwrap_or_default();
        let others = match left.len() {
            1 => String::new(),
            count => format!(" and {} more files", count - 1),
        };
        plan.note(format!("{first}{others}: left alone, not named as keys are"));
    }
    if plan.keys.is_empty() && plan.refused.is_empty() {
        let endings = "*.private, *.key, *.dkim or *.pem";
        plan.refuse(format!("{}: no keys here ({endings})", plain(dir)));
    }
}

/// Plans the import of the files that fit a pattern such as `/var/lib/rspamd/dkim/$domain.key`.
pub fn pattern(plan: &mut Plan, pattern: &str, selector: Option<&str>) {
    let path = Path::new(pattern);
    let file = path.file_name().and_then(|name| name.to_str());
    let (Some(dir), Some(file)) = (path.parent(), file) else {
        return plan.refuse(format!("{}: names no files", shown(pattern)));
    };
    if dir.to_string_lossy().contains('$') || !file.contains("$domain") {
        return plan.refuse(format!(
            "{}: $domain and $selector are looked for in the file's name alone",
            shown(pattern)
        ));
    }
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let before = plan.keys.len();
    for path in entries(plan, dir) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some((domain, found)) = fitting(name, file, selector) {
            plan.add_file(&path, (&domain, &found), None);
        }
    }
    if plan.keys.len() == before && plan.refused.is_empty() {
        plan.refuse(format!("{}: no file fits", shown(pattern)));
    }
}

/// The domains for which there is a file of a path in which `%` stands for them.
pub(super) fn domains_with_files(pattern: &str) -> Vec<String> {
    let Some((before, after)) = pattern.split_once('%') else { return Vec::new() };
    let (dir, start) = before.rsplit_once('/').unwrap_or((".", before));
    let (end, below) = after.split_once('/').map_or((after, None), |(e, b)| (e, Some(b)));
    let dir = if dir.is_empty() { "/" } else { dir };
    let mut domains = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten().take(FILES_MAX) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let domain = name.strip_prefix(start).and_then(|name| name.strip_suffix(end));
        let Some(Ok(domain)) = domain.map(DomainName::parse) else { continue };
        let domain = domain.to_string();
        if below.is_none_or(|below| entry.path().join(below.replace('%', &domain)).exists()) {
            domains.push(domain);
        }
    }
    domains.sort();
    domains
}

/// Domain and selector of a name that fits a pattern.
fn fitting(name: &str, pattern: &str, selector: Option<&str>) -> Option<Names> {
    let selector = selector.unwrap_or(RSPAMD_SELECTOR);
    let with_selector = pattern.replace("$selector", selector);
    if let Some(domain) = between(name, &with_selector, "$domain") {
        return Some((domain.to_owned(), selector.to_owned()));
    }
    // Another selector than the usual one: its last label stands before what follows it.
    let (start, after) = pattern.split_once("$domain")?;
    let (separator, end) = after.split_once("$selector")?;
    let both = name.strip_prefix(start)?.strip_suffix(end)?;
    let (domain, selector) = match separator {
        "" => return None,
        separator => both.rsplit_once(separator)?,
    };
    Some((domain.to_owned(), selector.to_owned()))
}

fn between<'a>(name: &'a str, pattern: &str, variable: &str) -> Option<&'a str> {
    let (start, end) = pattern.split_once(variable)?;
    name.strip_prefix(start)?.strip_suffix(end).filter(|text| !text.is_empty())
}

/// Domain and selector of a key file, by its name and what is around it.
fn names(path: &Path, domain: Option<&str>, selector: Option<&str>) -> Result<Names, String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let found = match ending {
        "private" => genkey(path, stem),
        "key" => two_names(stem, selector),
        "dkim" => Some((stem.to_owned(), RSPAMD_SELECTOR.to_owned())),
        "pem" => parent_domain(path).map(|domain| (domain, stem.to_owned())),
        _ => None,
    };
    let (found_domain, found_selector) = found.unzip();
    let pick = |given: Option<&str>, found: Option<String>| given.map(str::to_owned).or(found);
    match (pick(domain, found_domain), pick(selector, found_selector)) {
        (Some(domain), Some(selector)) => Ok((domain, selector)),
        (None, _) => {
            Err("its name does not tell the domain; give it with --domain, or a --pattern \
                          such as 'DIR/$domain.$selector.key' for all"
                .to_owned())
        }
        (_, None) => Err("its name does not tell the selector; give it with --selector".to_owned()),
    }
}

/// opendkim-genkey: the selector is the name; the domain is that of the directory, else it is in
/// the comment of the record beside it.
fn genkey(path: &Path, selector: &str) -> Option<Names> {
    let domain = parent_domain(path).or_else(|| {
        let record = read(&path.with_extension("txt"), KEY_BYTES_MAX).ok()?;
        let (_, after) = record.rsplit_once("----- DKIM key ")?;
        let (_, domain) = after.split_once(" for ")?;
        // What it writes where it was not told the domain.
        Some(domain.split_whitespace().next()?.to_owned()).filter(|name| name != "localhost")
    })?;
    Some((domain, selector.to_owned()))
}

/// maddy: `{domain}_{selector}`; rspamd: `$domain.$selector`.
fn two_names(stem: &str, selector: Option<&str>) -> Option<Names> {
    // No domain has an underscore, so what is before the first one is whole.
    let parts = match (stem.split_once('_'), selector) {
        (Some((domain, selector)), _) if DomainName::parse(domain).is_ok() => (domain, selector),
        // Where the domain ends in `mail.example.org.key`, nobody can tell without a selector.
        (_, selector) => {
            let selector = selector.unwrap_or(RSPAMD_SELECTOR);
            (stem.strip_suffix(selector)?.strip_suffix('.')?, selector)
        }
    };
    Some((parts.0.to_owned(), parts.1.to_owned()))
}

/// The name of the directory that a file is in, where it is a domain's.
fn parent_domain(path: &Path) -> Option<String> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = path.parent()?.file_name()?.to_str()?.to_owned();
    DomainName::parse(&name).is_ok().then_some(name)
}

/// The files of a directory and of the directories in it, sorted.
fn files(plan: &mut Plan, dir: &Path) -> Vec<PathBuf> {
    let (dirs, mut files): (Vec<PathBuf>, Vec<PathBuf>) =
        entries(plan, dir).into_iter().partition(|path| path.is_dir());
    for dir in dirs {
        files.extend(entries(plan, &dir).into_iter().filter(|path| !path.is_dir()));
    }
    files.sort();
    files
}

fn entries(plan: &mut Plan, dir: &Path) -> Vec<PathBuf> {
    let read = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.take(FILES_MAX).map(|entry| Ok(entry?.path())).collect()
    };
    let paths = read().map_err(|error| format!("{}: {}", plain(dir), reason(&error)));
    let mut paths = plan.or_refuse(paths).unwrap_or_default();
    let is_hidden = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
    };
    paths.retain(|path| !is_hidden(path));
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Option<(String, String)> {
        names(Path::new(path), None, None).ok()
    }

    fn both(domain: &str, selector: &str) -> (String, String) {
        (domain.into(), selector.into())
    }

    #[test]
    fn names_tell_domain_and_selector() {
        assert_eq!(of("/k/example.org/mail.private"), Some(both("example.org", "mail")));
        assert_eq!(of("/k/example.org.dkim.key"), Some(both("example.org", "dkim")));
        assert_eq!(of("/k/example.org.dkim"), Some(both("example.org", "dkim")));
        assert_eq!(of("/k/example.org_a_b.key"), Some(both("example.org", "a_b")));
        assert_eq!(of("/k/example.org/s1.pem"), Some(both("example.org", "s1")));
        assert_eq!(of("/k/keys/mail.private"), None);
        assert_eq!(of("/k/keys/mail.pem"), None);
        assert_eq!(of("/k/mail.example.org.key"), None);
        let dotted = names(Path::new("/k/a.example.org.s1.mail.key"), None, Some("s1.mail"));
        assert_eq!(dotted.ok(), Some(both("a.example.org", "s1.mail")));
    }

    #[test]
    fn patterns_find_their_variables() {
        let fitting = |name: &str, pattern: &str| fitting(name, pattern, None);
        assert_eq!(fitting("a.org.dkim.key", "$domain.$selector.key"), Some(both("a.org", "dkim")));
        assert_eq!(fitting("a.org.s2.key", "$domain.$selector.key"), Some(both("a.org", "s2")));
        assert_eq!(fitting("a.org.dkim", "$domain.dkim"), Some(both("a.org", "dkim")));
        assert_eq!(fitting("a.org.pem", "$domain.dkim"), None);
    }
}
