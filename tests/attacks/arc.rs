//! Chains that nobody made: crafted, repeated, without end, and in any spelling.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use mailseal::result::AuthResult::Fail;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::world::{Limit, SENDER_WALK_QUERIES, World, parts};

/// SPF of two identities, a walk of two names and one address; no key of a broken chain is asked for.
const LIMIT: Limit =
    Limit { time: Duration::from_secs(5), queries: 5 + SENDER_WALK_QUERIES, output_bytes: 2_000 };
/// A chain's keys: fifty seals, and the newest signature's.
const KEYS_MAX: usize = 51;

const BH: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const ZONE: &str = "_dmarc.example.org TXT \"v=DMARC1; p=reject\"\n";

async fn world() -> World {
    World::with(ZONE, |config| {
        config.arc.trusted_sealers = vec!["lists.example".into()];
        config.policy.exempt = vec![mailseal::config::Exempt {
            sealers: vec!["lists.example".into()],
            ..Default::default()
        }];
    })
    .await
}

fn set(names: [&str; 3], instance: usize, status: &str) -> String {
    let tags = format!("i={instance}; a=rsa-sha256; d=lists.example; s=s{instance}; b=AAAA");
    let [seal, message, results] = names;
    format!(
        "{seal}: {tags}; cv={status}\r\n{message}: {tags}; h=from; bh={BH}\r\n\
         {results}: i={instance}; lists.example; dmarc=pass header.from=example.org\r\n"
    )
}

const NAMES: [&str; 3] = ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"];

const MESSAGE: &str = "From: ceo@example.org\r\n\r\nPay at once.\r\n";

/// Whatever the fields say, a chain that does not verify lifts nothing; why it does not.
async fn assert_lifts_nothing(world: &World, fields: &str, queries: usize) -> Option<String> {
    let judged = world.judge(format!("{fields}{MESSAGE}").as_bytes()).await;
    judged.within(Limit { queries: LIMIT.queries + queries, ..LIMIT });
    let chain = judged.verdict.auth.arc.as_ref().unwrap();
    let shown: String = fields.chars().take(300).collect();
    assert_eq!(chain.result, Fail, "{shown}: {chain:?}");
    assert_eq!(judged.dmarc(), Fail, "{shown}");
    assert!(judged.has_tag("dmarc-fail"), "{shown}");
    assert_eq!(parts(judged.results()).iter().filter(|part| part.starts_with("arc=")).count(), 1);
    chain.reason.clone()
}

#[tokio::test]
async fn forged_sets() {
    let world = world().await;
    let chain = |count: usize| {
        let status = |instance| if instance == 1 { "none" } else { "pass" };
        (1..=count).map(|instance| set(NAMES, instance, status(instance))).collect::<String>()
    };
    for (fields, queries) in [
        (set(NAMES, 1, "pass"), 0),
        (set(NAMES, 1, "none"), 1),
        (set(NAMES, 2, "pass"), 0),
        (chain(2) + &set(NAMES, 2, "pass"), 0),
        (chain(50), KEYS_MAX),
        (chain(51), 0),
        (chain(60), 0),
        (chain(1_000), 0),
    ] {
        assert_lifts_nothing(&world, &fields, queries).await;
    }
}

/// A field is ARC's in any spelling that a reader takes for its name.
#[tokio::test]
async fn any_spelling() {
    let world = world().await;
    for names in [
        ["arc-seal", "arc-message-signature", "arc-authentication-results"],
        ["ARC-SEAL", "ARC-MESSAGE-SIGNATURE", "ARC-AUTHENTICATION-RESULTS"],
        ["ARC-Seal ", "ARC-Message-Signature\t", "ARC-Authentication-Results  "],
    ] {
        assert_lifts_nothing(&world, &set(names, 1, "none"), 1).await;
        assert_lifts_nothing(&world, &set(names, 1, "pass"), 0).await;
    }
}

/// OpenDMARC #31, #183, #186, #222, #241: it ended at these. A thousand fields from the grammar's
/// pieces, in any order.
#[tokio::test]
async fn opendmarc_31_183_186_222_and_241() {
    let world = world().await;
    let piece = prop::sample::select(vec![
        "i=1",
        "i=2",
        "i=0",
        "i=51",
        "i=",
        "i",
        "=",
        ";",
        "; ",
        ";;",
        " ",
        "\r\n\t",
        "cv=none",
        "cv=pass",
        "cv=fail",
        "cv=",
        "a=rsa-sha256",
        "a=x",
        "d=lists.example",
        "d=",
        "s=s",
        "h=from",
        "h=",
        "h=:",
        "b=AAAA",
        "b=",
        "b==",
        "bh=AAAA",
        "t=1",
        "t=-1",
        "t=99999999999999999999",
        "(",
        ")",
        "(a)",
        "\"",
        "\\",
        "lists.example",
        "none",
        "dmarc=pass",
        "dmarc",
        "header.from=example.org",
        "spf=pass",
        "smtp.mailfrom=@",
        "=pass",
        "reason=\"",
        "arc=pass (i=1 spf=pass)",
        "\u{fc}",
    ]);
    // Most fields are whole, so that what is broken is met at every depth.
    let junk = prop_oneof![
        6 => Just(String::new()),
        1 => prop::collection::vec(piece, 1..6).prop_map(|pieces| format!("; {}", pieces.concat())),
    ];
    let sets = prop::collection::vec((any::<bool>(), prop::array::uniform3(junk)), 1..4);
    let mut runner = TestRunner::deterministic();
    let mut reasons = BTreeSet::new();
    for _ in 0..1_000 {
        let mut text = String::new();
        let sets = sets.new_tree(&mut runner).unwrap().current();
        for (instance, (is_honest, junk)) in (1..).zip(sets) {
            let status = if (instance == 1) == is_honest { "none" } else { "pass" };
            for (field, junk) in set(NAMES, instance, status).lines().zip(junk) {
                write!(text, "{field}{junk}; z=1\r\n").unwrap();
            }
        }
        reasons.extend(assert_lifts_nothing(&world, &text, KEYS_MAX).await);
    }
    assert!(reasons.len() > 10, "the fields are all refused for the same: {reasons:#?}");
}
