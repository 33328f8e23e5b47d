//! rspamd's `dkim_signing.conf`: patterns of paths, domains with paths of their own, and maps.

use std::path::{Path, PathBuf};

use super::layout;
use super::plan::{Place, Plan, PlannedMap, plain, shown};
use super::read::read_text;
use super::tables::lines;
use super::ucl::{self, Entry, Value};
use crate::sign::map::Authors;

const DEFAULT_PATH: &str = "/var/lib/rspamd/dkim/$domain.$selector.key";
const DEFAULT_SELECTOR: &str = "dkim";

/// What of the file concerns keys.
struct Settings<'a> {
    file: &'a Path,
    path: String,
    selector: String,
    has_path: bool,
    uses_esld: bool,
}

/// Plans the import of what the text of `dkim_signing.conf` names.
pub fn rspamd(plan: &mut Plan, file: &Path, text: &str) {
    let entries = match ucl::parse(text) {
        Ok(entries) => entries,
        Err(line) => {
            let place = Place { path: file.to_owned(), line };
            return plan.refuse(format!("{place}: cannot be read as rspamd's configuration"));
        }
    };
    let entries = unwrapped(entries);
    let settings = Settings::new(file, &entries);
    let before = plan.refused.len();
    for entry in &entries {
        settings.entry(plan, entry);
    }
    if settings.has_path || (plan.keys.is_empty() && plan.refused.len() == before) {
        settings.default_path(plan);
    }
    plan.first_ones_sign();
    settings.esld(plan);
}

/// The entries of `dkim_signing { }`, where the file has them in there.
fn unwrapped(entries: Vec<Entry>) -> Vec<Entry> {
    let inner = |entry: Entry| match entry {
        Entry { name, value: Value::Table(inner), .. } if name == "dkim_signing" => inner,
        entry => vec![entry],
    };
    entries.into_iter().flat_map(inner).collect()
}

impl<'a> Settings<'a> {
    fn new(file: &'a Path, entries: &[Entry]) -> Self {
        let path = text(entries, "path");
        Self {
            file,
            has_path: path.is_some(),
            path: path.unwrap_or(DEFAULT_PATH).to_owned(),
            selector: text(entries, "selector").unwrap_or(DEFAULT_SELECTOR).to_owned(),
            uses_esld: text(entries, "use_esld").is_none_or(is_true),
        }
    }

    fn place(&self, line: usize) -> Place {
        Place { path: self.file.to_owned(), line }
    }

    fn entry(&self, plan: &mut Plan, entry: &Entry) {
        let place = self.place(entry.line);
        match (entry.name.as_str(), &entry.value) {
            ("domain", Value::Table(domains)) => {
                for domain in domains {
                    self.domain(plan, domain);
                }
            }
            ("selector_map" | "path_map", Value::Text(map)) => self.map(plan, entry, map),
            ("use_redis", Value::Text(value)) if is_true(value) => plan.refuse(format!(
                "{place}: the keys are in Redis; write each to a file and import those"
            )),
            ("use_vault", Value::Text(value)) if is_true(value) => plan.refuse(format!(
                "{place}: the keys are in Vault; write each to a file and import those"
            )),
            ("use_domain", Value::Text(value)) if value != "header" => plan.note(format!(
                "{place}: signed by the domain of {}; mailseal goes by that of From, which is what \
                 DMARC looks at",
                shown(value)
            )),
            (".include" | "includes", _) => {
                plan.note(format!("{place}: what is included is not read; import it by itself"));
            }
            _ => {}
        }
    }

    fn domain(&self, plan: &mut Plan, domain: &Entry) {
        let Value::Table(entries) = &domain.value else { return };
        let several = entries.iter().find(|entry| entry.name == "selectors");
        let Some(Entry { value: Value::List(several), .. }) = several else {
            return self.key(plan, domain, entries);
        };
        for selector in several {
            if let Value::Table(entries) = selector {
                self.key(plan, domain, entries);
            }
        }
    }

    fn key(&self, plan: &mut Plan, domain: &Entry, entries: &[Entry]) {
        let selector = text(entries, "selector").unwrap_or(&self.selector);
        let path = text(entries, "path").unwrap_or(&self.path);
        self.add(plan, domain.line, &domain.name, selector, path);
    }

    fn add(&self, plan: &mut Plan, line: usize, domain: &str, selector: &str, path: &str) {
        let path = path.replace("$domain", domain).replace("$selector", selector);
        plan.add_file(Path::new(&path), (domain, selector), Some(&self.place(line)));
    }

    /// A map of domains to selectors or paths, a line each.
    fn map(&self, plan: &mut Plan, entry: &Entry, map: &str) {
        let place = self.place(entry.line);
        let path = map.strip_prefix("file://").unwrap_or(map);
        if !path.starts_with('/') {
            return plan.refuse(format!("{place}: {} is no file", shown(map)));
        }
        let path = PathBuf::from(path);
        let read = read_text(&path).map_err(|reason| format!("{place}: {reason}"));
        let Some(text) = plan.or_refuse(read) else { return };
        for (line, domain, value) in lines(&text) {
            let (selector, key) = match entry.name.as_str() {
                "selector_map" => (value, self.path.as_str()),
                _ => (self.selector.as_str(), value),
            };
            let key = key.replace("$domain", domain).replace("$selector", selector);
            let place = Place { path: path.clone(), line };
            plan.add_file(Path::new(&key), (domain, selector), Some(&place));
        }
    }

    /// The files that the pattern of all domains finds.
    fn default_path(&self, plan: &mut Plan) {
        if self.path.contains("$domain") {
            layout::pattern(plan, &self.path, Some(&self.selector));
        } else {
            let file = plain(self.file);
            plan.refuse(format!(
                "{file}: one key for all domains ({}), and mailseal keeps keys by domain; name a \
                 domain with --domain and import that file",
                shown(&self.path)
            ));
        }
    }

    /// `use_esld`: mail from below a registered domain is signed by that.
    fn esld(&self, plan: &mut Plan) {
        if !self.uses_esld {
            return;
        }
        let mut domains: Vec<_> = plan.keys.iter().map(|key| key.domain.clone()).collect();
        domains.sort();
        domains.dedup();
        for domain in domains {
            let from = Authors::Below(domain.to_string());
            plan.maps.push(PlannedMap { from, domain, auid: false });
        }
        let file = plain(self.file);
        plan.note(format!(
            "{file}: use_esld: mail from below a domain is signed by the domain, which the maps \
             keep; a domain below it with a key of its own now signs by that"
        ));
    }
}

fn text<'a>(entries: &'a [Entry], name: &str) -> Option<&'a str> {
    // The last one counts.
    let entry = entries.iter().rev().find(|entry| entry.name == name)?;
    match &entry.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn is_true(value: &str) -> bool {
    ["true", "yes", "on", "1"].contains(&value)
}
