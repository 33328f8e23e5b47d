//! The resolver against a server that misbehaves (RFC 1035, RFC 2308).

mod support;

use std::time::Duration;

use mailseal::config;
use mailseal::dns::{Dns, LookupError, Mx, Resolver};
use support::dns::DnsServer;
use support::zone::Zone;
use tokio::time::Instant;

const TIMEOUT: Duration = Duration::from_secs(2);

async fn serve(zone: &str) -> (DnsServer, Dns) {
    let server = DnsServer::start(Zone::parse(zone)).await;
    let dns = server.resolver(TIMEOUT).until(Instant::now() + Duration::from_secs(30));
    (server, dns)
}

fn temporary<T>(cause: &str) -> Result<T, LookupError> {
    Err(LookupError::Temporary(cause.into()))
}

#[tokio::test]
async fn all_records_of_a_name() {
    let (_server, dns) = serve(
        r#"
        example.org  TXT  "v=spf1" " -all"
        example.org  TXT  "\255\000\"\\"
        Example.ORG. A    192.0.2.1
        example.org  A    192.0.2.2
        example.org  AAAA 2001:db8::1
        example.org  MX   20 b.example.org.
        example.org  MX   10 a.example.org.
        example.net  MX   0 .
        1.2.0.192.in-addr.arpa PTR mail.example.org.
        "#,
    )
    .await;
    assert_eq!(
        dns.txt("example.org").await.unwrap(),
        [b"v=spf1 -all".to_vec(), b"\xff\x00\"\\".to_vec()]
    );
    assert_eq!(dns.a("EXAMPLE.org.").await.unwrap().len(), 2);
    assert_eq!(
        dns.aaaa("example.org").await.unwrap(),
        ["2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap()]
    );
    let mx = |preference, exchange: &str| Mx { preference, exchange: exchange.into() };
    assert_eq!(
        dns.mx("example.org").await.unwrap(),
        [mx(10, "a.example.org"), mx(20, "b.example.org")]
    );
    assert_eq!(dns.mx("example.net").await.unwrap(), [mx(0, "")]);
    assert_eq!(dns.ptr("192.0.2.1".parse().unwrap()).await.unwrap(), ["mail.example.org"]);
    assert_eq!(dns.ptr("::ffff:192.0.2.1".parse().unwrap()).await.unwrap(), ["mail.example.org"]);
}

#[tokio::test]
async fn nothing_there() {
    let (server, dns) = serve("a.example.org A 192.0.2.1").await;
    assert_eq!(dns.txt("b.example.org").await, Err(LookupError::NotFound));
    assert_eq!(dns.txt("a.example.org").await, Err(LookupError::Empty));
    assert_eq!(dns.txt("example.org").await, Err(LookupError::Empty), "an empty non-terminal");
    // Without an SOA hickory forgets at once; we do not.
    for _ in 0..5 {
        assert_eq!(dns.txt("b.example.org").await, Err(LookupError::NotFound));
    }
    assert_eq!(server.count("b.example.org", "TXT"), 1);
}

#[tokio::test]
async fn denials_with_an_soa_are_cached() {
    let (server, dns) = serve("example.org SOA 300\na.example.org A 192.0.2.1").await;
    for _ in 0..5 {
        assert_eq!(dns.txt("b.example.org").await, Err(LookupError::NotFound));
        assert_eq!(dns.txt("a.example.org").await, Err(LookupError::Empty));
    }
    assert_eq!(server.count("b.example.org", "TXT"), 1);
    assert_eq!(server.count("a.example.org", "TXT"), 1);
}

#[tokio::test]
async fn names_that_cannot_be_asked_for() {
    let (server, dns) = serve("example.org A 192.0.2.1").await;
    let label = format!("{}.example.org", "a".repeat(64));
    for name in ["", ".", "a..example.org", "a\0.example.org", "a\nb", "\u{fc}.example.org", &label]
    {
        assert_eq!(dns.txt(name).await, Err(LookupError::NotFound), "{name:?}");
    }
    assert!(server.queries().is_empty());
}

#[tokio::test]
async fn octets_are_octets() {
    let (server, dns) = serve("x.example.org A 192.0.2.1").await;
    let name = r"a\032b\\(c;d e.example.org";
    assert_eq!(dns.a(name).await, Err(LookupError::NotFound));
    assert_eq!(server.queries().len(), 1);
}

/// A message must not learn the names of this machine's hosts file.
#[tokio::test]
async fn only_dns_is_asked() {
    let (_server, dns) = serve("example.org A 192.0.2.1").await;
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    // hickory answers for localhost by itself (RFC 6761 §6.3).
    let words = hosts.split_whitespace().filter(|word| !word.ends_with("localhost"));
    for name in words.filter(|word| word.starts_with(char::is_alphabetic)) {
        assert_eq!(dns.a(name).await, Err(LookupError::NotFound), "{name}");
    }
}

#[tokio::test]
async fn chains_of_aliases() {
    let (_server, dns) = serve(
        "
        a.example.org CNAME b.example.org
        b.example.org CNAME c.example.org
        c.example.org A     192.0.2.1
        d.example.org CNAME absent.example.org
        e.example.org CNAME f.example.org
        f.example.org CNAME e.example.org
        g.example.org CNAME h.example.org
        h.example.org ANY   SERVFAIL
        ",
    )
    .await;
    assert_eq!(dns.a("a.example.org").await.unwrap().len(), 1);
    assert_eq!(dns.a("a.example.org").await.unwrap().len(), 1, "from the cache");
    assert_eq!(dns.txt("a.example.org").await, Err(LookupError::Empty));
    assert_eq!(dns.a("d.example.org").await, Err(LookupError::NotFound));
    assert!(dns.a("e.example.org").await.is_err(), "a loop");
    assert_eq!(dns.a("g.example.org").await, temporary("SERVFAIL"));
}

/// Where the resolver has to follow, and finds a part of the chain in its cache.
#[tokio::test]
async fn chains_of_aliases_piece_by_piece() {
    let (server, dns) = serve(
        "
        a.example.org CNAME b.example.org
        a.example.org CNAME ALONE
        b.example.org CNAME c.example.org
        b.example.org CNAME ALONE
        c.example.org A     192.0.2.1
        ",
    )
    .await;
    for name in ["b.example.org", "a.example.org", "c.example.org", "a.example.org"] {
        assert_eq!(dns.a(name).await.unwrap().len(), 1, "{name}");
    }
    let fresh = server.resolver(TIMEOUT).until(Instant::now() + TIMEOUT);
    assert_eq!(fresh.a("a.example.org").await.unwrap().len(), 1);
}

#[tokio::test]
async fn trouble_has_a_name_and_is_remembered() {
    let (server, dns) = serve(
        "
        a.example.org TXT SERVFAIL
        b.example.org TXT REFUSED
        c.example.org TXT RCODE 9
        ",
    )
    .await;
    for _ in 0..3 {
        assert_eq!(dns.txt("a.example.org").await, temporary("SERVFAIL"));
        assert_eq!(dns.txt("b.example.org").await, temporary("REFUSED"));
        assert_eq!(dns.txt("c.example.org").await, temporary("response code 9"));
    }
    assert_eq!(server.count("a.example.org", "TXT"), 2, "two attempts, once");
}

#[tokio::test]
async fn truncated_answers_come_over_tcp() {
    let (server, dns) = serve(&format!(
        "a.example.org TXT \"small\"\na.example.org TXT TRUNCATE\nb.example.org TXT \"{}\"",
        "x".repeat(60_000)
    ))
    .await;
    assert_eq!(dns.txt("a.example.org").await.unwrap(), [b"small"]);
    assert_eq!(server.count("a.example.org", "TXT"), 2);
    assert_eq!(dns.txt("b.example.org").await.unwrap()[0].len(), 60_000);
}

#[tokio::test]
async fn a_silent_server_costs_the_time_out() {
    let server = DnsServer::start(Zone::parse("a.example.org TXT TIMEOUT")).await;
    let dns = server.resolver(Duration::from_millis(400)).until(Instant::now() + TIMEOUT);
    let start = Instant::now();
    assert_eq!(dns.txt("a.example.org").await, temporary("no answer in time"));
    let first = start.elapsed();
    assert!(first >= Duration::from_millis(400), "{first:?}");
    assert_eq!(dns.txt("a.example.org").await, temporary("no answer in time"));
    assert!(start.elapsed() < first + Duration::from_millis(400), "remembered");
}

#[tokio::test]
async fn a_deadline_ends_a_look_up_and_blames_nobody() {
    let zone = Zone::parse("a.example.org A 192.0.2.1\na.example.org A SLOW 300ms");
    let server = DnsServer::start(zone).await;
    let resolver = server.resolver(TIMEOUT);
    let hasty = resolver.until(Instant::now() + Duration::from_millis(100));
    assert_eq!(hasty.a("a.example.org").await, temporary("no answer in time"));
    assert_eq!(hasty.a("b.example.org").await, temporary("no answer in time"));
    let patient = resolver.until(Instant::now() + TIMEOUT);
    assert_eq!(patient.a("a.example.org").await.unwrap().len(), 1);
    // What is cached needs no time.
    assert_eq!(hasty.a("a.example.org").await.unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_listens() {
    let server = DnsServer::start(Zone::default()).await;
    let resolver = server.resolver(Duration::from_millis(400));
    drop(server);
    let dns = resolver.until(Instant::now() + TIMEOUT);
    assert!(matches!(dns.a("a.example.org").await, Err(LookupError::Temporary(_))));
}

#[tokio::test]
async fn equal_look_ups_at_once_are_one_query() {
    let (server, dns) = serve("a.example.org A 192.0.2.1\na.example.org A SLOW 50ms").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let dns = dns.clone();
        tasks.spawn(async move { dns.a("a.example.org").await });
    }
    for result in tasks.join_all().await {
        assert_eq!(result.unwrap().len(), 1);
    }
    assert_eq!(server.count("a.example.org", "A"), 1);
}

#[tokio::test]
async fn an_abandoned_look_up_spoils_nothing() {
    let (_server, dns) = serve("a.example.org A 192.0.2.1\na.example.org A SLOW 50ms").await;
    let first = tokio::spawn({
        let dns = dns.clone();
        async move { dns.a("a.example.org").await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let second = tokio::spawn({
        let dns = dns.clone();
        async move { dns.a("a.example.org").await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    first.abort();
    assert_eq!(second.await.unwrap().unwrap().len(), 1);
    assert_eq!(dns.a("a.example.org").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_in_trouble_leaves_the_look_up_to_the_next() {
    for fault in ["SERVFAIL", "REFUSED", "TIMEOUT"] {
        let bad = DnsServer::start(Zone::parse(&format!("a.example.org A {fault}"))).await;
        let zone = Zone::parse("a.example.org A 192.0.2.1\nb.example.org A 192.0.2.2");
        let good = DnsServer::start(zone).await;
        let servers = vec![bad.addr, good.addr];
        let resolver = Resolver::new(&config::Dns { servers, timeout: TIMEOUT }).unwrap();
        let dns = resolver.until(Instant::now() + Duration::from_secs(30));
        assert_eq!(dns.a("a.example.org").await.unwrap().len(), 1, "{fault}");
        // From now on the good one is asked first.
        assert_eq!(dns.a("b.example.org").await.unwrap().len(), 1, "{fault}");
        assert_eq!(bad.count("b.example.org", "A"), 0, "{fault}");
    }
}

#[tokio::test]
async fn an_unreadable_answer_is_trouble() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let servers = vec![socket.local_addr().unwrap()];
    let garbage = tokio::spawn(async move {
        let mut query = [0; 512];
        loop {
            let (_, peer) = socket.recv_from(&mut query).await.unwrap();
            // The query's id, the flags of an answer, and then nothing that makes sense.
            let answer = [&query[..2], &[0x81, 0x80], &[0xff; 40]].concat();
            socket.send_to(&answer, peer).await.unwrap();
        }
    });
    let timeout = Duration::from_millis(400);
    let resolver = Resolver::new(&config::Dns { servers, timeout }).unwrap();
    let dns = resolver.until(Instant::now() + TIMEOUT);
    assert_eq!(dns.txt("example.org").await, temporary("unreadable answer"));
    garbage.abort();
}
