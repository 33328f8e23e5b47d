//! SPF (RFC 7208) over the real resolver: the openspf suite, and records made to hurt.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, PTR};
use hickory_proto::rr::{RData, RecordType};
use mailseal::auth::spf::{self, Identity, Spf};
use mailseal::dns::Dns;
use mailseal::result::AuthResult;
use support::dns::DnsServer;
use support::suites::{report, suite};
use support::yaml::{Yaml, documents};
use support::zone::{Fault, Zone, domain, txt};
use tokio::task::JoinSet;
use tokio::time::Instant;

const TIMEOUT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openspf_suite() {
    let Some(failures) = run("rfc7208-tests.yml", 203).await else { return };
    report("openspf, RFC 7208", 203 - failures.len(), 203);
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

/// RFC 4408's verdicts differ in places; its hostile records must do no harm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openspf_suite_of_rfc4408_ends() {
    run("rfc4408-tests.yml", 191).await;
}

/// The cases that failed; `None` where the suite is missing.
async fn run(file: &str, count: usize) -> Option<Vec<String>> {
    let text = fs::read_to_string(suite("spf-openspf")?.join(file)).unwrap();
    let mut scenarios = JoinSet::new();
    let mut cases = 0;
    for document in documents(&text) {
        cases += document.get("tests").unwrap().entries().len();
        scenarios.spawn(run_scenario(document));
    }
    assert_eq!(cases, count, "the suite's cases");
    Some(scenarios.join_all().await.concat())
}

async fn run_scenario(scenario: Yaml) -> Vec<String> {
    let server = DnsServer::start(zone(scenario.get("zonedata").unwrap())).await;
    let resolver = server.resolver(TIMEOUT);
    let mut failures = Vec::new();
    for (name, case) in scenario.get("tests").unwrap().entries() {
        let dns = resolver.until(Instant::now() + Duration::from_secs(20));
        let spf = run_case(&dns, case).await;
        if let Err(wanted) = judge(case, &spf) {
            failures.push(format!("{name}: wanted {wanted}, got {spf:?}"));
        }
    }
    failures
}

async fn run_case(dns: &Dns, case: &Yaml) -> Spf {
    let text = |key| case.get(key).map_or("", Yaml::text);
    let identity = if text("mailfrom").is_empty() { Identity::Helo } else { Identity::MailFrom };
    let client: IpAddr = text("host").parse().unwrap();
    spf::check(dns, client, text("helo"), text("mailfrom"), identity, "receiver.example").await
}

fn judge(case: &Yaml, spf: &Spf) -> Result<(), String> {
    let results = case.get("result").unwrap().items();
    if !results.iter().any(|result| result.text() == spf.result.as_str()) {
        return Err(format!("{results:?}"));
    }
    let explanation = spf.explanation.as_deref().unwrap_or("DEFAULT");
    match case.get("explanation").map(Yaml::text) {
        Some(wanted) if !wanted.eq_ignore_ascii_case(explanation) => Err(wanted.to_owned()),
        _ => Ok(()),
    }
}

/// The suite's zone data: an SPF record is served as TXT, too, unless the name lists TXT itself.
fn zone(data: &Yaml) -> Zone {
    let mut zone = Zone::default();
    for (name, records) in data.entries() {
        let records = records.items();
        let has_txt = records.iter().any(|record| record.get("TXT").is_some());
        for record in records {
            match record {
                Yaml::Text(_) => zone.fault(name, RecordType::ANY, Fault::Timeout),
                record => {
                    let (kind, value) = &record.entries()[0];
                    add(&mut zone, name, kind, value, has_txt);
                }
            }
        }
    }
    zone
}

