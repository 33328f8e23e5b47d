//! DKIM: each verifies what the other signs, but for the exceptions that are argued.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::thread;
use std::time::SystemTime;

use mailseal::dkim::canonical::Canonicalization::Simple;
use tempfile::TempDir;

use crate::dkimpy::{self, Dkimpy};
use crate::exceptions::Ledger;
use crate::generate::{self, Odd};
use crate::keys::{Form, Keys, forms};
use crate::message::{Message, words};
use crate::opendkim::{self, OpenDkim};
use crate::peers;
use crate::rspamd::{self, Rspamd};
use crate::support::dns::DnsServer;
use crate::support::zone::Zone;

/// How many conversations with a peer go on at once.
const CONVERSATIONS: usize = 4;

#[test]
fn opendkim_verifies_what_we_sign() {
    if !peers::are_there(&[opendkim::PROGRAM, dkimpy::LIBRARY]) {
        return;
    }
    let (dir, keys) = (TempDir::new().unwrap(), Keys::generate());
    let opendkim = OpenDkim::verifier(dir.path(), &keys);
    verified_by("opendkim", &keys, &generate::messages(), |signed| {
        let results = opendkim.results(signed);
        let word = |form: &Form| opendkim::word(&results, &form.selector).to_owned();
        forms().iter().map(word).collect()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn rspamd_verifies_what_we_sign() {
    if !peers::are_there(&[rspamd::PROGRAM, dkimpy::LIBRARY]) {
        return;
    }
    let (dir, keys) = (TempDir::new().unwrap(), Keys::generate());
    let zone = keys.records().iter().fold(String::new(), |mut lines, (name, text)| {
        writeln!(lines, "{name} TXT \"{text}\"").unwrap();
        lines
    });
    let dns = DnsServer::start(Zone::parse(&zone)).await;
    let rspamd = Rspamd::verifier(dir.path(), dns.addr);
    let messages: Vec<Odd> =
        generate::messages().into_iter().chain(generate::unfinished()).collect();
    verified_by("rspamd", &keys, &messages, |signed| {
        let answer = rspamd.check(&signed.octets(), &[("IP", "192.0.2.1")]);
        forms().iter().map(|form| rspamd::word(&answer, &form.selector).to_owned()).collect()
    });
}

#[test]
fn dkimpy_verifies_what_we_sign() {
    if !peers::are_there(&[dkimpy::LIBRARY]) {
        return;
    }
    let (keys, dkimpy) = (Keys::generate(), Dkimpy::default());
    let messages: Vec<Odd> =
        generate::messages().into_iter().chain(generate::unfinished()).collect();
    verified_by("dkimpy", &keys, &messages, |signed| dkimpy.verify_all(&keys, signed));
}

/// Signs every message in all forms; the peer is to verify all of them, and none that was changed.
fn verified_by(
    peer: &'static str,
    keys: &Keys,
    messages: &[Odd],
    ask: impl Fn(&Message) -> Vec<String> + Sync,
) {
    let (forms, judge) = (forms(), Dkimpy::default());
    let mut ledger = Ledger::open(peer, "verifies");
    let answers = side_by_side(messages, |odd| ask(&keys.sign_in_all_forms(&odd.message)));
    for (odd, answer) in messages.iter().zip(answers) {
        for (form, word) in forms.iter().zip(answer) {
            ledger.enter(form, odd.kind, &odd.message, &word);
        }
    }
    let mut changed = keys.sign_in_all_forms(&messages[0].message);
    changed.body.extend_from_slice(b"More.\r\n");
    assert_eq!(ask(&changed), vec!["fail"; forms.len()], "{peer} verifies anything");

    let ask = |message: &Message| ask(&keys.sign_in_all_forms(message));
    let judge = |message: &Message| judge.verify_all(keys, &keys.sign_in_all_forms(message));
    ledger.close(&forms, ask, |message| (peer != "dkimpy").then(|| judge(message)));
}

#[test]
fn we_verify_what_opendkim_signs() {
    if !peers::are_there(&[opendkim::PROGRAM, dkimpy::LIBRARY]) {
        return;
    }
    let (dir, keys) = (TempDir::new().unwrap(), Keys::generate());
    let signers: Vec<_> =
        forms().iter().map(|form| OpenDkim::signer(dir.path(), &keys, form)).collect();
    let verifier = OpenDkim::verifier(dir.path(), &keys);
    signed_by("opendkim", &keys, &forms(), &generate::messages(), |at, message| {
        signers[at].sign(message)
    });
    // What OpenDKIM signs and we refuse, it refuses too; without the fold that it did not sign, we
    // verify it.
    for (form, signer) in forms().iter().zip(&signers) {
        let signed = signer.sign(&generate::messages()[0].message);
        let ours = words(&signed.verify(&keys.zone(), now()))[0];
        let results = verifier.results(&signed);
        assert_eq!(opendkim::word(&results, &form.selector), ours, "{}", form.selector);
        let whole = String::from_utf8(signed.octets()).unwrap().replace("\r\n\tb=", " b=");
        let mended = Message::parse(whole.as_bytes()).verify(&keys.zone(), now());
        let is_rsa_simple = form.is_rsa() && form.header == Simple;
        assert_eq!(words(&mended) == ["pass"], !is_rsa_simple, "{}", form.selector);
    }
}

#[test]
fn we_verify_what_rspamd_signs() {
    if !peers::are_there(&[rspamd::PROGRAM, dkimpy::LIBRARY]) {
        return;
    }
    let (dir, keys) = (TempDir::new().unwrap(), Keys::generate());
    let mut forms = forms();
    forms.retain(|form| form.selector.ends_with("-relaxed-relaxed"));
    let signers: Vec<_> =
        forms.iter().map(|form| Rspamd::signer(dir.path(), &keys, form)).collect();
    let messages: Vec<Odd> =
        generate::messages().into_iter().chain(generate::unfinished()).collect();
    signed_by("rspamd", &keys, &forms, &messages, |at, message| signers[at].sign(message));
}

/// dkimpy computes RSA in Python: one form a message, each with every kind of message.
#[test]
fn we_verify_what_dkimpy_signs() {
    if !peers::are_there(&[dkimpy::LIBRARY]) {
        return;
    }
    let (keys, dkimpy) = (Keys::generate(), Dkimpy::default());
    let (forms, messages) = (forms(), generate::messages());
    let dealt: Vec<(usize, (&Form, &Message))> = (messages.iter().enumerate())
        .map(|(at, odd)| (at, (&forms[at % forms.len()], &odd.message)))
        .collect();
    let halves: Vec<_> = dealt.chunks(dealt.len() / 2).collect();
    let mut ledger = Ledger::open("dkimpy", "signs");
    let signed = side_by_side(&halves, |half| {
        dkimpy.sign(&keys, &half.iter().map(|(_, pair)| *pair).collect::<Vec<_>>())
    });
    for ((at, (form, message)), signed) in dealt.iter().zip(signed.iter().flatten()) {
        let word = words(&signed.verify(&keys.zone(), now())).concat();
        ledger.enter(form, messages[*at].kind, message, &word);
    }
    let ask = |message: &Message| {
        let in_all_forms: Vec<_> = forms.iter().map(|form| (form, message)).collect();
        let signed = dkimpy.sign(&keys, &in_all_forms);
        signed.iter().map(|signed| words(&signed.verify(&keys.zone(), now())).concat()).collect()
    };
    ledger.close(&forms, ask, |_| None);
}

/// Has every message signed in each form by the peer; we are to verify all of them.
fn signed_by(
    peer: &'static str,
    keys: &Keys,
    forms: &[Form],
    messages: &[Odd],
    sign: impl Fn(usize, &Message) -> Message + Sync,
) {
    let (mut ledger, dkimpy) = (Ledger::open(peer, "signs"), Dkimpy::default());
    let zone = keys.zone();
    let verify = |signed: &Message| words(&signed.verify(&zone, now())).concat();
    let answers = side_by_side(messages, |odd| {
        let word = |at| verify(&sign(at, &odd.message));
        (0..forms.len()).map(word).collect::<Vec<_>>()
    });
    for (odd, answer) in messages.iter().zip(answers) {
        for (form, word) in forms.iter().zip(answer) {
            ledger.enter(form, odd.kind, &odd.message, &word);
        }
    }
    let signed = |message: &Message| -> Vec<Message> {
        (0..forms.len()).map(|at| sign(at, message)).collect()
    };
    ledger.close(
        forms,
        |message| signed(message).iter().map(verify).collect(),
        |message| Some(dkimpy.verify(keys, &signed(message))),
    );
}

/// What the function says of each item; several threads work on them.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(items.iter().enumerate());
    let take = || next.lock().unwrap().next();
    let worker = || -> Vec<(usize, R)> {
        std::iter::from_fn(take).map(|(at, item)| (at, work(item))).collect()
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..CONVERSATIONS).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// `opendkim -t`, which reads a file, takes every field to have one space after its colon: of simple
/// headers it judges rightly those alone that have. The daemon is told the white space by the MTA.
#[test]
fn opendkim_on_files_takes_one_space_after_the_colon() {
    if !peers::are_there(&[opendkim::PROGRAM]) {
        return;
    }
    let (dir, keys) = (TempDir::new().unwrap(), Keys::generate());
    let opendkim = OpenDkim::verifier(dir.path(), &keys);
    let form = forms().pop().unwrap();
    assert_eq!(form.selector, "ed25519-simple-simple");
    let selector = &form.selector;
    for (subject, on_file) in [
        (" one", "pass"),
        (" folded\r\n\tonce", "pass"),
        (" white space at the end \t", "pass"),
        (" ", "pass"),
        ("  two", "fail"),
        ("\ta tab", "fail"),
        ("none", "fail"),
        ("", "fail"),
    ] {
        let header = format!("From: ann@example.org\r\nSubject:{subject}\r\n\r\nHello.\r\n");
        let signed = keys.sign(&form, &Message::parse(header.as_bytes()));
        assert_eq!(opendkim::word(&opendkim.results(&signed), selector), "pass", "{subject:?}");
        let results = opendkim.results_on_file(&signed);
        assert_eq!(opendkim::word(&results, selector), on_file, "{subject:?}");
    }
}
