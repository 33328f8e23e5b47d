//! What rules cost a message: 0 to 10,000 rules, on bodies of 4, 40 and 400 KB, raw and folded; what
//! it costs to load them; and a list of a million domains.
//!
//! The rules are of the kind that filters are compared with: half of them look at header fields, half
//! at the body, one in twenty is a single common word. Run it with `cargo bench --bench rules`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mailseal::message::header::HeaderBlock;
use mailseal::rules::{Facts, RuleSet};
use tempfile::TempDir;

const WORDS: [&str; 20] = [
    "invoice",
    "payment",
    "account",
    "order",
    "delivery",
    "meeting",
    "project",
    "report",
    "budget",
    "customer",
    "service",
    "update",
    "release",
    "schedule",
    "contract",
    "proposal",
    "review",
    "discount",
    "newsletter",
    "shipping",
];
const FIELDS: [&str; 10] = [
    "Subject",
    "From",
    "To",
    "Received",
    "Message-ID",
    "List-Unsubscribe",
    "X-Mailer",
    "Content-Type",
    "Reply-To",
    "User-Agent",
];
const COMMON: &str = "the of and to in is that for it as was with be by on not he his but at are \
    this have from or had an they which one you were all her she there would their we him been has \
    when who will no more if out so up said what its about than into them can only other time new";

/// A pattern and what it matches.
fn pattern(n: usize) -> (String, String) {
    let a = WORDS[(n * 7 + n / 20) % 20];
    let b = WORDS[(n * 11 + 3) % 20];
    match n % 20 {
        0 => (format!(r"\b{a}\b"), a.to_owned()),
        _ if n.is_multiple_of(4) => (format!(r"\b{a}[ _.-]{{1,3}}{b}{n}\b"), format!("{a} {b}{n}")),
        _ if n % 4 == 1 => (
            format!(r"(?:{a}|{b})\s+(?:no|ref|id)[.:#]?\s*{n}[0-9]{{2,6}}"),
            format!("{a} no {n}123"),
        ),
        _ if n % 4 == 2 => {
            (format!(r"{a}{n}[a-z0-9]*@[a-z0-9.-]+\.(?:top|xyz|click)"), format!("{a}{n}@x.top"))
        }
        _ => (format!(r"https?://[a-z0-9.-]+/{a}/[a-z]{{4}}{n}"), format!("http://x/{a}/abcd{n}")),
    }
}

fn rules(count: usize, view: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for n in 1..=count {
        let (pattern, hit) = pattern(n);
        let (when, hit) = if n % 2 == 1 {
            let field = FIELDS[n / 2 % 10];
            (format!("header = '{field}', matches = '(?i){pattern}'"), format!("{field}: {hit}"))
        } else {
            (format!("body = '(?i){pattern}'"), format!("\n\n{hit}"))
        };
        writeln!(
            text,
            "[[rule]]\nname = 'r{n}'\nabout = 'x'\nwhen = {{ {when}, view = '{view}' }}\n\
             examples = {{ hit = ['''{hit}'''], miss = ['none'] }}"
        )
        .unwrap();
        if n % 2000 == 0 || n == count {
            fs::write(dir.path().join(format!("{n:05}.toml")), &text).unwrap();
            text.clear();
        }
    }
    dir
}

fn header() -> HeaderBlock {
    let mut header = HeaderBlock::default();
    for (name, value) in [
        (
            "Received",
            " from mail.example.net (mail.example.net [192.0.2.1])\r\n\tby mx.example.org \
          with ESMTPS id 4bXyz1\r\n\tfor <ann@example.org>; Mon, 2 Nov 2026 08:00:00 +0000",
        ),
        ("From", " Joe Example <joe@example.net>"),
        ("To", " Ann <ann@example.org>"),
        ("Subject", " Your order of Monday, and a question about the delivery"),
        ("Message-ID", " <20261102080000.4711@mail.example.net>"),
        ("Content-Type", " text/plain; charset=utf-8"),
        ("User-Agent", " Example Mail 7.1"),
    ] {
        header.push(name.as_bytes(), value.as_bytes());
    }
    header
}

/// Lines of common words, with one of the rules' words in every other line.
fn body(octets: usize) -> Vec<u8> {
    let common: Vec<&str> = COMMON.split_whitespace().collect();
    let mut text = String::new();
    let mut n = 0_usize;
    while text.len() < octets {
        for _ in 0..11 {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(common[(n >> 33) % common.len()]);
            text.push(' ');
        }
        if n >> 40 & 1 == 0 {
            text.push_str(WORDS[(n >> 50) % 20]);
        }
        text.push_str("\r\n");
    }
    text.truncate(octets);
    text.into_bytes()
}

fn matching(c: &mut Criterion) {
    for view in ["raw", "folded"] {
        let mut group = c.benchmark_group(view);
        group.sample_size(20);
        for count in [0, 10, 100, 1_000, 10_000] {
            let rules = RuleSet::load_untested(rules(count, view).path()).unwrap();
            for kilobytes in [4, 40, 400] {
                let (header, body) = (header(), body(kilobytes * 1000));
                group.throughput(Throughput::Bytes(body.len() as u64));
                let id = BenchmarkId::new(format!("{count} rules"), format!("{kilobytes} KB"));
                group.bench_function(id, |bencher| {
                    bencher
                        .iter(|| rules.evaluate(&Facts::of(black_box(&header), black_box(&body))));
                });
            }
        }
        group.finish();
    }
}

fn loading(c: &mut Criterion) {
    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    for count in [100, 1_000, 10_000] {
        let dir = rules(count, "raw");
        group.bench_function(format!("{count} rules"), |bencher| {
            bencher.iter(|| RuleSet::load(dir.path()).unwrap());
        });
    }
    let dir = tempfile::tempdir().unwrap();
    let entries = (0..1_000_000).map(|n| format!("host{n}.example.net\n"));
    let entries = entries.collect::<Vec<_>>().concat();
    fs::write(dir.path().join("bad"), entries).unwrap();
    fs::write(
        dir.path().join("a.toml"),
        "[[rule]]\nname = 'x'\nabout = 'x'\nwhen = { helo = { in_list = 'bad' } }\n\
         examples = { hit = [{ helo = 'a.host7.example.net' }], miss = [{ helo = 'example.net' }] }",
    )
    .unwrap();
    group.bench_function("a list of a million", |bencher| {
        bencher.iter(|| RuleSet::load(dir.path()).unwrap());
    });
    group.finish();
}

criterion_group!(benches, matching, loading);
criterion_main!(benches);
