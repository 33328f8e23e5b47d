//! What each stage of a message costs by itself: the body's digests, canonicalization, the results
//! field, and the whole way of a message with warm caches, without any milter.
//!
//! The floor of the digests is SHA-256 alone, in the same run. Run it with `cargo bench --bench stages`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![allow(dead_code, unreachable_pub, reason = "it uses a part of what tests share")]

mod corpus;
#[path = "../support/message.rs"]
mod message;
#[path = "../support/mod.rs"]
mod support;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mailseal::auth::results;
use mailseal::config::Loaded;
use mailseal::dkim::canonical::Canonicalization::{self, Relaxed, Simple};
use mailseal::dkim::canonical::body::BodyCanonicalizer;
use mailseal::dkim::canonical::header::append;
use mailseal::dkim::digest::{BodyHasher, BodyWant};
use mailseal::keys::Store;
use mailseal::keys::state::Algorithm;
use mailseal::message::envelope::{Client, Envelope};
use mailseal::message::{Draft, file};
use mailseal::pipeline::Inspection;
use mailseal::runtime::Runtime;
use mailseal::verdict::{Disposition, Verdict};
use message::Message;
use support::dns::DnsServer;
use support::zone::Zone;
use tempfile::TempDir;

use corpus::{CLIENT, Key, SELECTOR};

/// As an MTA sends it.
const CHUNK_OCTETS: usize = 65_535;
const BODY_OCTETS: usize = 1 << 20;

/// Bodies that take different ways: text; nothing but white space and line ends, each of which may
/// be the last; and long lines without any.
fn bodies() -> [(&'static str, Vec<u8>); 3] {
    [
        ("text", corpus::message(1, BODY_OCTETS, 0).body),
        ("white space", b" \t \r\n".repeat(BODY_OCTETS / 5)),
        ("base64", [&b"QUJD".repeat(19)[..], b"\r\n"].concat().repeat(BODY_OCTETS / 78)),
    ]
}

fn body_digests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("body digest");
    for (name, body) in bodies() {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new("SHA-256 alone", name), |bencher| {
            bencher.iter(|| digest(&SHA256, black_box(&body)));
        });
        let wanted: [(&str, &[Canonicalization]); 3] =
            [("simple", &[Simple]), ("relaxed", &[Relaxed]), ("both", &[Simple, Relaxed])];
        for (wants, canonicalizations) in wanted {
            let want = |canonicalization| BodyWant { canonicalization, length: None };
            group.bench_function(BenchmarkId::new(wants, name), |bencher| {
                bencher.iter(|| {
                    let mut hasher = BodyHasher::new(canonicalizations.iter().copied().map(want));
                    body.chunks(CHUNK_OCTETS).for_each(|chunk| hasher.update(black_box(chunk)));
                    hasher.finish()
                });
            });
        }
    }
}

fn canonicalization(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("canonicalization");
    for canonicalization in [Simple, Relaxed] {
        for (name, body) in bodies() {
            group.throughput(Throughput::Bytes(body.len() as u64));
            let id = BenchmarkId::new(format!("body, {}", canonicalization.as_str()), name);
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let mut octets = 0;
                    let mut sink = |run: &[u8]| octets += black_box(run).len();
                    let mut canonicalizer = BodyCanonicalizer::new(canonicalization);
                    body.chunks(CHUNK_OCTETS)
                        .for_each(|chunk| canonicalizer.update(chunk, &mut sink));
                    canonicalizer.finish(&mut sink);
                    octets
                });
            });
        }
        let message = corpus::message(1, 0, 100);
        group.throughput(Throughput::Bytes(message.headers.octets().len() as u64));
        let id = BenchmarkId::new(format!("header, {}", canonicalization.as_str()), "110 fields");
        group.bench_function(id, |bencher| {
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                for field in message.headers.iter() {
                    append(&mut out, field.name, field.value, canonicalization);
                }
                black_box(&out).len()
            });
        });
    }
}

/// A runtime that asks a DNS server of its own, and holds the key of the corpus' domains.
struct World {
    runtime: Arc<Runtime>,
    key: Key,
    _dns: DnsServer,
    _keys: TempDir,
}

