//! Rotation against Debian's `named`: a primary, a secondary that follows and one that lags.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use mailseal::dkim::record::dns_text;
use mailseal::dns::Resolver;
use mailseal::keys::domain::record_name;
use mailseal::keys::event::Grounds;
use mailseal::keys::state::{Algorithm, KeyState};
use mailseal::keys::{DomainName, Event, Order, Policy, Selector, Store};
use mailseal::rotation::Rotation;
use mailseal::rotation::drift::{Policies, Watched};
use support::named::{NameServers, Secondary, Zone};
use support::process::PATIENCE;
use tempfile::TempDir;

const NEGATIVE_SECS: u64 = 300;
/// What a look may take on a busy machine: the lifecycle's time goes on meanwhile.
const LOOK_SECS: u64 = 60;

struct Bench {
    _root: TempDir,
    servers: NameServers,
    rotation: Rotation,
    domain: DomainName,
    /// The time of the lifecycle; DNS has its own.
    now: u64,
}

impl Bench {
    fn new(secondaries: &[Secondary]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let zone = Zone {
            origin: "example.org",
            negative_ttl_secs: 300,
            records: "_dmarc TXT \"v=DMARC1; p=none\"\n@ TXT \"v=spf1 -all\"",
        };
        let servers = NameServers::start(&[zone], secondaries);
        let rotation = Rotation {
            store: Store::new(root.path()),
            policy: Policy { algorithms: vec![Algorithm::Ed25519], ..Policy::default() },
            publish: mailseal::config::Config::default().publish,
            authority: servers.authority(),
            via_resolver: false,
        };
        let domain = DomainName::parse("example.org").unwrap();
        Self { _root: root, servers, rotation, domain, now: 1_800_000_000 }
    }

