//! dkimpy, which Debian packages as `python3-dkim`, canonicalizes bodies as we do, and each continues
//! the other's ARC chains. The package must be there. (`interop` has its DKIM signatures on mail of
//! all kinds.)
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/message.rs"]
mod message;

use std::io::Write as _;
use std::process::{Command, Stdio};

use mailseal::auth::arc::{self, ArcChain};
use mailseal::dkim::canonical::Canonicalization::{Relaxed, Simple};
use mailseal::dkim::canonical::body::BodyCanonicalizer;
use mailseal::dkim::digest::BodyHasher;
use mailseal::dkim::record::dns_text;
use mailseal::dkim::sign::SigningRequest;
use mailseal::dkim::signing_key::{SigningKey, generate_rsa};
use mailseal::result::AuthResult;
use mailseal::sign::seal::{SealRequest, Sealed};
use message::{Message, NOW, Zone, base64, zone};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const KEY_NAME: &str = "sel._domainkey.example.org";

/// dkimpy's answers, one a case.
fn dkimpy(verb: &str, cases: &[Value]) -> Vec<Value> {
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", include_str!("data/dkimpy.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("/usr/bin/python3 is needed: apt-get install python3-dkim python3-nacl");
    let request = json!({"verb": verb, "cases": cases}).to_string();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "dkimpy failed; apt-get install python3-dkim python3-nacl");
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), cases.len());
    answers
}

/// The same values on every run.
fn sampled<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn body() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => Just("\r\n"),
        3 => Just(" "),
        2 => Just("\t "),
        1 => Just("\u{c}"),
        4 => Just("word"),
        2 => Just("."),
        1 => Just("From here"),
        1 => Just("=C3=BC ü"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Messages with odd white space in header fields and body.
fn messages(count: usize) -> Vec<Message> {
    let blank = prop::sample::select(vec!["", " ", "  ", "\t", "\r\n ", " \r\n\t ", "\r\n\t\t"]);
    let word = prop::sample::select(vec!["hello", "=?utf-8?q?=C3=BC?=", "a;b", "\"q  q\"", "(c)"]);
    let value = prop::collection::vec((blank, word), 1..6)
        .prop_map(|parts| parts.into_iter().flat_map(|(blank, word)| [blank, word]).collect());
    let fields = prop::collection::vec(
        (prop::sample::select(vec!["Subject", "To", "Cc", "Received", "X-A"]), value),
        0..6,
    );
    let message = (fields, body()).prop_map(|(fields, body): (Vec<(&str, String)>, String)| {
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect();
        let fields = fields.concat();
        Message::parse(format!("From: A <a@example.org>\r\n{fields}\r\n{body}\r\n").as_bytes())
    });
    sampled(&message, count)
}

/// Bare CR and LF are among the octets, and chunks end anywhere. A last line without CRLF that ends in white space is not:
/// dkimpy keeps that white space, which RFC 6376 §3.4.4 drops "at the end of lines".
#[test]
fn canonical_bodies_are_the_same() {
    let piece = prop_oneof![
        5 => Just("\r\n"), 3 => Just(" "), 2 => Just("\t"), 2 => Just("\r"), 2 => Just("\n"),
        4 => Just("a"), 1 => Just("\u{c}"),
    ];
    let body = prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat());
    let mut bodies = sampled(&body, 2000);
    bodies.retain(|body| !body.ends_with([' ', '\t']));
    let cases: Vec<_> = bodies.iter().map(|body| json!(base64(body.as_bytes()))).collect();
    let cuts = sampled(&prop::collection::vec(0_usize..12, 1..9), bodies.len());
    for ((body, cuts), answer) in bodies.iter().zip(cuts).zip(dkimpy("canonicalize", &cases)) {
        let ours = [Simple, Relaxed].map(|canonicalization| {
            let mut out = Vec::new();
            let mut canonicalizer = BodyCanonicalizer::new(canonicalization);
            let mut rest = body.as_bytes();
            for cut in cuts.iter().chain([&usize::MAX]) {
                let (chunk, after) = rest.split_at(rest.len().min(*cut));
                canonicalizer.update(chunk, &mut |slice| out.extend_from_slice(slice));
                rest = after;
            }
            canonicalizer.finish(&mut |slice| out.extend_from_slice(slice));
            base64(&out)
        });
        assert_eq!(json!(ours), answer, "{body:?}");
    }
}

