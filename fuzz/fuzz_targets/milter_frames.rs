//! A peer that speaks milter, or anything else: the daemon ends that connection, panics nowhere (where it
//! goes on after a panic neither), and negotiates with the next peer. Its answers are whole frames of kinds
//! that are due: one to a command where one was agreed, and edits before an "accept" alone. No edit forges a
//! field. Looked up and scanned is nothing; there are a key that signs, and rules that write what they find.
//!
//! The first octet says whether the rest is sent as it is, or cut into frames after a negotiation.
#![no_main]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::panic;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mailseal::config::{Config, Endpoint};
use mailseal::dkim::signing_key::generate_ed25519;
use mailseal::keys::state::Algorithm;
use mailseal::keys::{DomainName, Order, Policy, Store};
use mailseal::runtime::{Runtime, system_clock};
use mailseal::serve::Daemon;
use tempfile::TempDir;

const NEGOTIATE: &[u8] = b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";
/// Fits any answer of a daemon that is alive, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(20);
/// Commands that are answered, and the option by which the peer wants no answer to one.
const ANSWERED: [(u8, u32); 10] = [
    (b'C', 0x1000),
    (b'H', 0x2000),
    (b'M', 0x4000),
    (b'R', 0x8000),
    (b'T', 0x1_0000),
    (b'U', 0x2_0000),
    (b'L', 0x80),
    (b'N', 0x4_0000),
    (b'B', 0x8_0000),
    (b'E', 0),
];
const RULES: &str = r#"
    [[rule]]
    name = "found"
    about = "Writes what it finds."
    when = { header = "X-*", matches = '(?s)(.*)' }
    action = [
      { replace_header = { found = true, value = "new $1" } },
      { prepend = { name = "X-Above", value = "($1)" } },
      { add_header = { name = "X-Below", value = "$1" } },
      { subject_prefix = "[list] " },
    ]
    untested = "It is to write anything."

    [[rule]]
    name = "gone"
    about = "Takes out what it finds, and sends it elsewhere."
    when = { header = "Y-*", matches = '' }
    action = [{ remove_header = { found = true } }, { redirect = "c@example.org" }]
    untested = "It is to take out anything."

    [[rule]]
    name = "held"
    about = "Holds what it finds."
    when = { body = 'hold' }
    action = "quarantine"
    untested = "It is to hold anything."

    [[rule]]
    name = "refused"
    about = "Says what it finds."
    when = { body = '(?s)refuse(.+)' }
    action = "reject"
    reply = "no $1"
    untested = "It is to say anything."
"#;

/// The kind of a frame, and its payload.
type Frame = (u8, Vec<u8>);

static DIR: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));
static ADDR: LazyLock<SocketAddr> = LazyLock::new(serve);
/// With what the daemon's threads panicked: it answers, and goes on.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fuzz_target!(|data: &[u8]| {
    assert_due(&split(&sent(data)).0, &answers(data));
    let mut stream = connect();
    stream.write_all(NEGOTIATE).expect("the daemon reads");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("the daemon answers");
    assert_eq!(answer[4], b'O');
    let panics = std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner));
    assert!(panics.is_empty(), "{panics:?}");
});

