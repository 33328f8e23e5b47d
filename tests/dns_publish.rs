//! Dynamic updates (RFC 2136) signed by TSIG (RFC 8945), to Debian's `named` with two secondaries.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use mailseal::dns::update::{Action, Publisher, UpdateError};
use mailseal::dns::{Answer, Kind, TsigKey, Wanted};
use mailseal::keys::state::Algorithm;
use mailseal::runtime::system_clock;
use support::named::{NameServers, Secondary, Zone};
use support::operator::Operator;
use tokio::time::Instant;

const EXAMPLE: Zone<'static> = Zone {
    origin: "example.org",
    negative_ttl_secs: 5,
    records: r#"
        @ TXT "some-site-verification=1"
        @ TXT "v=spf1 a -all"
        www A 192.0.2.1
        other._domainkey TXT "v=DKIM1; p=abc"
        s9._domainkey CNAME s9.example.org.hosted.example.
    "#,
};

const HOSTED: Zone<'static> =
    Zone { origin: "hosted.example", negative_ttl_secs: 5, records: "www A 192.0.2.2" };

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

async fn texts(servers: &NameServers, name: &str) -> Vec<String> {
    let observation = servers.authority().txt(name, deadline()).await.unwrap();
    let records = observation.servers.iter().flat_map(|shown| shown.answer.records());
    let mut texts: Vec<String> =
        records.map(|txt| String::from_utf8(txt.text()).unwrap()).collect();
    texts.sort();
    texts
}

fn publisher(servers: &NameServers) -> Publisher {
    let key = TsigKey::read(&servers.key_file).unwrap();
    Publisher::new(servers.servers[0].addr, &key, 300, servers.authority())
}

fn wanted(name: &str, kind: Kind, text: Option<&str>) -> Wanted {
    Wanted { name: name.to_owned(), kind, text: text.map(str::to_owned) }
}

