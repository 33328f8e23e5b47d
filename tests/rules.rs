//! The rule language: the shipped rules, faults and their places, what patterns cost.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/suites.rs"]
mod suites;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mailseal::message::header::HeaderBlock;
use mailseal::rules::{Facts, RuleErrors, RuleSet};
use mailseal::verdict::{Action, Hit};
use tempfile::TempDir;

/// A directory with rule files of these texts: a.toml, b.toml, ...
fn dir(texts: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (letter, text) in ('a'..).zip(texts) {
        fs::write(dir.path().join(format!("{letter}.toml")), text).unwrap();
    }
    dir
}

fn load(text: &str) -> RuleSet {
    RuleSet::load(dir(&[text]).path()).unwrap()
}

/// The faults of a directory, one a line, its path left out.
fn faults(texts: &[&str]) -> Vec<String> {
    let dir = dir(texts);
    let errors = RuleSet::load(dir.path()).expect_err("the rules are refused").to_string();
    let root = format!("{}/", dir.path().display());
    errors.lines().map(|line| line.replace(&root, "")).collect()
}

/// A rule on the body whose miss is an empty message.
fn body_rule(name: &str, pattern: &str, hit: &str) -> String {
    format!(
        "[[rule]]\nname = '{name}'\nabout = 'x'\nwhen = {{ body = '''{pattern}''' }}\n\
         examples = {{ hit = ['''\n\n{hit}'''], miss = [''] }}\n"
    )
}

fn header(fields: &[(&str, &[u8])]) -> HeaderBlock {
    let mut header = HeaderBlock::default();
    for (name, value) in fields {
        header.push(name.as_bytes(), value);
    }
    header
}

/// What a rule found, as `check` prints it.
fn found(hit: &Hit) -> String {
    hit.found.as_ref().unwrap().to_string()
}

fn names(rules: &RuleSet, header: &HeaderBlock, body: &[u8]) -> Vec<String> {
    rules.evaluate(&Facts::of(header, body)).into_iter().map(|hit| hit.rule).collect()
}

fn shipped() -> RuleSet {
    RuleSet::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")).unwrap()
}

#[test]
fn the_shipped_rules_load_and_only_tag() {
    let rules = shipped();
    assert!(rules.len() >= 5);
    assert!(rules.wants_body());
    assert!(rules.test().all(|rule| rule.failures.is_empty() && rule.examples >= 2));
    let letter = b"Send 1200 USD in Bitcoin to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT\r\n\
                   within 48 hours: I recorded you.\r\n";
    let hits = rules.evaluate(&Facts::of(&HeaderBlock::default(), letter));
    assert_eq!(hits.len(), 1);
    assert_eq!((hits[0].rule.as_str(), hits[0].action), ("webcam-extortion", Action::Tag));
    assert_eq!(found(&hits[0]), "body decoded at 28: 1BoatSLRHtKNngkdXEeobR76b53LETtpyT");
}

#[test]
fn a_rule_is_read_with_all_its_fields() {
    let rules = load(
        r#"
        [[rule]]
        name = "all-fields"
        about = "Every condition and field."
        when = { all = [
          { any = [{ header = "Subject", matches = '(?i)offer' }, { body = 'cheap' }] },
          { not = { header = "List-Id", matches = "" } },
        ] }
        action = "reject"
        reply = "We buy nothing"
        examples.hit = ["SUBJECT: An Offer", "\nvery cheap", "A: b\n\ncheap"]
        examples.miss = ["Subject: An Offer\nList-Id: <l.example.org>", "Subject: hello"]
        "#,
    );
    let hits =
        rules.evaluate(&Facts::of(&header(&[("Subject", b" my offer\r\n\tfor (you)")]), b""));
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].action, Action::Reject);
    assert_eq!(hits[0].reply.as_deref(), Some("We buy nothing"));
    assert_eq!(found(&hits[0]), "Subject at 3: offer");
    let listed = header(&[("subject", b" offer"), ("LIST-ID", b"")]);
    assert!(rules.evaluate(&Facts::of(&listed, b"cheap")).is_empty());
}