fn add(zone: &mut Zone, name: &str, kind: &str, value: &Yaml, has_txt: bool) {
    let text = value.text();
    let data = match kind {
        "TXT" if text == "NONE" => return,
        "SPF" if has_txt => return,
        "TXT" | "SPF" => {
            // YAML's characters stand for octets.
            let octets = |item: &Yaml| item.text().chars().map(|c| c as u8).collect();
            txt(&value.items().iter().map(octets).collect::<Vec<Vec<u8>>>())
        }
        "A" => RData::A(A(text.parse().unwrap())),
        "AAAA" => RData::AAAA(AAAA(text.parse().unwrap())),
        "MX" => {
            let [preference, host] = value.items() else { panic!("MX of {name}") };
            RData::MX(MX::new(preference.text().parse().unwrap(), domain(host.text())))
        }
        "PTR" => RData::PTR(PTR(domain(text))),
        "CNAME" => RData::CNAME(CNAME(domain(text))),
        "RCODE" => {
            let code: ResponseCode = text.parse::<u16>().unwrap().into();
            return zone.fault(name, RecordType::ANY, Fault::Rcode(code));
        }
        kind => panic!("{kind} of {name}"),
    };
    zone.add(name, data);
}

/// `MAIL FROM:<user@DOMAIN>` from 192.0.2.1 against this zone data.
async fn mail_from(zone: &str, domain: &str) -> (Spf, DnsServer) {
    let server = DnsServer::start(Zone::parse(zone)).await;
    let dns = server.resolver(TIMEOUT).until(Instant::now() + Duration::from_secs(20));
    let client = "192.0.2.1".parse().unwrap();
    let sender = format!("user@{domain}");
    let spf =
        spf::check(&dns, client, "mx.example.net", &sender, Identity::MailFrom, "here.example")
            .await;
    (spf, server)
}

async fn result_of(record: &str) -> Spf {
    mail_from(&format!("example.org TXT \"{record}\""), "example.org").await.0
}

#[tokio::test]
async fn what_a_result_says() {
    let (spf, _) = mail_from(
        "example.org TXT \"v=spf1 redirect=_spf.example.org\"
         _spf.example.org TXT \"v=spf1 -ip4:192.0.2.0/24 exp=why.example.org\"
         why.example.org TXT \"%{i} is not one of %{d}'s, says %{r}\"",
        "Example.ORG",
    )
    .await;
    assert_eq!(spf.result, AuthResult::Fail);
    assert_eq!(spf.domain, "example.org");
    assert_eq!(spf.value, "user@Example.ORG");
    assert_eq!(spf.reason.unwrap(), "-ip4:192.0.2.0/24 in the record of _spf.example.org");
    assert_eq!(
        spf.explanation.unwrap(),
        "192.0.2.1 is not one of _spf.example.org's, says here.example"
    );
}

/// A pass that every client has is said to be one, wherever it comes from.
#[tokio::test]
async fn passes_for_any_client() {
    for record in
        ["v=spf1 +all", "v=spf1 ip4:0.0.0.0/0 -all", "v=spf1 a/0 -all", "v=spf1 mx/0 -all"]
    {
        let zone = format!(
            "example.org TXT \"{record}\"\nexample.org A 203.0.113.9\n\
             example.org MX 1 example.org\nout.example TXT \"v=spf1 include:example.org -all\"\n\
             to.example TXT \"v=spf1 redirect=example.org\"\n"
        );
        for domain in ["example.org", "out.example", "to.example"] {
            let (spf, _server) = mail_from(&zone, domain).await;
            assert_eq!((spf.result, spf.any_client), (AuthResult::Pass, true), "{record} {domain}");
            let reason = spf.reason.unwrap();
            assert!(reason.ends_with(", as any client would"), "{reason}");
        }
    }
    for (record, client) in [
        ("ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all", "192.0.2.1"),
        ("include:low.example include:high.example -all", "192.0.2.1"),
        ("include:high.example ?include:low.example ip4:0.0.0.0/1 -all", "192.0.2.1"),
        ("ip6:::/0 -all", "2001:db8::1"),
        ("include:high.example -all", "2001:db8::1"),
        ("include:high.example -all", "192.0.2.1"),
    ] {
        let zone = format!(
            "example.org TXT \"v=spf1 {record}\"\n\
             low.example TXT \"v=spf1 ip4:0.0.0.0/1 -all\"\n\
             high.example TXT \"v=spf1 ip4:128.0.0.0/1 ip6:2000::/4 ip6:3000::/4 -all\"\n"
        );
        let spf = spf_of(&zone, client).await;
        assert_eq!((spf.result, spf.any_client), (AuthResult::Pass, true), "{record}: {spf:?}");
        let reason = spf.reason.unwrap();
        let words = if record == "include:high.example -all" && client == "192.0.2.1" {
            ", as most clients would"
        } else {
            ", as any client would"
        };
        assert!(reason.ends_with(words), "{record}: {reason}");
    }
    // What does not pass in the record that includes it does not count.
    let zone = "example.org TXT \"v=spf1 ?include:low.example ip4:192.0.2.0/24 -all\"\n\
                low.example TXT \"v=spf1 ip4:0.0.0.0/1 -all\"\n";
    let spf = spf_of(zone, "192.0.2.1").await;
    assert_eq!((spf.result, spf.any_client), (AuthResult::Pass, false), "{spf:?}");
    let narrow = "example.org TXT \"v=spf1 include:not.example ip4:192.0.2.0/24 ?all\"\n\
                  not.example TXT \"v=spf1 -all\"\n";
    let (spf, _server) = mail_from(narrow, "example.org").await;
    assert_eq!((spf.result, spf.any_client), (AuthResult::Pass, false));
    assert_eq!(spf.mechanism.as_deref(), Some("ip4:192.0.2.0/24"));
    assert!(result_of("v=spf1 -all").await.any_client);
}

