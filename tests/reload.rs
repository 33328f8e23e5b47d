//! SIGHUP: a new configuration is taken whole or not at all, and no message notices.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mailseal::dkim::signing_key::generate_ed25519;
use mailseal::keys::state::Algorithm;
use mailseal::keys::{DomainName, Order, Policy, Selector, Store};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::daemon::{Daemon, MAILSEAL};
use support::milter::{Edit, Mail, Mta};
use support::named::{NameServers, Zone};
use support::process::PATIENCE;

const RELOADS: usize = 200;

/// A configuration that shows in the results field and in the tag.
fn config(dir: &Path, name: &str) -> String {
    let rules = dir.join(name);
    fs::create_dir_all(&rules).unwrap();
    let rule = format!(
        "[[rule]]\nname = \"{name}\"\nabout = \"marks the configuration\"\naction = \"tag\"\n\
         [rule.when]\nheader = \"Subject\"\nmatches = \"reload\"\n\
         [rule.examples]\nhit = [\"Subject: reload\\n\\n\"]\nmiss = [\"Subject: x\\n\\n\"]\n"
    );
    fs::write(rules.join("mark.toml"), rule).unwrap();
    format!(
        "[identity]\nauthserv_id = \"{name}.example.org\"\n[dns]\nservers = [\"127.0.0.1:1\"]\n\
         timeout_secs = 1\n[rules]\ndir = \"{}\"\n",
        rules.display()
    )
}

fn mail() -> Mail<'static> {
    let headers = vec![
        (b"From".to_vec(), b" joe@example.org".to_vec()),
        (b"Subject".to_vec(), b" reload".to_vec()),
    ];
    Mail { headers, ..Mail::default() }
}

/// The configurations that the edits show: one, if nothing is mixed.
fn shown(edits: &[Edit]) -> Vec<String> {
    let mut shown = Vec::new();
    for edit in edits {
        if let Edit::Insert(_, name, value) = edit {
            let end = if name == "X-Mailseal-Tag" { "" } else { ".example.org" };
            let names = ["first", "second"].into_iter();
            shown.extend(names.filter(|name| value.trim().starts_with(&format!("{name}{end}"))));
        }
    }
    shown.into_iter().map(str::to_owned).collect()
}

fn rewrite(daemon: &Daemon, dir: &Path, config: &str) {
    let path = dir.join("serve.toml");
    let before = fs::read_to_string(&path).unwrap();
    // Its [milter], which the test did not write.
    let milter: Vec<&str> = before.lines().take(3).collect();
    fs::write(dir.join("new"), format!("{}\n{config}", milter.join("\n"))).unwrap();
    fs::rename(dir.join("new"), path).unwrap();
    kill(Pid::from_raw(daemon.id().cast_signed()), Signal::SIGHUP).unwrap();
}

fn await_count(daemon: &Daemon, text: &str, count: usize) {
    await_until(text, || daemon.log().matches(text).count() >= count);
}

fn await_until(what: &str, condition: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "no {what} in time");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn two_hundred_reloads_under_load_lose_and_mix_no_message() {
    let dir = tempfile::tempdir().unwrap();
    let configs = [config(dir.path(), "first"), config(dir.path(), "second")];
    let daemon = Daemon::start(dir.path(), "serve", &[], &configs[0]);
    let (is_over, delivered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let seen: Vec<Vec<String>> = thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut mta = Mta::connect(daemon.addr).unwrap();
                    mta.session(&mail()).unwrap();
                    let mut seen = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        mta.transaction(&mail()).unwrap();
                        let outcome = mta.end().unwrap();
                        assert_eq!(outcome.disposition, "accept");
                        seen.push(shown(&outcome.edits).join(" "));
                        delivered.fetch_add(1, Ordering::Relaxed);
                    }
                    seen
                })
            })
            .collect();
        for reload in 1..=RELOADS {
            rewrite(&daemon, dir.path(), &configs[reload % 2]);
            await_count(&daemon, "reloaded", reload);
            let enough = delivered.load(Ordering::Relaxed) + 4;
            await_until("messages", || delivered.load(Ordering::Relaxed) >= enough);
        }
        is_over.store(true, Ordering::Relaxed);
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let seen = seen.concat();
    for name in ["first", "second"] {
        assert!(seen.iter().any(|shown| shown.contains(name)), "{} messages", seen.len());
    }
    // The results field and the tag, of one configuration.
    let is_whole = |shown: &&String| ["first first", "second second"].contains(&shown.as_str());
    let mixed: Vec<_> = seen.iter().filter(|shown| !is_whole(shown)).collect();
    assert!(mixed.is_empty(), "{} of {}: {mixed:?}", mixed.len(), seen.len());
}

#[test]
fn what_is_broken_is_refused_and_the_old_stays() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), "serve", &[], &config(dir.path(), "first"));
    let serves = |name: &str| {
        let outcome = Mta::connect(daemon.addr).unwrap().deliver(&mail()).unwrap();
        assert!(shown(&outcome.edits).iter().any(|shown| shown == name), "{:?}", outcome.edits);
    };
    rewrite(&daemon, dir.path(), "[polcy]\n[sign]\nlocal = 3\n");
    await_count(&daemon, "reload refused", 1);
    await_count(&daemon, "serve.toml:4:2: unknown section", 1);
    await_count(&daemon, "serve.toml:6:9: sign.local", 1);
    serves("first");
    let second = config(dir.path(), "second");
    fs::write(dir.path().join("second/mark.toml"), "[[rule]]\nname = 7\n").unwrap();
    rewrite(&daemon, dir.path(), &second);
    await_count(&daemon, "reload refused", 2);
    serves("first");
    let second = config(dir.path(), "second") + "[telemetry]\nmetrics = \"127.0.0.1:1\"\n";
    rewrite(&daemon, dir.path(), &second);
    await_count(&daemon, "telemetry.metrics has changed: this takes a restart", 1);
    await_count(&daemon, "reloaded", 1);
    serves("second");
}

