//! Debian's `miltertest` plays MTAs to a daemon that serves: the scripts of `tests/miltertest/`, each
//! named after what it proves. After each of them the daemon serves the next connection, and has found
//! no fault of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use support::daemon::{Daemon, MAILSEAL};
use support::dns::DnsServer;
use support::milter::{Mail, Mta};
use support::process::run;
use support::zone::Zone;

const MILTERTEST: &str = "/usr/bin/miltertest";
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/miltertest");
/// What DNS says: one author domain has its mail refused where it is forged.
const ZONE: &str = "net SOA 300\norg SOA 300\nstrict.example SOA 300\n\
                    _dmarc.strict.example TXT \"v=DMARC1; p=reject\"\n";

/// The scripts, by name.
fn scripts() -> Vec<PathBuf> {
    let files = fs::read_dir(SCRIPTS).unwrap().map(|file| file.unwrap().path());
    let mut scripts: Vec<_> =
        files.filter(|path| path.extension() == Some("lua".as_ref())).collect();
    scripts.sort();
    scripts
}

/// A daemon that signs for example.org, refuses what DMARC lets it refuse, and has the scripts' rules.
fn start(dir: &Path, dns: &DnsServer) -> Daemon {
    let config = format!(
        "[identity]\nauthserv_id = \"mx.example.org\"\ntrusted_networks = [\"127.0.0.1/32\"]\n\
         [dns]\nservers = [\"{}\"]\n[policy]\ndmarc = \"reject\"\n[rules]\ndir = \"{SCRIPTS}/rules\"\n",
        dns.addr
    );
    let path = dir.join("keys.toml");
    fs::write(&path, "[sign]\n").unwrap();
    for args in [["generate", "example.org"], ["activate", "example.org"]] {
        let mut keys = Command::new(MAILSEAL);
        keys.arg("keys").args(args).arg("--config").arg(&path);
        if args[0] == "activate" {
            keys.arg("--force");
        }
        run(&mut keys);
    }
    Daemon::start(dir, "scripted", &[], &config)
}

/// What is wrong after a script, if anything.
fn fault(script: &Path, daemon: &Daemon) -> Option<String> {
    let mut miltertest = Command::new(MILTERTEST);
    // By TCP each of its events would wait for a delayed acknowledgement.
    let socket = format!("socket=unix:{}", daemon.socket.display());
    let (lib, run) = (format!("lib={SCRIPTS}/lib"), format!("{SCRIPTS}/lib/run.lua"));
    let script = format!("script={}", script.display());
    miltertest.args(["-D", &socket, "-D", &lib, "-D", &script, "-s", &run]);
    let ran = miltertest.output().unwrap();
    let next = Mta::connect(daemon.addr).and_then(|mut mta| mta.deliver(&Mail::default()));
    match next {
        _ if !ran.status.success() => Some(String::from_utf8_lossy(&ran.stderr).into_owned()),
        Ok(outcome) if outcome.disposition == "accept" => None,
        other => Some(format!("the next connection: {other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_of_callbacks() {
    if !Path::new(MILTERTEST).exists() {
        let is_required = env::var_os("MAILSEAL_PEERS_REQUIRED").is_some_and(|value| value == "1");
        assert!(!is_required, "there is no {MILTERTEST}, which tests/install installs");
        println!("scripts left out: there is no {MILTERTEST}, which tests/install installs");
        return;
    }
    let (dir, dns) = (tempfile::tempdir().unwrap(), DnsServer::start(Zone::parse(ZONE)).await);
    let daemon = start(dir.path(), &dns);
    let scripts = scripts();
    assert!(scripts.len() >= 15, "{scripts:?}");
    let faults = scripts.iter().filter_map(|script| {
        let fault = fault(script, &daemon)?;
        Some(format!("{}: {fault}", script.display()))
    });
    let faults: Vec<_> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let log = daemon.log();
    assert!(!log.contains("internal error") && !log.contains("panicked"), "{log}");
    // To the MTA a connection that ends and one that is silent look alike.
    assert_eq!(log.matches("a second client on one connection").count(), 7, "{log}");
}