async fn spf_of(zone: &str, client: &str) -> Spf {
    let server = DnsServer::start(Zone::parse(zone)).await;
    let dns = server.resolver(TIMEOUT).until(Instant::now() + Duration::from_secs(20));
    let client = client.parse().unwrap();
    spf::check(&dns, client, "h", "a@example.org", Identity::MailFrom, "here").await
}

/// The addresses of one term cost a round of DNS and not a sum of rounds.
#[tokio::test]
async fn the_addresses_of_a_term_are_asked_for_side_by_side() {
    for (term, name) in [("mx", "example.org MX"), ("ptr:x.example", "1.2.0.192.in-addr.arpa PTR")]
    {
        let mut zone = format!("example.org TXT \"v=spf1 {term} -all\"\n");
        for n in 0..10 {
            let preference = if term == "mx" { format!(" {n}") } else { String::new() };
            writeln!(zone, "{name}{preference} h{n}.example.org\nh{n}.example.org A 203.0.113.1")
                .unwrap();
        }
        let server = DnsServer::start_slow(Zone::parse(&zone), Duration::from_millis(250)).await;
        let dns = server.resolver(TIMEOUT).until(Instant::now() + Duration::from_secs(20));
        let client = "192.0.2.1".parse().unwrap();
        let spf = spf::check(&dns, client, "h", "a@example.org", Identity::MailFrom, "here").await;
        assert_eq!(spf.result, AuthResult::Fail, "{spf:?}");
        let log = server.log();
        let hosts: Vec<_> = log.iter().filter(|query| query.question.0.starts_with('h')).collect();
        assert_eq!(hosts.len(), 10, "{log:#?}");
        let first_answer = hosts.iter().filter_map(|query| query.answered).min().unwrap();
        assert!(hosts.iter().all(|query| query.asked < first_answer), "{hosts:#?}");
    }
}

/// However they are asked for, exchangers are judged in their order.
#[tokio::test]
async fn the_first_exchanger_that_decides_decides() {
    for (first, second, result) in [
        ("SERVFAIL", "192.0.2.1", AuthResult::Temperror),
        ("192.0.2.1", "SERVFAIL", AuthResult::Pass),
        ("203.0.113.1", "192.0.2.1", AuthResult::Pass),
        ("203.0.113.1", "SERVFAIL", AuthResult::Temperror),
    ] {
        let zone = format!(
            "example.org TXT \"v=spf1 mx -all\"\n\
             example.org MX 1 one.example.org\nexample.org MX 2 two.example.org\n\
             one.example.org A {first}\ntwo.example.org A {second}\n"
        );
        assert_eq!(spf_of(&zone, "192.0.2.1").await.result, result, "{first} {second}");
    }
}