/// A parent's key with `i=` below it, and a U-label in From with A-labels in `d=` (RFC 8616).
#[test]
fn dkimpy_verifies_a_subdomain_in_i_and_a_u_label_in_from() {
    let fields: Vec<String> = ["From", "To", "Subject"].map(str::to_owned).to_vec();
    let key = SigningKey::from_pem(&generate_rsa(2048).unwrap()).unwrap();
    let record = dns_text(key.key_type(), &key.public_key(), false, false);
    let mut cases = Vec::new();
    for (from, domain, auid) in [
        ("a@a.example.org", "example.org", Some("@a.example.org")),
        ("a@b\u{fc}cher.example", "xn--bcher-kva.example", None),
        ("a@x.b\u{fc}cher.example", "xn--bcher-kva.example", Some("@x.xn--bcher-kva.example")),
    ] {
        let text = format!("From: {from}\r\nTo: b@example.net\r\nSubject: x\r\n\r\nbody\r\n");
        let message = Message::parse(text.as_bytes());
        let request = SigningRequest {
            key: &key,
            domain,
            selector: "sel",
            auid,
            header_canonicalization: Relaxed,
            body_canonicalization: Relaxed,
            fields: &fields,
            oversigned: &fields,
            body_hash: &message.body_hash(Relaxed),
            now: 1_700_000_000,
            expire_secs: None,
        };
        let value = request.sign(&message.headers).unwrap();
        let signed = message.with_field("DKIM-Signature", format!(" {value}").as_bytes());
        let name = format!("sel._domainkey.{domain}");
        cases.push(json!({"message": base64(&signed.octets()), "records": {name: record}}));
    }
    for (case, answer) in cases.iter().zip(dkimpy("verify", &cases)) {
        assert_eq!(answer, json!(true), "{case}");
    }
}

/// Chains in which each of two sealers is either of us.
#[test]
fn arc_chains_are_continued_by_either() {
    let pem = generate_rsa(2048).unwrap();
    let key = SigningKey::from_pem(&pem).unwrap();
    let record = dns_text(key.key_type(), &key.public_key(), false, false);
    let zone = zone(KEY_NAME, &[&record]);
    let start: Vec<Message> = messages(60);
    let ours = |messages: &[Message]| -> Vec<Message> {
        messages.iter().map(|message| seal(message, &key, &zone)).collect()
    };
    let theirs = |messages: &[Message]| arc_signed(messages, &pem, &zone);
    for sealed in [
        ours(&start),
        theirs(&start),
        theirs(&ours(&start)),
        ours(&theirs(&start)),
        ours(&ours(&start)),
    ] {
        let cases: Vec<_> = sealed
            .iter()
            .map(|m| json!({"message": base64(&m.octets()), "records": {KEY_NAME: record}}))
            .collect();
        for (message, answer) in sealed.iter().zip(dkimpy("arc_verify", &cases)) {
            let chain = arc_chain(message, &zone);
            let text = String::from_utf8_lossy(&message.octets()).into_owned();
            assert_eq!((chain.result, chain.reason), (AuthResult::Pass, None), "{text}");
            assert_eq!(answer, json!(["pass", "success"]), "{text}");
        }
    }
}

const SEALED_FIELDS: [&str; 3] = ["from", "to", "subject"];
const RESULTS: &str = "spf=pass smtp.mailfrom=a@example.net";

fn seal(message: &Message, key: &SigningKey, zone: &Zone) -> Message {
    let request = SealRequest {
        key,
        domain: "example.org",
        selector: "sel",
        fields: &SEALED_FIELDS.map(str::to_owned),
        oversigned: &["From".to_owned()],
        body_hash: &message.body_hash(Relaxed),
        now: 1_700_000_000,
        chain: arc_chain(message, zone).result,
    };
    let results = |instance| format!("i={instance}; example.org; {RESULTS}");
    let Sealed { results, signature, seal } = request.seal(&message.headers, results).unwrap();
    let message =
        message.with_field("ARC-Authentication-Results", format!(" {results}").as_bytes());
    let message = message.with_field("ARC-Message-Signature", format!(" {signature}").as_bytes());
    message.with_field("ARC-Seal", format!(" {seal}").as_bytes())
}

/// dkimpy takes its results, and what they say of the chain, from a results field.
fn arc_signed(messages: &[Message], pem: &str, zone: &Zone) -> Vec<Message> {
    // dkimpy reads PKCS#1.
    let pem = openssl(&["rsa", "-traditional"], pem);
    let cases: Vec<_> = messages
        .iter()
        .map(|message| {
            let results =
                format!(" example.org; {RESULTS}; arc={}", arc_chain(message, zone).result);
            let message = message.with_field("Authentication-Results", results.as_bytes());
            json!({
                "message": base64(&message.octets()),
                "selector": "sel",
                "domain": "example.org",
                "key": pem,
                "fields": SEALED_FIELDS,
            })
        })
        .collect();
    let answers = dkimpy("arc_sign", &cases);
    let sealed = messages.iter().zip(&answers);
    sealed.map(|(m, fields)| Message::parse(&[decode(fields), m.octets()].concat())).collect()
}

fn arc_chain(message: &Message, zone: &Zone) -> ArcChain {
    let pending = match arc::begin(&message.headers, NOW) {
        arc::Check::Done(chain) => return chain,
        arc::Check::Pending(pending) => pending,
    };
    let mut body = BodyHasher::new(pending.body_wants());
    body.update(&message.body);
    let lookups: Vec<_> =
        pending.query_names().iter().map(|name| zone[name.as_str()].clone()).collect();
    pending.check_keys(&message.headers, &lookups, 1024, &[]).finish(&body.finish())
}

fn openssl(args: &[&str], input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

fn decode(text: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap()
}
