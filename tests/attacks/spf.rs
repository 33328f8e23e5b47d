//! SPF records that cost, mislead or allow everybody.

use std::fmt::Write as _;
use std::time::Duration;

use ipnet::IpNet;
use mailseal::auth::spf::Spf;
use mailseal::message::envelope::Client;
use mailseal::message::origin::Origin;
use mailseal::result::AuthResult::{Fail, Pass, Permerror, Temperror};

use crate::world::{Limit, SENDER_WALK_QUERIES, World, envelope};

const MESSAGE: &[u8] = b"From: ann@bank.example\r\n\r\nHello\r\n";

/// What RFC 7208 §4.6.4 lets one identity cost: its record, ten terms, ten exchangers with an
/// address each for every `mx`, and the client's name with ten names' addresses; and with it a
/// walk of two names, an address, and the other identity's record.
const LIMIT: Limit = Limit {
    time: Duration::from_secs(5),
    queries: (1 + 10 + 10 * 10 + 1 + 10) + 3 + 1 + SENDER_WALK_QUERIES,
    output_bytes: 2_000,
};

fn mail_from(spf: &[Spf]) -> &Spf {
    &spf[1]
}

/// `mx` ten times with ten exchangers each: as much as a record may ask for, and one more.
#[tokio::test]
async fn a_tree_at_the_limits() {
    for (count, result) in [(10, Fail), (11, Permerror)] {
        let mut zone = String::new();
        let mut record = "v=spf1".to_owned();
        for number in 0..count {
            write!(record, " mx:m{number}.example.net").unwrap();
            for exchange in 0..10 {
                let name = format!("x{exchange}.m{number}.example.net");
                writeln!(zone, "m{number}.example.net MX 1 {name}\n{name} A 203.0.113.1").unwrap();
            }
        }
        writeln!(zone, "example.net TXT \"{record} -all\"").unwrap();
        let world = World::new(&zone).await;
        let judged = world.judge(MESSAGE).await;
        assert_eq!(mail_from(&judged.within(LIMIT).verdict.auth.spf).result, result, "{count}");
        assert!(judged.queries >= 110, "{}", judged.queries);
    }
}

/// Records that include each other twice are a tree of a thousand leaves, and ten of them.
#[tokio::test]
async fn a_tree_that_branches() {
    let mut zone = "example.net TXT \"v=spf1 include:l0.example.net -all\"\n".to_owned();
    for level in 0..10 {
        let below = level + 1;
        let record =
            format!("v=spf1 include:l{below}.example.net include:l{below}.example.net ?all");
        writeln!(zone, "l{level}.example.net TXT \"{record}\"").unwrap();
    }
    writeln!(zone, "l10.example.net TXT \"v=spf1 ?all\"").unwrap();
    let world = World::new(&zone).await;
    let judged = world.judge(MESSAGE).await;
    assert_eq!(mail_from(&judged.within(LIMIT).verdict.auth.spf).result, Permerror);
    assert!(judged.queries <= 1 + 10 + 3 + 1 + SENDER_WALK_QUERIES, "{}", judged.queries);
}

/// The same at names that answer slowly ends with the message's time.
#[tokio::test]
async fn a_slow_tree() {
    let mut zone = String::new();
    let mut record = "v=spf1".to_owned();
    for number in 0..10 {
        write!(record, " a:s{number}.example.net").unwrap();
        writeln!(zone, "s{number}.example.net A 203.0.113.1\ns{number}.example.net A SLOW 900ms")
            .unwrap();
    }
    writeln!(zone, "example.net TXT \"{record} -all\"").unwrap();
    let limit = Duration::from_secs(2);
    let world = World::with(&zone, |config| config.limits.message = limit).await;
    let judged = world.judge(MESSAGE).await;
    judged.within(Limit { time: limit + Duration::from_millis(500), ..LIMIT });
    assert_eq!(mail_from(&judged.verdict.auth.spf).result, Temperror);
}