fn connect() -> TcpStream {
    let stream = TcpStream::connect(*ADDR).expect("the daemon listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

fn sent(data: &[u8]) -> Vec<u8> {
    match data.split_first() {
        None => Vec::new(),
        Some((mode, rest)) if mode % 2 == 0 => rest.to_vec(),
        Some((_, rest)) => frames(rest),
    }
}

/// Each frame is a command, a length of one octet, and the payload.
fn frames(mut rest: &[u8]) -> Vec<u8> {
    const COMMANDS: &[u8] = b"OCHMRTLNBEADKUQ";
    let mut octets = NEGOTIATE.to_vec();
    while let [command, len, after @ ..] = rest {
        let (payload, after) = after.split_at(usize::from(*len).min(after.len()));
        rest = after;
        octets.extend((payload.len() as u32 + 1).to_be_bytes());
        octets.push(COMMANDS[usize::from(*command) % COMMANDS.len()]);
        octets.extend(payload);
    }
    octets
}

/// All that the daemon answers to an input until it hangs up.
pub(crate) fn answers(data: &[u8]) -> Vec<Frame> {
    let mut stream = connect();
    // The daemon may hang up before it has read all.
    if stream.write_all(&sent(data)).is_ok() {
        drop(stream.shutdown(Shutdown::Write));
    }
    let mut octets = Vec::new();
    let ended = stream.read_to_end(&mut octets);
    let late = ended.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!late, "the connection does not end");
    let (answers, rest) = split(&octets);
    assert!(rest.is_empty() || ended.is_err(), "no whole frame: {}", octets.escape_ascii());
    answers
}

/// The whole frames at the start of some octets, and what follows them. The octet that says a frame's kind is
/// counted in its length, and there even where that is 0.
fn split(octets: &[u8]) -> (Vec<Frame>, &[u8]) {
    let (mut frames, mut rest) = (Vec::new(), octets);
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let len = (u32::from_be_bytes(*len) as usize).max(1);
        let Some((frame, after)) = after.split_at_checked(len) else { break };
        frames.push((frame[0], frame[1..].to_vec()));
        rest = after;
    }
    (frames, rest)
}

/// The offer comes first, then no more answers than commands that want one; what only the end of a message
/// is answered with, no more often than there is one.
fn assert_due(sent: &[Frame], answers: &[Frame]) {
    let (offer, answers) = match answers {
        [(b'O', offer), answers @ ..] => (Some(offer), answers),
        answers => (None, answers),
    };
    let unanswered = offer.map_or(0, |offer| agreed(offer));
    let is_answered = |kind: u8| {
        ANSWERED.iter().any(|(command, option)| *command == kind && unanswered & option == 0)
    };
    let count =
        |is_meant: &dyn Fn(u8) -> bool| sent.iter().filter(|(kind, _)| is_meant(*kind)).count();
    let (mut due, mut due_at_end) = (count(&is_answered), count(&|kind| kind == b'E'));
    let mut is_edited = false;
    for (kind, payload) in answers {
        match kind {
            b'c' | b't' | b'a' | b'd' | b'r' | b'y' => {
                assert!(due > 0, "nobody waits for this: {answers:?}");
                due -= 1;
                if !b"ct".contains(kind) {
                    assert!(due_at_end > 0, "no message has ended: {answers:?}");
                    due_at_end -= 1;
                }
                assert!(!is_edited || *kind == b'a', "edited, and not accepted: {answers:?}");
                is_edited = false;
            }
            b'p' => assert!(due_at_end > 0, "{answers:?}"),
            _ => is_edited = true,
        }
        assert_sound(*kind, payload);
    }
    assert!(!is_edited, "edited, and not answered: {answers:?}");
}

/// The protocol options of an offer: its version, actions, options, and the macros that are asked for.
fn agreed(offer: &[u8]) -> u32 {
    let (head, mut macros) = offer.split_at(12);
    let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("4 octets"));
    assert!(number(0) <= 6 && number(4) <= 0x1ff && number(8) <= 0x1f_ffff, "{offer:?}");
    while !macros.is_empty() {
        let end = macros[4..].iter().position(|octet| *octet == 0).expect("the end of the names");
        assert!(macros[4..4 + end].iter().all(|octet| matches!(octet, b' '..=b'~')));
        macros = &macros[4 + end + 1..];
    }
    number(8)
}

/// An answer's payload is what its kind wants, and nothing in it ends a line or a field.
fn assert_sound(kind: u8, payload: &[u8]) {
    let (index, texts) = payload.split_at(if matches!(kind, b'i' | b'm') { 4 } else { 0 });
    let texts: Vec<&[u8]> = match texts.strip_suffix(b"\0") {
        Some(texts) => texts.split(|octet| *octet == 0).collect(),
        None => Vec::new(),
    };
    let is_sound = match (kind, &texts[..]) {
        (b'c' | b't' | b'a' | b'd' | b'r' | b'p', []) => payload.is_empty(),
        (b'y', [reply]) => is_reply(reply),
        (b'h', [name, value]) => is_name(name) && is_value(value, true),
        (b'i', [name, value]) => index == [0; 4] && is_name(name) && is_value(value, true),
        // A sender's subject stands behind its prefix as it was.
        (b'm', [name, value]) => index != [0; 4] && is_name(name) && is_value(value, false),
        (b'+', [address]) => *address == b"<c@example.org>",
        // As the peer named it.
        (b'-', [address]) => address.starts_with(b"<") && address.ends_with(b">"),
        (b'q', [reason]) => !reason.is_empty() && is_line(reason),
        _ => false,
    };
    assert!(is_sound, "{} {}", char::from(kind), payload.escape_ascii());
}

