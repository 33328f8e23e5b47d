//! What goes wrong, one thing at a time, and what of it may be felt.

use std::fs;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};

use crate::book::{Counts, Promise};
use crate::door::Mode;
use crate::support::daemon::MAILSEAL;
use crate::support::milter::{Mail, Mta};
use crate::support::process::run;
use crate::traffic::{Kind, Traffic};
use crate::world::{OURS, World};

/// One fault.
pub(crate) struct Fault {
    /// Its short name, by which it can be chosen.
    pub(crate) name: &'static str,
    /// What happens, for the table.
    pub(crate) what: &'static str,
    /// More of the configuration.
    pub(crate) config: &'static str,
    pub(crate) start: fn(&World),
    pub(crate) happens: fn(&Scene<'_>),
    pub(crate) promise: Promise,
    /// Whether the counts show that it has happened.
    pub(crate) is_felt: fn(&Counts) -> bool,
    /// What the daemon's log has of it.
    pub(crate) log: &'static str,
}

/// Where a fault happens, and for how long.
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    pub(crate) traffic: &'a Traffic<'a>,
    pub(crate) hold: Duration,
    pub(crate) is_full: bool,
}

const CALM: Fault = Fault {
    name: "calm",
    what: "nothing",
    config: "",
    start: World::start,
    happens: |scene| thread::sleep(scene.hold),
    promise: Promise::Whole,
    is_felt: |counts| counts.deferred == 0 && counts.in_part == 0 && counts.refused > 0,
    log: "disposition=accept",
};

pub(crate) const FAULTS: &[Fault] = &[
    CALM,
    Fault {
        name: "kill",
        what: "`kill -9`, and a new start a second later, again and again",
        happens: kill,
        is_felt: |counts| counts.deferred > 0,
        log: "starting",
        ..CALM
    },
    Fault {
        name: "stop",
        what: "the process is stopped (SIGSTOP)",
        happens: stop,
        // Meanwhile the time of a look-up may run out.
        promise: Promise::MayBeInPart,
        is_felt: |counts| counts.wait > Duration::from_secs(1),
        ..CALM
    },
    Fault {
        name: "dns-dead",
        what: "the resolver never answers",
        happens: |scene| scene.dns(Mode::Dead),
        promise: Promise::MayBeInPart,
        is_felt: |counts| counts.in_part > 0,
        log: "temperror",
        ..CALM
    },
    Fault {
        name: "dns-slow",
        what: "the resolver takes 2 s for each answer",
        happens: |scene| scene.dns(Mode::Slow(Duration::from_secs(2))),
        promise: Promise::MayBeInPart,
        is_felt: |counts| counts.wait > Duration::from_secs(1),
        ..CALM
    },
    Fault {
        name: "dns-garbage",
        what: "the resolver answers garbage: other ids, other questions, cut off, SERVFAIL",
        happens: |scene| scene.dns(Mode::Garbage),
        promise: Promise::MayBeInPart,
        is_felt: |counts| counts.in_part > 0,
        log: "temperror",
        ..CALM
    },
    Fault {
        name: "dns-forged",
        what: "the resolver answers with false records: another key, another network",
        happens: |scene| scene.dns(Mode::Forged),
        promise: Promise::TrueMailMayFail,
        is_felt: |counts| counts.harmed > 0,
        log: "disposition=reject",
        ..CALM
    },
    Fault {
        name: "clamd-dead",
        what: "clamd refuses connections; `on_failure = \"accept\"`",
        happens: |scene| scene.clamd(Mode::Dead),
        promise: Promise::MayBeInPart,
        is_felt: |counts| counts.in_part > 0,
        log: "clamd",
        ..CALM
    },
    Fault {
        name: "clamd-dead-tempfail",
        what: "the same with `on_failure = \"tempfail\"`",
        config: "[clamav]\non_failure = \"tempfail\"\n",
        happens: |scene| scene.clamd(Mode::Dead),
        is_felt: |counts| counts.deferred > 0 && counts.in_part == 0,
        log: "disposition=tempfail",
        ..CALM
    },
    Fault {
        name: "clamd-silent",
        what: "clamd accepts, and never answers",
        happens: |scene| scene.clamd(Mode::Silent),
        promise: Promise::MayBeInPart,
        is_felt: |counts| counts.in_part > 0,
        log: "clamd",
        ..CALM
    },
    Fault {
        name: "clamd-slow",
        what: "clamd takes 1.5 s for each answer",
        happens: |scene| scene.clamd(Mode::Slow(Duration::from_millis(1500))),
        promise: Promise::MayBeInPart,
        is_felt: |counts| counts.wait > Duration::from_secs(1),
        ..CALM
    },
    Fault {
        name: "clamd-garbage",
        what: "clamd answers garbage: endless lines, half answers, HTTP",
        happens: |scene| scene.clamd(Mode::Garbage),
        promise: Promise::MayBeInPart,
        is_felt: |counts| counts.in_part > 0,
        log: "clamd",
        ..CALM
    },
    Fault {
        name: "disk-full",
        what: "the disk of the key store is full",
        start: start_on_a_small_disk,
        happens: disk_full,
        log: "reloaded",
        ..CALM
    },
    Fault {
        name: "keys-unreadable",
        what: "the keys become unreadable (owner root), and a reload",
        happens: keys_unreadable,
        log: "key store: ",
        ..CALM
    },
    Fault {
        name: "keys-unreadable-restart",
        what: "the same, and a restart",
        happens: keys_unreadable_restart,
        promise: Promise::MayLackSignature,
        is_felt: |counts| counts.lacking > 0,
        log: "key store: ",
        ..CALM
    },
    Fault {
        name: "half-open",
        what: "connections to the milter socket that say nothing or half a frame",
        happens: half_open,
        log: "the peer does not begin to speak milter",
        ..CALM
    },
    Fault {
        name: "mta-dies",
        what: "MTAs that vanish within a body, all the time",
        happens: mta_dies,
        log: "the connection broke off within a frame",
        ..CALM
    },
    Fault {
        name: "clock",
        what: "the clock jumps: 10 years ahead, 20 back, to 1970, home",
        start: start_with_a_clock,
        happens: clock,
        promise: Promise::TimeMayBeWrong,
        is_felt: |counts| counts.harmed > 0,
        ..CALM
    },
];

