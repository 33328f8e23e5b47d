//! iprev (RFC 8601 §3) over the real resolver.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use mailseal::auth::iprev::{self, Iprev};
use mailseal::result::AuthResult;
use support::dns::DnsServer;
use support::zone::Zone;
use tokio::time::Instant;

async fn check(zone: &str, addr: &str, verified_name: Option<&str>) -> (Iprev, DnsServer) {
    let server = DnsServer::start(Zone::parse(zone)).await;
    let dns =
        server.resolver(Duration::from_secs(2)).until(Instant::now() + Duration::from_secs(9));
    let addr = addr.parse().unwrap();
    (iprev::check(&dns, addr, verified_name).await, server)
}

#[tokio::test]
async fn a_name_that_the_mta_verified_needs_no_look_up() {
    let (iprev, server) = check("", "192.0.2.1", Some("mail.example.org")).await;
    assert_eq!(iprev.result, AuthResult::Pass);
    assert_eq!(iprev.name.as_deref(), Some("mail.example.org"));
    assert!(server.queries().is_empty());
}

#[tokio::test]
async fn there_and_back() {
    let zone = "
        1.2.0.192.in-addr.arpa PTR other.example.org
        1.2.0.192.in-addr.arpa PTR mail.example.org
        mail.example.org A 192.0.2.9
        mail.example.org A 192.0.2.1
        1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR six.example.org
        six.example.org AAAA 2001:db8::1
        ";
    for (addr, name) in [
        ("192.0.2.1", "mail.example.org"),
        ("::ffff:192.0.2.1", "mail.example.org"),
        ("2001:db8::1", "six.example.org"),
    ] {
        let (iprev, _) = check(zone, addr, None).await;
        assert_eq!(iprev.result, AuthResult::Pass, "{addr}");
        assert_eq!(iprev.name.as_deref(), Some(name));
    }
}

#[tokio::test]
async fn names_that_lead_elsewhere_fail() {
    let zone = "1.2.0.192.in-addr.arpa PTR mail.example.org\nmail.example.org A 192.0.2.2";
    let (iprev, _) = check(zone, "192.0.2.1", None).await;
    assert_eq!(iprev.result, AuthResult::Fail);
    assert_eq!(iprev.name.as_deref(), Some("mail.example.org"));
    let (iprev, _) =
        check("1.2.0.192.in-addr.arpa PTR absent.example.org", "192.0.2.1", None).await;
    assert_eq!(iprev.result, AuthResult::Fail);
}

#[tokio::test]
async fn an_address_without_a_name_is_permerror() {
    let (iprev, _) = check("", "192.0.2.1", None).await;
    assert_eq!(iprev.result, AuthResult::Permerror);
    assert_eq!(iprev.name, None);
}

#[tokio::test]
async fn trouble_is_temperror_unless_another_name_passes() {
    let (iprev, _) = check("1.2.0.192.in-addr.arpa PTR SERVFAIL", "192.0.2.1", None).await;
    assert_eq!(iprev.result, AuthResult::Temperror);
    assert_eq!(iprev.reason.as_deref(), Some("PTR: DNS failed: SERVFAIL"));
    let zone = "
        1.2.0.192.in-addr.arpa PTR bad.example.org
        1.2.0.192.in-addr.arpa PTR good.example.org
        bad.example.org A SERVFAIL
        ";
    let (iprev, _) = check(zone, "192.0.2.1", None).await;
    assert_eq!(iprev.result, AuthResult::Temperror);
    let (iprev, _) = check(&format!("{zone}good.example.org A 192.0.2.1"), "192.0.2.1", None).await;
    assert_eq!(iprev.result, AuthResult::Pass);
}

#[tokio::test]
async fn names_beyond_the_tenth_are_ignored() {
    let mut zone = String::from("last.example.org A 192.0.2.1\n");
    for n in 0..10 {
        writeln!(zone, "1.2.0.192.in-addr.arpa PTR h{n}.example.org").unwrap();
    }
    zone += "1.2.0.192.in-addr.arpa PTR last.example.org\n";
    let (iprev, server) = check(&zone, "192.0.2.1", None).await;
    assert_eq!(iprev.result, AuthResult::Fail);
    assert_eq!(server.count("last.example.org", "A"), 0);
}