#[test]
fn hits_come_in_the_order_of_files_and_rules() {
    let rules = [
        body_rule("zeta", "x", "x") + &body_rule("alpha", "x", "x"),
        body_rule("beta", "y|x", "x"),
    ];
    let dir = dir(&[&rules[0], &rules[1]]);
    fs::write(dir.path().join("notes.txt"), "no rules").unwrap();
    fs::write(dir.path().join(".hidden.toml"), "no rules").unwrap();
    let rules = RuleSet::load(dir.path()).unwrap();
    assert_eq!(names(&rules, &HeaderBlock::default(), b"x"), ["zeta", "alpha", "beta"]);
    assert_eq!(names(&rules, &HeaderBlock::default(), b"y"), ["beta"]);
}

#[test]
fn the_raw_view_is_what_was_sent() {
    let folded = r#"
        [[rule]]
        name = "folded"
        about = "Folds are octets of the value."
        when = { header = "Subject", matches = '^a\r\n b$' }
        examples = { hit = ["Subject:   a\n b \t"], miss = ["Subject: a b"] }
    "#;
    let rules = load(folded);
    assert_eq!(names(&rules, &header(&[("Subject", b"a\n b")]), b""), ["folded"]);
    let octets = load(&body_rule("octets", r"^\xff\x00[^a]$", "x").replace("^\\xff", "^x|\\xff"));
    assert_eq!(names(&octets, &HeaderBlock::default(), b"\xff\0\xfe"), ["octets"]);
}

#[test]
fn what_matched_cannot_inject() {
    let rules = load(&body_rule("all", "(?s)x.*", "x"));
    let hits = rules.evaluate(&Facts::of(&HeaderBlock::default(), b"x\r\nBcc: a\0;(\"\xff)"));
    assert_eq!(found(&hits[0]), r"body at 0: x\r\nBcc: a\x00\x3b\x28\x22\xff\x29");
    let long = rules.evaluate(&Facts::of(&HeaderBlock::default(), &vec![b'x'; 1 << 20]));
    assert!(found(&long[0]).len() <= 71, "{}", found(&long[0]));
}

#[test]
fn all_faults_come_at_once_with_their_places() {
    let first = r#"
[[rul]]

[[rule]]
name = "Bad Name"
when = { bdy = "x" }
acton = "tag"

[[rule]]
name = "twice"
about = ""
action = "rejct"
reply = "zwei\nZeilen"
when = { all = [
  { body = "a(b" },
  { body = "tab\tb)" },
  { header = "Subject:", matches = 'x(?=y)' },
  {},
  { not = 3 },
  { body = "x", all = [] },
  { body = "x", matches = "y" },
  { header = "X" },
  { any = [] },
] }
examples.hit = []
examples.foo = 1
"#;
    let second = r#"
[[rule]]
name = "twice"
about = "x"
when = { header = "Subject", matches = 'viagra' }
examples.hit = ["viagra", "Subject: viagra"]
examples.miss = ["Subject: VIAGRA", "Subject: no (viagra)"]
"#;
    let wanted = "\
a.toml:2:3: unknown field \"rul\" in a rule file (did you mean \"rule\"?)
a.toml:4:1: \"about\" is missing
a.toml:4:1: \"examples\" is missing (each rule has a hit and a miss: examples.hit = ['...'])
a.toml:5:8: name: \"Bad Name\" is no rule name (lower-case words joined by hyphens, at most 64 \
characters, such as fake-invoice)
a.toml:6:10: unknown field \"bdy\" in a condition (did you mean \"body\"?)
a.toml:7:1: unknown field \"acton\" in [[rule]] (did you mean \"action\"?)
a.toml:11:9: about: is empty (say what the rule finds, and why)
a.toml:12:10: action: unknown value \"rejct\" (did you mean \"reject\"?)
a.toml:13:9: reply: is not printable ASCII in one line
a.toml:15:14: bad pattern: unclosed group
a.toml:16:12: bad pattern: unopened group
a.toml:17:14: header: \"Subject:\" has a colon (write \"Subject\")
a.toml:17:38: bad pattern: look-around, including look-ahead and look-behind, is not supported \
(patterns take linear time; join two conditions with all and not instead)
a.toml:18:3: a condition without a test (such as header and matches, body, all, any or not)
a.toml:19:11: when: wants a table, found an integer
a.toml:20:3: body and all in one condition (join them: all = [{ ... }, { ... }])
a.toml:21:3: \"matches\" beside \"body\" (it belongs to \"header\")
a.toml:22:3: \"matches\" is missing (such as { header = \"Subject\", matches = 'regex' })
a.toml:23:11: no conditions to join (name at least one)
a.toml:25:1: \"miss\" is missing
a.toml:25:16: no hit example (give at least one)
a.toml:26:10: unknown field \"foo\" in examples (one of: hit, miss)
b.toml:3:8: rule name \"twice\" is taken (by the rule at a.toml:10)
b.toml:6:17: rule \"twice\": this hit example does not match (it has no header field; its text is a \
body)
b.toml:7:37: rule \"twice\": this miss example matches (found Subject at 4: viagra)";
    let wanted: Vec<&str> = wanted.lines().collect();
    assert_eq!(faults(&[first, second]), wanted);
}

