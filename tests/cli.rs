//! The command as scripts see it: exit codes (0 done, 1 a fault was found, 2 usage or configuration,
//! 3 the system), one clear line for what went wrong, and what `check` prints.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A message with one signature, by example.net.
const SIGNED: &str = "tests/cases/05-dkim-rsa-and-dmarc-pass/message.eml";

/// The arguments of `check` for a client of the Internet.
const CLIENT: [&str; 6] =
    ["--client-ip", "192.0.2.1", "--helo", "mx.example.org", "--mail-from", "joe@example.org"];

/// What the command left.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    /// The exit code, and the only fault on standard error, without the place that it shows.
    fn fault(&self) -> (Option<i32>, &str) {
        let mut lines = self.err.lines();
        let fault = lines.next().unwrap_or_default();
        assert!(lines.all(|line| line.starts_with("    ")), "{}", self.err);
        assert_eq!(self.out, "");
        (self.code, fault)
    }
}

/// A directory with a config file; nobody answers its DNS.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let head = "[identity]\nauthserv_id = \"mx.example.org\"\n\
                    [dns]\nservers = [\"127.0.0.1:9\"]\ntimeout_secs = 1\n";
        fs::write(dir.path().join("mailseal.toml"), format!("{head}{config}")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
        self
    }

    /// Runs the command with the config file.
    fn run(&self, args: &[&str]) -> Ran {
        run(Command::new(env!("CARGO_BIN_EXE_mailseal"))
            .args(args)
            .arg("--config")
            .arg(self.path("mailseal.toml")))
    }

    fn check(&self, message: &str, args: &[&str]) -> Ran {
        self.run(&[&["check", message], &CLIENT[..], args].concat())
    }
}

fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn rule(action: &str, pattern: &str) -> String {
    format!(
        "[[rule]]\nname = \"r\"\nabout = \"x\"\naction = \"{action}\"\n\
         when = {{ header = \"From\", matches = '{pattern}' }}\n\
         examples = {{ hit = [\"From: joe@example.org\"], miss = [\"From: x\"] }}\n"
    )
}

#[test]
fn check_says_by_its_exit_code_what_it_found() {
    let place = Place::new("");
    assert_eq!(place.check(SIGNED, &[]).code, Some(0));
    place.write("rules/r.toml", &rule("reject", "joe|example"));
    let rejected = place.check(SIGNED, &[]);
    assert_eq!(rejected.code, Some(1), "{}", rejected.err);
    assert!(rejected.out.starts_with("disposition reject\nreply 550 5.7.1 rule r"));
    let usage = run(Command::new(env!("CARGO_BIN_EXE_mailseal")).arg("check"));
    assert_eq!(usage.code, Some(2));
    assert_eq!(place.check(SIGNED, &["--json", "--emit"]).code, Some(2));
    let (code, line) = (place.check("no-such.eml", &[]), "message no-such.eml: no such file");
    assert!(code.fault().0 == Some(3) && code.err.starts_with(line), "{}", code.err);
}

#[test]
fn the_json_verdict_has_all_its_parts() {
    let checked = Place::new("").check(SIGNED, &["--json", "--queue-id", "4Q1"]);
    let verdict: Value = serde_json::from_str(&checked.out).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&verdict),
        [
            "auth",
            "changes",
            "disposition",
            "hits",
            "limits",
            "not_signed",
            "origin",
            "queue_id",
            "reasons",
            "reply",
            "role",
            "scan"
        ]
    );
    let auth = keys(&verdict["auth"]);
    assert_eq!(auth, ["arc", "dkim", "dkim_left_out", "dmarc", "iprev", "spf"]);
    assert_eq!(
        (&verdict["disposition"], &verdict["origin"]),
        (&"accept".into(), &"inbound".into())
    );
    assert_eq!((&verdict["role"], &verdict["queue_id"]), (&"verify".into(), &"4Q1".into()));
    assert_eq!((&verdict["reply"], &verdict["scan"]), (&Value::Null, &Value::Null));
    // Nobody answers, and the words are RFC 8601's.
    let auth = &verdict["auth"];
    for method in [&auth["iprev"], &auth["spf"][0], &auth["spf"][1], &auth["dkim"][0]] {
        assert_eq!(method["result"], "temperror", "{method}");
    }
    assert_eq!(
        (&auth["dmarc"]["result"], auth["dkim"][0]["domain"].as_str()),
        (&"temperror".into(), Some("example.net"))
    );
    assert_eq!(verdict["changes"][0]["change"], "insert-header");
    assert_eq!(verdict["changes"][0]["name"], "Authentication-Results");
    assert!(verdict["reasons"].as_array().unwrap().iter().all(Value::is_string));
    assert!(verdict["hits"].as_array().unwrap().is_empty());
}

