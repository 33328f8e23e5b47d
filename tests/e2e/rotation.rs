//! A rotation while mail flows: real Postfix, real `named` with two secondaries of which one lags, and
//! OpenDKIM, which verifies every delivered message against what each name server shows: at its
//! delivery, and again when the old key's record is about to go.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mailseal::keys::{DomainName, Event, Policy, Selector, Store};
use mailseal::rotation::Rotation;
use mailseal::runtime::system_clock;

use crate::Test;
use crate::mailroom::Mailroom;
use crate::messages::message;
use crate::support::daemon::{Daemon, MAILSEAL};
use crate::support::named::{NameServers, Secondary, Zone};
use crate::support::postfix::{Postfix, Service};
use crate::support::process::{PATIENCE, run};
use crate::support::sink::{Delivery, Sink};
use crate::support::smtp::Client;
use crate::verifiers::{Records, opendkim_verify, read_records};

pub(crate) const TESTS: &[Test] =
    &[("rotation::every_message_verifies_wherever_its_key_is_asked", every_message_verifies)];

const DOMAIN: &str = "rotating.example";
/// The port that NS records mean.
const DNS_PORT: u16 = 53;
/// The first of the servers' addresses, 127.0.0.61.
const FIRST: u8 = 61;
/// How long mail flows while one server lags.
const LAG: Duration = Duration::from_secs(8);

struct Bench {
    dir: PathBuf,
    names: NameServers,
    daemon: Daemon,
    postfix: Postfix,
    sink: Sink,
    _scratch: tempfile::TempDir,
}

/// A message that arrived, and the selector that signed it.
struct Arrived {
    delivery: Delivery,
    selector: String,
}