impl Scene<'_> {
    fn dns(&self, mode: Mode) {
        self.world.dns.set(mode);
        thread::sleep(self.hold);
        self.world.dns.set(Mode::Open);
    }

    fn clamd(&self, mode: Mode) {
        self.world.clamd.set(mode);
        thread::sleep(self.hold);
        self.world.clamd.set(Mode::Open);
    }

    /// Waits until the daemon's log has one more of these.
    fn await_log(&self, text: &str, before: usize) {
        let give_up = Instant::now() + Duration::from_mins(1);
        while self.world.log().matches(text).count() <= before {
            assert!(Instant::now() < give_up, "no {text:?} in the log: {}", self.world.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn reload(&self, outcome: &str) {
        let before = self.world.log().matches(outcome).count();
        self.world.signal(Signal::SIGHUP);
        self.await_log(outcome, before);
    }
}

fn kill(scene: &Scene<'_>) {
    for _ in 0..if scene.is_full { 10 } else { 2 } {
        scene.world.kill();
        thread::sleep(Duration::from_secs(1));
        scene.world.start();
        scene.traffic.await_settled(8);
    }
}

fn stop(scene: &Scene<'_>) {
    scene.world.signal(Signal::SIGSTOP);
    thread::scope(|scope| {
        // Sessions that begin now wait for less than those that had begun.
        for kind in [Kind::Outbound, Kind::Inbound] {
            scope.spawn(move || scene.traffic.offer_anew(kind));
        }
        thread::sleep(if scene.is_full { Duration::from_mins(1) } else { scene.hold });
        scene.world.signal(Signal::SIGCONT);
    });
}

/// The key store is on a disk of its own.
fn start_on_a_small_disk(world: &World) {
    let keys = world.keys();
    let keys = keys.display();
    let script = format!(
        "cp -a {keys} {keys}.saved && mount -t tmpfs -o size=64k,mode=0700 keys {keys} && \
         cp -a {keys}.saved/. {keys}/ && chown -R nobody {keys} && exec \"$@\""
    );
    world.start_by(|serve| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", &script, "sh"]);
        unshare.arg(serve.get_program()).args(serve.get_args());
        *serve = unshare;
    });
}

fn disk_full(scene: &Scene<'_>) {
    let world = scene.world;
    let config = world.config().display().to_string();
    let generate = || {
        let nobody = ["--reuid=nobody", "--regid=nogroup", "--clear-groups", MAILSEAL];
        let args = ["keys", "generate", OURS, "--config", &config];
        let output = world.inside("setpriv", &[&nobody[..], &args].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let filler = world.keys().join("filler").display().to_string();
    world.inside("sh", &["-c", &format!("cat /dev/zero >{filler}")]);
    let (code, said) = generate();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    scene.reload("reloaded");
    thread::sleep(scene.hold);
    assert!(world.inside("rm", &[&filler]).status.success());
    let (code, said) = generate();
    assert_eq!(code, Some(0), "{said}");
}

fn keys_unreadable(scene: &Scene<'_>) {
    scene.world.give_keys_to("root");
    scene.reload("reloaded");
    scene.await_log("cannot be read: Permission denied", 0);
    thread::sleep(scene.hold);
    scene.world.give_keys_to("nobody");
    scene.reload("reloaded");
}

fn keys_unreadable_restart(scene: &Scene<'_>) {
    scene.world.give_keys_to("root");
    scene.world.kill();
    scene.world.start();
    thread::sleep(scene.hold);
    scene.world.give_keys_to("nobody");
    scene.await_log("the keys that sign have changed", 0);
}

fn half_open(scene: &Scene<'_>) {
    let count = if scene.is_full { 10_000 } else { 1_500 };
    let begun = |number: usize| -> Option<TcpStream> {
        let mut stream = begin_to_connect(scene.world.addr)?;
        let half: &[u8] = [&b""[..], b"\0\0", b"\0\0\0\x0dO\0\0\0\x06"][number % 3];
        // Where it is not connected yet, it will say nothing.
        let _ = stream.write(half);
        Some(stream)
    };
    let mut waiting: Vec<_> = (0..count).filter_map(begun).collect();
    assert_eq!(waiting.len(), count);
    thread::sleep(scene.hold);
    let give_up = Instant::now() + Duration::from_mins(1);
    let mut connected = Vec::new();
    while connected.len() < count {
        assert!(Instant::now() < give_up, "{} of {count} connected", connected.len());
        thread::sleep(Duration::from_millis(100));
        connected.extend(waiting.extract_if(.., has_connected));
    }
}

/// Whether it is connected, or was until the other side closed it.
fn has_connected(stream: &mut TcpStream) -> bool {
    match stream.peek(&mut [0; 1]) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset || stream.peer_addr().is_ok(),
    }
}

/// Does not wait for the other side, which may have no room.
fn begin_to_connect(addr: SocketAddr) -> Option<TcpStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let stream = socket(AddressFamily::Inet, SockType::Stream, flags, None).ok()?;
    let _ = connect(stream.as_raw_fd(), &SockaddrStorage::from(addr));
    Some(stream.into())
}

fn mta_dies(scene: &Scene<'_>) {
    let (addr, until) = (scene.world.addr, Instant::now() + scene.hold);
    thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || {
                let mut round = worker;
                while Instant::now() < until {
                    vanish(addr, round);
                    round += 1;
                    // What Postfix gets is to be seen beside it.
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
}

fn vanish(addr: SocketAddr, round: usize) {
    let mail = Mail::default();
    let mut mta = Mta::connect(addr).unwrap();
    mta.session(&mail).unwrap();
    mta.envelope(&mail).unwrap();
    mta.event(b'L', b"From\0 joe@example.net\0").unwrap();
    mta.event(b'N', b"").unwrap();
    for _ in 0..round % 4 {
        mta.event(b'B', &vec![b'x'; 60_000]).unwrap();
    }
    // Half of a frame.
    mta.send_raw(b"\0\0\xff\xffBxxxxxxxx").unwrap();
}

fn start_with_a_clock(world: &World) {
    let clock = world.dir.join("clock");
    show(&clock, "+0");
    let library = run(Command::new("dpkg").args(["-L", "libfaketime"])).stdout;
    let library = String::from_utf8(library).unwrap();
    let library = library.lines().find(|line| line.ends_with("libfaketimeMT.so.1")).unwrap();
    let variables = [
        format!("LD_PRELOAD={library}"),
        format!("FAKETIME_TIMESTAMP_FILE={}", clock.display()),
        "FAKETIME_NO_CACHE=1".to_owned(),
        "DONT_FAKE_MONOTONIC=1".to_owned(),
    ];
    world.start_by(|serve| {
        // For the daemon alone: what root has of the library nobody may open.
        let mut with_clock = Command::new(serve.get_program());
        for arg in serve.get_args() {
            if arg == MAILSEAL {
                with_clock.arg("env").args(&variables);
            }
            with_clock.arg(arg);
        }
        *serve = with_clock;
    });
}

fn clock(scene: &Scene<'_>) {
    let clock = scene.world.dir.join("clock");
    for time in ["+10y", "-20y", "@1970-01-02 00:00:00", "+0"] {
        show(&clock, time);
        thread::sleep(scene.hold / 3);
    }
}

/// Sets the clock; a reader never sees half of it.
fn show(clock: &Path, time: &str) {
    let new = clock.with_extension("new");
    fs::write(&new, format!("{time}\n")).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o644)).unwrap();
    fs::rename(new, clock).unwrap();
}
