//! `mailseal doctor` as a script sees it: what it reads, prints and exits with. The findings themselves are
//! tested beside their checks, and on real MTAs end to end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

/// A mail host's files; nobody answers its DNS.
struct Host {
    dir: TempDir,
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Host {
    /// With mailseal at `listen` in its configuration.
    fn new(listen: &str) -> Self {
        let host = Self { dir: tempfile::tempdir().unwrap() };
        let text = format!(
            "[identity]\nauthserv_id = \"mx.example.org\"\n[milter]\nlisten = [\"{listen}\"]\n"
        );
        host.write("mailseal.toml", &text);
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Ran {
        let dir = self.dir.path().to_str().unwrap();
        let args = args.iter().map(|arg| arg.replace("DIR", dir));
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailseal"));
        command.arg("doctor").args(args).arg("--config").arg(self.path("mailseal.toml"));
        let output = command.output().unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap().replace(dir, "DIR");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

const FILES: [&str; 3] = ["--postconf=DIR/main.cf", "--master=DIR/master.cf", "--offline"];

fn postfix(host: &Host, main: &str) {
    let head = "compatibility_level = 3.6\nmyhostname = mx.example.org\nmail_owner = nobody\n\
                internal_mail_filter_classes = bounce\nsmtpd_discard_ehlo_keywords = dsn\n";
    host.write("main.cf", &format!("{head}{main}"));
    host.write(
        "master.cf",
        "smtp inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\nsmtp unix - - n - - smtp\n",
    );
}

#[test]
fn a_healthy_host_exits_with_0_and_others_with_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = format!("inet:{}", listener.local_addr().unwrap());
    let host = Host::new(&ours);
    postfix(&host, &format!("smtpd_milters = {ours}\nnon_smtpd_milters = $smtpd_milters\n"));
    let ran = host.run(&FILES);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.ends_with("0 errors, 0 warnings, 1 note\n"), "{}", ran.out);

    drop(listener);
    let ran = host.run(&FILES);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains(&format!("error: nobody listens on {ours}: ")), "{}", ran.out);
    // Another host's sockets are not here.
    let ran = host.run(&[&FILES[..], &["--remote"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.out);
}

#[test]
fn json_has_every_finding_with_its_lines() {
    let host = Host::new("inet:127.0.0.1:8891");
    postfix(&host, "milter_default_action = accept\n");
    let ran = host.run(&[&FILES[..], &["--remote", "--json"]].concat());
    assert_eq!(ran.code, Some(1));
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&report["errors"], &report["warnings"]), (&1.into(), &2.into()));
    let first = &report["findings"][0];
    assert_eq!((&first["name"], &first["severity"]), (&"not-attached".into(), &"error".into()));
    assert_eq!(first["remedy"][0]["place"], "main.cf");
    assert_eq!(first["remedy"][0]["lines"][0], "smtpd_milters = inet:127.0.0.1:8891");
}

#[test]
fn the_hosts_name_may_be_one_of_our_ids() {
    let host = Host::new("inet:127.0.0.1:8891");
    postfix(&host, "");
    let config = fs::read_to_string(host.path("mailseal.toml")).unwrap();
    for (ids, is_noted) in [("", true), ("authserv_ids_ours = [\"MX.example.org\"]\n", false)] {
        let other = format!("authserv_id = \"results.example.org\"\n{ids}");
        host.write("mailseal.toml", &config.replace("authserv_id = \"mx.example.org\"\n", &other));
        let ran = host.run(&[&FILES[..], &["--remote"]].concat());
        assert_eq!(
            ran.out.contains("Postfix calls itself mx.example.org"),
            is_noted,
            "{}",
            ran.out
        );
    }
}

/// The lines of the remedies are pasted, and heal what they are for.
#[test]
fn pasted_lines_heal() {
    let host = Host::new("inet:127.0.0.1:8891");
    let mut main = "milter_default_action = accept\nmilter_content_timeout = 9s\n\
                    smtp_line_length_limit = 80\nsmtp_discard_ehlo_keywords = 8bitmime\n\
                    smtputf8_enable = no\nmilter_protocol = 2\nmynetworks = 192.0.2.0/24\n\
                    maximal_queue_lifetime = 30d\nremote_header_rewrite_domain = x.invalid\n\
                    internal_mail_filter_classes =\n"
        .to_owned();
    let report = |main: &str| -> Vec<Value> {
        postfix(&host, main);
        let ran = host.run(&[&FILES[..], &["--remote", "--json"]].concat());
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        report["findings"].as_array().unwrap().clone()
    };
    let mut config = fs::read_to_string(host.path("mailseal.toml")).unwrap();
    let findings = report(&main);
    assert!(findings.len() > 9, "{findings:?}");
    for remedy in findings.iter().flat_map(|one| one["remedy"].as_array().unwrap()) {
        let lines = remedy["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
        let lines = lines.collect::<Vec<_>>().join("\n") + "\n";
        match remedy["place"].as_str().unwrap() {
            "main.cf" => main += &lines,
            // A section can stand there once.
            "mailseal.toml" if lines.starts_with("[identity]\n") => {
                config = config.replacen("[identity]\n", &lines, 1);
            }
            "mailseal.toml" => config += &lines,
            "shell" => assert!(lines.starts_with("mailseal keys generate"), "{lines}"),
            other => panic!("{other}: {lines}"),
        }
    }
    host.write("mailseal.toml", &config);
    let names: Vec<String> = report(&main).iter().map(|one| one["name"].to_string()).collect();
    // What was not seen before mailseal was attached is healed in the second round.
    assert_eq!(names, ["\"bounces\"", "\"no-keys\""], "{main}{config}");
}

/// A content filter's address becomes a relay, and is then in no list that is warned of.
#[test]
fn the_lines_for_a_content_filter_bring_no_other_finding() {
    let host = Host::new("inet:127.0.0.1:8891");
    postfix(
        &host,
        "content_filter = amavis:[127.0.0.1]:10024\nmynetworks = 127.0.0.0/8 [::1]/128\n",
    );
    let back = "127.0.0.1:10025 inet n - n - - smtpd -o content_filter= \
                -o smtpd_milters=inet:127.0.0.1:8891\n";
    let master = fs::read_to_string(host.path("master.cf")).unwrap();
    host.write("master.cf", &format!("{master}{back}"));
    let report = || -> Vec<Value> {
        let ran = host.run(&[&FILES[..], &["--remote", "--json"]].concat());
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        report["findings"].as_array().unwrap().clone()
    };
    let findings = report();
    let finding = findings.iter().find(|one| one["name"] == "reinjection").unwrap();
    let lines = finding["remedy"][0]["lines"].as_array().unwrap().iter();
    let lines = lines.map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n") + "\n";
    let config = fs::read_to_string(host.path("mailseal.toml")).unwrap();
    host.write("mailseal.toml", &config.replacen("[identity]\n", &lines, 1));
    for finding in report() {
        let name = finding["name"].as_str().unwrap();
        assert!(!["reinjection", "config", "mynetworks"].contains(&name), "{finding}");
    }
}

/// Real postconf, on a configuration that it alone can tell.
#[test]
fn postconf_is_asked() {
    let host = Host::new("inet:127.0.0.1:8891");
    postfix(
        &host,
        "smtpd_milters =\n  ${mail_owner?{inet:127.0.0.1:8891}}\nmydomain = example.org\n",
    );
    let ran = host.run(&["--postfix=DIR", "--remote", "--offline"]);
    assert!(ran.out.contains("[non-smtpd-milters]"), "{}{}", ran.out, ran.err);
    assert!(!ran.out.contains("[not-attached]"), "{}", ran.out);
    host.write("main.cf", "");
    fs::remove_file(host.path("master.cf")).unwrap();
    let ran = host.run(&["--postfix=DIR", "--offline"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(3), ""), "{}", ran.err);
    assert!(ran.err.starts_with("postconf -M: "), "{}", ran.err);
}

/// A relay of old, which is asked.
#[test]
fn the_relay_is_asked_what_it_can_do() {
    let relay = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = relay.local_addr().unwrap();
    let answer = std::thread::spawn(move || {
        use std::io::{BufRead as _, BufReader, Write as _};
        let (mut stream, _) = relay.accept().unwrap();
        stream.write_all(b"220 relay\r\n").unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let ehlo = lines.next().unwrap().unwrap();
        stream.write_all(b"250-relay\r\n250 PIPELINING\r\n").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "QUIT");
        stream.write_all(b"221 bye\r\n").unwrap();
        ehlo
    });
    let host = Host::new("inet:127.0.0.1:8891");
    postfix(&host, &format!("relayhost = [127.0.0.1]:{}\n", addr.port()));
    let ran = host.run(&FILES[..2]);
    assert!(answer.join().unwrap().starts_with("EHLO "));
    let said = format!("error: [127.0.0.1]:{} does not announce 8BITMIME", addr.port());
    assert!(ran.out.contains(&said), "{}{}", ran.out, ran.err);
}

#[test]
fn files_that_are_none_are_refused_in_a_line() {
    let host = Host::new("inet:127.0.0.1:8891");
    postfix(&host, "");
    host.write("binary", "a\0b");
    for name in ["DIR/none", "DIR", "DIR/binary"] {
        for option in ["--sendmail-cf", "--master"] {
            let option = format!("{option}={name}");
            let args = ["--postconf=DIR/main.cf", "--master=DIR/master.cf", "--offline"];
            let args = if option.contains("master") { &args[..1] } else { &args[2..] };
            let ran = host.run(&[args, &[&option]].concat());
            assert_eq!((ran.code, ran.out.as_str()), (Some(3), ""), "{option}: {}", ran.err);
            assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
            assert!(ran.err.starts_with(name), "{}", ran.err);
        }
    }
}

/// The page has a row for each finding, and no other.
#[test]
fn the_page_names_every_finding() {
    let named = |text: &str, pattern: &str| -> BTreeSet<String> {
        let pattern = Regex::new(pattern).unwrap();
        pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
    };
    let mut made = BTreeSet::new();
    let mut dirs = vec![PathBuf::from("src/doctor")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.file_name() != Some("tests.rs".as_ref()) {
                let text = fs::read_to_string(&path).unwrap();
                made.extend(named(&text, r#"(?:Finding::new|warn)\(\s*"([a-z0-9-]+)""#));
            }
        }
    }
    let page = fs::read_to_string(Path::new("docs/doctor.md")).unwrap();
    assert!(made.len() > 30, "{made:?}");
    assert_eq!(named(&page, r"(?m)^\| `([a-z0-9-]+)` \|"), made);
}