impl Bench {
    fn open() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().to_owned();
        fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let zone = Zone { origin: DOMAIN, negative_ttl_secs: 2, records: "" };
        let secondaries = [Secondary::Prompt, Secondary::Lagging];
        let names = NameServers::start_at(FIRST, DNS_PORT, &[zone], &secondaries);
        let config = format!(
            "[identity]\nauthserv_id = \"mx.{DOMAIN}\"\n[dns]\nservers = [\"{}\"]\n\
             [watch]\npending_secs = 5\n",
            names.servers[0].addr
        );
        let daemon = Daemon::start(&dir, "rotating", &[], &config);
        let sink = Sink::start();
        let service =
            Service { name: "mx", milters: format!("inet:{}", daemon.addr), options: &[] };
        let at = dir.join("postfix");
        fs::create_dir(&at).unwrap();
        let postfix = Postfix::start(&at, &[service], &[], "", sink.addr);
        Self { dir, names, daemon, postfix, sink, _scratch: scratch }
    }

    fn mailseal(&self, args: &[&str]) -> String {
        let mut command = Command::new(MAILSEAL);
        let output = run(command.args(args).arg("--config").arg(self.dir.join("rotating.toml")));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Publishes records as `mailseal dns records` prints them; returns their selectors.
    fn publish(&self, printed: &str) -> Vec<String> {
        let keys = read_records(printed).into_iter();
        let keys = keys.filter(|(name, _)| name.contains("._domainkey."));
        let publish = |(name, text): (String, String)| {
            let strings: Vec<String> = text
                .as_bytes()
                .chunks(255)
                .map(|string| format!("\"{}\"", String::from_utf8_lossy(string)))
                .collect();
            self.names.update(&format!(
                "update delete {name} TXT\nupdate add {name} 60 TXT {}",
                strings.join(" ")
            ));
            name.split("._domainkey.").next().unwrap().to_owned()
        };
        keys.map(publish).collect()
    }

    /// The daemon has logged that this selector signs.
    fn await_signing(&self, selector: &str) {
        let give_up = Instant::now() + PATIENCE;
        while !self.daemon.log().contains(&format!("selectors={selector}")) {
            assert!(Instant::now() < give_up, "{selector} does not sign: {}", self.daemon.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends one message and awaits it.
    fn send(&self, number: usize) -> Arrived {
        let to = format!("r{number}@example.net");
        let from = format!("joe@{DOMAIN}");
        let mut client = Client::connect(self.postfix.addr("mx"), "e2e.test");
        client.send(&from, &to, &message(&from, "", &format!("Number {number}.\r\n"))).expect(250);
        let delivery = self.sink.delivery(&to);
        let signatures = delivery.values("DKIM-Signature");
        assert_eq!(signatures.len(), 1, "{}", delivery.header());
        let selector = signatures[0].split("s=").nth(1).unwrap().split(';').next().unwrap();
        Arrived { selector: selector.trim().to_owned(), delivery }
    }

    /// What each name server shows of a selector, as `dig` reads it.
    fn views(&self, selector: &str) -> Vec<Records> {
        let name = format!("{selector}._domainkey.{DOMAIN}");
        let view = |server: &crate::support::named::Named| {
            let mut dig = Command::new("dig");
            dig.arg(format!("@{}", server.addr.ip())).args(["+short", "+norecurse", "TXT", &name]);
            let output = String::from_utf8(run(&mut dig).stdout).unwrap();
            let text: String = output.split('"').skip(1).step_by(2).collect();
            vec![(name.clone(), text)]
        };
        self.names.servers.iter().map(view).collect()
    }

    fn assert_verifies_everywhere(&self, arrived: &Arrived, when: &str) {
        for (server, records) in self.views(&arrived.selector).iter().enumerate() {
            let results = opendkim_verify(&arrived.delivery.octets, records);
            assert!(
                results.contains("dkim=pass"),
                "{when}, by server {server}: {records:?}: {results}\n{}",
                arrived.delivery.header()
            );
        }
    }
}

fn every_message_verifies(_: &Mailroom) {
    let bench = Bench::open();
    let first = bench.publish(&bench.mailseal(&["keys", "generate", DOMAIN])).remove(0);
    bench.names.catch_up(2);
    bench.await_signing(&first);

    let is_over = AtomicBool::new(false);
    let (second, mail) = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut mail = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let arrived = bench.send(mail.len());
                bench.assert_verifies_everywhere(&arrived, "at its delivery");
                mail.push(arrived);
            }
            mail
        });
        let second = bench.publish(&bench.mailseal(&["keys", "rotate", DOMAIN])).remove(0);
        // The lagging server has nothing yet, so that nothing may be signed with the new key.
        thread::sleep(LAG);
        assert!(!bench.daemon.log().contains(&format!("selectors={second}")));
        bench.names.catch_up(2);
        bench.await_signing(&second);
        let after = bench.send(10_000);
        bench.assert_verifies_everywhere(&after, "after the rotation");
        is_over.store(true, Ordering::Relaxed);
        let mut mail = sender.join().unwrap();
        mail.push(after);
        (second, mail)
    });
    for selector in [&first, &second] {
        assert!(mail.iter().any(|arrived| arrived.selector == *selector), "none by {selector}");
    }
    at_the_end_of_retention(&bench, &mail, &first);
}

/// The lifecycle's time is an argument: a week passes in a moment.
fn at_the_end_of_retention(bench: &Bench, mail: &[Arrived], first: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rotation = Rotation {
        store: Store::new(store(&bench.dir)),
        policy: Policy::default(),
        publish: mailseal::config::Config::default().publish,
        authority: bench.names.authority(),
        via_resolver: false,
    };
    let domain = DomainName::parse(DOMAIN).unwrap();
    let end = system_clock() + rotation.policy.retention_secs();
    let step = |now| runtime.block_on(rotation.step(&domain, now)).unwrap().events;
    assert_eq!(step(end - 120), []);
    bench.publish(&bench.mailseal(&["dns", "records", DOMAIN]));
    bench.names.catch_up(2);
    for arrived in mail {
        bench.assert_verifies_everywhere(arrived, "at the end of retention");
    }
    let events = step(end + 120);
    let revoked = |event: &Event| matches!(event, Event::Revoked { selector, .. } if *selector == Selector::parse(first).unwrap());
    assert!(events.len() == 1 && revoked(&events[0]), "{events:?}");
}

fn store(dir: &Path) -> PathBuf {
    dir.join("keys")
}
