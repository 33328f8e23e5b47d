//! What OpenDKIM's tables mean here: which keys to take over, and which `[[sign.map]]` to write.
//!
//! OpenDKIM goes by the author's address, mailseal by the author domain. The domains that lines
//! name lie in one another or apart, so that "the first match" (refile:), once lines that no mail
//! reaches are left out, is "the most specific match", and a map says the same.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::layout;
use super::plan::{Place, Plan, PlannedMap, shown};
use super::tables::{KeyLine, Kind, SigningLine, Who, key_table, signing_table};
use crate::keys::DomainName;
use crate::message::domain::{is_within, normalize};
use crate::sign::map::Authors;

/// OpenDKIM's two tables.
#[derive(Clone, Debug)]
pub struct OpenDkim {
    /// The `KeyTable`'s file.
    pub key_table: PathBuf,
    /// The `SigningTable`'s file.
    pub signing_table: PathBuf,
    /// How the `SigningTable` is looked at.
    pub kind: Kind,
    /// Whether all lines that match sign, and not the first alone.
    pub multiple: bool,
}

/// A line of the `SigningTable` with the key that it means for these authors.
#[derive(Clone, Debug)]
struct Rule {
    line: usize,
    authors: Authors,
    domain: DomainName,
    /// Index into the plan's keys.
    key: usize,
    signer: Option<String>,
}

struct Import<'a> {
    tables: &'a OpenDkim,
    keys: Vec<KeyLine>,
    /// Where in `keys` each name is.
    names: HashMap<String, usize>,
    /// The lines that name domains, in their order.
    rules: Vec<Rule>,
    /// The same by their authors.
    by_authors: HashMap<Authors, Vec<usize>>,
    plan: Plan,
}

/// Plans the import of OpenDKIM's tables, whose texts are given.
pub fn opendkim(plan: &mut Plan, tables: &OpenDkim, key_text: &str, signing_text: &str) {
    let taken = std::mem::take(plan);
    let mut import = Import {
        tables,
        keys: Vec::new(),
        names: HashMap::new(),
        rules: Vec::new(),
        by_authors: HashMap::new(),
        plan: taken,
    };
    import.read_keys(key_text);
    let lines = import.signing_lines(signing_text);
    let mut addresses = Vec::new();
    for line in &lines {
        match &line.who {
            Who::Domains(authors) | Who::Ends(authors) => import.rule(line, authors),
            Who::Addresses(authors) => addresses.push((line, authors)),
            Who::Nobody(reason) => {
                let place = import.signing_place(line.line);
                import.plan.note(format!("{place}: signs nothing, there or here: {reason}"));
            }
            Who::Unknown => {
                let place = import.signing_place(line.line);
                import.plan.refuse(format!(
                    "{place}: mailseal signs by the author domain, and this pattern names none; \
                     name the domains one by one"
                ));
            }
        }
    }
    import.drop_unreached();
    import.choose_signing();
    for (line, authors) in addresses {
        import.address(line, authors);
    }
    import.unused_keys();
    import.maps();
    *plan = import.plan;
}