    fn make(&self) -> Selector {
        if self.rotation.store.domains().unwrap().0.is_empty() {
            let pem = mailseal::dkim::signing_key::generate_ed25519().unwrap();
            let store = &self.rotation.store;
            return store.add(&self.domain, None, Algorithm::Ed25519, &pem, self.now).unwrap();
        }
        let order = Order::Rotate(None);
        let policy = &self.rotation.policy;
        match &self.rotation.store.order(&self.domain, &order, policy, self.now).unwrap()[..] {
            [Event::Made { selector, .. }] => selector.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// An update of the primary, as an operator does it.
    fn publish(&self, verb: &str, selector: &Selector) {
        let (keys, _) = self.rotation.store.keys(&self.domain).unwrap();
        let key = keys.iter().find(|key| key.selector() == selector).unwrap();
        let public_key = key.signing_key().unwrap().public_key();
        let text = dns_text(key.algorithm().into(), &public_key, false, false);
        let name = record_name(selector, &self.domain).unwrap();
        self.servers.update(&format!("update {verb} {name} 60 TXT \"{text}\""));
    }

    /// Steps at the same time until the servers show `wanted`, in the order of their names.
    async fn step_until(&self, selector: &Selector, wanted: &str) -> Vec<Event> {
        let give_up = Instant::now() + PATIENCE;
        let mut events = Vec::new();
        loop {
            let step = self.rotation.step(&self.domain, self.now).await.unwrap();
            events.extend(step.events);
            let look = step.looks.iter().find(|look| look.selector == *selector).unwrap();
            let mut shown = String::new();
            for (_, shows) in look.servers() {
                write!(shown, "{shows:?} ").unwrap();
            }
            if shown.trim_end() == wanted {
                return events;
            }
            assert!(Instant::now() < give_up, "{shown}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn step(&mut self, secs: u64) -> Vec<Event> {
        self.now += secs;
        self.rotation.step(&self.domain, self.now).await.unwrap().events
    }

    fn states(&self) -> Vec<KeyState> {
        let state = self.rotation.store.state(&self.domain).unwrap();
        state.keys.iter().map(|key| key.state).collect()
    }
}

#[tokio::test]
async fn a_key_signs_once_the_last_server_shows_it_and_nobody_remembers_that_there_was_none() {
    let mut bench = Bench::new(&[Secondary::Prompt, Secondary::Lagging]);
    let first = bench.make();
    assert!(bench.step_until(&first, "Wrong Wrong Wrong").await.is_empty());
    bench.publish("add", &first);
    assert!(bench.step_until(&first, "Right Right Wrong").await.is_empty());
    assert!(bench.step(2 * NEGATIVE_SECS).await.is_empty(), "one server lags");
    bench.servers.catch_up(2);
    assert!(bench.step_until(&first, "Right Right Right").await.is_empty());
    assert!(bench.step(NEGATIVE_SECS - LOOK_SECS).await.is_empty(), "resolvers may remember");
    let signs = |selector: &Selector, retired: Option<&Selector>, grounds| {
        let (selector, retired) = (selector.clone(), retired.cloned());
        vec![Event::Activated { selector, retired, grounds }]
    };
    assert_eq!(bench.step(2 * LOOK_SECS).await, signs(&first, None, Grounds::Seen));

    // A secondary dies: it is waited for, and then no longer.
    let second = bench.make();
    bench.servers.stop(1);
    bench.publish("add", &second);
    bench.servers.catch_up(2);
    assert!(bench.step_until(&second, "Right Silent Right").await.is_empty());
    let waiver_secs = bench.rotation.policy.waiver_secs;
    assert!(bench.step(waiver_secs - LOOK_SECS).await.is_empty());
    let waived = Grounds::Waived(vec!["ns2.example.org".to_owned()]);
    assert_eq!(bench.step(2 * LOOK_SECS).await, signs(&second, Some(&first), waived));
    assert_eq!(bench.states(), [KeyState::Retiring, KeyState::Active]);

    // The old record stays until all mail is delivered, is emptied, and goes with its key.
    let retention_secs = bench.rotation.policy.retention_secs();
    assert!(bench.step(retention_secs - LOOK_SECS).await.is_empty());
    assert!(matches!(bench.step(2 * LOOK_SECS).await[..], [Event::Revoked { .. }]));
    let revoked_secs = bench.rotation.policy.revoked_secs;
    assert_eq!(bench.step(revoked_secs + LOOK_SECS).await, [Event::Removed(first.clone())]);
    assert_eq!(bench.states(), [KeyState::Removed, KeyState::Active]);
    assert!(!bench.rotation.store.pem_path(&bench.domain, &first).exists());
}

#[tokio::test]
async fn a_machine_that_is_not_the_primary_writes_nothing() {
    let mut bench = Bench::new(&[]);
    let first = bench.make();
    bench.publish("add", &first);
    bench.rotation.policy.primary = false;
    let before = bench.rotation.store.state(&bench.domain).unwrap();
    assert!(bench.step_until(&first, "Right").await.is_empty());
    assert!(bench.step(NEGATIVE_SECS).await.is_empty());
    assert_eq!(bench.rotation.store.state(&bench.domain).unwrap(), before);
    bench.rotation.policy.primary = true;
    bench.step(0).await;
    assert!(matches!(bench.step(NEGATIVE_SECS + LOOK_SECS).await[..], [Event::Activated { .. }]));
}

#[tokio::test]
async fn a_resolver_is_asked_where_port_53_is_closed() {
    let mut bench = Bench::new(&[]);
    let first = bench.make();
    bench.publish("add", &first);
    bench.rotation.authority = bench.servers.authority().with_port(1);
    bench.rotation.via_resolver = true;
    assert!(bench.step_until(&first, "Right").await.is_empty());
    assert!(matches!(bench.step(NEGATIVE_SECS + LOOK_SECS).await[..], [Event::Activated { .. }]));
}

#[tokio::test]
async fn records_that_drift_are_told_once_and_so_is_their_return() {
    let bench = Bench::new(&[]);
    let first = bench.make();
    let order = Order::Activate { selector: None, force: true };
    bench.rotation.store.order(&bench.domain, &order, &bench.rotation.policy, 1).unwrap();
    let mut watched = Watched::default();
    let mut look = async |authority| {
        let rotation = Rotation { authority, ..bench.rotation.clone() };
        // A cache of its own for each look: days pass between them.
        let resolver = Resolver::new(&bench.servers.settings()).unwrap();
        let dns = resolver.until(tokio::time::Instant::now() + PATIENCE);
        let policies = Policies::ask(&dns, &bench.domain).await;
        let looks = rotation.look(&bench.domain).await.unwrap();
        watched.compare(&bench.domain, &looks, policies)
    };
    let missing = look(bench.servers.authority()).await;
    assert_eq!(missing.lost, std::slice::from_ref(&first));
    assert!(missing.news[0].contains("there is no record"), "{:?}", missing.news);
    assert!(look(bench.servers.authority()).await.news.is_empty(), "told once");
    let silent = look(bench.servers.authority().with_port(1)).await;
    assert_eq!(silent.lost, std::slice::from_ref(&first), "silence does not bring it back");
    assert!(silent.news.is_empty() && silent.mended.is_empty(), "{silent:?}");
    bench.publish("add", &first);
    let back = look(bench.servers.authority()).await;
    assert_eq!((back.mended, back.lost.len(), back.faults), (missing.news, 0, 0));
    let name = record_name(&first, &bench.domain).unwrap();
    bench.servers.update(&format!("update add {name} 60 TXT \"v=DKIM1; p=\""));
    let doubled = look(bench.servers.authority()).await;
    assert!(doubled.news[0].contains("there are 2 records"), "{:?}", doubled.news);
    bench.servers.update("update delete _dmarc.example.org TXT");
    let lost = look(bench.servers.authority()).await;
    assert_eq!(lost.news, ["_dmarc.example.org: the DMARC record is lost; publish it again"]);
    bench.servers.update("update add _dmarc.example.org 60 TXT \"v=DMARC1; p=none\"");
    bench.servers.update("update delete example.org TXT");
    bench.servers.update("update add example.org 60 TXT \"v=spf1 +all\"");
    let changed = look(bench.servers.authority()).await;
    assert_eq!(changed.mended, lost.news);
    let said = "example.org: the SPF record has changed from v=spf1 -all to v=spf1 +all";
    assert_eq!((changed.news, changed.faults), (vec![said.to_owned()], 2));
    let after = look(bench.servers.authority()).await;
    assert!(after.news.is_empty() && after.mended.is_empty() && after.faults == 1, "{after:?}");
}

#[tokio::test]
async fn what_is_due_is_published_where_that_is_set_up() {
    let mut bench = Bench::new(&[]);
    bench.rotation.publish.server = Some(bench.servers.servers[0].addr);
    bench.rotation.publish.key_file = Some(bench.servers.key_file.clone());
    // TSIG looks at the clock (RFC 8945 §5.2.3).
    bench.now = mailseal::runtime::system_clock();
    let first = bench.make();
    bench.step(0).await;
    bench.step_until(&first, "Right").await;
    let order = Order::Activate { selector: None, force: true };
    let policy = bench.rotation.policy.clone();
    let store = bench.rotation.store.clone();
    store.order(&bench.domain, &order, &policy, bench.now - policy.retention_secs() - 10).unwrap();
    let second = bench.make();
    store.order(&bench.domain, &order, &policy, bench.now - policy.retention_secs() - 5).unwrap();
    assert_eq!(bench.states(), [KeyState::Retiring, KeyState::Active]);
    bench.step(0).await;
    bench.step_until(&second, "Right").await;
    assert_eq!(bench.states(), [KeyState::Revoked, KeyState::Active]);
    let name = record_name(&first, &bench.domain).unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let shown = bench.rotation.authority.txt(&name, deadline).await.unwrap();
    assert_eq!(shown.servers[0].answer.records()[0].text(), b"v=DKIM1; k=ed25519; p=");
    bench.rotation.publish.key_file = Some("/nowhere".into());
    bench.make();
    let step = bench.rotation.step(&bench.domain, bench.now).await.unwrap();
    let error = step.published.unwrap_err().to_string();
    assert!(error.starts_with("/nowhere: "), "{error}");
}

#[tokio::test]
async fn status_says_what_each_server_shows_and_what_to_do() {
    let mut bench = Bench::new(&[Secondary::Prompt, Secondary::Lagging]);
    let first = bench.make();
    bench.publish("add", &first);
    bench.step_until(&first, "Right Right Wrong").await;
    bench.servers.stop(1);
    let give_up = Instant::now() + PATIENCE;
    let text = loop {
        let status = bench.rotation.status(&bench.domain, true, bench.now).await;
        assert!(status.wants_attention());
        if status.to_string().contains("ns2.example.org: silent") {
            break status.to_string();
        }
        assert!(Instant::now() < give_up, "{status}");
    };
    // DMARC and SPF are there; the server that lags had them from the start.
    assert!(!text.contains("DMARC") && !text.contains("SPF"), "{text}");
    for line in [
        "ns1.example.org: right",
        "ns2.example.org: silent (no answer in time)",
        "ns3.example.org: wrong (there is no record)",
        "to do: publish its record (mailseal dns records example.org): it is not right at \
         ns3.example.org",
    ] {
        assert!(text.contains(line), "{text}\nlacks {line}");
    }
    let order = Order::Activate { selector: None, force: true };
    bench.rotation.store.order(&bench.domain, &order, &bench.rotation.policy, bench.now).unwrap();
    std::fs::remove_file(bench.rotation.store.pem_path(&bench.domain, &first)).unwrap();
    let status = bench.rotation.status(&bench.domain, false, bench.now + 86_400).await;
    bench.servers.update("update delete _dmarc.example.org TXT");
    bench.rotation.publish.spf_record = Some("v=spf1 mx -all".to_owned());
    let drifted = bench.rotation.status(&bench.domain, true, bench.now).await.to_string();
    for line in ["DMARC: ns1.example.org", "there is no record", "SPF: ns1.example.org"] {
        assert!(drifted.contains(line), "{drifted}\nlacks {line}");
    }
    let key = &status.keys[0];
    assert_eq!((key.state, key.age_secs, key.next), (KeyState::Active, 86_400, "rotate"));
    assert!(status.problems[0].contains(".pem: missing"), "{:?}", status.problems);
}
