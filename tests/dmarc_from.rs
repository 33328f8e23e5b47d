//! The author domain (RFC 9989 §5.3.1, RFC 5322 §3.4): one, or none, and never a wrong one.

use std::time::{Duration, Instant};

use mailseal::message::address::{Author, Malformed, author, sender_domain};
use mailseal::message::header::HeaderBlock;
use proptest::prelude::*;

fn of(value: &[u8]) -> Author {
    let mut header = HeaderBlock::default();
    header.push(b"Subject", b" x");
    header.push(b"From", value);
    author(&header)
}

fn assert_domain(value: &str, domain: &str) {
    assert_eq!(of(value.as_bytes()), Author::Domain(domain.to_owned()), "{value:?}");
}

fn assert_malformed(value: &[u8]) {
    let found = of(value);
    let text = String::from_utf8_lossy(&value[..value.len().min(100)]);
    assert!(matches!(found, Author::Malformed(_)), "{text:?}: {found:?}");
}

#[test]
fn one_author_domain() {
    for value in [
        "a@good.example",
        " a@good.example",
        "A@Good.EXAMPLE",
        "<a@good.example>",
        "A <a@good.example>",
        "A<a@good.example>",
        "J. R. <a@good.example>",
        "A\r\n B\r\n\t<a@good.example>\r\n ",
        "\"x@evil.example\" <a@good.example>",
        "\"x@evil.example\"<a@good.example>",
        "\"a <b@evil.example>\" <a@good.example>",
        "\"\\\"<b@evil.example>\\\"\" <a@good.example>",
        "\"a@evil.example> \"@good.example",
        "\"a\\\"@evil.example\"@good.example",
        "\"a,b\".c@good.example",
        "(b@evil.example) a@good.example",
        "a@good.example (b@evil.example)",
        "a (x) @ (y) good.example (z)",
        "Pete(A nice \\) chap) <pete(his account)@good.example(his host)>",
        "(nested (comments (deep)))<a@good.example>",
        // As web shops write it: both readings are of one domain.
        "info@good.example <info@good.example>",
        "info@Good.Example (shop) <no-reply@good.example>, b@good.example",
        "=?utf-8?Q?b=40evil.example?= <a@good.example>",
        "=?utf-8?B?YkBldmlsLmV4YW1wbGU=?=\r\n <a@good.example>",
        "M\u{fc}ller <a@good.example>",
        "m\u{fc}ller@good.example",
        "a@good.example, b@GOOD.example",
        "A <a@good.example>, B <b@good.example>,",
        ", a@good.example",
        "Group: a@good.example, B <b@good.example>;",
        "Empty:;, a@good.example",
        "Group (x): a@good.example; (y)",
    ] {
        assert_domain(value, "good.example");
    }
    assert_domain("a@m\u{fc}ller.example", "xn--mller-kva.example");
    assert_domain("a@M\u{dc}LLER.example, b@xn--mller-kva.example", "xn--mller-kva.example");
    assert_domain("a@localhost", "localhost");
    assert_eq!(of(b"M\xfcller <a@good.example>"), Author::Domain("good.example".to_owned()));
}

#[test]
fn no_author_domain() {
    let cases: [(&str, Malformed); 18] = [
        ("", Malformed::NoMailbox),
        (" \r\n\t", Malformed::NoMailbox),
        ("(only a comment)", Malformed::NoMailbox),
        (",,", Malformed::NoMailbox),
        ("Undisclosed:;", Malformed::NoMailbox),
        ("a", Malformed::NoDomain),
        ("A B", Malformed::NoDomain),
        ("<>", Malformed::NoDomain),
        ("MAILER-DAEMON <>", Malformed::NoDomain),
        ("<a>", Malformed::NoDomain),
        ("a@[192.0.2.1]", Malformed::NoDomain),
        ("<a@[IPv6:::1]>", Malformed::NoDomain),
        ("a@-good.example", Malformed::NoDomain),
        ("a@good.example, b", Malformed::NoDomain),
        ("=?utf-8?Q?a=40good.example?=", Malformed::NoDomain),
        ("a@good.example, b@evil.example", Malformed::SeveralDomains),
        ("a@good.example <b@evil.example>", Malformed::SeveralDomains),
        ("G: a@good.example;, H: b@a.good.example;", Malformed::SeveralDomains),
    ];
    for (value, malformed) in cases {
        assert_eq!(of(value.as_bytes()), Author::Malformed(malformed), "{value:?}");
    }
}