#[test]
fn a_domain_is_published_on_all_its_servers() {
    let servers = NameServers::start(&[EXAMPLE, HOSTED], &[Secondary::Prompt; 2]);
    let operator = Operator::of(
        &servers,
        "spf_record = \"v=spf1 mx -all\"\n\
         dmarc_record = \"v=DMARC1; p=none; rua=mailto:a@example.org\"\n",
    );
    for (selector, algorithm) in [
        ("s1", Algorithm::Rsa),
        ("s2", Algorithm::Ed25519),
        ("s3", Algorithm::Rsa),
        ("s9", Algorithm::Ed25519),
    ] {
        operator.add("example.org", selector, algorithm);
    }
    let ran = operator.run(&["dns", "publish", "example.org"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("s1._domainkey.example.org: added\n"), "{ran:?}");
    assert!(
        ran.out.contains("s9._domainkey.example.org: added at s9.example.org.hosted.example\n"),
        "{ran:?}"
    );
    assert!(ran.out.contains("example.org: replaced\n"), "{ran:?}");
    let everywhere = "right on ns1.example.org, ns2.example.org, ns3.example.org";
    assert!(ran.out.contains(&format!("s1._domainkey.example.org: {everywhere}")), "{ran:?}");
    assert!(ran.out.contains(&format!("\nexample.org: {everywhere}")), "{ran:?}");

    let again = operator.run(&["dns", "publish", "example.org"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(again.out.matches(": is there already").count(), 6, "{again:?}");

    // The record of a revoked key has an empty p=, that of a removed one is gone.
    operator.set_state("example.org", "s1", "revoked");
    operator.set_state("example.org", "s3", "removed");
    let later = operator.run(&["dns", "publish", "example.org"]);
    assert_eq!(later.code, Some(0), "{later:?}");
    assert!(later.out.contains("s1._domainkey.example.org: replaced\n"), "{later:?}");
    assert!(later.out.contains("s3._domainkey.example.org: removed\n"), "{later:?}");

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let all = |text: &str| vec![text.to_owned(); 3];
        assert_eq!(texts(&servers, "s1._domainkey.example.org").await, all("v=DKIM1; k=rsa; p="));
        assert!(texts(&servers, "s3._domainkey.example.org").await.is_empty());
        // What is not ours is as it was.
        assert_eq!(texts(&servers, "other._domainkey.example.org").await, all("v=DKIM1; p=abc"));
        let apex = texts(&servers, "example.org").await;
        assert_eq!(apex.len(), 6, "{apex:?}");
        assert_eq!(apex[..3], all("some-site-verification=1"));
        assert_eq!(apex[3..], all("v=spf1 mx -all"));
    });
}

#[test]
fn what_stops_an_update_is_told() {
    let servers = NameServers::start(&[EXAMPLE], &[]);
    let operator = Operator::of(&servers, "");
    operator.add("example.org", "s1", Algorithm::Ed25519);
    operator.add("example.net", "s1", Algorithm::Ed25519);
    let key = fs::read_to_string(&servers.key_file).unwrap();
    let secret = key.split('"').nth(3).unwrap();
    let other = operator.path("other.key");
    let publish = |text: &str, mode: u32, domain: &str| {
        fs::write(&other, text).unwrap();
        fs::set_permissions(&other, Permissions::from_mode(mode)).unwrap();
        let path = other.to_str().unwrap();
        let ran = operator.run(&["dns", "publish", domain, "--key-file", path]);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(!format!("{ran:?}").contains(secret), "{ran:?}");
        ran.err
    };
    for (text, mode, domain, said) in [
        (key.replace("mailseal-test", "stranger"), 0o600, "example.org", "does not know the key"),
        (key.replace(secret, &secret.replace('b', "c")), 0o600, "example.org", "another secret"),
        (key.clone(), 0o644, "example.org", "chmod 600"),
        (key.replace("sha256", "md5"), 0o600, "example.org", "hmac-sha256 is"),
        (key.clone(), 0o600, "example.net", "has no zone with s1._domainkey.example.net"),
    ] {
        let err = publish(&text, mode, domain);
        assert!(err.contains(said), "{err}");
    }
    let unset = Operator::new("");
    unset.add("example.org", "s1", Algorithm::Ed25519);
    let ran = unset.run(&["dns", "publish", "example.org"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

/// Of many publishers at once, one's change at a time counts, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn publishers_at_once_do_not_clash() {
    let servers = NameServers::start(&[EXAMPLE], &[]);
    let publisher = publisher(&servers);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..4 {
        let publisher = publisher.clone();
        tasks.spawn(async move {
            let text = format!("v=spf1 ip4:192.0.2.{n} -all");
            let wanted = [wanted("example.org", Kind::Spf, Some(&text))];
            publisher.publish(&wanted, system_clock(), deadline()).await
        });
    }
    for result in tasks.join_all().await {
        match result {
            Ok(done) => assert_eq!(done[0].action, Action::Replaced),
            Err(error) => assert_eq!(error, UpdateError::Clash(servers.servers[0].addr)),
        }
    }
    let texts = texts(&servers, "example.org").await;
    assert_eq!(texts.len(), 2, "one SPF record, and the stranger: {texts:?}");
    assert_eq!(texts[0], "some-site-verification=1");
}

#[tokio::test]
async fn a_wrong_clock_and_a_dead_server() {
    let mut servers = NameServers::start(&[EXAMPLE], &[]);
    let publisher = publisher(&servers);
    let wanted = [wanted("s1._domainkey.example.org", Kind::Key, Some("v=DKIM1; p="))];
    let early = publisher.publish(&wanted, system_clock() - 3600, deadline()).await;
    let Err(UpdateError::Key { reason, .. }) = early else { panic!("{early:?}") };
    assert!(reason.contains("clock"));
    servers.stop(0);
    let dead = publisher.publish(&wanted, system_clock(), deadline()).await;
    assert!(matches!(dead, Err(UpdateError::Unreachable { .. })), "{dead:?}");
}

/// Several keys at our own selector are replaced by the one; a text that is no key stays.
#[tokio::test]
async fn all_keys_of_a_selector_are_replaced() {
    let servers = NameServers::start(&[EXAMPLE], &[]);
    for text in ["v=DKIM1; p=a", "k=rsa; p=b", "a note"] {
        servers.update(&format!("update add s1._domainkey.example.org 60 TXT \"{text}\""));
    }
    let wanted = [wanted("s1._domainkey.example.org", Kind::Key, Some("v=DKIM1; p="))];
    let published = publisher(&servers).publish(&wanted, system_clock(), deadline()).await.unwrap();
    assert_eq!(published[0].action, Action::Replaced);
    assert_eq!(texts(&servers, "s1._domainkey.example.org").await, ["a note", "v=DKIM1; p="]);
    let deadline = deadline();
    let observation = servers.authority().txt("s1._domainkey.example.org", deadline).await.unwrap();
    let Answer::Txt(records) = &observation.servers[0].answer else { panic!() };
    assert_eq!(records[0].ttl_secs, 60, "the strangers' time to live stays");
}