#[test]
fn faults_of_files_are_named() {
    let dir = dir(&["[[rule]]\nname = \"x"]);
    fs::write(dir.path().join("b.toml"), b"name = \"\xff\"").unwrap();
    fs::create_dir(dir.path().join("c.toml")).unwrap();
    fs::write(dir.path().join("d.toml"), vec![b'#'; (16 << 20) + 1]).unwrap();
    // As large as an imported table of some thousands of entries.
    fs::write(dir.path().join("e.toml"), vec![b'#'; 4 << 20]).unwrap();
    let errors = RuleSet::load(dir.path()).unwrap_err().to_string();
    for said in [
        "a.toml:2:",
        "b.toml: is no text: line 1",
        "c.toml: is a directory",
        "d.toml: has more than 16 MiB",
    ] {
        assert!(errors.contains(said), "{said}: {errors}");
    }
    assert!(!errors.contains("e.toml"), "{errors}");
}

#[test]
fn a_missing_directory_is_empty_only_where_it_may_be() {
    let nowhere = Path::new("/nonexistent/rules");
    assert!(RuleSet::load_if_present(nowhere).unwrap().is_empty());
    let error = RuleSet::load(nowhere).unwrap_err();
    assert!(matches!(error, RuleErrors::Directory { .. }));
    assert_eq!(
        error.to_string(),
        "/nonexistent/rules: no such directory; make it, or set rules.dir"
    );
    let no_directory = RuleSet::load_if_present(Path::new("/dev/null")).unwrap_err();
    assert!(no_directory.to_string().contains("is no directory"), "{no_directory}");
}

#[test]
fn a_list_is_read_with_the_rules_and_its_faults_are_theirs() {
    let rule = "[[rule]]\nname = 'listed'\nabout = 'x'\nwhen = { header = 'From', in_list = 'bad' }\n\
                examples = { hit = ['From: a@bad.example'], miss = ['From: a@x.example'] }";
    let dir = dir(&[rule]);
    let load = || RuleSet::load(dir.path()).map_err(|errors| errors.to_string());
    let missing = load().unwrap_err();
    assert!(
        missing.contains("a.toml:4:37: list ") && missing.contains("no such file"),
        "{missing}"
    );
    fs::write(dir.path().join("bad"), "# none\nbad.example\ntwo words\n").unwrap();
    let faulty = load().unwrap_err();
    assert!(faulty.contains("/bad:3: \"two words\" is no entry of a list"), "{faulty}");
    fs::write(dir.path().join("bad"), "bad.example\n").unwrap();
    let (before, from) = (load().unwrap(), header(&[("From", b"joe@new.example")]));
    assert!(names(&before, &from, b"").is_empty());
    fs::write(dir.path().join("bad"), "bad.example\nnew.example\n").unwrap();
    assert_eq!(names(&load().unwrap(), &from, b""), ["listed"]);
    assert!(names(&before, &from, b"").is_empty(), "the rules in use keep their list");
}

