//! The invariants of the source that no compiler checks: who imports what, what is pure, what may
//! panic, how long a file is. `src/lib.rs` states them; this test reads `src/`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;

use regex::Regex;

/// What only some files may use: a pattern, and the beginnings of their paths in `src/`.
const KEPT_TO: &[(&str, &[&str])] = &[
    (r"\bindymilter::", &["milter/"]),
    (r"\bmail_auth::", &["dkim/", "auth/dmarc", "dns/"]),
    (r"\bhickory_\w+::", &["dns/"]),
    (r"\bclamav_client::", &["scan/"]),
    (r"\bfancy_regex::", &["rules/line_pattern.rs"]),
    (r"\bviaspf_record::", &["auth/spf/"]),
    (r"\b(hyper\w*|http_body_util|prometheus_client)::", &["telemetry/"]),
    (r"\b(clap|crate::cli)::", &["cli.rs", "cmd/", "main.rs"]),
    (r"\banyhow\b", &["main.rs", "cmd/"]),
    (r"\be?print(ln)?!|\bstdout\b", &["main.rs", "cmd/"]),
    // Standard error is where the log goes.
    (r"\bstderr\b", &["main.rs", "cmd/", "telemetry/"]),
    // Data goes one way: no stage sees the milter, or what runs it.
    // One reader of files is bounded, and waits for nothing.
    // An mbox is larger than that: it is read message by message.
    (
        r"\bfs::read(_to_string)?\(|\bFile::open\(|\.read_to_string\(",
        &["file.rs", "keys/file.rs", "replay/store.rs"],
    ),
    (r"\bcrate::milter\b", &["milter/", "serve/"]),
    (r"\bcrate::serve\b", &[]),
    (r"\bcrate::pipeline\b", &["milter/"]),
    (r"\bunsafe\b", &[]),
];

/// What has no input but its arguments: the beginnings of paths in `src/`.
const PURE: &[&str] = &[
    "auth/results",
    "changes",
    "checks/identity_gate.rs",
    "checks/login_line.rs",
    "checks/mod.rs",
    "dkim/",
    "keys/advice.rs",
    "keys/event.rs",
    "keys/lifecycle.rs",
    "keys/mend.rs",
    "keys/order.rs",
    "keys/plan.rs",
    "keys/policy.rs",
    "keys/readiness.rs",
    "keys/sighting.rs",
    "keys/state.rs",
    "message/address",
    "message/domain.rs",
    "message/header.rs",
    "message/mime",
    "message/origin.rs",
    "message/text",
    "policy",
    "result.rs",
    "rules/action.rs",
    "rules/captures.rs",
    "rules/condition.rs",
    "rules/import/",
    "rules/line_pattern.rs",
    "rules/lines.rs",
    "rules/lint",
    "rules/fact.rs",
    "rules/list.rs",
    "rules/literals.rs",
    "rules/looked.rs",
    "rules/matcher.rs",
    "rules/mime_test.rs",
    "rules/part.rs",
    "rules/pattern.rs",
    "rules/plane.rs",
    "rules/results.rs",
    "rules/rule.rs",
    "rules/table",
    "rules/texts.rs",
    "text.rs",
    "verdict",
];

const IMPURE: &str = r"\btokio\b|\basync\b|\bstd::(fs|env|process|thread)\b|\b(Tcp|Udp|Unix)(Stream|Listener|Socket|Datagram)\b|\bSystemTime\b|\bInstant::now\b|\bcrate::(dns|runtime)\b";

const PANICS: &str = r"\.(unwrap|expect)(_err)?\(|\b(panic|todo|unimplemented|unreachable)!";

/// What may panic: a file, what stands on the line, and why it never does.
const ARGUED: &[(&str, &str, &str)] = &[
    ("background.rs", "the runtime is there until it is dropped", "its drop alone takes it"),
    ("config/mod.rs", "an empty file has no faults", "a test loads the built-in defaults"),
    ("config/section.rs", "resolve asks only for sections", "every load runs through all sections"),
    ("config/section.rs", "resolve asks only for keys", "every load runs through all keys"),
    ("config/section.rs", "resolve reads {key} as optional", "every load runs through all keys"),
    ("config/section.rs", "defaults are TOML: tested", "every load reads all defaults"),
    ("config/section.rs", "defaults are valid: tested", "every load reads all defaults"),
    ("config/section.rs", "no key takes such a value", "the value was read as the key's type"),
    ("keys/state.rs", "every value has a form in TOML", "strings and words alone are written"),
];

