//! Faults behind a Postfix that never rests: it sends, retries and counts, while mailseal, what it asks
//! or its machine fails.
//!
//!     cargo test --profile ci --test faults                  short holds, all at once: under a minute
//!     cargo test --profile ci --test faults -- --full        one after the other, some 15 minutes
//!     cargo test --profile ci --test faults -- --full kill   those of that name
//!
//! as root, with the packages of `tests/install`. It prints the table of `docs/faults.md`, and fails
//! where a message that was accepted is not delivered once, lacks what policy promises, or is refused
//! for good other than by policy; where a fault is not felt; and where all is not well after it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod book;
mod door;
#[allow(clippy::module_inception, reason = "the list of them")]
mod faults;
#[path = "../support/message.rs"]
mod message;
#[path = "../support/mod.rs"]
mod support;
mod traffic;
#[path = "../e2e/verifiers.rs"]
#[allow(dead_code, reason = "it uses a part")]
mod verifiers;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use book::{Counts, Promise, count};
use faults::{FAULTS, Fault, Scene};
use traffic::Traffic;
use world::{Shared, World};

/// How long after a fault all must be well.
const MENDED: Duration = Duration::from_secs(90);

/// How much is done.
#[derive(Clone, Copy)]
struct Size {
    is_full: bool,
    hold: Duration,
    /// Connections each way.
    connections: usize,
    /// Between two messages of one connection.
    pause: Duration,
}

const SHORT: Size = Size {
    is_full: false,
    // A dead resolver is felt after `dns.timeout_secs`, 5 by default.
    hold: Duration::from_secs(7),
    connections: 1,
    pause: Duration::from_millis(300),
};
const FULL: Size = Size {
    is_full: true,
    hold: Duration::from_secs(30),
    connections: 3,
    pause: Duration::from_millis(150),
};

fn main() -> ExitCode {
    let (flags, names): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let size = if flags.iter().any(|flag| flag == "--full") { FULL } else { SHORT };
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let is_chosen =
        |fault: &&Fault| names.is_empty() || names.iter().any(|name| name == fault.name);
    let faults: Vec<_> = FAULTS.iter().filter(is_chosen).collect();
    let shared = Shared::open();
    let mut worlds: Vec<_> =
        faults.iter().map(|fault| World::new(&shared, fault.name, fault.config)).collect();
    let postfix = shared.postfix(&worlds);
    for world in &mut worlds {
        world.smtp = postfix.addr(world.name);
    }
    println!("{HEAD}");
    let happen = |(fault, world): (&&Fault, &World)| {
        let (row, wrong) = happen(&shared, world, fault, size);
        println!("{row}");
        if size.is_full {
            eprint!("{}", said(&world.log()));
        }
        wrong
    };
    let scenes = faults.iter().zip(&worlds);
    let wrong: Vec<String> = if size.is_full {
        scenes.flat_map(happen).collect()
    } else {
        thread::scope(|scope| {
            let threads: Vec<_> = scenes.map(|scene| scope.spawn(move || happen(scene))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    };
    for wrong in &wrong {
        eprintln!("faults: {wrong}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const HEAD: &str = "| fault | offered | accepted | delivered once | 4xx | 5xx | lost | twice | lacking | in part | harmed | longest wait | well again |
|---|---|---|---|---|---|---|---|---|---|---|---|---|";

/// Has it happen: its row of the table, and what is wrong.
fn happen(shared: &Shared, world: &World, fault: &Fault, size: Size) -> (String, Vec<String>) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        (fault.start)(world);
        let traffic = Traffic::new(shared, world, size.pause);
        let sent = traffic.during(size.connections, |traffic| {
            traffic.await_settled(5);
            let Size { hold, is_full, .. } = size;
            (fault.happens)(&Scene { world, traffic, hold, is_full });
            traffic.await_settled(2 * size.connections);
        });
        let mut counts = count(shared, world, &sent, fault.promise);
        let (mended, faults) = mended(shared, world, fault.promise, size);
        counts.faults.extend(faults);
        (counts, mended)
    }));
    let Ok((mut counts, mended)) = outcome else {
        return (
            format!("| {} | broke off |", fault.what),
            vec![format!("{}: broke off", fault.name)],
        );
    };
    if !(fault.is_felt)(&counts) {
        counts.faults.push(format!("it was not felt: {counts:?}"));
    }
    if !world.log().contains(fault.log) {
        counts.faults.push(format!("its log says nothing of {:?}", fault.log));
    }
    if mended.is_none() {
        counts.faults.push(format!("all was not well {} s later", MENDED.as_secs()));
    }
    let mut wrong = std::mem::take(&mut counts.faults);
    wrong.truncate(5);
    if !wrong.is_empty() {
        wrong.push(format!("its log ends: {}", tail(&world.log())));
    }
    let wrong = wrong.into_iter().map(|wrong| format!("{}: {wrong}", fault.name)).collect();
    (row(fault, &counts, mended), wrong)
}

/// Sends on until nothing is amiss any more: how long that took, and what must not be, then either.
fn mended(
    shared: &Shared,
    world: &World,
    promise: Promise,
    size: Size,
) -> (Option<Duration>, Vec<String>) {
    let (start, mut faults) = (Instant::now(), Vec::new());
    while start.elapsed() < MENDED {
        let well = start.elapsed();
        let traffic = Traffic::new(shared, world, size.pause);
        let sent = traffic.during(1, |traffic| traffic.await_settled(8));
        let counts = count(shared, world, &sent, promise);
        let amiss = [counts.deferred, counts.lacking, counts.in_part, counts.harmed];
        let is_well = counts.faults.is_empty() && amiss == [0; 4];
        faults.extend(counts.faults);
        if is_well {
            return (Some(well), faults);
        }
    }
    (None, faults)
}

fn row(fault: &Fault, counts: &Counts, mended: Option<Duration>) -> String {
    let numbers = [
        counts.offered,
        counts.accepted,
        counts.delivered_once,
        counts.deferred,
        counts.refused,
        counts.lost,
        counts.twice,
        counts.lacking,
        counts.in_part,
        counts.harmed,
    ];
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    let secs = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    let mended = mended.map_or_else(|| "never".to_owned(), secs);
    format!("| {} | {} | {} | {mended} |", fault.what, numbers.join(" | "), secs(counts.wait))
}

/// What the log has for its operator, each kind of line once.
fn said(log: &str) -> String {
    let mut kinds = Vec::new();
    let mut said = String::new();
    for line in log.lines() {
        let Some((_, line)) = line.split_once("Z ") else { continue };
        let kind: String = line.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
        if !line.starts_with(" INFO message") && !kinds.contains(&kind) {
            kinds.push(kind);
            said.extend(["    ", line, "\n"]);
        }
    }
    said
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
