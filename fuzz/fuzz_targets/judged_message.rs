//! A message through the whole pipeline, from a stranger, a relay or a user of ours, with all checks on
//! and rules that write what they find: what it changes are sound fields, what it says are lines, a
//! stranger's claims to our results are gone, and what is signed verifies as it leaves.
//!
//! The first octet says whose the message is, and whether the envelope is read from it, as that of stored
//! mail is.
#![no_main]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mailseal::auth::results::claims_authserv_id;
use mailseal::config::{Config, Loaded};
use mailseal::dkim::signing_key::{generate_ed25519, generate_rsa};
use mailseal::keys::state::Algorithm;
use mailseal::keys::{DomainName, Order, Policy, Store};
use mailseal::message::Draft;
use mailseal::message::envelope::{Client, Envelope};
use mailseal::message::file;
use mailseal::message::origin::Origin;
use mailseal::pipeline::Inspection;
use mailseal::replay::{Overrides, draft};
use mailseal::runtime::Runtime;
use mailseal::sign::NotSigned;
use mailseal::verdict::{Change, Disposition, Verdict};
use tempfile::TempDir;
use tokio::time::Instant;

const OURS: &str = "mx.example.org";
const NOW: u64 = 1_800_000_000;
const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const RELAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const CONFIG: &str = r#"
    identity = { authserv_id = "mx.example.org", local_domains = ["example.org"], trusted_relays = ["192.0.2.9"] }
    verify = { received_spf = true, dmarc_psl = true }
    arc = { seal = true, seal_domain = "example.com", trusted_sealers = ["example.org"] }
    policy = { dmarc = "quarantine", malformed_from = "tag", iprev_fail = "tag", temperror = "accept" }
    own_domain_spoof = { author = "tag", display_name = "tag" }
    backscatter = { delivered_to = "tag", report = "tag", notify_success = "tag" }
    dns = { servers = ["127.0.0.1:1"] }
"#;
const RULES: &str = r#"
    [[rule]]
    name = "found"
    about = "Writes what it finds."
    when = { header = "Subject", matches = '(?s)(.*)' }
    action = [
      { add_header = { name = "X-Below", value = "$1" } },
      { prepend = { name = "X-Above", value = "($1)" } },
      { subject_prefix = "[list] " },
    ]
    untested = "It is to write anything."

    [[rule]]
    name = "replaced"
    about = "Writes another value."
    when = { header = "X-Old*", matches = '(?s)(.+)' }
    action = [{ replace_header = { found = true, value = "new $1" } }, { remove_header = { name = "X-Gone" } }]
    untested = "It is to write anything."

    [[rule]]
    name = "refused"
    about = "Says what it finds."
    when = { body = '(?s)refuse(.+)' }
    action = "reject"
    reply = "no $1"
    untested = "It is to say anything."
"#;

static DIR: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));
static CONFIGURED: LazyLock<Config> = LazyLock::new(configured);

fuzz_target!(|data: &[u8]| {
    let Some((&first, octets)) = data.split_first() else { return };
    let mut threads = tokio::runtime::Builder::new_current_thread();
    // Time is simulated: what waits for an answer costs nothing.
    let threads = threads.enable_all().start_paused(true).build().expect("a thread");
    threads.block_on(async {
        let runtime = runtime(CONFIGURED.clone());
        let (draft, body) = drafted(&runtime.config, first, octets);
        let headers = draft.headers.clone();
        let verdict = judged(&runtime, draft, body.clone()).await;
        let is_delivered =
            matches!(verdict.disposition, Disposition::Accept | Disposition::Quarantine);
        let as_it_is = file::emit(&headers, &body, &[]);
        let (again, body_again) = parsed(&runtime.config, first, &as_it_is);
        // A bare LF in a field becomes CRLF, as the milter protocol has it, and may end the field then.
        if !is_delivered || again.headers != headers || body_again != body {
            return;
        }
        let leaves = file::emit(&headers, &body, &verdict.changes);
        if verdict.origin == Origin::Inbound {
            one_claim(&parsed(&runtime.config, first, &leaves).0, &verdict);
        } else if signatures(&verdict) > 0 {
            verifies(first, &leaves).await;
        }
    });
});

fn configured() -> Config {
    let keys = DIR.path().join("keys");
    let (ed25519, rsa) = (generate_ed25519(), generate_rsa(2048));
    for (domain, algorithm, pem) in
        [("example.org", Algorithm::Ed25519, ed25519), ("example.com", Algorithm::Rsa, rsa)]
    {
        let (store, domain) = (Store::new(&keys), DomainName::parse(domain).expect("a name"));
        store.add(&domain, None, algorithm, &pem.expect("a key"), NOW - 1).expect("a store");
        let order = Order::Activate { selector: None, force: true };
        store.order(&domain, &order, &Policy::default(), NOW - 1).expect("a key that signs");
    }
    fs::create_dir(DIR.path().join("rules")).expect("a directory");
    fs::write(DIR.path().join("rules/a.toml"), RULES).expect("a file");
    let path = DIR.path().join("mailseal.toml");
    Loaded::parse(CONFIG, &path, DIR.path()).expect("a configuration").config
}