#[test]
fn rules_name_only_those_above() {
    let rule = |name: &str, when: &str| {
        format!(
            "[[rule]]\nname = '{name}'\nabout = 'x'\nwhen = {when}\n\
             examples = {{ hit = ['A: x'], miss = [''] }}\n"
        )
    };
    let on_field = "{ header = 'A', matches = 'x' }";
    let on = |name: &str| format!("{{ rule = '{name}' }}");
    let wanted = "a.toml:4:17: no rule \"itself\" above";
    assert!(faults(&[&rule("itself", &on("itself"))])[0].starts_with(wanted));
    let late = [rule("first", &on("second")) + &rule("second", on_field)];
    assert!(faults(&[&late[0]])[0].starts_with("a.toml:4:17: no rule \"second\" above"));
    let near = [rule("second", on_field), rule("third", &on("secnd"))];
    assert!(faults(&[&near[0], &near[1]])[0].ends_with("(did you mean \"second\"?)"));
    let chain: String = (1..=20)
        .map(|n| rule(&format!("r{n}"), &on(&format!("r{}", n - 1))))
        .fold(rule("r0", on_field), |all, rule| all + &rule);
    let refused = faults(&[&chain]);
    assert_eq!(refused.len(), 4, "{refused:?}");
    assert!(refused[0].contains("more than 16 rules follow each other by name"), "{refused:?}");
    let whole: String = (1..=16)
        .map(|n| rule(&format!("r{n}"), &on(&format!("r{}", n - 1))))
        .fold(rule("r0", on_field), |all, rule| all + &rule);
    assert_eq!(names(&load(&whole), &header(&[("A", b"x")]), b"").len(), 17);
}

#[test]
fn faults_of_conditions_say_what_is_wanted() {
    let faults_of = |when: &str| {
        let rule = format!(
            "[[rule]]\nname = 'x'\nabout = 'x'\nwhen = {when}\nexamples = {{ hit = ['a'], miss = [''] }}"
        );
        faults(&[&rule]).join("; ")
    };
    for (when, wanted) in [
        ("{ header = 'A' }", "\"matches\" is missing"),
        ("{ header = 'A', matches = 'x', missing = true }", "matches and missing in one condition"),
        ("{ header = 'A', count = { min = 3, max = 2 } }", "count: no number is in it"),
        ("{ header = 'A', matches = 'x', leet = true }", "\"leet\" without the folded view"),
        ("{ body = 'x', view = 'foldd' }", "(did you mean \"folded\"?)"),
        (
            "{ helo = 'x', view = 'raw' }",
            "\"view\" beside \"helo\" (it belongs to \"header\" and \"body\")",
        ),
        ("{ client = '192.0.2.1/24' }", "is no network"),
        ("{ client = 7 }", "wants a string or an array of strings"),
        ("{ origin = 'outbound' }", "unknown value \"outbound\""),
        ("{ spf = 'faill' }", "(did you mean \"fail\"?)"),
        ("{ dkim = { domain = 'a b' } }", "domain: \"a b\" is no domain name"),
        ("{ dkim = { dmain = 'a' } }", "unknown field \"dmain\" in a result"),
        ("{ scan = { name = 'x' } }", "unknown field \"name\" in scan"),
        ("{ mail_from = {} }", "a condition without a test (a pattern, or { in_list"),
        ("{ attachment = { extension = 'a.b' } }", "is no extension"),
        ("{ attachment = {} }", "attachment: no test"),
        ("{ link = { hst = 'x' } }", "(did you mean \"host\"?)"),
        ("{ mime = 'ambigous' }", "(did you mean \"ambiguous\"?)"),
        ("{ tls = 7 }", "wants true or false"),
        ("{ size = -1 }", "is outside 0 to"),
    ] {
        let found = faults_of(when);
        assert!(found.contains(wanted), "{when}: {found}");
    }
}

