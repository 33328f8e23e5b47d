//! `mailseal rules import` beside Postfix's own `postmap`, on tables and messages: each line goes to the
//! same entry, with the same text.
//!
//! Postfix and its PCRE tables are needed: `tests/install`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/suites.rs"]
mod suites;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mailseal::config::Config;
use mailseal::message::envelope::Envelope;
use mailseal::message::file;
use mailseal::rules::import::table::Dialect;
use mailseal::rules::import::{Imported, Kind, Source, import};
use mailseal::rules::{Facts, RuleSet};
use mailseal::verdict::Action;
use tempfile::TempDir;

/// A table of `tests/data/postfix`.
struct Table {
    path: PathBuf,
    file: String,
    is_body: bool,
    dialect: Dialect,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/postfix")
}

fn tables() -> Vec<Table> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(data()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let table = |path: PathBuf| {
        let file = path.file_name()?.to_str()?.to_owned();
        let dialect = match path.extension()?.to_str()? {
            "pcre" => Dialect::Pcre,
            "regexp" => Dialect::Regexp,
            _ => return None,
        };
        Some(Table { is_body: file.contains(".body."), path, file, dialect })
    };
    paths.into_iter().filter_map(table).collect()
}

impl Table {
    fn kinds(&self) -> &'static [Kind] {
        if self.is_body { &[Kind::Body] } else { &[Kind::Header, Kind::Mime, Kind::Nested] }
    }

    fn import(&self) -> Imported {
        let text = fs::read(&self.path).unwrap();
        let (file, dialect, kinds) = (self.file.as_str(), self.dialect, self.kinds());
        import(&[Source { file, dialect, kinds, text: &text }])
    }

    /// What Postfix finds in a message: the results, in the order of the lines.
    fn postmap(&self, etc: &Path, message: &[u8]) -> Vec<String> {
        let kind = if self.dialect == Dialect::Pcre { "pcre" } else { "regexp" };
        let flags = if self.is_body { "-bmq" } else { "-hmq" };
        let mut postmap = Command::new("/usr/sbin/postmap")
            .arg("-c")
            .arg(etc)
            .args([flags, "-", &format!("{kind}:{}", self.path.display())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("run tests/install");
        postmap.stdin.take().unwrap().write_all(message).unwrap();
        let output = postmap.wait_with_output().unwrap();
        // 1: nothing found.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}: {output:?}", self.file);
        let found = String::from_utf8_lossy(&output.stdout).into_owned();
        // A key of several lines has its result on the last of them. Other than Postfix's cleanup,
        // postmap asks for empty lines, too.
        let results = found.lines().filter_map(|line| line.rsplit_once('\t'));
        let results = results.filter(|(key, _)| !key.is_empty()).map(|(_, result)| result);
        results.filter(|result| is_result(result)).map(str::to_owned).collect()
    }
}

/// Whether a text begins with an action, as the results of all tables do, and no fold of a field.
fn is_result(text: &str) -> bool {
    const ACTIONS: &[&str] = &[
        "BCC", "BOUNCE", "DISCARD", "DUNNO", "FILTER", "HOLD", "IGNORE", "INFO", "OK", "PASS",
        "PREPEND", "REDIRECT", "REJECT", "REPLACE", "STRIP", "WARN",
    ];
    ACTIONS.contains(&text.split(' ').next().unwrap_or_default())
}

/// What stands in brackets at the end of an entry, or its last word.
fn mark(result: &str) -> String {
    let mark = result.strip_suffix(']').and_then(|text| text.rsplit_once('['));
    mark.map_or_else(|| result.rsplit(' ').next().unwrap(), |(_, mark)| mark).to_owned()
}

/// The imported rules, and the marks of their entries by the rules' names. They do nothing: `postmap`
/// goes on where a message is refused.
fn load_harmless(imported: &Imported) -> (RuleSet, BTreeMap<String, String>) {
    let dir = tempfile::tempdir().unwrap();
    let line = |line: &str| match line {
        _ if line.starts_with("action = ") => "action = \"none\"\n".to_owned(),
        _ if line.starts_with("reply = ") => String::new(),
        line => format!("{line}\n"),
    };
    let text: String = imported.text.lines().map(line).collect();
    fs::write(dir.path().join("postfix.toml"), &text).unwrap();
    let rules = RuleSet::load(dir.path()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let table: toml::Table = toml::from_str(&text).unwrap();
    let text = |rule: &toml::Value, field: &str| rule[field].as_str().unwrap().to_owned();
    let marked = |rule| (text(rule, "name"), mark(&text(rule, "about")));
    (rules, table["rule"].as_array().unwrap().iter().map(marked).collect())
}

/// The imported rules as they are.
fn load(imported: &Imported) -> RuleSet {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("postfix.toml"), &imported.text).unwrap();
    RuleSet::load(dir.path()).unwrap_or_else(|error| panic!("{error}\n{}", imported.text))
}

fn etc() -> TempDir {
    let etc = tempfile::tempdir().unwrap();
    fs::write(etc.path().join("main.cf"), "compatibility_level = 3.6\n").unwrap();
    etc
}

/// How far apart the messages of a suite are that are taken: with `MAILSEAL_ALL_MESSAGES=1`, all are.
fn messages_apart() -> usize {
    if env::var_os("MAILSEAL_ALL_MESSAGES").is_some_and(|value| value == "1") { 1 } else { 8 }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

/// Messages with LF line ends that a Unix pipe carries whole.
fn messages() -> Vec<(String, Vec<u8>)> {
    let own = fs::read_to_string(data().join("messages.txt")).unwrap();
    let own = own.split("=====\n").enumerate();
    let mut messages: Vec<_> =
        own.map(|(at, text)| (format!("own {at}"), text.as_bytes().to_vec())).collect();
    for suite in ["mime-mail-parser", "mime-mime4j", "eicar-forms", "mail-auth-resources"] {
        let files = suites::suite(suite).map(|dir| files(&dir)).unwrap_or_default();
        // Postfix is asked by a process for each pair: an eighth of the messages takes it long enough.
        for path in files.iter().step_by(messages_apart()) {
            let octets = fs::read(path).unwrap();
            let is_message = octets.len() < 60_000 && !octets.contains(&0) && !octets.is_empty();
            // Postfix looks at longer lines in pieces, postmap at all of them.
            let is_short = octets.split(|&octet| octet == b'\n').all(|line| line.len() < 2048);
            if is_message && is_short && !octets.starts_with(b"From ") {
                let text: Vec<u8> = octets
                    .split_inclusive(|&octet| octet == b'\n')
                    .flat_map(|line| match line.strip_suffix(b"\r\n") {
                        Some(line) => [line, b"\n"].concat(),
                        None => line.to_vec(),
                    })
                    .collect();
                messages.push((path.display().to_string(), text));
            }
        }
    }
    messages
}

#[test]
fn every_line_goes_to_the_entry_that_postfix_gives_it_to() {
    let (etc, messages, config) = (etc(), messages(), Config::default());
    let (mut agreed, mut disagreed) = (0, Vec::new());
    let mut met: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for table in tables() {
        let (rules, marks) = load_harmless(&table.import());
        for (name, message) in &messages {
            let (draft, body) = file::parse(message, Envelope::default(), &config.limits);
            let ours: BTreeSet<String> = rules
                .evaluate(&Facts::of(&draft.headers, &body))
                .iter()
                .map(|hit| marks[&hit.rule].clone())
                .collect();
            let postfix: BTreeSet<String> =
                table.postmap(etc.path(), message).iter().map(|result| mark(result)).collect();
            if ours == postfix {
                agreed += 1;
                met.entry(table.file.clone()).or_default().extend(ours);
            } else {
                disagreed.push(format!("{} {name}: {ours:?}, Postfix {postfix:?}", table.file));
            }
        }
    }
    println!("{agreed} pairs of table and message agree");
    assert!(disagreed.is_empty(), "{} of {agreed}:\n{}", disagreed.len(), disagreed.join("\n"));
    let met: usize = met.values().map(BTreeSet::len).sum();
    assert!(met > 80, "the messages meet only {met} entries");
}

/// The text of a REJECT without its status code.
fn rejection(result: &str) -> Option<&str> {
    let text = result.strip_prefix("REJECT ")?;
    let code = text.split(' ').next()?;
    let is_of_code = |octet: u8| octet == b'.' || octet.is_ascii_digit();
    let is_code = code.split('.').count() == 3 && code.bytes().all(is_of_code);
    Some(if is_code { text.strip_prefix(code)?.trim_start() } else { text })
}

#[test]
fn a_message_is_refused_for_the_same_line_with_the_same_words() {
    let (etc, messages, config) = (etc(), messages(), Config::default());
    let mut refused = 0;
    for table in tables() {
        let rules = load(&table.import());
        for (name, message) in &messages {
            let (draft, body) = file::parse(message, Envelope::default(), &config.limits);
            let hits = rules.evaluate(&Facts::of(&draft.headers, &body));
            let results = table.postmap(etc.path(), message);
            // What comes first settles it, in Postfix and here.
            let settles = |result: &&String| {
                ["REJECT", "DISCARD", "PASS"].iter().any(|action| result.starts_with(action))
            };
            let settling = results.iter().find(settles);
            let Some(text) = settling.and_then(|result| rejection(result)) else {
                let is_refusal = |action| matches!(action, Action::Reject | Action::Tempfail);
                assert!(!hits.iter().any(|hit| is_refusal(hit.action)), "{name}: {hits:?}");
                continue;
            };
            let last = hits.last().unwrap_or_else(|| panic!("{} {name}: no hit", table.file));
            assert!(matches!(last.action, Action::Reject | Action::Tempfail), "{name}: {last:?}");
            let is_plain = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~'));
            if is_plain(text) && !text.contains(['%', '"', ';', '(', '\\']) {
                assert_eq!(last.reply.as_deref(), Some(text), "{} {name}", table.file);
                refused += 1;
            }
        }
    }
    println!("{refused} refusals have the same words");
    assert!(refused >= 8, "only {refused} refusals");
}

#[test]
fn what_cannot_be_taken_over_is_named_with_its_line() {
    let by_name =
        |name: &str| tables().into_iter().find(|table| table.file.starts_with(name)).unwrap();
    let broken = by_name("08").import();
    let lines = |said: &[String]| -> Vec<usize> {
        let line = |text: &String| text.split(':').nth(1).unwrap().parse().unwrap();
        let mut lines: Vec<usize> = said.iter().map(line).collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    };
    assert_eq!(lines(&broken.skipped), [1, 2, 3, 5, 7, 8, 9, 10, 13, 14], "{:?}", broken.skipped);
    assert_eq!(lines(&broken.lost), [11, 12]);
    assert!(broken.lost[0].contains("FILTER"), "{:?}", broken.lost);
    let lookaround = by_name("05").import();
    assert_eq!(lookaround.lost, [] as [String; 0]);
    assert!(lookaround.notes.iter().filter(|note| note.contains("limit of steps")).count() >= 6);
}

#[test]
fn most_rules_have_examples() {
    let (mut rules, mut untested) = (0, 0);
    for table in tables() {
        let imported = table.import();
        rules += imported.rules;
        untested += imported.text.matches("\nuntested = ").count();
    }
    println!("{rules} rules, {untested} without examples");
    assert!(untested * 4 < rules, "{untested} of {rules} rules have no examples");
}

/// The command line: a file of rules, notes beside it, and an exit code that tells of losses.
/// A bare path is told how to say its type, both ways.
#[test]
fn a_table_of_unknown_type_names_the_option() {
    let table = data().join("04-fields.header.pcre").display().to_string();
    let run = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_mailseal"))
            .args(["rules", "import", "--postfix", &table])
            .args(more)
            .output()
            .unwrap()
    };
    let unknown = run(&[]);
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(unknown.status.code() == Some(2) && said.contains("pcre:PATH"), "{said}");
    assert!(said.contains("--type pcre or --type regexp"), "{said}");
    assert_eq!(run(&["--type", "pcre"]).status.code(), Some(0));
}

#[test]
fn the_command_writes_a_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("postfix.toml");
    let run = |table: &str| {
        let table = format!("pcre:{}", data().join(table).display());
        Command::new(env!("CARGO_BIN_EXE_mailseal"))
            .args(["rules", "import", "--postfix", &table, "--out"])
            .arg(&out)
            .output()
            .unwrap()
    };
    let first = run("04-fields.header.pcre");
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    assert_eq!(RuleSet::load(dir.path()).unwrap().len(), 12);
    let again = run("08-broken.header.pcre");
    assert_eq!(again.status.code(), Some(3), "an existing file is kept: {again:?}");
    fs::remove_file(&out).unwrap();
    let lost = run("08-broken.header.pcre");
    assert_eq!(lost.status.code(), Some(1), "{lost:?}");
    let said = String::from_utf8_lossy(&lost.stderr).into_owned();
    assert!(said.contains("not taken over: 08-broken.header.pcre:11: FILTER"), "{said}");
    fs::remove_file(&out).unwrap();
    fs::write(dir.path().join("none.pcre"), "# no entry\n").unwrap();
    let none = run(dir.path().join("none.pcre").to_str().unwrap());
    assert_eq!((none.status.code(), out.exists()), (Some(1), false), "{none:?}");
}