#[test]
fn a_refusal_is_in_the_json_verdict() {
    let place = Place::new("");
    place.write("rules/r.toml", &rule("reject", "joe|example"));
    let verdict: Value = serde_json::from_str(&place.check(SIGNED, &["--json"]).out).unwrap();
    assert_eq!(verdict["disposition"], "reject");
    assert_eq!(
        (&verdict["reply"]["code"], &verdict["reply"]["enhanced"]),
        (&550.into(), &"5.7.1".into())
    );
    assert_eq!(
        (&verdict["hits"][0]["rule"], &verdict["hits"][0]["action"]),
        (&"r".into(), &"reject".into())
    );
    assert_eq!(verdict["changes"], Value::Array(Vec::new()));
}

#[test]
fn emit_prints_the_message_as_it_would_leave() {
    let place = Place::new("");
    let sent = "From: joe@example.org\r\nX-Virus-Status: Clean\r\n\r\nhello\r\n";
    place.write("message.eml", sent);
    let message = place.path("message.eml");
    let emitted = place.check(message.to_str().unwrap(), &["--emit"]);
    assert_eq!((emitted.code, emitted.err.as_str()), (Some(0), ""));
    assert!(emitted.out.starts_with("Authentication-Results: mx.example.org;"), "{}", emitted.out);
    assert!(emitted.out.ends_with("\r\nFrom: joe@example.org\r\n\r\nhello\r\n"), "{}", emitted.out);

    place.write("rules/r.toml", &rule("discard", "joe|example"));
    let nothing = place.check(message.to_str().unwrap(), &["--emit"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(1), ""));
    assert!(nothing.err.starts_with("no message would leave:\ndisposition discard"));
}

#[test]
fn serve_says_in_one_line_why_it_does_not_start() {
    let place = Place::new("[milter]\nlisten = [\"inet:127.0.0.1:0\"]\n");
    place.write("rules/r.toml", &rule("tag", "nobody"));
    let broken = place.run(&["serve"]);
    assert_eq!(broken.code, Some(2));
    assert!(broken.err.contains("rules/r.toml:6:"), "{}", broken.err);

    let place = Place::new("[rules]\ndir = \"nowhere\"\n");
    let nowhere = place.path("nowhere").display().to_string();
    let config = place.path("mailseal.toml").display().to_string();
    let line = format!("{config}: {nowhere}: no such directory; make it, or set rules.dir");
    assert_eq!(place.run(&["serve"]).fault(), (Some(2), line.as_str()));
    assert_eq!(place.check(SIGNED, &[]).fault(), (Some(2), line.as_str()));
    assert_eq!(place.run(&["rules", "test"]).fault(), (Some(2), line.as_str()));
    assert_eq!(place.run(&["rules", "lint"]).fault(), (Some(2), line.as_str()));

    let missing =
        run(Command::new(env!("CARGO_BIN_EXE_mailseal")).args(["serve", "--config", "no.toml"]));
    assert_eq!(missing.fault().0, Some(2));
}

#[test]
fn serve_names_the_socket_that_it_cannot_open() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let in_use = Place::new(&format!("[milter]\nlisten = [\"inet:{addr}\"]\n")).run(&["serve"]);
    assert_eq!((in_use.code, in_use.out.as_str()), (Some(3), ""));
    let last = in_use.err.lines().last().unwrap();
    assert!(
        last.starts_with(&format!("milter.listen: inet:{addr}: Address already in use")),
        "{last}"
    );
    let nowhere = Place::new("[milter]\nlisten = [\"unix:/nonexistent/m.sock\"]\n").run(&["serve"]);
    assert_eq!(nowhere.code, Some(3));
    assert!(nowhere.err.ends_with("make its directory first\n"), "{}", nowhere.err);
}

/// A script that reads standard output as JSON finds some, whatever went wrong.
#[test]
fn where_json_was_asked_for_an_error_is_an_object() {
    let place = Place::new("");
    place.write("empty/notes.txt", "no message");
    let empty = place.path("empty").display().to_string();
    for (args, code, said) in [
        (&["check", "no-such.eml", "--json"][..], 3, "message no-such.eml: no such file"),
        (&["check", "--json"], 2, "MESSAGE.eml"),
        (&["check", "--json", "--replay", "no-such"], 3, "stored mail in no-such"),
        (&["check", "--json", "--replay", &empty], 3, "no message"),
        (&["keys", "status", "--json"], 3, "no such directory"),
        (&["keys", "list", "--json"], 3, "no such directory"),
        (&["doctor", "--json", "--sendmail-cf", "no-such.cf"], 3, "no-such.cf: no such file"),
        (&["dns", "records", "example.org", "--format", "json"], 2, "no key to publish"),
        (&["dns", "records", "no domain", "--format=json"], 2, "no domain"),
    ] {
        let ran = place.run(args);
        assert_eq!(ran.code, Some(code), "{args:?}: {}", ran.err);
        let object: Value = serde_json::from_str(&ran.out).unwrap();
        let told = object["error"].as_str().unwrap();
        assert!(told.contains(said), "{args:?}: {told}");
        assert!(ran.err.contains(said), "{args:?}: {}", ran.err);
        assert_eq!(object.as_object().unwrap().len(), 1);
    }
    let broken = Place::new("[polcy]\n").check(SIGNED, &["--json"]);
    let object: Value = serde_json::from_str(&broken.out).unwrap();
    assert!(object["error"].as_str().unwrap().contains("mailseal.toml:6:2: unknown section"));
    assert_eq!(place.run(&["check", "no-such.eml"]).out, "");
}