#[test]
fn without_rules_nothing_hits_and_no_body_is_wanted() {
    let rules = RuleSet::load(dir(&[]).path()).unwrap();
    assert!(rules.is_empty() && !rules.wants_body());
    assert!(rules.evaluate(&Facts::of(&header(&[("Subject", b"x")]), b"x")).is_empty());
    let on_header = "[[rule]]\nname='h'\nabout='h'\nwhen={header='A',matches='b'}\n\
                     examples={hit=['A: b'],miss=['']}";
    assert!(!load(on_header).wants_body());
}

/// Pairs that take back-tracking matchers exponential or quadratic time.
const REDOS: &[(&str, &str, &str)] = &[
    ("(a+)+$", "a", "a!"),
    ("(a|aa)+$", "a", "a!"),
    ("(a|a?)+b", "ab", "a"),
    ("(.*a){12}b", "aaaaaaaaaaaab", "a"),
    ("^(([a-z])+.)+[A-Z]([a-z])+$", "abCd", "a"),
    (r"([a-zA-Z0-9]+\.?)+@x", "a@x", "a."),
    (r"(?s)<a.*?href.*?>.*?</a>!", "<a href></a>!", "<a href>"),
    (r"\s+$", " ", " \x0b!"),
    ("(x+x+)+y", "xxy", "x"),
    (r"^(\w+\s?)+$", "a b", "a !"),
    (r"(\d+)*x", "1x", "1"),
    ("(?:[^,]*,){20}z", ",,,,,,,,,,,,,,,,,,,,z", "a,"),
    (r"([^@]+)*@x", "a@x", "a@"),
    (r"(.*)(.*)(.*)=(.*);!", "a=b;!", "a=b;"),
    (r"(?i)(?:href|src)\s*=\s*[^>]*evil", "href=evil", "href = "),
    ("(?s).*x.*y.*z.*!", "xyz!", "xyz"),
    (r"\b(?:\w+\W+){1,10}end\b", "a end", "a en "),
    (r"(?:a|b|ab)*c", "abc", "ab"),
    (r"((a{1,9}){1,9}){1,9}b", "ab", "a"),
    (r"(?:(?:a?){9}){9}b", "b", "a"),
    (r"invoice.*invoice.*invoice!", "invoice invoice invoice!", "invoice "),
    (r"(?s)invoice.{0,99}paid", "invoice paid", "invoice pai"),
    (r"(?i)\s*(?:viagra|cialis)\s*+$|zzz", "viagra", "viagra  "),
    (r"^(?:.?.?.?.?.?.?.?)*!$", "!", "ab"),
];

#[test]
fn hostile_bodies_take_linear_time() {
    let time = |rules: &RuleSet, body: &[u8]| {
        let run = || {
            let start = Instant::now();
            rules.evaluate(&Facts::of(&HeaderBlock::default(), body));
            start.elapsed()
        };
        (0..3).map(|_| run()).min().unwrap()
    };
    for (pattern, hit, seed) in REDOS {
        let rules = load(&body_rule("redos", pattern, hit));
        let body = seed.repeat((1 << 20) / seed.len());
        let (part, whole) = body.split_at(body.len() / 16);
        let (part, whole) = (time(&rules, part.as_bytes()), time(&rules, whole.as_bytes()));
        // 15 times as long; quadratic time would be 225 times.
        let most = (part * 60).max(Duration::from_millis(200));
        assert!(whole < most, "{pattern}: {part:?} grew to {whole:?}");
    }
}

/// Texts that a careless folding takes quadratic time for.
const HOSTILE_TEXTS: &[&str] = &[
    "v-",
    "v ",
    "a\u{301}",
    "a\u{200b}",
    "\u{ad}",
    "1",
    "@",
    "v.1.",
    "\u{430}",
    "\u{fdfa}",
    "=?utf-8?q?",
    "<a href='",
    "<b>",
    "&amp;",
    "http://",
    "a@b.",
    "-- ",
    "<!-- ",
    "\u{202e}",
];