/// As at start, and not at each reload again.
#[test]
fn what_a_reload_makes_ineffective_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "first");
    let daemon = Daemon::start(dir.path(), "serve", &[], &config);
    let told = "mail that example.org is to sign by sign.map is not signed";
    let sealing = "nothing is sealed: there is no active RSA key for example.org";
    assert!(!daemon.log().contains(told) && !daemon.log().contains(sealing));
    let mapped = "[[sign.map]]\nfrom = \"*.example.org\"\ndomain = \"example.org\"\n";
    let sealed = "[arc]\nseal = true\nseal_domain = \"example.org\"\n";
    rewrite(&daemon, dir.path(), &format!("{config}{mapped}"));
    await_count(&daemon, "reloaded", 1);
    rewrite(&daemon, dir.path(), &format!("{config}{mapped}{sealed}"));
    await_count(&daemon, "reloaded", 2);
    let count = |text| daemon.log().matches(text).count();
    assert_eq!((count(told), count(sealing)), (1, 1), "{}", daemon.log());
}

#[test]
fn a_key_that_must_not_sign_does_not_after_a_reload_with_another_key_directory() {
    let dir = tempfile::tempdir().unwrap();
    let zone = Zone { origin: "example.org", negative_ttl_secs: 300, records: "" };
    let names = NameServers::start(&[zone], &[]);
    let (store, pem) = (Store::new(dir.path().join("keys")), generate_ed25519().unwrap());
    let (domain, selector) = (DomainName::parse("example.org"), Selector::parse("k").unwrap());
    let domain = domain.unwrap();
    store.add(&domain, Some(selector), Algorithm::Ed25519, &pem, 1).unwrap();
    let order = Order::Activate { selector: None, force: true };
    store.order(&domain, &order, &Policy::default(), 2).unwrap();
    // Another name, and the same files, so that only the reload tells.
    symlink(dir.path().join("keys"), dir.path().join("link")).unwrap();
    let config = |keys: &str| {
        format!(
            "[identity]\nauthserv_id = \"mx.example.org\"\n[dns]\nservers = [\"{}\"]\n\
             [sign]\nkeys = \"{}\"\n[watch]\nvia_resolver = true\non_lost_record = \"stop\"\n",
            names.servers[0].addr,
            dir.path().join(keys).display()
        )
    };
    let daemon = Daemon::start(dir.path(), "serve", &[], &config("keys"));
    await_count(&daemon, "k stops signing until its record is back", 1);
    await_count(&daemon, "selectors=none", 1);
    rewrite(&daemon, dir.path(), &config("link"));
    await_count(&daemon, "k stops signing until its record is back", 2);
    await_count(&daemon, "selectors=none", 2);
}

#[test]
fn a_client_that_a_reload_makes_a_stranger_is_judged_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let strict = config(dir.path(), "first");
    let trusting = strict.replace("[dns]", "trusted_networks = [\"192.0.2.0/24\"]\n[dns]");
    let daemon = Daemon::start(dir.path(), "serve", &[], &trusting);
    let mut mta = Mta::connect(daemon.addr).unwrap();
    mta.session(&mail()).unwrap();
    let mut shows_iprev = || {
        mta.transaction(&mail()).unwrap();
        let edits = mta.end().unwrap().edits;
        edits
            .iter()
            .any(|edit| matches!(edit, Edit::Insert(_, _, value) if value.contains("iprev=pass")))
    };
    assert!(!shows_iprev(), "its network is trusted");
    rewrite(&daemon, dir.path(), &strict);
    await_count(&daemon, "reloaded", 1);
    assert!(shows_iprev());
}

#[test]
fn keys_that_are_not_there_do_not_take_the_place_of_those_that_are() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "first");
    let daemon = Daemon::start(dir.path(), "serve", &[], &config);
    for args in [&["generate"][..], &["activate", "--force"]] {
        let mut keys = Command::new(MAILSEAL);
        keys.arg("keys").args(args).args(["example.org", "--config"]);
        assert!(keys.arg(dir.path().join("serve.toml")).output().unwrap().status.success());
    }
    await_count(&daemon, "the keys that sign have changed", 1);
    rewrite(&daemon, dir.path(), &format!("{config}[sign]\nkeys = \"nowhere\"\n"));
    await_count(&daemon, "sign.keys: no key can be read there", 1);
    let ours = Mail { client_addr: "127.0.0.1", ..mail() };
    let outcome = Mta::connect(daemon.addr).unwrap().deliver(&ours).unwrap();
    let is_signature =
        |edit: &Edit| matches!(edit, Edit::Insert(_, name, _) if name == "DKIM-Signature");
    assert!(outcome.edits.iter().any(is_signature), "{:?}", outcome.edits);
}
