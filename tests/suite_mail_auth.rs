//! mail-auth's own SPF and ARC resources, of which nothing is in the daemon: a second opinion.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use mailseal::auth::spf::{self, Identity, Spf};
use support::dns::DnsServer;
use support::suites::{report, suite};
use support::zone::Zone;
use tokio::time::Instant;

/// A question, what is published when it is asked, and the answer.
#[derive(Clone, Default)]
struct Case {
    scenario: String,
    /// Kind, and name with value.
    records: Vec<(String, String)>,
    helo: String,
    sender: String,
    ip: String,
    expect: String,
}

/// The files look like YAML and are a stream of settings, the last of which holds; each `expect` is a
/// case. A record of a test stands for the one of its name before it.
fn cases(text: &str) -> Vec<Case> {
    let (mut cases, mut now) = (Vec::new(), Case::default());
    let mut tests = false;
    for line in text.lines().map(|line| line.trim_start().trim_start_matches("- ")) {
        tests |= line.starts_with("tests:");
        let Some((key, value)) = line.split_once(": ").filter(|_| !line.starts_with('#')) else {
            tests &= line != "---";
            continue;
        };
        let value = value.trim().to_owned();
        match key {
            "name" if tests => {}
            "name" => now = Case { scenario: value, ..Case::default() },
            "domain" => now.helo = value,
            "sender" => now.sender = value,
            "ip" => now.ip = value,
            "expect" => cases.push(Case { expect: value, ..now.clone() }),
            kind => {
                let name = |record: &str| record.split(' ').next().unwrap_or_default().to_owned();
                if tests {
                    now.records.retain(|(k, record)| k != kind || name(record) != name(&value));
                }
                now.records.push((kind.to_owned(), value));
            }
        }
    }
    cases
}

fn publish(zone: &mut String, kind: &str, record: &str) {
    let (name, value) = record.split_once(' ').unwrap();
    if hickory_proto::rr::Name::from_ascii(name).is_err() {
        // Nobody can publish it.
        return;
    }
    let values = value.split(',').map(|value| value.trim().trim_end_matches('.'));
    match kind {
        "spf" | "exp" => writeln!(zone, "{name} TXT \"{value}\"").unwrap(),
        "a" => values.for_each(|addr| writeln!(zone, "{name} A {addr}").unwrap()),
        "aaaa" => values.for_each(|addr| writeln!(zone, "{name} AAAA {addr}").unwrap()),
        // The exchangers are named by their addresses.
        "mx" => {
            for (number, addr) in values.enumerate() {
                let kind = if addr.contains(':') { "AAAA" } else { "A" };
                let host = format!("mx{number}.{name}");
                writeln!(zone, "{name} MX 1 {host}\n{host} {kind} {addr}").unwrap();
            }
        }
        "ptr" => {
            let addr: std::net::IpAddr = name.parse().unwrap();
            let reverse = hickory_proto::rr::Name::from(addr).to_ascii();
            values.for_each(|host| writeln!(zone, "{reverse} PTR {host}").unwrap());
        }
        kind => panic!("{kind}"),
    }
}

/// A case where the suite is wrong.
struct Argued {
    scenario: &'static str,
    helo: &'static str,
    ip: &'static str,
    result: &'static str,
    why: &'static str,
}

const ARGUED: &[Argued] = &[
    Argued {
        scenario: "All test",
        helo: "test.org",
        ip: "10.0.0.1",
        result: "permerror",
        why: "RFC 7208 §4.6: a syntax error anywhere in the record is permerror, and there is no ip:",
    },
    Argued {
        scenario: "DNS Lookup Limits",
        helo: "ok.test.org",
        ip: "172.168.0.1",
        result: "permerror",
        why: "§4.6.4: t1.org to t10.org are not there, and more than two void look-ups are permerror",
    },
    Argued {
        scenario: "DNS Lookup Limits",
        helo: "mx.test.org",
        ip: "10.0.0.8",
        result: "permerror",
        why: "§4.6.4: eleven exchangers are permerror, whichever of them matches; openspf's mx-limit",
    },
    Argued {
        scenario: "Exists",
        helo: "ip6.test.org",
        ip: "167.1.2.3",
        result: "fail",
        why: "§5.7: exists asks for an A record, and the name has AAAA alone",
    },
    Argued {
        scenario: "IPv6 match",
        helo: "test.org",
        ip: "10.1.2.3",
        result: "fail",
        why: "§5: a mapped address is the IPv4 address, and ip6 (§5.6) has only IPv6 networks",
    },
    Argued {
        scenario: "Macro expansion 2",
        helo: "mx.example.org",
        ip: "2001:db8::cb01",
        result: "fail",
        why: "§5.7: exists asks for an A record for an IPv6 client, too, and the name has AAAA alone",
    },
];

#[tokio::test]
async fn spf_resources() {
    let Some(dir) = suite("mail-auth-resources") else { return };
    let (mut held, mut count, mut differ) = (0, 0, Vec::new());
    let mut files: Vec<_> =
        std::fs::read_dir(dir.join("spf")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        for case in cases(&std::fs::read_to_string(&file).unwrap()) {
            count += 1;
            let spf = check(&case).await;
            let said = match &spf.explanation {
                Some(explanation) => format!("{} {explanation}", spf.result),
                None => spf.result.to_string(),
            };
            let Case { scenario, helo, ip, expect, .. } = &case;
            let argued = ARGUED.iter().find(|argued| {
                (argued.scenario, argued.helo, argued.ip) == (scenario.as_str(), helo, ip)
            });
            let (expected, why) = argued
                .map_or((expect.as_str(), "as the suite has it"), |argued| {
                    (argued.result, argued.why)
                });
            held += usize::from(said == *expect);
            if said != expected {
                differ.push(format!(
                    "{scenario}: {helo} {ip}: {said} ({:?}), not {expected}: {why}",
                    spf.reason
                ));
            }
        }
    }
    report("mail-auth, SPF", held, count);
    assert_eq!((held, count), (163 - ARGUED.len(), 163), "the others are argued");
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

async fn check(case: &Case) -> Spf {
    let mut text = String::new();
    for (kind, record) in &case.records {
        publish(&mut text, kind, record);
    }
    let mut zone = Zone::parse(&text);
    zone.extend(Zone::parse("_dns_error.test.org TXT SERVFAIL\n_dns_error.org TXT SERVFAIL"));
    let server = DnsServer::start(zone).await;
    let resolver = server.resolver(Duration::from_secs(2));
    let dns = resolver.until(Instant::now() + Duration::from_secs(20));
    let client = case.ip.parse().unwrap();
    let (helo, sender) = (&case.helo, &case.sender);
    let identity =
        if case.scenario == "HELO identity" { Identity::Helo } else { Identity::MailFrom };
    spf::check(&dns, client, helo, sender, identity, "receiver.example").await
}
