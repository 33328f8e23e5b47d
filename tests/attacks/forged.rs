//! Fields that only we may write, written by others.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use mailseal::verdict::Change;

use crate::support::live::Running;
use crate::support::milter::{Mail, Mta, apply};
use crate::world::{Limit, SENDER_WALK_QUERIES, World};

const LIMIT: Limit =
    Limit { time: Duration::from_secs(5), queries: 5 + SENDER_WALK_QUERIES, output_bytes: 1_000 };

/// Deleting fields one by one shifts those below; an MTA renumbers them.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2022_48521() {
    let World { dns: _dns, runtime, .. } = World::new("").await;
    let daemon = Running::start(Arc::into_inner(runtime).unwrap(), false).await;
    let ids: [&[u8]; 3] = [
        b" mx.example.org; spf=pass",
        b" mx.other.example; spf=pass",
        b" \"MX.Example.ORG\"; x=pass",
    ];
    let names = ["Authentication-Results", "authentication-results", "X-Virus-Status"];
    for count in 1..=50 {
        let field =
            |number: usize| (names[number % 3].into(), ids[number % 2 + number % 5 / 4].to_vec());
        let headers = (0..count).map(field).collect();
        let mut mail = Mail { headers, ..Mail::default() };
        let outcome = Mta::connect(daemon.addr).unwrap().deliver(&mail).unwrap();
        apply(&mut mail.headers, &outcome.edits);
        let forged = |(name, value): &&(Vec<u8>, Vec<u8>)| {
            let value = value.to_ascii_lowercase();
            name.eq_ignore_ascii_case(b"x-virus-status")
                || value.windows(14).any(|part| part == b"mx.example.org")
        };
        // Our own.
        assert_eq!(mail.headers.iter().filter(forged).count(), 1, "{count}: {:?}", mail.headers);
    }
    daemon.stop().await;
}

/// Ten thousand results in one field, and as many fields as may be: all that name us go, all else
/// stays, in time.
#[tokio::test]
async fn opendmarc_441() {
    let world = World::new("").await;
    let results = "; dkim=pass (ok) reason=\"x\" header.d=example.org".repeat(10_000);
    for (id, deletions) in [("mx.example.org", 1), ("mx.other.example", 0), ("(mx.example.org", 1)]
    {
        let message = format!("Authentication-Results: {id}{results}\r\nFrom: a@b.example\r\n\r\n");
        let judged = world.judge(message.as_bytes()).await;
        judged.within(LIMIT);
        let deleted =
            judged.verdict.changes.iter().filter(|c| matches!(c, Change::DeleteHeader { .. }));
        assert_eq!(deleted.count(), deletions, "{id}");
    }
    let mut message = String::new();
    for _ in 0..4_990 {
        let id = "(".repeat(40) + "a" + &")".repeat(40) + " mx.example.org";
        write!(message, "Authentication-Results: {id}; spf=pass\r\n").unwrap();
    }
    message += "From: a@b.example\r\n\r\n";
    let judged = world.judge(message.as_bytes()).await;
    let deleted = judged.within(LIMIT).verdict.changes.iter();
    assert_eq!(deleted.filter(|c| matches!(c, Change::DeleteHeader { .. })).count(), 4_990);
}
