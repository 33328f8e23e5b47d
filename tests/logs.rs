//! What the log says of a message, for whom it tells the whole story, and that it names nobody where
//! personal data is hashed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::daemon::Daemon;
use support::dns::DnsServer;
use support::milter::{Mail, Mta};
use support::process::PATIENCE;
use support::zone::Zone;

const ZONE: &str = r#"
    example.net TXT "v=spf1 ip4:192.0.2.1 -all"
    client.example.net A 192.0.2.1
    1.2.0.192.in-addr.arpa PTR client.example.net.
"#;

const RULE: &str = "[[rule]]\nname = \"about-you\"\nabout = \"marks what it shows\"\naction = \"tag\"\n\
    [rule.when]\nheader = \"Subject\"\nmatches = 'dear .*'\n\
    [rule.examples]\nhit = [\"Subject: dear ann\\n\\n\"]\nmiss = [\"Subject: x\\n\\n\"]\n";

/// A daemon, its DNS, and the threads that serve that.
struct Fixture {
    _runtime: tokio::runtime::Runtime,
    dns: DnsServer,
    dir: tempfile::TempDir,
    daemon: Option<Daemon>,
}

impl Fixture {
    fn start(telemetry: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let dns = runtime.block_on(DnsServer::start(Zone::parse(ZONE)));
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("rules")).unwrap();
        fs::write(dir.path().join("rules/a.toml"), RULE).unwrap();
        let mut fixture = Self { _runtime: runtime, dns, dir, daemon: None };
        let config = fixture.config(telemetry);
        fixture.daemon = Some(Daemon::start(fixture.dir.path(), "serve", &[], &config));
        fixture
    }

    fn config(&self, telemetry: &str) -> String {
        format!(
            "[identity]\nauthserv_id = \"mx.example.org\"\n[dns]\nservers = [\"{}\"]\n\
             [telemetry]\n{telemetry}\n",
            self.dns.addr
        )
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// Delivers a message, and returns all that was logged until its line was.
    fn deliver(&self, mail: &Mail<'_>) -> String {
        let before = self.daemon().log();
        Mta::connect(self.daemon().addr).unwrap().deliver(mail).unwrap();
        self.await_log("disposition", before.len())
    }

    fn await_log(&self, what: &str, from: usize) -> String {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let log = self.daemon().log();
            match log.get(from..) {
                Some(new) if new.contains(what) && new.ends_with('\n') => return new.to_owned(),
                _ => assert!(Instant::now() < give_up, "no {what} in {log}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn reload(&self, telemetry: &str) {
        let before = self.daemon().log().len();
        let path = self.dir.path().join("serve.toml");
        let milter: String =
            fs::read_to_string(&path).unwrap().lines().take(3).flat_map(|l| [l, "\n"]).collect();
        fs::write(self.dir.path().join("new"), milter + &self.config(telemetry)).unwrap();
        fs::rename(self.dir.path().join("new"), path).unwrap();
        kill(Pid::from_raw(self.daemon().id().cast_signed()), Signal::SIGHUP).unwrap();
        self.await_log("reloaded", before);
    }
}

fn mail() -> Mail<'static> {
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    Mail {
        rcpts: vec!["anneke@example.org"],
        headers: vec![
            field("From", " Joe <joe@example.net>"),
            field("Subject", " dear anneke@example.org"),
            field("Message-ID", " <secret.42@client.example.net>"),
        ],
        ..Mail::default()
    }
}

#[test]
fn the_line_of_a_message_answers_why() {
    let fixture = Fixture::start("log = \"json\"");
    let log = fixture.deliver(&mail());
    assert_eq!(log.lines().count(), 1, "no story: {log}");
    let line: serde_json::Value = serde_json::from_str(&log).unwrap();
    for (field, value) in [
        ("queue_id", "QUEUEID"),
        ("disposition", "accept"),
        ("origin", "inbound"),
        ("role", "verify"),
        ("client", "192.0.2.1"),
        ("name", "client.example.net"),
        ("helo", "client.example.net"),
        ("user", "-"),
        ("sender", "<joe@example.net>"),
        ("from", "example.net"),
        ("message_id", "<secret.42@client.example.net>"),
        ("iprev", "pass"),
        ("spf", "none(client.example.net),pass(example.net)"),
        ("dkim", "-"),
        ("hits", "about-you"),
        ("scan", "-"),
        ("signed", "-"),
        ("not_signed", "-"),
    ] {
        assert_eq!(line[field], value, "{field}: {log}");
    }
    assert_eq!((&line["recipients"], &line["octets"]), (&1.into(), &114.into()), "{log}");
    for stage in ["ms", "body_ms", "auth_ms", "rules_ms", "scan_ms", "sign_ms"] {
        assert!(line[stage].is_u64(), "{stage}: {log}");
    }
    let reasons = line["reasons"].as_str().unwrap();
    assert!(reasons.starts_with("client 192.0.2.1 is neither authenticated nor trusted"), "{log}");
}

#[test]
fn a_story_is_told_for_those_that_are_named_and_at_level_debug() {
    let fixture = Fixture::start("");
    let told = |telemetry: &str| {
        fixture.reload(telemetry);
        fixture.deliver(&mail())
    };
    let story = [
        "client 192.0.2.1 name client.example.net helo client.example.net",
        "mail from <joe@example.net>",
        "rcpt to <anneke@example.org>",
        "spf mailfrom: TXT of example.net: \"v=spf1 ip4:192.0.2.1 -all\"",
        "hit about-you Subject at 0: dear anneke@example.org",
        "change insert-header X-Mailseal-Tag: about-you",
        "reason client 192.0.2.1 is neither authenticated nor trusted",
    ];
    for telemetry in [
        "story_clients = [\"192.0.2.0/24\"]",
        "story_domains = [\"example.net\"]",
        "story_domains = [\"example.org\"]",
        "level = \"debug\"",
        "filter = [\"story=debug\"]",
    ] {
        let log = told(telemetry);
        for step in story {
            let is_told = log.lines().any(|line| line.contains("QUEUEID") && line.contains(step));
            assert!(is_told, "{telemetry}: no {step} in {log}");
        }
    }
    for telemetry in
        ["", "story_clients = [\"192.0.3.0/24\"]", "story_domains = [\"sub.example.org\"]"]
    {
        let log = told(telemetry);
        assert_eq!(log.lines().count(), 1, "{telemetry}: {log}");
    }
}

#[test]
fn nobody_is_named_where_personal_data_is_hashed() {
    let fixture = Fixture::start("personal_data = \"hashed\"\nlevel = \"trace\"\nlog = \"json\"");
    let mut with_user = mail();
    with_user.macros.push((b'M', "{auth_authen}", "joe.user"));
    let mut odd = mail();
    odd.from = "o'brien+joe=a@example.net";
    odd.headers.push((b"DKIM-Signature".to_vec(), b" v=1; d=x; i=joe@example.net".to_vec()));
    odd.headers.push((b"From".to_vec(), b" \"joe@example.net\" <anneke@example.org>".to_vec()));
    let logs = [mail(), with_user, odd].map(|mail| fixture.deliver(&mail));
    let all = fixture.daemon().log();
    for name in ["joe", "anneke", "brien", "192.0.2.1", "1.2.0.192", "client.example", "secret"] {
        let named: Vec<&str> = all.lines().filter(|line| line.contains(name)).collect();
        assert!(named.is_empty(), "{name} in {named:#?}");
    }
    for line in all.lines().filter(|line| line.starts_with('{')) {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    let summary = |log: &str| {
        let line = log.lines().find(|line| line.contains("disposition\":")).unwrap();
        serde_json::from_str::<serde_json::Value>(line).unwrap()
    };
    let [first, second, _] = logs.map(|log| summary(&log));
    assert_eq!(first["sender"], second["sender"], "equal names have equal hashes");
    assert!(first["sender"].as_str().unwrap().ends_with("@example.net>"), "{first}");
    assert_ne!(second["user"], "-");
}

#[test]
fn a_login_is_not_named_where_it_writes_as_another() {
    let fixture = Fixture::start("");
    let of_lists = "joe@example.net EXAMPLE\\\\mary.login\n";
    fs::write(fixture.dir.path().join("logins"), of_lists).unwrap();
    let hashed = "personal_data = \"hashed\"\nlevel = \"trace\"";
    fixture.reload(&format!("{hashed}\n[identity_gate]\nmap = \"hash:logins\""));
    for user in
        ["EXAMPLE\\anneke.login", "anneke.login\u{1}", "\"anneke.login\"", "anneke.l\u{f6}gin"]
    {
        let mut mail = mail();
        mail.macros.push((b'M', "{auth_authen}", user));
        let log = fixture.deliver(&mail);
        assert!(log.contains("which is not an address of the user ~"), "{user}: {log}");
        for name in ["anneke", "mary", "joe"] {
            assert!(!log.contains(name), "{user}: {name} in {log}");
        }
    }
}

#[test]
fn the_key_of_hashes_is_a_private_file_and_outlives_the_process() {
    let key = |fixture: &Fixture, mode: u32, key: &str| {
        let path = fixture.dir.path().join("log.key");
        fs::write(&path, key).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let hashed = "personal_data = \"hashed\"\npersonal_data_key = \"log.key\"";
    let fixture = Fixture::start("");
    key(&fixture, 0o600, "0123456789abcdef\n");
    fixture.reload(hashed);
    let log = fixture.deliver(&mail());
    // printf %s joe@example.net | openssl dgst -sha256 -hmac 0123456789abcdef
    assert!(log.contains("sender=<~990ad5acff7f@example.net>"), "{log}");
    let refused = |said: &str| {
        let before = fixture.daemon().log().len();
        kill(Pid::from_raw(fixture.daemon().id().cast_signed()), Signal::SIGHUP).unwrap();
        let log = fixture.await_log("telemetry.personal_data_key", before);
        assert!(log.contains("reload refused") && log.contains(said), "{log}");
    };
    key(&fixture, 0o644, "0123456789abcdef\n");
    refused("chmod 600");
    key(&fixture, 0o600, "short\n");
    refused("has fewer than 16 octets");
    assert!(fixture.deliver(&mail()).contains("sender=<~990ad5acff7f@"), "the old key stays");
}
