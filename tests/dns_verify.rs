//! `mailseal dns verify` against what Debian's `named` serves: each fault is found, and named.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use mailseal::keys::state::Algorithm;
use serde_json::Value;
use support::named::{NameServers, Secondary, Zone};
use support::operator::{Operator, Ran};

const EXAMPLE: Zone<'static> =
    Zone { origin: "example.org", negative_ttl_secs: 5, records: "www A 192.0.2.1" };

const RIGHT: &str = "right on ns1.example.org";

/// The text of each record that the operator is to publish.
fn texts(operator: &Operator) -> Vec<(String, String)> {
    let ran = operator.run(&["dns", "records", "example.org", "--format", "json"]);
    let records: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let text = |record: &Value, key: &str| record[key].as_str().unwrap().to_owned();
    records.iter().map(|record| (text(record, "name"), text(record, "value"))).collect()
}

fn publish(servers: &NameServers, name: &str, ttl: u32, value: &str) {
    servers.update(&format!("update add {name} {ttl} TXT {value}"));
}

fn has(ran: &Ran, parts: &[&str]) {
    let line = ran.out.lines().find(|line| parts.iter().all(|part| line.contains(part)));
    assert!(line.is_some(), "{parts:?}: {ran:?}");
}

#[test]
fn each_fault_is_named_with_its_remedy() {
    let servers = NameServers::start(&[EXAMPLE], &[]);
    let operator = Operator::of(&servers, "");
    for n in 1..=9 {
        operator.add("example.org", &format!("s{n}"), Algorithm::Ed25519);
    }
    let texts = texts(&operator);
    let (right, foreign) = (|n: usize| texts[n - 1].1.clone(), texts[8].1.clone());
    let name = |n: usize| texts[n - 1].0.clone();
    publish(&servers, &name(1), 300, &format!("\"{}\"", right(1)));
    // 2 is missing.
    publish(&servers, &name(3), 300, &format!("\"{foreign}\""));
    publish(&servers, &name(4), 300, &format!("\"{}\"", right(4)));
    publish(&servers, &name(4), 300, "\"v=DKIM1; p=\"");
    publish(&servers, &name(5), 300, &format!("\"\\\"{}\\\"\"", right(5)));
    let blanks = right(6);
    let (start, end) = blanks.split_at(40);
    publish(&servers, &name(6), 300, &format!("\"{start}\" \" {end}\""));
    publish(&servers, &name(7), 864_000, &format!("\"{}\"", right(7)));
    publish(
        &servers,
        &name(8),
        300,
        &format!("\"{}\"", right(8).replace("v=DKIM1;", "v=DKIM1; t=y;")),
    );
    publish(&servers, &name(9), 300, "\"v=DKIM1; k=ed25519; p=\"");

    let ran = operator.run(&["dns", "verify", "example.org"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    has(&ran, &[&name(1), RIGHT]);
    has(&ran, &["ns1.example.org (127.0.0.21:", &name(2), "no record", "publish the record"]);
    has(&ran, &["ns1.example.org", &name(3), "the record differs", &foreign, "replace"]);
    has(&ran, &["ns1.example.org", &name(4), "2 records", "leave one"]);
    has(&ran, &["ns1.example.org", &name(5), "quotes or backslashes", "zone editor"]);
    has(&ran, &["ns1.example.org", &name(6), "split by blanks", "join"]);
    has(&ran, &["ns1.example.org", &name(7), "864000 seconds", "604800", "lower"]);
    has(&ran, &["ns1.example.org", &name(8), "t=y", "remove that tag"]);
    has(&ran, &["ns1.example.org", &name(9), "revoked here", "publish the record again"]);
    // The resolver is asked, too, and named by its address.
    has(&ran, &[&format!("{}: {}", servers.servers[0].addr, name(2)), "no record"]);

    let via = operator.run(&["dns", "verify", "example.org", "--via-resolver"]);
    assert_eq!(via.code, Some(1), "{via:?}");
    assert!(!via.out.contains("ns1.example.org"), "{via:?}");
}

#[test]
fn servers_that_lag_or_are_dead_are_named() {
    let mut servers = NameServers::start(&[EXAMPLE], &[Secondary::Lagging, Secondary::Prompt]);
    let operator = Operator::of(&servers, "");
    operator.add("example.org", "s1", Algorithm::Rsa);
    let (name, text) = texts(&operator).remove(0);
    let (start, end) = text.split_at(255);
    publish(&servers, &name, 300, &format!("\"{start}\" \"{end}\""));
    let ran = operator.run(&["dns", "verify", "example.org"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    has(&ran, &["ns2.example.org", &name, "no record"]);
    servers.catch_up(1);
    let mut ran = operator.run(&["dns", "verify", "example.org"]);
    for _ in 0..50 {
        if ran.code == Some(0) {
            break;
        }
        ran = operator.run(&["dns", "verify", "example.org"]);
    }
    assert_eq!(ran.code, Some(0), "{ran:?}");
    has(&ran, &[&name, "right on ns1.example.org, ns2.example.org, ns3.example.org"]);

    servers.stop(2);
    let ran = operator.run(&["dns", "verify", "example.org"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    has(&ran, &["ns3.example.org", &name, "no answer in time", "mend the server"]);
    servers.stop(0);
    servers.stop(1);
    let ran = operator.run(&["dns", "verify", "example.org"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("DNS failed"), "{ran:?}");
}

/// A resolver has no NS record that could be removed.
#[test]
fn a_resolver_that_is_down_is_told_as_one() {
    let down = support::process::free_port();
    let operator =
        Operator::new(&format!("[dns]\nservers = [\"127.0.0.1:{down}\"]\ntimeout_secs = 1\n"));
    operator.add("example.org", "s1", Algorithm::Ed25519);
    let ran = operator.run(&["dns", "verify", "example.org", "--via-resolver"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let said = "mend this resolver, or name another in dns.servers";
    assert!(ran.err.contains(&format!("127.0.0.1:{down}: ")) && ran.err.contains(said), "{ran:?}");
    assert!(!ran.err.contains("NS record"), "{ran:?}");
}

/// Some firewalls let only UDP through to port 53.
#[test]
fn a_truncated_answer_is_a_fault() {
    let servers = NameServers::start(&[EXAMPLE], &[]);
    let operator = Operator::of(&servers, "");
    operator.add("example.org", "s1", Algorithm::Ed25519);
    let (name, text) = texts(&operator).remove(0);
    publish(&servers, &name, 300, &format!("\"{text}\""));
    for n in 0..6 {
        publish(&servers, &name, 300, &format!("\"{n}{}\"", "x".repeat(240)));
    }
    servers.servers[0].close_tcp();
    let ran = operator.run(&["dns", "verify", "example.org"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    has(&ran, &["ns1.example.org", &name, "too long for UDP", "TCP on port 53"]);
}

#[test]
fn policies_are_verified_with_the_keys() {
    let servers = NameServers::start(&[EXAMPLE], &[]);
    let operator = Operator::of(
        &servers,
        "dmarc_record = \"v=DMARC1; p=none; rua=mailto:a@example.org\"\n\
         spf_record = \"v=spf1 mx -all\"\n",
    );
    publish(&servers, "example.org", 300, "\"something else\"");
    publish(&servers, "example.org", 300, "\"v=spf1  MX  -all\"");
    publish(&servers, "_dmarc.example.org", 300, "\"v=DMARC1;p=none ;rua=mailto:a@example.org;\"");
    let ran = operator.run(&["dns", "verify", "example.org"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    servers.update("update delete _dmarc.example.org TXT");
    publish(&servers, "_dmarc.example.org", 300, "\"v=DMARC1; p=reject\"");
    publish(&servers, "example.org", 300, "\"v=spf1 -all\"");
    let ran = operator.run(&["dns", "verify", "example.org"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    has(&ran, &["_dmarc.example.org", "the record differs", "p=reject"]);
    has(&ran, &["ns1.example.org", ": example.org", "there are 2 records"]);
}
