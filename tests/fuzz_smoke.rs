//! Each fuzz target of `fuzz/fuzz_targets/` on its seeds and on a number of mutations of them, the same
//! ones each time, without cargo-fuzz and its sanitizer: that the targets compile and hold, and that no
//! parser fails by what is near to ordinary input. `fuzz/README.md` says how to fuzz in earnest.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
// Each target is a program of its own elsewhere.
#![allow(unused_attributes, reason = "`no_main` is of the programs")]

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::fs;
use std::path::Path;

use mailseal::auth::Authentication;
use mailseal::auth::spf::Identity;
use mailseal::result::AuthResult;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

macro_rules! targets {
    ($($name:ident)*) => {
        #[path = "../fuzz/fuzz_targets"]
        mod targets {
            $(pub(crate) mod $name;)*
        }

        $(#[test]
        fn $name() {
            smoke(stringify!($name), targets::$name::run);
        })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! {
    arc_chain body_sink clamd_reply config_file dkim_body dkim_key_record dkim_signature dmarc_record
    dns_answers filter_configs foreign_key header_and_from judged_message key_state milter_frames
    mime_views opendkim_tables pcre_table results_forged rule_file spf_record tsig_key
}

/// Mutations of each target's seeds, unless `$MAILSEAL_FUZZ_MUTATIONS` says another number.
const MUTATIONS: u32 = 2000;
/// These compile patterns, sign or ask a server: a tenth of the mutations takes the time of all others.
const SLOW: [&str; 5] =
    ["dns_answers", "judged_message", "milter_frames", "pcre_table", "rule_file"];
/// What parsers stumble over.
const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\0",
    b"\x01",
    b"\xff\xff\xff\xff",
    b"\"",
    b"\\",
    b"(",
    b";",
    b"=",
    b":",
    b"<",
    b"@",
    b"=?utf-8?q?",
    b"\xc3",
    b"\xe2\x80\x8b",
    b"18446744073709551616",
    b"-1",
];

/// Puts octets in the place of some.
#[derive(Clone, Debug)]
struct Edit {
    place: Index,
    removed: usize,
    put: Vec<u8>,
}

/// Shown as text, where it fails.
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

fn smoke(name: &str, run: fn(&[u8])) {
    let seeds = seeds(name);
    for seed in &seeds {
        run(seed);
    }
    let said = env::var("MAILSEAL_FUZZ_MUTATIONS").map(|number| number.parse().unwrap());
    let mutations = said.unwrap_or(MUTATIONS);
    let cases = if SLOW.contains(&name) { mutations / 10 } else { mutations };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mutated = (select(seeds.clone()), vec(edit(seeds), 1..6)).prop_map(apply);
    let tried = TestRunner::new_with_rng(config, rng).run(&mutated, |Input(octets)| {
        run(&octets);
        Ok(())
    });
    if let Err(failure) = tried {
        panic!("{name}: {failure}");
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let dir = fuzz().join("seeds").join(name);
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn seed(target: &str, name: &str) -> Vec<u8> {
    fs::read(fuzz().join("seeds").join(target).join(name)).unwrap()
}

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

fn edit(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Edit> {
    let piece = |(seed, from, len): (Vec<u8>, Index, usize)| {
        let rest = &seed[from.index(seed.len() + 1)..];
        rest[..len.min(rest.len())].to_vec()
    };
    let put = prop_oneof![
        vec(any::<u8>(), 0..4),
        select(TOKENS).prop_map(<[u8]>::to_vec),
        (select(seeds), any::<Index>(), 0..40_usize).prop_map(piece),
    ];
    (any::<Index>(), 0..5_usize, put).prop_map(|(place, removed, put)| Edit { place, removed, put })
}

fn apply((mut octets, edits): (Vec<u8>, Vec<Edit>)) -> Input {
    for Edit { place, removed, put } in edits {
        let from = place.index(octets.len() + 1);
        let end = octets.len().min(from + removed);
        octets.splice(from..end, put);
    }
    Input(octets)
}

#[test]
fn each_target_is_run_here_and_by_cargo_fuzz() {
    let names: BTreeSet<String> = NAMES.iter().map(|&name| name.to_owned()).collect();
    let files = fs::read_dir(fuzz().join("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    assert_eq!(names, files.collect());
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let readme = fs::read_to_string(fuzz().join("README.md")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("fuzz_targets/{name}.rs")), "{name}");
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
    }
}

/// A world in which everything fails is sound, too: the targets would hold and find nothing.
#[test]
fn dns_answers_are_understood() {
    let judged = |name| targets::dns_answers::judged(&seed("dns_answers", name)).auth;
    let pass = judged("pass");
    let spf = |auth: &Authentication| {
        let of = |identity| auth.spf.iter().find(|spf| spf.identity == identity).unwrap().result;
        [Identity::Helo, Identity::MailFrom].map(of)
    };
    assert_eq!(spf(&pass), [AuthResult::Pass; 2]);
    assert_eq!(pass.iprev.as_ref().unwrap().result, AuthResult::Pass);
    assert_eq!(pass.dkim[0].result, AuthResult::Fail);
    assert_eq!(pass.dmarc.as_ref().unwrap().result, AuthResult::Pass);
    assert_eq!(spf(&judged("loop")), [AuthResult::Permerror; 2]);
}

/// So would a daemon that answers nothing.
#[test]
fn milter_frames_are_answered() {
    let kinds = |name| {
        let answers = targets::milter_frames::answers(&seed("milter_frames", name));
        String::from_utf8(answers.into_iter().map(|(kind, _)| kind).collect()).unwrap()
    };
    let seeds = ["http", "message", "signed", "rules", "answered"];
    let expected = ["", "Ocmia", "Oia", "Ommmhiii-+qay", "Occcccccia"];
    assert_eq!(seeds.map(kinds), expected);
}

// What the targets take for libfuzzer's crate: its macro, which here makes a function of a target. Below
// the targets, so that they find it by that name alone.
extern crate self as libfuzzer_sys;

/// A target as a function.
#[macro_export]
macro_rules! fuzz_target {
    (|$data:ident: &[u8]| $body:block) => {
        pub(crate) fn run($data: &[u8]) {
            $body
        }
    };
}
