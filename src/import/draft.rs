//! The configuration in the making: values, `[[sign.map]]`, and what is told about them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::directive::Directive;
use crate::config::fields::SECTIONS;
use crate::config::{ConfigErrors, Loaded};
use crate::file::plain;
use crate::keys::import::PlannedMap;

/// A sentence, and the options that it is about.
#[derive(Debug)]
struct Told {
    path: Option<PathBuf>,
    /// `LINE: Name value` of each.
    options: Vec<String>,
    says: String,
}

/// The configuration in the making.
#[derive(Debug, Default)]
pub struct Draft {
    /// The files that it is made of.
    pub sources: Vec<PathBuf>,
    /// What becomes different.
    told: Vec<Told>,
    /// What cannot be taken over, and what nobody knows: somebody must decide.
    pub refused: Vec<String>,
    /// Values by section and key: TOML, and where it comes from.
    values: BTreeMap<(&'static str, &'static str), (String, String)>,
    /// The sockets of the old filters, which ours must not be.
    pub(super) sockets: Vec<String>,
    /// `[[policy.exempt]]`, its keys with their TOML.
    pub(super) exempt: Vec<(&'static str, String, String)>,
    pub(super) maps: Vec<PlannedMap>,
    /// Whether OpenDKIM has keys for `keys import`.
    pub has_keys: bool,
}

impl Draft {
    /// Sets a key. What another file has set stays, and the difference is told.
    pub(super) fn set(
        &mut self,
        (section, key): (&'static str, &'static str),
        toml: String,
        from: &Directive,
    ) {
        let place = from.place.to_string();
        let says = match self.values.entry((section, key)) {
            Entry::Vacant(entry) => {
                entry.insert((toml, place));
                return;
            }
            Entry::Occupied(entry) => match entry.get() {
                (old, _) if *old == toml => return,
                (old, first) => format!("{section}.{key} is {old} by {first}, which stays"),
            },
        };
        self.change(from, &says);
    }

    /// Tells what becomes different by an option; options of a file that have a sentence in common
    /// share it.
    pub(super) fn change(&mut self, from: &Directive, now: &str) {
        let option = format!("{}: {}", from.place.line, written(from));
        let path = Some(from.place.path.clone());
        match self.told.iter_mut().find(|told| told.path == path && told.says == now) {
            Some(told) => told.options.push(option),
            None => self.told.push(Told { path, options: vec![option], says: now.to_owned() }),
        }
    }

    /// Tells a sentence that names its place itself.
    pub(super) fn tell(&mut self, says: String) {
        self.told.push(Told { path: None, options: Vec::new(), says });
    }

    /// What becomes different, a line for each sentence: the options with their places before it. Values of
    /// the old files may hold anything.
    pub fn changes(&self) -> Vec<String> {
        let line = |told: &Told| match (&told.path, &told.options[..]) {
            (Some(path), [one]) => format!("{}:{one}: {}", plain(path), told.says),
            (Some(path), all) => format!("{}: {}: {}", plain(path), all.join(", "), told.says),
            (None, _) => told.says.clone(),
        };
        self.told.iter().map(|told| plain(Path::new(&line(told)))).collect()
    }

    /// Sets a key to what the old filter does where its file says nothing.
    pub(super) fn set_default(
        &mut self,
        (section, key): (&'static str, &'static str),
        toml: String,
        program: &str,
    ) {
        let from = format!("what {program} does by itself");
        self.values.entry((section, key)).or_insert((toml, from));
    }

    /// Tells that an option cannot be taken over.
    pub(super) fn refuse(&mut self, from: &Directive, why: &str) {
        self.refused.push(format!("{}: {why}", named(from)));
    }

    /// An option that is not one of the program's.
    pub(super) fn unknown(&mut self, from: &Directive) {
        self.refused.push(format!(
            "{}: {}: unknown option",
            from.place,
            plain(Path::new(&from.name))
        ));
    }

    /// Whether a key was set.
    pub(super) fn has(&self, section: &str, key: &str) -> bool {
        self.values.keys().any(|(a, b)| *a == section && *b == key)
    }

