//! The configuration: the sample is the defaults, and a bad file fails for the stated reasons.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use mailseal::config::fields::{Default as Value, SECTIONS};
use mailseal::config::sample::sample;
use mailseal::config::{Config, Endpoint, Loaded, OnOversize, SignLocal};
use mailseal::dkim::canonical::Canonicalization;
use mailseal::sign::map::{Authors, Mapped};
use mailseal::verdict::Action;
use nix::unistd::Uid;
use proptest::prelude::*;
use proptest::sample::Index;

/// The directories of `tests/bad_configs/`, in their order.
fn bad_configs() -> Vec<PathBuf> {
    let entries = fs::read_dir("tests/bad_configs").expect("tests run in the crate's directory");
    let mut dirs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    dirs.sort();
    dirs
}

#[test]
fn each_bad_config_fails_for_exactly_the_stated_reasons() {
    let mut differing = Vec::new();
    for dir in bad_configs() {
        let found = match Config::load(&dir.join("mailseal.toml")) {
            Ok(_) => "no error\n".to_owned(),
            Err(errors) => format!("{errors}\n").replace(&format!("{}/", dir.display()), ""),
        };
        let expected_path = dir.join("expected-error");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected_path, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        if found != expected || found == "no error\n" {
            differing.push(format!("{}:\n{found}expected:\n{expected}", dir.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(bad_configs().len() >= 20);
}

#[test]
fn the_sample_is_the_defaults_as_it_is_and_with_every_key_set() {
    let parse =
        |text: &str| Loaded::parse(text, Path::new("sample"), Path::new("")).unwrap().config;
    assert_eq!(parse(&sample()), Config::default());
    let keys_set: Vec<String> = sample().lines().map(key_set).collect();
    let keys_set = keys_set.join("\n");
    let mut all_set = Config::default();
    all_set.rules.dir_required = true;
    assert_eq!(parse(&keys_set), all_set);
    assert!(keys_set.contains("\nlisten = ") && keys_set.contains("\nlevel = "));
}

/// Takes the `#` away that makes a key a comment.
fn key_set(line: &str) -> String {
    match line.strip_prefix('#') {
        Some(key) if !key.is_empty() && !key.starts_with(' ') => key.to_owned(),
        _ => line.to_owned(),
    }
}

#[test]
fn the_examples_in_the_sample_are_valid() {
    let parse = |text: &str| Loaded::parse(text, Path::new("example"), Path::new("")).unwrap();
    for section in SECTIONS {
        let mut examples = Vec::new();
        for field in section.fields {
            let Value::Unset(example) = field.default else { continue };
            examples.push(format!("{} = {example}\n", field.name));
        }
        // Entries of a repeated section may need one another.
        if section.repeated {
            parse(&format!("[[{}]]\n{}", section.name, examples.concat()));
            continue;
        }
        for example in examples {
            parse(&format!("[{}]\n{example}", section.name));
        }
    }
}

#[test]
fn every_key_has_a_doc_and_lines_that_fit() {
    for field in SECTIONS.iter().flat_map(|section| section.fields) {
        assert!(field.doc.ends_with('.'), "{}: a doc is made of sentences", field.name);
    }
    for line in sample().lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn the_defaults_that_matter() {
    let config = Config::default();
    assert_eq!(config.milter.listen, [Endpoint::Inet("127.0.0.1:8891".parse().unwrap())]);
    assert_eq!(config.milter.socket_mode, 0o660);
    assert_eq!(config.identity.originating_daemons, ["ORIGINATING"]);
    assert_eq!(config.dns.timeout, Duration::from_secs(5));
    assert_eq!((config.sign.keys, config.sign.expire), ("keys".into(), None));
    assert_eq!(config.sign.header_canonicalization, Canonicalization::Relaxed);
    assert_eq!(config.sign.body_canonicalization, Canonicalization::Relaxed);
    assert_eq!((config.sign.fields.len(), config.sign.local), (16, SignLocal::All));
    assert_eq!(config.sign.oversign, ["From", "To", "Cc", "Subject", "Reply-To", "Content-Type"]);
    assert_eq!((config.verify.enabled, config.verify.min_rsa_bits), (true, 1024));
    let policy = config.policy;
    let treatments = [policy.dmarc, policy.spf_fail, policy.malformed_from, policy.temperror];
    assert_eq!(treatments, [Action::Tag, Action::Tag, Action::Tag, Action::Off]);
    let clamav = config.clamav;
    let scan = clamav.treatment;
    let treatments = [scan.on_infected, scan.on_failure, scan.on_encrypted, scan.on_limits];
    assert_eq!(treatments, [Action::Reject, Action::Off, Action::Off, Action::Off]);
    assert_eq!(scan.on_oversize, OnOversize { action: Action::Off, scans_prefix: true });
    assert!(clamav.servers.is_empty());
    let limits = config.limits;
    assert_eq!((limits.header_bytes_max, limits.header_fields_max), (1 << 20, 5_000));
    assert_eq!((limits.recipients_max, limits.message), (1_000, Duration::from_secs(30)));
}

#[test]
fn what_is_shown_reads_back_to_the_same_configuration() {
    let text = r#"
        [milter]
        listen = ["inet:8891@[::1]", "local:/run/mailseal/milter.sock"]
        [identity]
        authserv_id = "mx.example.org"
        [sign]
        keys = "private"
        canonicalization = "simple/relaxed"
        expire_secs = 1_209_600
        fields = ["Subject", "from", "subject"]
        [[sign.map]]
        from = "*.Bücher.example"
        domain = "example.org."
        selectors = ["S1"]
        also = true
        auid = false
        [[policy.exempt]]
        lists = ["<a\"b.example>"]
        [[policy.exempt]]
        domains = ["Bücher.example."]
    "#;
    let loaded = Loaded::parse(text, Path::new("m"), Path::new("/etc/mailseal")).unwrap();
    let again = Loaded::parse(&loaded.shown, Path::new("shown"), Path::new("/elsewhere")).unwrap();
    let mut all_set = loaded.config.clone();
    all_set.rules.dir_required = true;
    assert_eq!(again.config, all_set);
    assert_eq!(again.shown, loaded.shown);
    assert_eq!(loaded.config.sign.keys, Path::new("/etc/mailseal/private"));
    assert_eq!(loaded.config.rules.dir, Path::new("/etc/mailseal/rules"));
    // RFC 8058 §4: these two must be covered.
    let signed = ["From", "Subject", "List-Unsubscribe", "List-Unsubscribe-Post"];
    assert_eq!(loaded.config.sign.fields, signed);
    let below = Authors::Below("xn--bcher-kva.example".into());
    let mapped = Mapped {
        domain: "example.org".into(),
        selectors: vec!["s1".parse().unwrap()],
        also: true,
        auid: false,
    };
    assert_eq!(loaded.config.sign.map.iter().collect::<Vec<_>>(), [(&below, &mapped)]);
    assert_eq!(loaded.config.policy.exempt[1].domains, ["xn--bcher-kva.example"]);
}

#[test]
fn dotted_keys_and_inline_tables_are_sections_too() {
    let text =
        "dns = { timeout_secs = 7 }\nlimits.recipients_max = 0x10\nmilter.socket_mode = 0o600";
    let config = Loaded::parse(text, Path::new("m"), Path::new("")).unwrap().config;
    assert_eq!(config.dns.timeout, Duration::from_secs(7));
    assert_eq!((config.limits.recipients_max, config.milter.socket_mode), (16, 0o600));
}

#[test]
fn signatures_that_do_not_align_are_warned_about() {
    let map = |from: &str, domain: &str| {
        let text = format!("[[sign.map]]\nfrom = \"{from}\"\ndomain = \"{domain}\"\n");
        let text = format!("[identity]\nauthserv_id = \"mx.example.org\"\n{text}");
        Loaded::parse(&text, Path::new("m"), Path::new("")).unwrap().warnings
    };
    for (from, domain) in [
        ("*.example.org", "example.org"),
        ("a.example.org", "example.org"),
        ("example.org", "mail.example.org"),
        ("*.b.example.org", "a.b.example.org"),
    ] {
        assert_eq!(map(from, domain), [""; 0], "{from} {domain}");
    }
    for (from, domain) in [
        ("example.net", "example.org"),
        ("*", "example.org"),
        ("*.evil-example.org", "example.org"),
    ] {
        let warnings = map(from, domain);
        assert!(
            matches!(&warnings[..], [one] if one.contains("does not align for DMARC")),
            "{warnings:?}"
        );
    }
}

#[test]
fn risky_settings_are_warned_about() {
    let text = r#"
        [milter]
        allow_peers = ["0.0.0.0/0"]
        socket_mode = "0666"
        [identity]
        authserv_id = "mx"
        trusted_networks = ["::/0"]
        trusted_relays = ["2001:db8::/32"]
    "#;
    let warnings = Loaded::parse(text, Path::new("m"), Path::new("")).unwrap().warnings.join("\n");
    for key in ["authserv_id", "allow_peers", "trusted_networks", "trusted_relays", "socket_mode"] {
        assert!(warnings.contains(key), "{key}: {warnings}");
    }
    let relays = |networks: &str| {
        let text = format!(
            "[identity]\nauthserv_id = \"mx.example.org\"\ntrusted_networks = {networks}\n\
             trusted_relays = [\"192.0.2.7\", \"127.0.0.1\"]\n"
        );
        Loaded::parse(&text, Path::new("m"), Path::new("")).unwrap().warnings.join("\n")
    };
    for networks in [r#"["127.0.0.0/8", "::1/128"]"#, r#"["::1/128", "127.0.0.1"]"#] {
        let said = "identity.trusted_relays: 127.0.0.1/32 overlaps 127.0.0.";
        assert!(relays(networks).starts_with(said), "{networks}: {}", relays(networks));
    }
    assert_eq!(relays(r#"["::1/128", "192.0.2.8/29"]"#), "");
    let good = "[identity]\nauthserv_id = \"mx.example.org\"";
    assert!(Loaded::parse(good, Path::new("m"), Path::new("")).unwrap().warnings.is_empty());
}

#[test]
fn what_is_no_text_file_is_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("binary"), b"[milter]\n\xff\xfe\0").unwrap();
    fs::write(path("large"), vec![b'#'; (1 << 20) + 1]).unwrap();
    symlink(path("loop"), path("loop")).unwrap();
    for (name, said) in [
        ("missing", "no such file"),
        (".", "is a directory"),
        ("binary", "is no text: line 2 has a NUL"),
        ("large", "has more than 1 MiB"),
        ("loop", "cannot be read"),
        ("/dev/zero", "is a device"),
    ] {
        let message = Config::load(&path(name)).unwrap_err().to_string();
        assert!(message.contains(said) && message.lines().count() == 1, "{name}: {message}");
        assert!(message.starts_with(&path(name).display().to_string()), "{name}: {message}");
    }
    fs::write(path("limit"), vec![b'#'; 1 << 20]).unwrap();
    assert!(Config::load(&path("limit")).is_ok());
}

#[test]
fn a_mebibyte_of_faults_is_told_in_bounded_time_and_space() {
    let entries = "[milter]\nlisten = [".to_owned() + &"1, ".repeat(1 << 18) + "]";
    let one_line = "listen = [".to_owned() + &"1 ".repeat(1 << 18);
    for text in ["=\n".repeat(1 << 17), "[".repeat(1 << 20), entries, one_line] {
        let message = Loaded::parse(&text, Path::new("m"), Path::new("")).unwrap_err().to_string();
        assert!(message.lines().count() <= 101 && message.len() < 100_000, "{}", message.len());
    }
    let keys: Vec<String> = (0..40_000).map(|n| format!("unknown_key_{n} = 1")).collect();
    let message =
        Loaded::parse(&keys.join("\n"), Path::new("m"), Path::new("")).unwrap_err().to_string();
    assert!(message.ends_with("39900 more faults"));
}

proptest! {
    /// What a slip of the hand makes of a config file is read or refused, without a panic.
    #[test]
    fn a_damaged_file_is_read_or_refused(at in any::<Index>(), cut in 0..20_usize, put in ".{0,3}") {
        let mut text: Vec<char> = sample().lines().map(|line| key_set(line) + "\n").collect::<String>().chars().collect();
        let at = at.index(text.len());
        text.splice(at..(at + cut).min(text.len()), put.chars());
        let text: String = text.into_iter().collect();
        if let Err(errors) = Loaded::parse(&text, Path::new("m"), Path::new("")) {
            prop_assert!(errors.to_string().starts_with("m:"));
        }
    }
}

/// Runs the command in the crate's directory.
fn mailseal(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mailseal")).args(args).output();
    let output = output.expect("the command was built with the tests");
    let text = |octets: Vec<u8>| String::from_utf8(octets).expect("it prints UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_prints_what_the_library_says() {
    assert_eq!(mailseal(&["config", "default"]), (Some(0), sample(), String::new()));
    let (code, shown, _) = mailseal(&["config", "show"]);
    assert_eq!((code, shown), (Some(0), Loaded::built_in().shown));
}

#[test]
fn exit_codes_tell_users_faults() {
    let bad = "tests/bad_configs/01-unknown-key/mailseal.toml";
    let (code, out, err) = mailseal(&["config", "check", bad]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(
        err,
        format!(
            "{bad}:2:1: unknown key \"lisen\" in [milter] (did you mean \"listen\"?)\n    \
             lisen = [\"inet:127.0.0.1:8891\"]\n    ^\n"
        )
    );
    assert_eq!(mailseal(&["config", "check", "no-such.toml"]).0, Some(2));
    assert_eq!(mailseal(&["config", "check"]).0, Some(2));
    assert_eq!(mailseal(&["confg"]).0, Some(2));

    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("mailseal.toml");
    fs::write(&good, sample()).unwrap();
    let (code, out, _) = mailseal(&["config", "check", good.to_str().unwrap()]);
    assert_eq!((code, out), (Some(0), format!("{}: no faults\n", good.display())));
}

/// What `config check` says of a file.
struct Checked {
    check: (Option<i32>, String, String),
    path: String,
}

fn checked(dir: &Path, text: &str) -> Checked {
    let path = dir.join("mailseal.toml").display().to_string();
    fs::write(&path, format!("[identity]\nauthserv_id = \"mx.example.org\"\n{text}")).unwrap();
    Checked { check: mailseal(&["config", "check", &path]), path }
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn what_keeps_serve_from_starting_is_a_fault() {
    let dir = tempfile::tempdir().unwrap();
    write_private(&dir.path().join("short"), "x\n");
    let socket = dir.path().join("m.sock").display().to_string();
    let group = format!("[milter]\nlisten = [\"unix:{socket}\"]\nsocket_group = \"no-such\"\n");
    let hashed = |key: &str| {
        format!("[telemetry]\npersonal_data = \"hashed\"\npersonal_data_key = \"{key}\"\n")
    };
    for (text, said) in [
        (group.clone(), "milter.socket_group: no group \"no-such\" on this system"),
        (hashed("none"), "telemetry.personal_data_key: "),
        (hashed("short"), "has fewer than 16 octets"),
        (
            "[identity_gate]\nmap = \"none\"\n".to_owned(),
            "none: no such file; make it, or name another (identity_gate.map names it)",
        ),
        ("[rules]\ndir = \"none\"\n".to_owned(), "none: no such directory"),
    ] {
        let Checked { check: (code, out, err), path } = checked(dir.path(), &text);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{text}: {err}");
        let is_told = |line: &str| line.starts_with(&format!("{path}: ")) && line.contains(said);
        assert!(err.lines().filter(|line| !line.contains("warning: ")).all(is_told), "{err}");
        let (code, _, err) = mailseal(&["serve", "--config", &path]);
        assert!(code == Some(2) && err.contains(said), "{text}: {err}");
        assert!(!Path::new(&socket).exists(), "{text}: no socket is left");
    }
    let all = group + &hashed("none") + "[rules]\ndir = \"none\"\n";
    let (_, _, err) = checked(dir.path(), &all).check;
    for said in ["no-such", "personal_data_key", "no such directory"] {
        assert!(err.contains(said), "all at once: {err}");
    }
    // Of no matter where there is no file that it could be of.
    let inet = "[milter]\nlisten = [\"inet:127.0.0.1:0\"]\nsocket_group = \"no-such\"\n";
    assert_eq!(checked(dir.path(), inet).check.0, Some(0));
}

#[test]
fn what_serve_goes_on_without_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    for (text, said) in [
        ("", "key store: DIR/keys: no such directory"),
        ("[sign]\nkeys = \"mailseal.toml\"\n", "key store: DIR/mailseal.toml: is no directory"),
        (
            "[publish]\nserver = \"127.0.0.1:1\"\nkey_file = \"none\"\n",
            "nothing is published: publish.key_file: DIR/none: no such file",
        ),
        (
            "[arc]\nseal = true\nseal_domain = \"example.org\"\n",
            "nothing is sealed: there is no active RSA key for example.org",
        ),
        (
            "[[sign.map]]\nfrom = \"*.example.org\"\ndomain = \"example.org\"\n",
            "mail that example.org is to sign by sign.map is not signed",
        ),
        (
            "[identity_gate]\naction = \"reject\"\n",
            "identity_gate.action: without identity_gate.map nobody is checked",
        ),
    ] {
        let Checked { check: (code, out, err), path } = checked(dir.path(), text);
        assert_eq!((code, out), (Some(0), format!("{path}: no faults\n")), "{text}: {err}");
        let said = said.replace("DIR", &dir.path().display().to_string());
        assert!(err.contains(&format!("{path}: warning: {said}")), "{text}: {err}");
    }
}

/// Root asks for a service that runs as the user whom the key store belongs to.
#[test]
fn private_files_are_those_of_the_key_stores_owner() {
    if !Uid::effective().is_root() {
        println!("left out: only root can give files away");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (keys, key) = (dir.path().join("keys"), dir.path().join("log.key"));
    fs::create_dir(&keys).unwrap();
    chown(&keys, Some(65_534), None).unwrap();
    write_private(&key, "0123456789abcdef\n");
    let text = "[telemetry]\npersonal_data = \"hashed\"\npersonal_data_key = \"log.key\"\n";
    let (code, _, err) = checked(dir.path(), text).check;
    for said in
        ["belongs to user 0, and user 65534", "whom the key store belongs to, cannot read it"]
    {
        assert!(code == Some(2) && err.contains(said), "{err}");
    }
    chown(&key, Some(65_534), None).unwrap();
    let (code, _, err) = checked(dir.path(), text).check;
    assert_eq!((code, err.as_str()), (Some(0), ""));
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mailseal"))
        .args(["config", "default"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn a_full_disk_is_an_error_of_the_system() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_mailseal")).args(["config", "show"]).stdout(full).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(3) && said.contains("cannot write"), "{said}");
}

/// The default directory of rules need not exist; one that the operator names must.
#[test]
fn a_directory_of_rules_that_is_named_is_required() {
    let required = |text: &str| {
        Loaded::parse(text, Path::new("m"), Path::new("")).unwrap().config.rules.dir_required
    };
    assert!(!required(""));
    assert!(!required("[rules]\nbody_bytes_max = 1"));
    assert!(required("[rules]\ndir = \"rules\""));
}