/// Longer files do more than one thing.
const LINES_MAX: usize = 400;

/// One file of `src/`.
struct Source {
    /// Its path in `src/`.
    path: String,
    text: String,
}

impl Source {
    /// Its lines with their numbers, comments and tests left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
            .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
    }

    /// The places of a pattern in its code.
    fn places(&self, pattern: &Regex) -> Vec<String> {
        let found = self.code().filter(|(_, line)| pattern.is_match(line));
        found.map(|(number, line)| format!("{}:{number}: {}", self.path, line.trim())).collect()
    }

    fn is_one_of(&self, starts: &[&str]) -> bool {
        starts.iter().any(|start| self.path.starts_with(start))
    }
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    assert!(sources.len() > 50);
    sources
}

fn read(dir: &Path, prefix: &str, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{path}/"), sources);
        } else {
            sources.push(Source { path, text: fs::read_to_string(entry.path()).unwrap() });
        }
    }
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_belongs_to_one_place_stays_there() {
    let sources = sources();
    for (pattern, owners) in KEPT_TO {
        let pattern = Regex::new(pattern).unwrap();
        let strangers = sources.iter().filter(|source| !source.is_one_of(owners));
        none(&strangers.flat_map(|source| source.places(&pattern)).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_pure_has_no_input_but_its_arguments() {
    let (sources, impure) = (sources(), Regex::new(IMPURE).unwrap());
    for start in PURE {
        assert!(sources.iter().any(|source| source.path.starts_with(start)), "no {start}");
    }
    let pure = sources.iter().filter(|source| source.is_one_of(PURE));
    none(&pure.flat_map(|source| source.places(&impure)).collect::<Vec<_>>());
}

#[test]
fn nothing_panics_but_where_it_is_argued() {
    let panics = Regex::new(PANICS).unwrap();
    let found: Vec<String> = sources().iter().flat_map(|source| source.places(&panics)).collect();
    let argued = |place: &str, (path, text, _): &(&str, &str, &str)| {
        place.starts_with(path) && place.contains(text)
    };
    let unargued = found.iter().filter(|place| !ARGUED.iter().any(|case| argued(place, case)));
    none(&unargued.cloned().collect::<Vec<_>>());
    let gone = ARGUED.iter().filter(|case| !found.iter().any(|place| argued(place, case)));
    none(&gone.map(|case| format!("no longer there: {case:?}")).collect::<Vec<_>>());
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    for Source { path, text } in sources() {
        assert!(text.starts_with("//! "), "{path}: does not start with what it is for");
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{path}: {lines} lines, at most {LINES_MAX} are one thing");
    }
}

/// Tests stand at the end of a file, which is where the other tests here stop reading.
#[test]
fn unit_tests_end_their_file() {
    for Source { path, text } in sources() {
        let Some((_, tests)) = text.split_once("\n#[cfg(test)]\n") else { continue };
        let after = tests.lines().skip_while(|line| *line != "}").skip(1);
        assert!(tests.starts_with("mod tests {"), "{path}: #[cfg(test)] on something else");
        assert_eq!(after.count(), 0, "{path}: code after the tests");
    }
}

/// A stranger finds each part of the crate on its map.
#[test]
fn the_map_shows_every_part() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let docs: Vec<&str> = map.lines().filter(|line| line.starts_with("//!")).collect();
    for Source { path, .. } in sources() {
        let part = path.split(['/', '.']).next().unwrap();
        // A directory beside a file of its name is shown with it.
        let names = [format!("`{part}.rs`"), format!("`{part}/`")];
        let shown = names.iter().any(|name| docs.iter().any(|line| line.contains(name)));
        assert!(shown || part == "lib", "src/lib.rs does not show {part}");
    }
}