#[test]
fn readers_could_differ() {
    for value in [
        "a@good.example <b@evil.example>",
        "<a@good.example> <b@evil.example>",
        "<a@good.example> b@evil.example",
        "a@good.example b@evil.example",
        "a@good.example> <b@evil.example",
        "<a@good.example>; <b@evil.example>",
        "<a@good.example",
        "a@good.example>",
        "<<a@good.example>>",
        "a@good.example@evil.example",
        "a@b@evil.example",
        "@good.example",
        "<@good.example>",
        "<@good.example:a@evil.example>",
        "<@good.example,@x.example:a@evil.example>",
        "a@",
        "a@.good.example",
        "a@good.example.",
        "a@good..example",
        "a@good .example",
        "a@good. example",
        "a@good.example .evil",
        "a@good.example evil",
        "a b@good.example",
        "a..b@good.example",
        ".a@good.example",
        "a.@good.example",
        "a. b@good.example",
        "\"a\"b@good.example",
        "a\"b\"@good.example",
        "\"a@good.example",
        "\"a\" \"b@good.example",
        "\"a\\",
        "(a@good.example",
        "a@good.example)",
        "a@good.example (",
        "a@\"good.example\"",
        "a@good.example\\",
        "a[1]@good.example",
        "[A] <a@good.example>",
        "=?utf-8?Q?b=40evil.example=3E_?=@good.example",
        "\"=?utf-8?Q?b=40evil.example=3E_?=\"@good.example",
        "a@=?utf-8?Q?evil?=.good.example",
        ": a@good.example;",
        "G: a@good.example",
        "G: H: a@good.example;;",
        "a@good.example;",
        "G: a@good.example; b@good.example",
        "a;b@good.example",
        "a@good\u{ad}.example",
        "a@good.ex\u{ff41}mple",
        "a@good\u{3002}example",
        "a@good\0.example",
        "a\0@good.example",
        "\"a\0\" <a@good.example>",
        "(\0) <a@good.example>",
        "A \u{1}<a@good.example>",
        "a@good.example\rb",
        "a@good.example\r\nb@evil.example",
        "a@good.example\u{7f}",
    ] {
        assert_malformed(value.as_bytes());
    }
    assert_malformed(b"a@g\xf6od.example");
}

#[test]
fn exactly_one_from_field() {
    let block = |names: &[&[u8]]| {
        let mut header = HeaderBlock::default();
        for name in names {
            header.push(name, b" a@good.example");
        }
        author(&header)
    };
    assert_eq!(block(&[b"From"]), Author::Domain("good.example".to_owned()));
    assert_eq!(block(&[b"FROM", b"Sender", b"Resent-From"]), block(&[b"From"]));
    assert_eq!(block(&[b"Sender", b"Resent-From"]), Author::Malformed(Malformed::Missing));
    assert_eq!(block(&[]), Author::Malformed(Malformed::Missing));
    for second in [&b"From"[..], b"from", b"From ", b" From", b"From\t", b"From\0", b"Fr\x0bom"] {
        let several = Author::Malformed(Malformed::SeveralFields);
        assert_eq!(block(&[b"From", second]), several, "{second:?}");
        assert_eq!(block(&[second, b"Subject", b"From"]), several, "{second:?}");
    }
    for odd in [&b"From "[..], b" From", b"From\0", b"\xef\xbb\xbfFrom"] {
        assert_eq!(block(&[odd]), Author::Malformed(Malformed::Name), "{odd:?}");
    }
}

#[test]
fn hostile_fields_cost_linear_time() {
    let start = Instant::now();
    let deep = format!("{}{} a@good.example", "(".repeat(10_000), ")".repeat(10_000));
    assert_domain(&deep, "good.example");
    assert_malformed("(".repeat(1_000_000).as_bytes());
    assert_malformed("\"\\\"".repeat(300_000).as_bytes());
    assert_malformed("<".repeat(1_000_000).as_bytes());
    assert_malformed("a@".repeat(500_000).as_bytes());
    assert_malformed(format!("a@{}", "b.".repeat(500_000)).as_bytes());
    assert_malformed("=?".repeat(500_000).as_bytes());
    assert_malformed(",".repeat(1_000_000).as_bytes());
    assert_malformed("a:;".repeat(300_000).as_bytes());
    assert_domain(&"a@good.example,".repeat(60_000), "good.example");
    let u_labels = format!("a@{}.example", "\u{fc}".repeat(400_000));
    assert_malformed(u_labels.as_bytes());
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn envelope_addresses() {
    for (address, domain) in [
        ("a@Good.Example", Some("good.example")),
        ("a@good.example.", Some("good.example")),
        ("\"a@evil.example\"@good.example", Some("good.example")),
        ("\"a\\\"@evil.example\"@good.example", Some("good.example")),
        ("a@m\u{fc}ller.example", Some("xn--mller-kva.example")),
        ("", None),
        ("a", None),
        ("\"a@good.example\"", None),
        ("\"a@good.example", None),
        ("\"a\"b@good.example", None),
        ("a@", None),
        ("a@[192.0.2.1]", None),
        ("a@good.example\r\nx", None),
    ] {
        assert_eq!(sender_domain(address).as_deref(), domain, "{address:?}");
    }
}

proptest! {
    /// Whatever stands in quotes or comments around an address, the domain is the address's.
    #[test]
    fn names_never_win(name in "[ -~]{0,40}", comment in "[ -~]{0,40}") {
        let escape = |text: &str| text.chars().flat_map(|c| ['\\', c]).collect::<String>();
        let (name, comment) = (escape(&name), escape(&comment));
        let value = format!("\"{name}\" ({comment}) <a@good.example> ({name})");
        prop_assert_eq!(of(value.as_bytes()), Author::Domain("good.example".to_owned()));
    }

    /// No input panics, and what is found stands in the input.
    #[test]
    fn any_octets(value in proptest::collection::vec(
        prop_oneof![Just(b'@'), Just(b'<'), Just(b'>'), Just(b','), Just(b'"'), Just(b'('),
            Just(b')'), Just(b'.'), Just(b'a'), Just(b';'), Just(b':'), any::<u8>()], 0..60)) {
        if let Author::Domain(domain) = of(&value) {
            let text = String::from_utf8_lossy(&value).to_lowercase();
            prop_assert!(!text.is_ascii() || text.contains(&domain), "{} in {:?}", domain, text);
        }
    }
}
