//! What the authoritative servers of a name show (RFC 1034, RFC 2308), asked of Debian's `named`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use mailseal::dns::{Answer, LookupError, Observation};
use support::named::{NameServers, Secondary, Zone};
use support::relay::Relay;
use tokio::time::Instant;

const EXAMPLE: Zone<'static> = Zone {
    origin: "example.org",
    negative_ttl_secs: 60,
    records: r#"
        s1._domainkey TXT "v=DKIM1; " "p=abc"
        s1._domainkey TXT "second"
        empty A 192.0.2.1
        s2._domainkey CNAME s2.hosted.example.
        s3._domainkey CNAME s3.nowhere.example.
        circle CNAME circle
    "#,
};

async fn observe(servers: &NameServers, name: &str) -> Observation {
    let deadline = Instant::now() + Duration::from_secs(20);
    servers.authority().txt(name, deadline).await.unwrap()
}

fn answers(observation: &Observation) -> Vec<(&str, &Answer)> {
    let shown = observation.servers.iter();
    shown.map(|shown| (shown.server.as_str(), &shown.answer)).collect()
}

fn texts(answer: &Answer) -> Vec<Vec<String>> {
    let text = |string: &Vec<u8>| String::from_utf8(string.clone()).unwrap();
    let records = answer.records().iter();
    let mut texts: Vec<Vec<String>> =
        records.map(|record| record.strings.iter().map(text).collect()).collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn every_server_is_asked() {
    let mut servers = NameServers::start(&[EXAMPLE], &[Secondary::Prompt, Secondary::Lagging]);
    let observation = observe(&servers, "s1._domainkey.example.org").await;
    assert_eq!(observation.negative_ttl_secs, Some(60));
    let names: Vec<&str> = answers(&observation).iter().map(|(server, _)| *server).collect();
    assert_eq!(names, ["ns1.example.org", "ns2.example.org", "ns3.example.org"]);
    for shown in &observation.servers {
        assert_eq!(texts(&shown.answer), [vec!["second"], vec!["v=DKIM1; ", "p=abc"]]);
        let mut ttls: Vec<u32> = shown.answer.records().iter().map(|txt| txt.ttl_secs).collect();
        ttls.sort_unstable();
        ttls.dedup();
        assert_eq!(ttls.len(), 1, "one set has one time to live (RFC 2181 §5.2)");
    }

    servers.update("update add new.example.org 300 TXT \"v\"");
    let give_up = Instant::now() + Duration::from_mins(1);
    loop {
        let observation = observe(&servers, "new.example.org").await;
        let answers = answers(&observation);
        assert_eq!(texts(answers[0].1), [["v"]]);
        assert_eq!(*answers[2].1, Answer::NotFound, "it lags");
        if texts(answers[1].1) == [["v"]] {
            break;
        }
        assert!(Instant::now() < give_up);
    }
    servers.catch_up(2);
    while observe(&servers, "new.example.org").await.servers[2].answer == Answer::NotFound {
        assert!(Instant::now() < give_up);
    }

    servers.stop(1);
    let observation = observe(&servers, "empty.example.org").await;
    let silent = Answer::Silent("no answer in time".to_owned());
    let wanted = [&Answer::Empty, &silent, &Answer::Empty];
    assert_eq!(answers(&observation).iter().map(|(_, answer)| *answer).collect::<Vec<_>>(), wanted);
    assert_eq!(observation.unreachable(), [("ns2.example.org", "no answer in time")]);
}

const HOSTED: Zone<'static> =
    Zone { origin: "hosted.example", negative_ttl_secs: 90, records: "s2 TXT \"hosted\"" };

#[tokio::test]
async fn aliases_lead_to_the_servers_of_another_zone() {
    let servers = NameServers::start(&[EXAMPLE, HOSTED], &[]);
    let observation = observe(&servers, "s2._domainkey.example.org").await;
    assert_eq!(observation.negative_ttl_secs, Some(90), "the longer of both zones");
    let [alias, hosted] = &observation.servers[..] else { panic!("{observation:?}") };
    assert_eq!(alias.answer, Answer::Alias("s2.hosted.example".to_owned()));
    assert_eq!(
        (hosted.server.as_str(), hosted.name.as_str()),
        ("ns1.hosted.example", "s2.hosted.example")
    );
    assert_eq!(texts(&hosted.answer), [["hosted"]]);

    let observation = observe(&servers, "circle.example.org").await;
    assert_eq!(observation.servers.len(), 1, "a loop is followed once: {observation:?}");
    // The resolver here refuses what is not its own.
    let observation = observe(&servers, "s3._domainkey.example.org").await;
    let lost = observation.servers.last().unwrap();
    assert_eq!(lost.server, "servers of s3.nowhere.example");
    assert_eq!(lost.answer, Answer::Silent("REFUSED".to_owned()));
}

/// Some have their whole `_domainkey` elsewhere; that cut shows itself as a referral.
#[tokio::test]
async fn referrals_are_followed() {
    let parent = Zone {
        origin: "example.org",
        negative_ttl_secs: 60,
        records: "_domainkey NS keys.example.net.\ns9._domainkey TXT \"hidden by the cut\"",
    };
    let child = Zone {
        origin: "_domainkey.example.org",
        negative_ttl_secs: 30,
        records: "s1 TXT \"below\"",
    };
    let net = |addr: std::net::IpAddr| format!("keys A {addr}");
    // The child's server is another one than the parent's.
    let below = NameServers::start(&[child], &[]);
    let glue = net(below.servers[0].addr.ip());
    let glue = Zone { origin: "example.net", negative_ttl_secs: 60, records: &glue };
    let above = NameServers::start_at(31, below.port, &[parent, glue], &[]);
    let observation = observe(&above, "s1._domainkey.example.org").await;
    assert_eq!(observation.negative_ttl_secs, Some(60));
    let [shown] = &observation.servers[..] else { panic!("{observation:?}") };
    assert_eq!(
        (shown.server.as_str(), shown.addr),
        ("keys.example.net", Some(below.servers[0].addr))
    );
    assert_eq!(texts(&shown.answer), [["below"]]);
}

#[tokio::test]
async fn servers_without_authority_are_out_of_reach() {
    let zone = Zone {
        origin: "example.org",
        negative_ttl_secs: 60,
        records: "@ NS lame\nlame A 127.0.0.40\n@ NS ns.nowhere.example.\ns1._domainkey TXT \"x\"",
    };
    let servers = NameServers::start(&[zone], &[]);
    let lame = format!("127.0.0.40:{}", servers.port).parse().unwrap();
    let other = NameServers::start(&[HOSTED], &[]);
    let _relay = Relay::start(lame, other.servers[0].addr).unwrap();
    let observation = observe(&servers, "s1._domainkey.example.org").await;
    assert_eq!(
        observation.unreachable(),
        [
            ("ns.nowhere.example", "address of the server: DNS failed: REFUSED"),
            ("lame.example.org", "REFUSED"),
        ]
    );
    assert_eq!(observation.answers().count(), 1);
}

#[tokio::test]
async fn the_resolver_alone() {
    let servers = NameServers::start(&[EXAMPLE, HOSTED], &[]);
    let deadline = Instant::now() + Duration::from_secs(20);
    let authority = servers.authority();
    for (name, wanted) in [
        ("s1._domainkey.example.org", vec![vec!["second"], vec!["v=DKIM1; ", "p=abc"]]),
        ("s2._domainkey.example.org", vec![vec!["hosted"]]),
    ] {
        let observation = authority.txt_via_resolver(name, deadline).await.unwrap();
        let [shown] = &observation.servers[..] else { panic!("{observation:?}") };
        assert_eq!(shown.server, servers.servers[0].addr.to_string());
        assert_eq!(texts(&shown.answer), wanted);
        assert_eq!(observation.negative_ttl_secs, Some(60));
    }
    assert_eq!(authority.txt("a..b", deadline).await, Err(LookupError::NotFound));
}

/// An answer of 4,000 octets comes over TCP; where TCP is closed it does not come at all.
#[tokio::test]
async fn truncated_answers_come_over_tcp() {
    let long = format!("long TXT {}", format!("\"{}\" ", "x".repeat(250)).repeat(16));
    let zone = Zone { origin: "example.org", negative_ttl_secs: 60, records: &long };
    let servers = NameServers::start(&[zone], &[]);
    let observation = observe(&servers, "long.example.org").await;
    let records = observation.servers[0].answer.records();
    assert_eq!(records.first().map(|txt| txt.text().len()), Some(4000), "{observation:?}");

    let udp_alone = NameServers::start(&[zone], &[]);
    udp_alone.servers[0].close_tcp();
    let observation = observe(&udp_alone, "long.example.org").await;
    let Answer::Truncated(cause) = &observation.servers[0].answer else {
        panic!("{observation:?}")
    };
    assert!(!cause.is_empty());
}