    /// The file, and whether it is one that we read ourselves.
    pub fn finish(mut self) -> (Self, String, Result<Loaded, ConfigErrors>) {
        self.choose_socket();
        let text = self.text();
        let loaded = Loaded::parse(&text, Path::new("mailseal.toml"), Path::new(""));
        (self, text, loaded)
    }

    /// A port that no old filter has: both run side by side until the MTA is turned to ours.
    fn choose_socket(&mut self) {
        if self.sockets.is_empty() {
            return;
        }
        let is_taken = |port: &u16| self.sockets.iter().any(|socket| has_port(socket, *port));
        let port = (8891..8999).find(|port| !is_taken(port)).unwrap_or(8891);
        if port != 8891 {
            let value = format!("[\"inet:127.0.0.1:{port}\"]");
            let from = "its default port is an old filter's".to_owned();
            self.values.insert(("milter", "listen"), (value, from));
        }
        let old = self.sockets.join(", ");
        self.tell(format!(
            "sockets ({old}): mailseal listens on inet:127.0.0.1:{port}, so that it can run beside \
             the old filters; turn the MTA to it when you have seen enough"
        ));
    }

    fn text(&self) -> String {
        let sources: Vec<String> = self.sources.iter().map(|path| plain(path)).collect();
        let mut text = format!(
            "# mailseal.toml, made by mailseal import of {}.\n# Keys that are not here have their \
             defaults: mailseal config default shows them.\n",
            sources.join(", ")
        );
        list(&mut text, "What becomes different:", &self.changes());
        list(&mut text, "What could not be taken over, so that you must decide:", &self.refused);
        for section in SECTIONS {
            self.write_section(&mut text, section.name);
        }
        text
    }

    fn write_section(&self, text: &mut String, section: &str) {
        let keys: Vec<_> = self.values.iter().filter(|((name, _), _)| *name == section).collect();
        if !keys.is_empty() {
            let _ = writeln!(text, "\n[{section}]");
        }
        for ((_, key), (value, from)) in keys {
            let _ = writeln!(text, "{key} = {value}   # {}", plain(Path::new(from)));
        }
        if section == "sign.map" {
            for map in &self.maps {
                let _ = write!(text, "\n{map}");
            }
        }
        if section == "policy.exempt" {
            // One message is left alone where any one entry of any of them names it.
            for (key, value, from) in &self.exempt {
                let _ = write!(text, "\n[[policy.exempt]]\n{key} = {value}   # {from}\n");
            }
        }
    }
}

/// `path:line: Name value`
fn named(from: &Directive) -> String {
    format!("{}: {}", from.place, written(from))
}

fn written(from: &Directive) -> String {
    let both = format!("{} {}", from.name, from.value);
    let short: String = both.trim_end().chars().take(100).collect();
    plain(Path::new(&short))
}

fn list(text: &mut String, head: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "#\n# {head}");
    for line in lines {
        let _ = writeln!(text, "# - {}", plain(Path::new(line)));
    }
}

/// Whether a socket of an old filter has that port, in whatever spelling.
fn has_port(socket: &str, port: u16) -> bool {
    let is_inet = socket.starts_with("inet");
    is_inet && socket.split([':', '@']).any(|part| part.parse() == Ok(port))
}

/// A list of strings as TOML.
pub(super) fn toml_list<S: AsRef<str>>(items: &[S]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| toml_text(item.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

/// A string as TOML.
pub(super) fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{Source, read};
    use super::*;

    #[test]
    fn a_socket_of_control_characters_is_shown_in_a_line() {
        let mut draft = Draft::default();
        let text = "Socket inet:8891\u{1b}[2J@localhost\n";
        read(&mut draft, Source::OpenDkim, Path::new("opendkim.conf"), text);
        let changes = draft.finish().0.changes();
        assert!(changes.iter().any(|change| change.contains("inet:8891\\u{1b}[2J@localhost")));
        assert!(!changes.concat().contains(char::is_control));
    }
}