fn is_line(text: &[u8]) -> bool {
    text.iter().all(|octet| matches!(octet, b' '..=b'~'))
}

/// RFC 5322 §2.2
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|octet| matches!(octet, b'!'..=b'~') && *octet != b':')
}

/// Each line but the first is a fold.
fn is_value(value: &[u8], is_ours: bool) -> bool {
    let mut lines = value.split(|octet| *octet == b'\n');
    let is_text = |line: &[u8]| line.iter().all(|octet| matches!(octet, b'\t' | b' '..=b'~'));
    let is_said = |line: &[u8]| !line.contains(&b'\r') && (!is_ours || is_text(line));
    let is_fold = |line: &[u8]| line.starts_with(b" ") || line.starts_with(b"\t");
    lines.next().is_some_and(is_said) && lines.all(|line| is_fold(line) && is_said(line))
}

/// RFC 5321 §4.2 and RFC 3463 §2: `550 5.7.1 text`, and the classes agree.
fn is_reply(reply: &[u8]) -> bool {
    let words: Vec<&[u8]> = reply.splitn(3, |octet| *octet == b' ').collect();
    let [code, enhanced, text] = words[..] else { return false };
    let is_code = code.len() == 3 && code.iter().all(u8::is_ascii_digit);
    let is_class = matches!(code.first(), Some(b'4' | b'5')) && code.first() == enhanced.first();
    is_code && is_class && !text.is_empty() && is_line(reply) && reply.len() < 500
}

/// The real daemon, with little around it: one key, the rules above, a DNS server that is not there.
fn serve() -> SocketAddr {
    remember_panics();
    let runtime = Runtime::build(configured(DIR.path())).expect("a runtime");
    let (say, said) = std::sync::mpsc::channel();
    let serves = move || {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let threads = threads.worker_threads(2).thread_name("milter-daemon").enable_all().build();
        threads.expect("threads").block_on(async {
            let daemon = Daemon::bind(runtime).await.expect("a socket");
            let Endpoint::Inet(addr) = daemon.endpoints()[0] else { unreachable!() };
            say.send(addr).expect("somebody waits");
            daemon.run(false, std::future::pending()).await.expect("it serves");
        });
    };
    thread::Builder::new().name("milter-main".into()).spawn(serves).expect("a thread");
    said.recv().expect("it listens")
}

fn configured(dir: &Path) -> Config {
    let (store, domain) = (Store::new(dir.join("keys")), DomainName::parse("example.org"));
    let (domain, now) = (domain.expect("a name"), system_clock() - 1);
    let key = generate_ed25519().expect("a key");
    store.add(&domain, None, Algorithm::Ed25519, &key, now).expect("a store");
    let order = Order::Activate { selector: None, force: true };
    store.order(&domain, &order, &Policy::default(), now).expect("a key that signs");
    fs::create_dir(dir.join("rules")).expect("a directory");
    fs::write(dir.join("rules/a.toml"), RULES).expect("a file");
    let mut config = Config::default();
    config.milter.listen = vec![Endpoint::Inet(([127, 0, 0, 1], 0).into())];
    config.identity.authserv_id = "mx.example.org".into();
    config.sign.keys = dir.join("keys");
    config.rules.dir = dir.join("rules");
    config.dns.servers = vec![([127, 0, 0, 1], 1).into()];
    config.dns.timeout = Duration::from_millis(20);
    config
}

/// The threads that serve, and those that work for them, are known by their names.
fn remember_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        let thread = thread::current();
        if thread.name().is_some_and(|name| name.starts_with("milter-") || name == "work") {
            let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
            panics.push(panicked.to_string());
        }
        before(panicked);
    }));
}
