//! `mailseal dns lint`: what is wrong with a domain's records, and what is not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::NULL;
use mailseal::dns::LookupError;
use mailseal::dns::lint::lint;
use mailseal::keys::{DomainName, Selector};
use support::dns::DnsServer;
use support::operator::Operator;
use support::zone::Zone;
use tokio::time::Instant;

const SOUND: &str = r#"
    example.org TXT "v=spf1 a mx include:_spf.example.net ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"
    example.org TXT "something else"
    example.org A 192.0.2.1
    example.org AAAA 2001:db8::1
    example.org MX 10 example.org
    _spf.example.net TXT "v=spf1 exists:%{i}.example.net ~all"
    _dmarc.example.org TXT "v=DMARC1; p=quarantine; rua=mailto:a@reports.example; fo=1"
    example.org._report._dmarc.reports.example TXT "v=DMARC1"
    s1._domainkey.example.org TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
"#;

const ED25519: &str = "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

async fn findings(zone: Zone, selectors: &[&str]) -> Result<Vec<String>, LookupError> {
    let server = DnsServer::start(zone).await;
    let dns = server.resolver(Duration::from_secs(2));
    let dns = dns.until(Instant::now() + Duration::from_secs(30));
    let domain = DomainName::parse("example.org").unwrap();
    let selectors: Vec<Selector> =
        selectors.iter().map(|selector| Selector::parse(selector).unwrap()).collect();
    let findings = lint(&dns, &domain, &selectors).await?;
    Ok(findings.iter().map(ToString::to_string).collect())
}

/// The lint of sound records with these lines of theirs replaced, or added.
async fn of(changes: &[(&str, &str)], selectors: &[&str]) -> Vec<String> {
    let mut zone = SOUND.to_owned();
    for (name, text) in changes {
        let start = format!("    {name} TXT \"v=");
        if let Some(at) = zone.find(&start) {
            let end = at + 1 + zone[at + 1..].find('\n').unwrap();
            zone.replace_range(at..end, "");
        }
        zone += text;
        zone.push('\n');
    }
    findings(Zone::parse(&zone), selectors).await.unwrap()
}

fn are(findings: &[String], said: &[&str]) {
    assert_eq!(findings.len(), said.len(), "{findings:#?}");
    for (finding, said) in findings.iter().zip(said) {
        assert!(finding.contains(said), "{said}: {finding}");
    }
}

#[tokio::test]
async fn sound_records_have_no_findings() {
    are(&of(&[], &["s1"]).await, &[]);
}

#[tokio::test]
async fn spf_over_its_limits() {
    let spf = |terms: &str| format!("example.org TXT \"v=spf1 {terms} -all\"");
    let lint = async |terms: &str| of(&[("example.org", &spf(terms))], &[]).await;
    are(&lint(&"a ".repeat(10)).await, &[]);
    are(&lint(&"a ".repeat(11)).await, &["ask DNS 11 times, 10 is the most"]);
    are(&lint("a:no1.example.org mx:no2.example.org").await, &[]);
    let three = lint("a:no1.example.org mx:no2.example.org exists:no3.example.org").await;
    are(&three, &["3 look-ups find nothing, 2 is the most"]);
    // For an IPv6 client, an `a` of a host without AAAA is such a look-up.
    let v4 = "a:h1.example.org a:h2.example.org a:h3.example.org";
    let hosts =
        "h1.example.org A 192.0.2.1\nh2.example.org A 192.0.2.2\nh3.example.org A 192.0.2.3";
    are(&of(&[("example.org", &(spf(v4) + "\n" + hosts))], &[]).await, &["for IPv6 clients 3"]);
    // Counted through includes, and to an end where there is none.
    let nested = spf("include:a.example.net")
        + "\na.example.net TXT \"v=spf1 "
        + &"mx:example.org ".repeat(10)
        + "-all\"";
    are(&of(&[("example.org", &nested)], &[]).await, &["ask DNS 11 times"]);
    are(&lint("include:example.org").await, &["60 or more times"]);
    are(&lint("include:nothing.example.net").await, &["no SPF record"]);
    are(&lint("redirect=example.org").await, &[]);
    are(&lint("ptr").await, &["ptr is slow"]);
    are(&lint("mx -al").await, &["syntax error"]);
}

#[tokio::test]
async fn spf_that_lets_anybody_pass() {
    for (terms, said) in [
        ("+all", "+all"),
        ("all", "all in the record"),
        ("ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all", "half or more of all IPv4"),
        ("ip4:0.0.0.0/0 -all", "half or more of all IPv4"),
        ("ip6:8000::/1 -all", "half or more of all IPv6"),
        ("a/0 -all", "a/0"),
        ("include:any.example.net -all", "+all in the record of any.example.net"),
    ] {
        let text =
            format!("example.org TXT \"v=spf1 {terms}\"\nany.example.net TXT \"v=spf1 +all\"");
        are(&of(&[("example.org", &text)], &[]).await, &[said]);
    }
    for terms in ["-all", "?all", "-include:any.example.net -all", "ip4:10.0.0.0/8 -all"] {
        let text =
            format!("example.org TXT \"v=spf1 {terms}\"\nany.example.net TXT \"v=spf1 +all\"");
        are(&of(&[("example.org", &text)], &[]).await, &[]);
    }
}