fn runtime(config: Config) -> Arc<Runtime> {
    let mut runtime = Runtime::build(config).expect("a runtime");
    runtime.clock = Arc::new(|| NOW);
    Arc::new(runtime)
}

fn envelope(first: u8) -> Envelope {
    let (addr, auth_user) = match first % 4 {
        0 => (RELAY, None),
        1 => (STRANGER, Some("joe".to_owned())),
        _ => (STRANGER, None),
    };
    Envelope {
        client: Client { addr: Some(IpAddr::V4(addr)), name: Some("client.example.net".into()) },
        helo: Some("client.example.net".into()),
        mail_from: "a@example.net".into(),
        recipients: vec!["ann@example.org".into()],
        auth_user,
        queue_id: Some("4bXyz1".into()),
        ..Envelope::default()
    }
}

fn parsed(config: &Config, first: u8, octets: &[u8]) -> (Draft, Vec<u8>) {
    file::parse(octets, envelope(first), &config.limits)
}

fn drafted(config: &Config, first: u8, octets: &[u8]) -> (Draft, Vec<u8>) {
    if first & 4 == 0 {
        return parsed(config, first, octets);
    }
    let told = Overrides { auth_user: envelope(first).auth_user, ..Overrides::default() };
    draft(octets, &told, &config.identity, &config.limits)
}

async fn judged(runtime: &Arc<Runtime>, draft: Draft, body: Vec<u8>) -> Verdict {
    let begun = Instant::now();
    let verdict = Box::pin(Inspection::whole(runtime, draft, body)).await;
    assert!(begun.elapsed() <= runtime.config.limits.message + Duration::from_secs(1));
    // Folds are shown with their tabs.
    let shown = verdict.to_string();
    assert!(!shown.contains(|c: char| c.is_control() && !"\n\t".contains(c)), "{shown:?}");
    if let Some(reply) = &verdict.reply {
        let line = reply.to_string();
        assert!(
            line.len() < 500 && line.bytes().all(|octet| matches!(octet, b' '..=b'~')),
            "{line:?}"
        );
    }
    verdict.changes.iter().for_each(assert_sound);
    verdict
}

fn assert_sound(change: &Change) {
    let (name, value) = match change {
        Change::InsertHeader { name, value }
        | Change::AddHeader { name, value }
        | Change::ReplaceHeader { name, value, .. } => (name, value),
        Change::Quarantine { reason } => {
            assert!(reason.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{reason:?}");
            return;
        }
        _ => return,
    };
    assert!(name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':'), "{name:?}");
    for (number, line) in value.split("\r\n").enumerate() {
        assert!(number == 0 || line.starts_with([' ', '\t']), "{value:?}");
        assert!(!line.contains(['\n', '\0']), "{value:?}");
        let is_ours = !matches!(change, Change::ReplaceHeader { .. });
        assert!(
            !is_ours || line.bytes().all(|octet| matches!(octet, b'\t' | b' '..=b'~')),
            "{value:?}"
        );
    }
}

/// What leaves has one field that claims to be ours, which is the one that we wrote.
fn one_claim(leaves: &Draft, verdict: &Verdict) {
    let ours = [OURS.to_owned()];
    let results = leaves.headers.named("Authentication-Results");
    let claims = results.filter(|field| claims_authserv_id(field.value, &ours)).count();
    assert_eq!(claims, 1, "{verdict}");
}

/// A signature over the message as it is there is taken for one only where it verifies.
async fn verifies(first: u8, leaves: &[u8]) {
    let mut config = CONFIGURED.clone();
    config.rules.dir = DIR.path().join("no-rules");
    let runtime = runtime(config);
    let (draft, body) = parsed(&runtime.config, first, leaves);
    let verdict = judged(&runtime, draft, body).await;
    assert_eq!(signatures(&verdict), 0, "{verdict}");
    let labels: Vec<_> = verdict.not_signed.iter().map(NotSigned::label).collect();
    assert_eq!(labels, ["already-signed"], "{verdict}");
}

fn signatures(verdict: &Verdict) -> usize {
    let is_signature = |change: &&Change| matches!(change, Change::InsertHeader { name, .. } if name == "DKIM-Signature");
    verdict.changes.iter().filter(is_signature).count()
}