impl Import<'_> {
    fn key_place(&self, line: usize) -> Place {
        Place { path: self.tables.key_table.clone(), line }
    }

    fn signing_place(&self, line: usize) -> Place {
        Place { path: self.tables.signing_table.clone(), line }
    }

    fn read_keys(&mut self, text: &str) {
        for line in key_table(text) {
            match line {
                Ok(key) if !self.names.contains_key(&key.name) => {
                    self.names.insert(key.name.clone(), self.keys.len());
                    self.keys.push(key);
                }
                Ok(key) => {
                    let place = self.key_place(key.line);
                    let name = shown(&key.name);
                    self.plan.note(format!("{place}: {name} is there twice, the first counts"));
                }
                Err(bad) => {
                    let place = self.key_place(bad.line);
                    self.plan.refuse(format!("{place}: {}", bad.reason));
                }
            }
        }
    }

    fn signing_lines(&mut self, text: &str) -> Vec<SigningLine> {
        let mut lines = Vec::new();
        for line in signing_table(text, self.tables.kind) {
            match line {
                Ok(line) => lines.push(line),
                Err(bad) => {
                    let place = self.signing_place(bad.line);
                    self.plan.refuse(format!("{place}: {}", bad.reason));
                }
            }
        }
        lines
    }

    /// Makes rules of a line that names domains.
    fn rule(&mut self, line: &SigningLine, authors: &[Authors]) {
        if let (Who::Ends(_), [_, Authors::Below(end)]) = (&line.who, authors) {
            let place = self.signing_place(line.line);
            self.plan.note(format!(
                "{place}: signed {end}, what is below it, and every other domain whose name ends \
                 so, as evil{end} does; those are no longer signed"
            ));
        }
        let mut found = false;
        for authors in authors {
            for (authors, key) in self.named(line, authors) {
                found = true;
                self.key_rule(line, &authors, &key);
            }
        }
        if !found {
            let place = self.signing_place(line.line);
            let name = shown(&line.key);
            self.plan.refuse(format!("{place}: the KeyTable has no key of the name {name}"));
        }
    }

    /// The keys that a line means; `%` is the author domain, so that it may be several.
    fn named(&self, line: &SigningLine, authors: &Authors) -> Vec<(Authors, KeyLine)> {
        if line.key != "%" {
            let key = self.names.get(&line.key).and_then(|index| self.keys.get(*index));
            return key.map(|key| (authors.clone(), key.clone())).into_iter().collect();
        }
        let of_domain = |key: &KeyLine| {
            let domain = Authors::Domain(normalize(&key.name)?);
            authors.covers(&domain).then(|| (domain, key.clone()))
        };
        self.keys.iter().filter_map(of_domain).collect()
    }

    /// Makes rules of a line and a key: one, or one for each domain that the key has a file for.
    fn key_rule(&mut self, line: &SigningLine, authors: &Authors, key: &KeyLine) {
        let place = self.signing_place(line.line);
        let all = match (authors, key.domain.as_str()) {
            (Authors::Domain(author), "%") => vec![(authors.clone(), author.clone())],
            (_, "%") if key.path.contains('%') => self.domains_with_files(authors, key),
            (_, "%") => {
                self.plan.refuse(format!(
                    "{place}: one key signs as each author domain (d=%), and mailseal keeps keys by \
                     domain; name the domains one by one, better with keys of their own"
                ));
                return;
            }
            (_, domain) => vec![(authors.clone(), domain.to_owned())],
        };
        if let ([], "%") = (&all[..], key.domain.as_str()) {
            self.plan.note(format!("{place}: no domain has a file {}", shown(&key.path)));
        }
        for (authors, domain) in all {
            let path = match (&authors, key.path.contains('%')) {
                (Authors::Domain(author), true) => key.path.replace('%', author),
                (_, true) => {
                    self.plan.refuse(format!(
                        "{place}: the key's file depends on the author domain; name the domains \
                         one by one"
                    ));
                    return;
                }
                (_, false) => key.path.clone(),
            };
            let from = self.key_place(key.line);
            let names = (domain.as_str(), key.selector.as_str());
            let Some(index) = self.plan.add_file(Path::new(&path), names, Some(&from)) else {
                continue;
            };
            let domain = self.plan.keys[index].domain.clone();
            let signer = line.signer.clone();
            self.rules.push(Rule { line: line.line, authors, domain, key: index, signer });
        }
    }

    /// The author domains for which the key's file is there now.
    fn domains_with_files(&mut self, authors: &Authors, key: &KeyLine) -> Vec<(Authors, String)> {
        let with_author = |domain: String| (Authors::Domain(domain.clone()), domain);
        let domains = layout::domains_with_files(&key.path).into_iter().map(with_author);
        let domains: Vec<_> = domains.filter(|(author, _)| authors.covers(author)).collect();
        if !domains.is_empty() {
            let place = self.key_place(key.line);
            let count = domains.len();
            self.plan.note(format!(
                "{place}: taken over for the {count} domains that have a file now; give later ones \
                 keys with mailseal keys generate"
            ));
        }
        domains
    }

    /// Leaves out the rules that an earlier line always comes before.
    fn drop_unreached(&mut self) {
        let mut first: HashMap<Authors, usize> = HashMap::new();
        for rule in std::mem::take(&mut self.rules) {
            let covering: Vec<Authors> = match (self.tables.kind, self.tables.multiple) {
                (Kind::File, _) => vec![rule.authors.clone()],
                (Kind::Refile, false) => rule.authors.and_wider(),
                (Kind::Refile, true) => Vec::new(),
            };
            let lines = covering.iter().filter_map(|authors| first.get(authors));
            if let Some(by) = lines.copied().filter(|line| *line != rule.line).min() {
                let place = self.signing_place(rule.line);
                let note =
                    format!("{place}: not reached there and left out: line {by} comes first");
                self.plan.note(note);
                continue;
            }
            first.entry(rule.authors.clone()).or_insert(rule.line);
            self.by_authors.entry(rule.authors.clone()).or_default().push(self.rules.len());
            self.rules.push(rule);
        }
    }

    /// One key of an algorithm signs for a domain: that which signs the domain's own mail, else the
    /// first that is named.
    fn choose_signing(&mut self) {
        let is_own = |rule: &Rule| rule.authors == Authors::Domain(rule.domain.to_string());
        let (own, other): (Vec<Rule>, Vec<Rule>) = self.rules.clone().into_iter().partition(is_own);
        for rule in own.iter().chain(&other) {
            let signing = self.plan.sign_with(rule.key);
            if signing != rule.key {
                let place = self.signing_place(rule.line);
                let (old, new) =
                    (&self.plan.keys[rule.key].selector, &self.plan.keys[signing].selector);
                let note = format!(
                    "{place}: signed by {old} of {domain}, and here by {new}: a domain has one \
                     active key of an algorithm",
                    domain = rule.domain
                );
                self.plan.note(note);
            }
        }
    }

    /// A line of addresses: superfluous where their domain is signed alike, or refused.
    fn address(&mut self, line: &SigningLine, authors: &Authors) {
        let place = self.signing_place(line.line);
        let wanted = self.named(line, authors).into_iter().next().map(|(_, key)| key.domain);
        let signing = self.expected(authors);
        let is_same = |rule: &&Rule| {
            wanted.as_deref().is_some_and(|domain| match authors {
                Authors::Domain(author) if domain == "%" => author == rule.domain.as_str(),
                _ => normalize(domain).as_deref() == Some(rule.domain.as_str()),
            })
        };
        if signing.iter().any(is_same) {
            let note = format!(
                "{place}: left out: all mail of its domain is signed by the same d= as these \
                 addresses, maybe with another selector"
            );
            self.plan.note(note);
        } else {
            self.plan.refuse(format!(
                "{place}: mailseal signs by the author domain, not by address; sign all of the \
                 domain, or move these senders to a domain of their own"
            ));
        }
    }

    /// Keys that no line uses.
    fn unused_keys(&mut self) {
        for key in self.keys.clone() {
            if key.domain == "%" || key.path.contains('%') {
                continue;
            }
            let before = self.plan.keys.len();
            let place = self.key_place(key.line);
            let names = (key.domain.as_str(), key.selector.as_str());
            self.plan.add_file(Path::new(&key.path), names, Some(&place));
            if self.plan.keys.len() > before {
                let name = shown(&key.name);
                self.plan.note(format!("{place}: {name} signed nothing; taken over as pending"));
            }
        }
    }

    /// The rules that sign for these authors in OpenDKIM, the most specific first.
    fn expected(&self, authors: &Authors) -> Vec<&Rule> {
        let covering = authors.and_wider();
        let matching = covering.iter().filter_map(|outer| self.by_authors.get(outer)).flatten();
        let matching = matching.filter_map(|index| self.rules.get(*index));
        matching.take(if self.tables.multiple { usize::MAX } else { 1 }).collect()
    }

    /// The maps that make the rest of it: nothing is needed where a domain signs its own mail.
    fn maps(&mut self) {
        let keyed = self.plan.keys.iter().filter(|key| key.signs);
        let own = keyed.map(|key| Authors::Domain(key.domain.to_string()));
        let mut patterns: Vec<Authors> =
            self.rules.iter().map(|rule| rule.authors.clone()).chain(own).collect();
        let mut seen = HashSet::new();
        patterns.retain(|authors| seen.insert(authors.clone()));
        let (mut maps, mut notes) = (Vec::new(), Vec::new());
        for authors in patterns {
            let rules = self.expected(&authors);
            notes.extend(rules.iter().filter_map(|rule| self.signer_note(rule, &authors)));
            match (&authors, &rules[..]) {
                (Authors::Domain(own), []) => notes
                    .push(format!("mail from {own} was not signed, and now is: {own} has a key")),
                (Authors::Domain(own), [one]) if one.domain.as_str() == own => {}
                _ => maps.extend(rules.iter().map(|rule| map(rule, &authors))),
            }
        }
        let mut seen = HashSet::new();
        maps.retain(|map: &PlannedMap| seen.insert((map.from.clone(), map.domain.clone())));
        self.plan.maps = maps;
        for note in notes {
            self.plan.note(note);
        }
    }

    /// An `i=` that is not kept.
    fn signer_note(&self, rule: &Rule, authors: &Authors) -> Option<String> {
        let signer = rule.signer.as_deref()?;
        let own = match authors {
            Authors::Domain(author) => signer.strip_prefix('@') == Some(author.as_str()),
            _ => false,
        };
        let kept = own || signer == "@%" || signer.strip_prefix('@') == Some(rule.domain.as_str());
        let place = self.signing_place(rule.line);
        (!kept).then(|| {
            format!(
                "{place}: i={} is not written: mailseal names a domain there or nothing, and \
                 DMARC does not look at it",
                shown(signer)
            )
        })
    }
}

fn map(rule: &Rule, authors: &Authors) -> PlannedMap {
    // Without a second field OpenDKIM writes no i=, which a record with t=s may depend on.
    let is_kept = rule.signer.as_deref() == Some("@%");
    let domain = rule.domain.as_str();
    let can_stand = match authors {
        Authors::Domain(name) => is_within(name, domain),
        Authors::Below(parent) => is_within(parent, domain) || is_within(domain, parent),
        Authors::Any => true,
    };
    let auid = is_kept || !can_stand;
    PlannedMap { from: authors.clone(), domain: rule.domain.clone(), auid }
}