#[test]
fn hostile_texts_fold_in_linear_time() {
    let rule = "[[rule]]\nname = 'x'\nabout = 'x'\nwhen = { any = [\
                { body = 'viagra!', view = 'folded' }, { link = 'viagra!' }, \
                { header = 'Subject', matches = 'viagra!', view = 'folded' }] }\n\
                examples = { hit = ['Subject: viagra!'], miss = [''] }";
    let rules = load(rule);
    for kind in ["text/plain", "text/html"] {
        for text in HOSTILE_TEXTS {
            let time = |octets: usize| {
                let text = text.repeat(octets / text.len());
                let content = format!(" {kind}; charset=utf-8");
                let fields = [
                    ("Subject", text.as_bytes()),
                    ("Content-Type", content.as_bytes()),
                    ("MIME-Version", b" 1.0"),
                ];
                let header = header(&fields);
                let run = || {
                    let start = Instant::now();
                    rules.evaluate(&Facts::of(&header, text.as_bytes()));
                    start.elapsed()
                };
                (0..3).map(|_| run()).min().unwrap()
            };
            let (part, whole) = (time(1 << 14), time(1 << 18));
            // 16 times as long; quadratic time would be 256 times.
            let most = (part * 64).max(Duration::from_millis(400));
            assert!(whole < most, "{kind} {text:?}: {part:?} grew to {whole:?}");
        }
    }
}

#[test]
fn ten_times_as_many_rules_cost_less_than_three_times_as_much() {
    let rule = |n: usize| {
        let pattern = format!(r"(?i)\bword{n}[ \t]+(?:offer|deal){n}\b|\b{n}[a-z]+@[a-z.]+\.top\b");
        body_rule(&format!("rule-{n}"), &pattern, &format!("word{n} deal{n}"))
    };
    let mut body = b"some words of an ordinary message, word 17 of them, or offers\r\n".repeat(800);
    body.extend_from_slice(b"a WORD77  offer77 at last");
    let time = |count: usize| {
        let rules = load(&(0..count).map(rule).collect::<String>());
        let evaluate = || {
            let start = Instant::now();
            assert_eq!(names(&rules, &HeaderBlock::default(), &body), ["rule-77"]);
            start.elapsed()
        };
        (0..20).map(|_| evaluate()).min().unwrap()
    };
    let (hundred, thousand) = (time(100), time(1000));
    println!("{} octets: 100 rules {hundred:?}, 1,000 rules {thousand:?}", body.len());
    assert!(thousand < hundred * 3, "100 rules {hundred:?}, 1,000 rules {thousand:?}");
}

#[test]
fn a_thousand_body_rules_cost_a_few_scans() {
    let rule = |n: usize| {
        let pattern = format!(r"(?i)\bword{n}[ \t]+(?:offer|deal){n}\b");
        body_rule(&format!("rule-{n}"), &pattern, &format!("word{n} deal{n}"))
    };
    let rules = load(&(0..1000).map(rule).collect::<String>());
    let mut body = b"some words of an ordinary message, word 17 of them\r\n".repeat(4000);
    body.extend_from_slice(b"a WORD77  offer77 at last");
    let evaluate = || {
        let start = Instant::now();
        let names = names(&rules, &HeaderBlock::default(), &body);
        assert_eq!(names, ["rule-77"]);
        start.elapsed()
    };
    let thousand = (0..5).map(|_| evaluate()).min().unwrap();
    let one = load(&rule(77));
    let start = Instant::now();
    for _ in 0..10 {
        assert_eq!(names(&one, &HeaderBlock::default(), &body), ["rule-77"]);
    }
    let one = start.elapsed() / 10;
    println!("{} octets: 1 rule {one:?}, 1,000 rules {thousand:?}", body.len());
    assert!(thousand < one * 100, "1 rule {one:?}, 1,000 rules {thousand:?}");
}

