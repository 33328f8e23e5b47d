//! A peer that speaks milter, or anything else: the daemon ends that connection, panics nowhere, and
//! negotiates with the next peer. Looked up and scanned is nothing.
//!
//! The first octet says whether the rest is sent as it is, or cut into frames after a negotiation.
#![no_main]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mailseal::config::{Config, Endpoint};
use mailseal::runtime::Runtime;
use mailseal::serve::Daemon;

const NEGOTIATE: &[u8] = b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";
/// Fits any answer of a daemon that is alive, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(20);

static ADDR: LazyLock<SocketAddr> = LazyLock::new(serve);

fuzz_target!(|data: &[u8]| {
    let Some((&mode, rest)) = data.split_first() else { return };
    let octets = if mode % 2 == 0 { rest.to_vec() } else { frames(rest) };
    let mut stream = connect();
    // The daemon may hang up before it has read all.
    if stream.write_all(&octets).is_ok() {
        drop(stream.shutdown(Shutdown::Write));
    }
    let ended = stream.read_to_end(&mut Vec::new());
    let late = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!late, "the connection does not end");

    let mut stream = connect();
    stream.write_all(NEGOTIATE).expect("the daemon reads");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("the daemon answers");
    assert_eq!(answer[4], b'O');
});

fn connect() -> TcpStream {
    let stream = TcpStream::connect(*ADDR).expect("the daemon listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
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

/// The real daemon, with nothing around it: no keys, no rules, a DNS server that is not there.
fn serve() -> SocketAddr {
    let empty = tempfile::tempdir().expect("a directory");
    let mut config = Config::default();
    config.milter.listen = vec![Endpoint::Inet(([127, 0, 0, 1], 0).into())];
    config.identity.authserv_id = "mx.example.org".into();
    config.sign.keys = empty.path().into();
    config.rules.dir = empty.path().into();
    config.dns.servers = vec![([127, 0, 0, 1], 1).into()];
    config.dns.timeout = Duration::from_millis(20);
    let runtime = Runtime::build(config).expect("a runtime");
    let (say, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads");
        threads.block_on(async {
            let daemon = Daemon::bind(runtime).await.expect("a socket");
            let Endpoint::Inet(addr) = daemon.endpoints()[0] else { unreachable!() };
            say.send(addr).expect("somebody waits");
            daemon.run(false, std::future::pending()).await.expect("it serves");
        });
    });
    said.recv().expect("it listens")
}