#[tokio::test]
async fn cve_2019_20790() {
    let world = World::new(
        "bank.example TXT \"v=spf1 ip4:192.0.2.1 -all\"\n\
         example.net TXT \"v=spf1 -all\"\nevil.example TXT \"v=spf1 ?all\"\n\
         _dmarc.bank.example TXT \"v=DMARC1; p=reject\"\n",
    )
    .await;
    let mut sender = envelope();
    sender.helo = Some("bank.example".into());
    for mail_from in
        ["joe@example.net", "joe@evil.example", "joe@none.example", "joe", "@", "joe@["]
    {
        sender.mail_from = mail_from.into();
        let judged = world.judge_from(sender.clone(), MESSAGE).await;
        assert_eq!(judged.within(LIMIT).verdict.auth.spf[0].result, Pass);
        assert_eq!(judged.dmarc(), Fail, "{mail_from}");
    }
    // The null reverse path is postmaster at the HELO name (RFC 7208 §2.4).
    sender.mail_from = String::new();
    assert_eq!(world.judge_from(sender, MESSAGE).await.dmarc(), Pass);
}

/// Digits and delimiters at their limits and beyond, with local parts as long as they come.
#[tokio::test]
async fn cve_2021_20314() {
    for spec in [
        "%{d99r}",
        "%{d0r}",
        "%{d128r.-+,/_=}",
        "%{d99999999999999999999r}",
        "%{l128r-}.%{d}",
        "%{i128r}.%{d}",
        "%{p99r}",
        "%{s}",
        "%{S99R}",
        "%{L}%{O}%{D}%{I}%{H}",
        "%{",
        "%{}",
        "%",
        "%{d",
        "%%{d99r",
        "%{v}%_%-%%",
    ] {
        let record = format!("v=spf1 exists:{spec} include:{spec} -all exp={spec}");
        let zone = format!("example.net TXT \"{record}\"\n");
        let world = World::new(&zone).await;
        for local_part in ["joe", &"-".repeat(500), &"a.".repeat(250), "%{d99r}", "\"; (\\\"\""] {
            let mut sender = envelope();
            sender.mail_from = format!("{local_part}@example.net");
            let judged = world.judge_from(sender, MESSAGE).await;
            let spf = mail_from(&judged.within(LIMIT).verdict.auth.spf);
            assert!(matches!(spf.result, Fail | Permerror), "{spec} {local_part}: {spf:?}");
        }
    }
}

/// Addresses that a hasty parser cuts at the wrong colon or slash.
#[tokio::test]
async fn opendmarc_274_and_275() {
    let zone = "example.net TXT \"v=spf1 ip6:2001:db8::/32 ip6:::1 -all\"\n";
    let trusted: IpNet = "2001:db8:1::/48".parse().unwrap();
    let world = World::with(zone, |config| config.identity.trusted_relays = vec![trusted]).await;
    for (addr, origin, result) in [
        ("2001:db8::1", Origin::Inbound, Some(Pass)),
        ("2001:db9::1", Origin::Inbound, Some(Fail)),
        ("::2", Origin::Inbound, Some(Fail)),
        ("::ffff:192.0.2.1", Origin::Inbound, Some(Fail)),
        // Trusted by default.
        ("::1", Origin::Local, None),
        ("2001:db8:1::1", Origin::Relay, Some(Pass)),
    ] {
        let client = Client { addr: Some(addr.parse().unwrap()), name: Some("c.example".into()) };
        let mut sender = envelope();
        sender.client = client;
        let message =
            [b"Received: from c.example (c.example [IPv6:2001:db8:2::1]) by r\r\n", MESSAGE]
                .concat();
        let judged = world.judge_from(sender, &message).await;
        assert_eq!(judged.within(LIMIT).verdict.origin, origin, "{addr}");
        assert_eq!(judged.verdict.auth.spf.get(1).map(|spf| spf.result), result, "{addr}");
    }
}