#[tokio::test]
async fn spf_several_none_and_of_type_99() {
    let two = "example.org TXT \"v=spf1 -all\"\nexample.org TXT \"v=spf1 mx -all\"";
    are(&of(&[("example.org", two)], &[]).await, &["2 SPF records"]);
    are(&of(&[("example.org", "")], &[]).await, &["there is no SPF record"]);
    let mut zone = Zone::parse(SOUND);
    let rdata = NULL::with(b"\x0bv=spf1 -all".to_vec());
    zone.add("example.org", RData::Unknown { code: 99.into(), rdata });
    are(&findings(zone, &[]).await.unwrap(), &["type SPF (99)"]);
}

#[tokio::test]
async fn dmarc() {
    let lint = async |text: &str| {
        of(&[("_dmarc.example.org", &format!("_dmarc.example.org TXT \"{text}\""))], &[]).await
    };
    are(&lint("v=DMARC1; rua=mailto:a@example.org").await, &["no p="]);
    are(
        &lint("v=DMARC1; p=none; pct=5; x=y; rua=mailto:a@example.org").await,
        &["pct=", "x= is no"],
    );
    are(&lint("v=DMARC1; p=reject; rua=mailto:a@example.org").await, &["note: p=reject breaks"]);
    are(&lint("v=DMARC1; p=none; rua=mailto:a@other.example").await, &["does not consent"]);
    let two =
        "_dmarc.example.org TXT \"v=DMARC1; p=none\"\n_dmarc.example.org TXT \"v=DMARC1; p=none\"";
    let zone = two.replacen("p=none", "p=reject", 1);
    are(&of(&[("_dmarc.example.org", &zone)], &[]).await, &["2 DMARC records"]);
    are(&of(&[("_dmarc.example.org", "")], &[]).await, &["there is no DMARC record"]);
}

#[tokio::test]
async fn key_records() {
    let small = include_str!("data/rsa-1024.txt").trim();
    let lint = async |text: &str| {
        let line = format!("s2._domainkey.example.org TXT \"{text}\"");
        of(&[("s2._domainkey.example.org", &line)], &["s2"]).await
    };
    are(&lint(&format!("v=DKIM1; {ED25519}")).await, &[]);
    are(&lint(&format!("v=DKIM1; g=*; {ED25519}")).await, &["g= is gone"]);
    are(&lint(&format!("v=DKIM1; h=sha1; {ED25519}")).await, &["SHA-1"]);
    are(&lint(&format!("v=DKIM1; t=y; {ED25519}")).await, &["t=y"]);
    are(&lint(&format!("v=DKIM1; q=1; {ED25519}")).await, &["q= is no tag"]);
    are(&lint(&format!("v=DKIM1; k=rsa; p={small}")).await, &["has 1024 bits"]);
    are(&lint("v=DKIM1; p=").await, &["note: the key is revoked"]);
    are(&lint("v=DKIM1; p=!!!").await, &["publish it anew"]);
    are(&of(&[], &["s7"]).await, &["there is no key record"]);
}

#[tokio::test]
async fn records_of_old() {
    let old =
        "_adsp._domainkey.example.org TXT \"dkim=all\"\n_domainkey.example.org TXT \"t=y; o=~\"";
    are(&of(&[("_adsp", old)], &[]).await, &["ADSP is Historic", "DomainKeys is Historic"]);
}

#[tokio::test]
async fn what_is_not_known_is_not_called_sound() {
    for fault in ["_dmarc.example.org TXT SERVFAIL", "_spf.example.net TXT SERVFAIL"] {
        let zone = format!("{SOUND}\n{fault}");
        let found = findings(Zone::parse(&zone), &[]).await;
        assert_eq!(found, Err(LookupError::Temporary("SERVFAIL".into())), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_ends_with_what_it_found() {
    let server = DnsServer::start(Zone::parse(SOUND)).await;
    let operator = Operator::new(&format!("[dns]\nservers = [\"{}\"]\n", server.addr));
    let ran = operator.run(&["dns", "lint", "example.org"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
    let ran = operator.run(&["dns", "lint", "example.org", "--selector", "s7"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.starts_with("s7._domainkey.example.org: there is no key record"), "{ran:?}");
    let dead = Operator::new("[dns]\nservers = [\"127.0.0.1:9\"]\ntimeout_secs = 1\n");
    assert_eq!(dead.run(&["dns", "lint", "example.org"]).code, Some(3));
}
