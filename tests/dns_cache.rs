//! What is remembered of DNS: answers for their TTL and no longer (RFC 1035 §3.2.1), denials for as
//! long as the SOA says (RFC 2308 §5), and never more than so many of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use mailseal::dns::{Dns, LookupError};
use support::dns::DnsServer;
use support::zone::Zone;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// The answers' TTL in these tests, and a little: a cache counts by real time.
const PAST_TTL: Duration = Duration::from_millis(1_100);
const NAME: &str = "a.example.org";

async fn serve(zone: &str) -> (DnsServer, Dns) {
    let server = DnsServer::start(Zone::parse(zone)).await;
    let resolver = server.resolver(Duration::from_secs(5));
    let dns = resolver.until(Instant::now() + Duration::from_mins(2));
    (server, dns)
}

/// A TXT record that may be kept for one second.
fn brief(text: &str) -> Zone {
    Zone::parse(&format!("{NAME} TXT \"{text}\"\n{NAME} TXT TTL 1"))
}

#[tokio::test]
async fn nothing_is_served_past_its_ttl() {
    let (server, dns) = serve("x.example.org A 192.0.2.1").await;
    server.change(brief("one"));
    let asked = Instant::now();
    assert_eq!(dns.txt(NAME).await.unwrap(), [b"one"]);
    let known = Instant::now();
    server.change(brief("two"));
    while asked.elapsed() < Duration::from_millis(800) {
        assert_eq!(dns.txt(NAME).await.unwrap(), [b"one"]);
    }
    assert_eq!(server.count(NAME, "TXT"), 1, "asked once within its time");
    sleep_until(known + PAST_TTL).await;
    assert_eq!(dns.txt(NAME).await.unwrap(), [b"two"]);
    // Nor where the server is gone in the meantime.
    let known = Instant::now();
    server.change(Zone::parse(&format!("{NAME} TXT SERVFAIL")));
    sleep_until(known + PAST_TTL).await;
    assert_eq!(dns.txt(NAME).await, Err(LookupError::Temporary("SERVFAIL".into())));
}

#[tokio::test]
async fn a_ttl_of_nothing_is_not_kept() {
    let zone = |text| Zone::parse(&format!("{NAME} TXT \"{text}\"\n{NAME} TXT TTL 0"));
    let (server, dns) = serve("x.example.org A 192.0.2.1").await;
    server.change(zone("one"));
    assert_eq!(dns.txt(NAME).await.unwrap(), [b"one"]);
    server.change(zone("two"));
    assert_eq!(dns.txt(NAME).await.unwrap(), [b"two"]);
}

#[tokio::test]
async fn a_denial_is_kept_for_as_long_as_its_soa_says() {
    for (zone, denial) in [
        ("example.org SOA 1\nb.example.org A 192.0.2.1", LookupError::NotFound),
        ("example.org SOA 1\na.example.org A 192.0.2.1", LookupError::Empty),
    ] {
        let (server, dns) = serve(zone).await;
        let asked = Instant::now();
        assert_eq!(dns.txt(NAME).await, Err(denial.clone()));
        let known = Instant::now();
        server.change(brief("published"));
        while asked.elapsed() < Duration::from_millis(800) {
            assert_eq!(dns.txt(NAME).await, Err(denial.clone()));
        }
        assert_eq!(server.count(NAME, "TXT"), 1);
        sleep_until(known + PAST_TTL).await;
        assert_eq!(dns.txt(NAME).await.unwrap(), [b"published"], "{denial}");
    }
}

/// More names than the cache has room for: some of them are asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn the_cache_is_bounded_by_its_entries() {
    const NAMES: usize = 20_000;
    const ENTRIES_MAX: usize = 10_000;
    let mut zone = String::new();
    for number in 0..NAMES {
        writeln!(zone, "n{number}.example.org TXT \"x\"").unwrap();
    }
    let (server, dns) = serve(&zone).await;
    for _ in 0..2 {
        let mut look_ups = JoinSet::new();
        for number in 0..NAMES {
            let dns = dns.clone();
            look_ups.spawn(async move { dns.txt(&format!("n{number}.example.org")).await });
            if look_ups.len() >= 64 {
                look_ups.join_next().await.unwrap().unwrap().unwrap();
            }
        }
        look_ups.join_all().await;
    }
    let queries = server.log().len();
    let kept = 2 * NAMES - queries.min(2 * NAMES);
    println!("{kept} of {NAMES} names were kept");
    assert!(kept <= ENTRIES_MAX + ENTRIES_MAX / 10, "{kept}");
    assert!(kept > 0, "nothing is kept");
}