#[tokio::test]
async fn only_a_fail_is_explained() {
    for (qualifier, count) in [("-", 1), ("~", 0), ("?", 0), ("", 0)] {
        let zone = format!(
            "example.org TXT \"v=spf1 {qualifier}all exp=why.example.org\"
             why.example.org TXT \"because\""
        );
        let (spf, server) = mail_from(&zone, "example.org").await;
        assert_eq!(server.count("why.example.org", "TXT"), count, "{qualifier:?}");
        assert_eq!(spf.explanation.is_some(), count == 1, "{qualifier:?}");
    }
}

#[tokio::test]
async fn the_null_reverse_path_is_postmaster_at_helo() {
    let zone = "mx.example.net TXT \"v=spf1 exists:%{l}.%{o} -all\"
                postmaster.mx.example.net A 127.0.0.2";
    let server = DnsServer::start(Zone::parse(zone)).await;
    let dns = server.resolver(TIMEOUT).until(Instant::now() + Duration::from_secs(20));
    let client = "192.0.2.1".parse().unwrap();
    let spf = spf::check(&dns, client, "mx.example.net", "", Identity::MailFrom, "here").await;
    assert_eq!(spf.result, AuthResult::Pass);
    assert_eq!(spf.value, "postmaster@mx.example.net");
    assert_eq!(spf.identity, Identity::MailFrom);
}

#[tokio::test]
async fn prefixes_of_no_bits_match_everything() {
    assert_eq!(result_of("v=spf1 ip4:203.0.113.0/0 -all").await.result, AuthResult::Pass);
    // But never an address of the other kind.
    assert_eq!(result_of("v=spf1 ip6:2001:db8::/0 -all").await.result, AuthResult::Fail);
    assert_eq!(result_of("v=spf1 ip6:::ffff:192.0.2.1/0 -all").await.result, AuthResult::Fail);
}

#[tokio::test]
async fn mapped_clients_are_ipv4_clients() {
    let zone = "example.org TXT \"v=spf1 ip4:192.0.2.1 -all\"";
    let server = DnsServer::start(Zone::parse(zone)).await;
    let dns = server.resolver(TIMEOUT).until(Instant::now() + Duration::from_secs(20));
    let client = "::ffff:192.0.2.1".parse().unwrap();
    let spf = spf::check(&dns, client, "h", "a@example.org", Identity::MailFrom, "here").await;
    assert_eq!(spf.result, AuthResult::Pass);
}

/// libspf2 wrote past its buffer at these (CVE-2021-20314).
#[tokio::test]
async fn macros_of_cve_2021_20314() {
    for text in ["%{d99r}", "%{S255R.-+,/_=}", "%{l127r-}.%{D}", "%{P99r}", "%{H250}"] {
        let spf = result_of(&format!("v=spf1 exists:{text}.example.org -all exp={text}")).await;
        assert_eq!(spf.result, AuthResult::Fail, "{text}: {spf:?}");
    }
}