impl World {
    async fn new() -> Self {
        let key = Key::generate();
        let dns = DnsServer::start(Zone::parse(&key.zone())).await;
        let keys = tempfile::tempdir().unwrap();
        let store = Store::new(keys.path().to_owned());
        for domain in corpus::domains() {
            let domain = domain.parse().unwrap();
            store
                .add(&domain, Some(SELECTOR.parse().unwrap()), Algorithm::Rsa, &key.pem, 1)
                .unwrap();
            support::keys::forced(&store, &domain, None, 2).unwrap();
        }
        let mut config = Loaded::parse("", Path::new("none"), Path::new("none")).unwrap().config;
        config.dns = dns.settings(Duration::from_secs(5));
        config.identity.authserv_id = "mx.example.org".into();
        config.sign.keys = keys.path().into();
        let runtime = Arc::new(Runtime::build(config).unwrap());
        Self { runtime, key, _dns: dns, _keys: keys }
    }

    fn draft(&self, message: &Message, user: Option<&str>) -> (Draft, Vec<u8>) {
        let envelope = Envelope {
            client: Client { addr: CLIENT.parse().ok(), name: Some("mail.example".to_owned()) },
            helo: Some("mail.example".to_owned()),
            mail_from: format!("joe@{}", corpus::author_domain(message)),
            recipients: vec!["ann@example.org".to_owned()],
            auth_user: user.map(str::to_owned),
            queue_id: Some("4bXyz1".to_owned()),
            ..Envelope::default()
        };
        file::parse(&message.octets(), envelope, &self.runtime.config.limits)
    }

    async fn judge(&self, (draft, body): (Draft, Vec<u8>)) -> Verdict {
        Inspection::whole(&self.runtime, draft, body).await
    }
}

fn with_a_world(criterion: &mut Criterion) {
    let threads = tokio::runtime::Runtime::new().unwrap();
    let world = threads.block_on(World::new());
    pipeline(criterion, &threads, &world);
    results_field(criterion, &threads, &world);
}

fn pipeline(criterion: &mut Criterion, threads: &tokio::runtime::Runtime, world: &World) {
    let mut group = criterion.benchmark_group("pipeline");
    for (name, octets) in [("4 KB", 4 << 10), ("40 KB", 40 << 10), ("4 MB", 4 << 20)] {
        group.throughput(Throughput::Bytes(octets as u64));
        let plain = corpus::message(1, octets, 0);
        let signed = world.key.sign(&plain, 1);
        for (work, message, user) in [("sign", &plain, Some("joe")), ("verify", &signed, None)] {
            let draft = || world.draft(message, user);
            let judge = |draft| threads.block_on(world.judge(draft));
            let verdict = judge(draft());
            assert_eq!(verdict.disposition, Disposition::Accept, "{:?}", verdict.reasons);
            group.bench_function(BenchmarkId::new(work, name), |bencher| {
                bencher.iter_batched(draft, judge, BatchSize::LargeInput);
            });
        }
    }
}

fn results_field(criterion: &mut Criterion, threads: &tokio::runtime::Runtime, world: &World) {
    let mut group = criterion.benchmark_group("results field");
    let signed = world.key.sign(&corpus::message(1, 4 << 10, 0), 3);
    let auth = threads.block_on(world.judge(world.draft(&signed, None))).auth;
    let value = results::render("mx.example.org", &auth);
    assert_eq!(value.matches("=pass").count(), 6, "{value}");
    group.bench_function("render", |bencher| {
        bencher.iter(|| results::render("mx.example.org", black_box(&auth)));
    });
    let ours = ["mx.example.org".to_owned()];
    for (name, value) in [
        ("ours", value.clone()),
        ("another's", value.replace("mx.example.org", "mx.example.net")),
        ("no field at all", "(".repeat(value.len())),
    ] {
        group.bench_function(BenchmarkId::new("told", name), |bencher| {
            bencher.iter(|| results::claims_authserv_id(black_box(value.as_bytes()), &ours));
        });
    }
}

criterion_group!(benches, body_digests, canonicalization, with_a_world);
criterion_main!(benches);