#[test]
fn the_shipped_rules_hit_no_innocent_mail() {
    let rules = shipped();
    let mut messages = 0;
    for suite in ["real-icloud", "mime-mail-parser", "mime-mime4j", "mail-auth-resources"] {
        let Some(suite) = suites::suite(suite) else { continue };
        for path in files_below(&suite) {
            let octets = fs::read(&path).unwrap();
            let (header, body) = split(&octets);
            let hits = rules.evaluate(&Facts::of(&header, body));
            assert!(hits.is_empty(), "{}: {hits:?}", path.display());
            messages += 1;
        }
    }
    println!("{messages} messages");
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// The fields and the body of a message; good enough for what is asked of them here.
fn split(octets: &[u8]) -> (HeaderBlock, &[u8]) {
    let mut header = HeaderBlock::default();
    let ends = [b"\r\n\r\n".as_slice(), b"\n\n"];
    let end_of = |end: &[u8]| octets.windows(end.len()).position(|window| window == end);
    let end = ends.iter().filter_map(|end| end_of(end)).min().unwrap_or(octets.len());
    let (fields, body) = octets.split_at(end);
    let fields = String::from_utf8_lossy(fields).replace("\r\n", "\n").replace("\n ", "\r ");
    for field in fields.replace("\n\t", "\r\t").split('\n') {
        if let Some((name, value)) = field.split_once(':') {
            header.push(name.as_bytes(), value.replace('\r', "\n").as_bytes());
        }
    }
    (header, body)
}

const README: &str = include_str!("../rules/README.md");

#[test]
fn the_readme_is_true() {
    let (_, rest) = README.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    assert_eq!(load(example).len(), 1);
    let (_, table) = README.split_once("## What is here").unwrap();
    let shipped = shipped();
    let missing = |name: &str| !table.contains(&format!("`{name}`"));
    let unlisted: Vec<&str> =
        shipped.test().map(|rule| rule.rule).filter(|rule| missing(rule)).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
}

/// The exit code and the output of `mailseal rules test DIR`.
fn rules_test(dir: &Path) -> (Option<i32>, String, String) {
    rules_test_with(dir, &[])
}

fn rules_test_with(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mailseal = env!("CARGO_BIN_EXE_mailseal");
    let command = ["rules", "test"];
    let output = Command::new(mailseal).args(command).arg(dir).args(args).output().unwrap();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_says_how_the_examples_came_out() {
    let good = body_rule("good", "x", "x");
    let whole = dir(&[&good]);
    let out = "ok    good: 2 examples\n1 rules, 2 examples, 0 failures\n";
    assert_eq!(rules_test(whole.path()), (Some(0), out.into(), String::new()));

    let failing = dir(&[&good, &body_rule("bad", "x", "y")]);
    let (code, out, complaints) = rules_test(failing.path());
    assert_eq!((code, out.lines().last()), (Some(1), Some("2 rules, 4 examples, 1 failures")));
    assert!(out.contains("FAIL  bad: 1 of 2 examples\n"), "{out}");
    assert!(complaints.contains("b.toml:5:21: rule \"bad\": this hit example"), "{complaints}");

    let broken = dir(&[&body_rule("Bad", "x", "x")]);
    let (code, out, complaints) = rules_test(broken.path());
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(complaints.contains("a.toml:2:8: name: \"Bad\" is no rule name"), "{complaints}");
    assert!(complaints.contains("\n    name = 'Bad'\n           ^\n"), "{complaints}");

    let mail = tempfile::tempdir().unwrap();
    fs::write(mail.path().join("1.eml"), "Subject: x\n\nno\n").unwrap();
    let mbox = "From a Mon\nSubject: b\n\nan x\n\nFrom a Tue\nSubject: c\n\nx and x\n";
    fs::write(mail.path().join("mbox"), mbox).unwrap();
    let counts = ["--counts", mail.path().to_str().unwrap()];
    let (code, out, _) = rules_test_with(whole.path(), &counts);
    let wanted = "ok    good: 2 examples, 2 hits\n1 rules, 2 examples, 0 failures, 3 messages\n";
    assert_eq!((code, out.as_str()), (Some(0), wanted));
}