#[tokio::test]
async fn huge_records_are_read_in_bounds() {
    let start = Instant::now();
    for term in
        ["a:%{S}%{S}%{S}.example.org ", "x=%{S} ", "ip4:203.0.113.1 ", "include:example.org "]
    {
        let record = format!("v=spf1 {}", term.repeat(60_000 / term.len()));
        let spf = result_of(&record).await;
        assert!(spf.reason.is_none_or(|reason| reason.len() < 300));
    }
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn loops_end_at_the_limit() {
    let (spf, server) = mail_from(
        "example.org TXT \"v=spf1 include:example.net include:example.net -all\"
         example.net TXT \"v=spf1 include:example.org redirect=example.org\"",
        "example.org",
    )
    .await;
    assert_eq!(spf.result, AuthResult::Permerror);
    // The cache answers for the rest.
    assert_eq!(server.count("example.org", "TXT"), 1);
}

#[tokio::test]
async fn exchangers_without_the_clients_kind_of_address_are_not_void() {
    let mut zone = String::from("example.org TXT \"v=spf1 mx ip6:2001:db8::1 -all\"\n");
    for n in 0..10 {
        writeln!(zone, "example.org MX {n} mx{n}.example.org\nmx{n}.example.org A 192.0.2.9")
            .unwrap();
    }
    let server = DnsServer::start(Zone::parse(&zone)).await;
    let dns = server.resolver(TIMEOUT).until(Instant::now() + Duration::from_secs(20));
    let client = "2001:db8::1".parse().unwrap();
    let spf = spf::check(&dns, client, "h", "a@example.org", Identity::MailFrom, "here").await;
    assert_eq!(spf.result, AuthResult::Pass, "{spf:?}");
}

#[tokio::test]
async fn names_of_the_client_beyond_the_tenth_are_not_asked_for() {
    let mut zone = String::from("example.org TXT \"v=spf1 ptr exists:%{p}.example.org -all\"\n");
    for n in 0..30 {
        writeln!(zone, "1.2.0.192.in-addr.arpa PTR h{n}.example.org").unwrap();
    }
    let (spf, server) = mail_from(&zone, "example.org").await;
    assert_eq!(spf.result, AuthResult::Fail);
    let asked = server.queries().keys().filter(|(name, _)| name.starts_with('h')).count();
    assert_eq!(asked, 10);
    assert_eq!(server.count("1.2.0.192.in-addr.arpa", "PTR"), 1);
}

#[tokio::test]
async fn non_ascii_octets() {
    assert_eq!(result_of(r"v=spf1 a:\255.example.org -all").await.result, AuthResult::Permerror);
    assert_eq!(result_of(r"v=spf1 \195\188=x -all").await.result, AuthResult::Permerror);
    assert_eq!(result_of(r"v=spf1 -all\000").await.result, AuthResult::Permerror);
    // Not an SPF record at all.
    assert_eq!(result_of(r"v=spf1\160-all").await.result, AuthResult::None);
}

/// RFC 8616 §4: such a local part cannot be a label, so the term does not match.
#[tokio::test]
async fn a_non_ascii_local_part_matches_no_macro() {
    let zone = "example.org TXT \"v=spf1 a:%{l}.example.org include:%{l}.example.org ?all\"";
    let server = DnsServer::start(Zone::parse(zone)).await;
    let dns = server.resolver(TIMEOUT).until(Instant::now() + Duration::from_secs(20));
    let client = "192.0.2.1".parse().unwrap();
    let sender = "j\u{fc}rgen@example.org";
    let spf = spf::check(&dns, client, "h", sender, Identity::MailFrom, "here").await;
    assert_eq!(spf.result, AuthResult::Neutral, "{spf:?}");
}

#[tokio::test]
async fn trouble_names_its_cause() {
    let (spf, _) = mail_from(
        "example.org TXT \"v=spf1 include:_spf.example.net -all\"\n_spf.example.net TXT SERVFAIL",
        "example.org",
    )
    .await;
    assert_eq!(spf.result, AuthResult::Temperror);
    assert_eq!(spf.reason.unwrap(), "TXT of _spf.example.net: DNS failed: SERVFAIL");
}

#[tokio::test]
async fn the_deadline_holds_for_the_whole_evaluation() {
    let mut zone = String::from("example.org TXT \"v=spf1");
    for n in 0..10 {
        write!(zone, " a:a{n}.example.org").unwrap();
    }
    zone += " -all\"\n";
    for n in 0..10 {
        writeln!(zone, "a{n}.example.org A 203.0.113.1\na{n}.example.org A SLOW 200ms").unwrap();
    }
    let server = DnsServer::start(Zone::parse(&zone)).await;
    let dns = server.resolver(TIMEOUT).until(Instant::now() + Duration::from_millis(700));
    let start = Instant::now();
    let client = "192.0.2.1".parse().unwrap();
    let spf = spf::check(&dns, client, "h", "a@example.org", Identity::MailFrom, "here").await;
    assert_eq!(spf.result, AuthResult::Temperror);
    assert!(start.elapsed() < Duration::from_millis(1500));
}