/// A key that cannot be used is said once, and does not keep the daemon from starting.
#[test]
fn serve_logs_the_keys_that_it_leaves_out() {
    let place = Place::new("[milter]\nlisten = [\"unix:/nonexistent/m.sock\"]\n");
    assert_eq!(place.run(&["keys", "generate", "example.org"]).code, Some(0));
    let state = place.path("keys/example.org/state.toml");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o644)).unwrap();
    let served = place.run(&["serve"]);
    assert_eq!(served.code, Some(3), "it came as far as the socket");
    let said: Vec<&str> = served.err.lines().filter(|line| line.contains("mode 0644")).collect();
    assert!(said.len() == 1 && said[0].contains("run: chmod 600"), "{}", served.err);
    let listed = place.run(&["keys", "list"]);
    assert_eq!(listed.code, Some(3), "{}", listed.err);
}

#[test]
fn keys_and_dns_say_what_cannot_be() {
    let place = Place::new("");
    assert_eq!(place.run(&["keys", "generate", "no domain"]).fault().0, Some(2));
    assert_eq!(place.run(&["dns", "records", "example.org"]).fault().0, Some(2));
    assert_eq!(place.run(&["keys", "activate", "example.org", "--force"]).fault().0, Some(2));
    assert_eq!(
        place.run(&["keys", "generate", "example.org", "--algorithm", "ed25519"]).code,
        Some(0)
    );
    assert_eq!(place.run(&["keys", "list"]).code, Some(0));
    assert_eq!(place.run(&["keys", "activate", "example.org"]).fault().0, Some(3), "no DNS");
    let again = ["keys", "rotate", "example.org", "--algorithm", "ed25519"];
    assert_eq!(place.run(&again).fault().0, Some(2), "one is pending");
    assert_eq!(place.run(&["keys", "retire", "example.org", "nobody"]).fault().0, Some(2));
    assert_eq!(place.run(&["keys", "revoke", "example.org", "s 1"]).fault().0, Some(2));
    let status = place.run(&["keys", "status", "--offline"]);
    assert!(status.code == Some(1) && status.out.contains("to do: publish its record"));
    assert_eq!(place.run(&["keys", "activate", "example.org", "--force"]).code, Some(0));
    let records = place.run(&["dns", "records", "example.org"]);
    assert!(records.code == Some(0) && records.out.contains("._domainkey.example.org."));
    let file = Place::new("[sign]\nkeys = \"mailseal.toml/keys\"\n");
    assert_eq!(file.run(&["keys", "generate", "example.org"]).fault().0, Some(3));
}

#[test]
fn rules_test_tells_a_wrong_example_from_a_broken_file() {
    let place = Place::new("");
    place.write("rules/r.toml", &rule("tag", "joe"));
    assert_eq!(place.run(&["rules", "test"]).code, Some(0));
    place.write("rules/r.toml", &rule("tag", "nobody"));
    assert_eq!(place.run(&["rules", "test"]).code, Some(1));
    place.write("rules/r.toml", &rule("tag", "("));
    assert_eq!(place.run(&["rules", "test"]).fault().0, Some(2));
    assert_eq!(Place::new("").run(&["rules", "test"]).fault().0, Some(2));
}

/// A key that cannot be used is none to those who sign: the store says why.
#[test]
fn check_says_what_is_wrong_with_the_keys_where_nothing_is_signed() {
    let place = Place::new("[sign]\nkeys = \"store\"\n");
    place.write("message.eml", "From: joe@example.org\r\n\r\nhello\r\n");
    let message = place.path("message.eml");
    let ours = place.check(message.to_str().unwrap(), &["--auth", "joe"]);
    assert!(ours.err.contains("key store: ") && ours.err.contains("/store"), "{}", ours.err);
    let theirs = place.check(message.to_str().unwrap(), &[]);
    assert_eq!(theirs.err, "");
}
