//! Load for a filter, as an MTA puts it on, and what that costs the filter.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::corpus::CLIENT;
use crate::message::Message;
use crate::support::milter::{LEADING_SPACE, Mail, Mta, Outcome};

/// No reply to RCPT, to header fields, to the end of the header and to body chunks; with the same
/// for MAIL a message is one write.
const NO_REPLIES: u32 = 0x4000 | 0x8000 | 0x80 | 0x4_0000 | 0x8_0000;
/// The kernel counts processor time in hundredths of a second.
const TICKS_PER_SEC: f64 = 100.0;

/// A message ready to be played.
pub struct Letter {
    from: String,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    /// All frames from MAIL to the last body chunk, for filters that answer none of them.
    burst: Vec<u8>,
}

/// How many connections, and how many messages each of them carries.
#[derive(Clone, Copy)]
pub struct Shape {
    pub connections: usize,
    pub messages_each: usize,
}

/// Who sends.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Sender {
    /// A stranger from outside.
    Stranger,
    /// An authenticated user.
    User,
}

/// What a run cost.
pub struct Cost {
    /// Processor time of the filter and its children for a message, in milliseconds.
    pub cpu_ms: f64,
    /// Messages a second.
    pub rate: f64,
    /// From MAIL to the final reply, in milliseconds, in order. A filter that answers each event has
    /// done much before the end of the message, and one that answers none gets all of it at once:
    /// the time after the last octet would compare what is not the same.
    pub waits_ms: Vec<f64>,
}

impl Letter {
    /// The message as the MTA tells it.
    pub fn new(message: &Message) -> Self {
        let unix = |value: &[u8]| String::from_utf8_lossy(value).replace("\r\n", "\n").into_bytes();
        let field =
            |field: mailseal::message::header::Field<'_>| (field.name.to_vec(), unix(field.value));
        let headers = message.headers.iter().map(field).collect();
        let from = format!("joe@{}", crate::corpus::author_domain(message));
        let mut letter = Self { from, headers, body: message.body.clone(), burst: Vec::new() };
        letter.burst = letter.frames();
        letter
    }

    fn frames(&self) -> Vec<u8> {
        let mut frames = Vec::with_capacity(self.body.len() + 4096);
        let mut frame = |kind: u8, payload: &[&[u8]]| {
            let len: usize = payload.iter().map(|part| part.len()).sum();
            frames.extend_from_slice(&u32::try_from(len + 1).unwrap().to_be_bytes());
            frames.push(kind);
            for part in payload {
                frames.extend_from_slice(part);
            }
        };
        frame(b'M', &[b"<", self.from.as_bytes(), b">\0"]);
        frame(b'R', &[b"<ann@example.org>\0"]);
        for (name, value) in &self.headers {
            frame(b'L', &[name, b"\0", value, b"\0"]);
        }
        frame(b'N', &[]);
        for chunk in self.body.chunks(65_535) {
            frame(b'B', &[chunk]);
        }
        frame(b'D', &[b"Ei\0QUEUEID\0"]);
        frames
    }

    /// As the MTA tells it to filters that answer each event.
    pub fn mail(&self, sender: Sender) -> Mail<'_> {
        let mut mail = Mail {
            client_name: "mail.example",
            client_addr: CLIENT,
            helo: "mail.example",
            from: &self.from,
            rcpts: vec!["ann@example.org"],
            headers: self.headers.clone(),
            body: &self.body,
            ..Mail::default()
        };
        if sender == Sender::User {
            mail.macros.push((b'M', "{auth_authen}", "joe"));
            mail.macros.push((b'M', "{auth_type}", "PLAIN"));
        }
        mail
    }

    /// Plays it in a session that has begun: how long it took until the final reply, and what was
    /// asked for.
    pub fn play(&self, mta: &mut Mta, sender: Sender) -> io::Result<(Duration, Outcome)> {
        let begun = Instant::now();
        if mta.options & NO_REPLIES == NO_REPLIES && mta.options & LEADING_SPACE != 0 {
            if sender == Sender::User {
                mta.send(b'D', b"M{auth_authen}\0joe\0{auth_type}\0PLAIN\0")?;
            }
            mta.send_raw(&self.burst)?;
        } else {
            mta.transaction(&self.mail(sender))?;
        }
        let outcome = mta.end()?;
        assert_eq!(outcome.disposition, "accept");
        let wait = begun.elapsed();
        mta.send(b'A', b"")?;
        Ok((wait, outcome))
    }
}

/// Plays `count` messages, the letters in turn, and counts what that costs the process.
pub fn load(
    socket: &Path,
    process: u32,
    letters: &[Letter],
    count: usize,
    sender: Sender,
    shape: Shape,
) -> io::Result<Cost> {
    let next = AtomicUsize::new(0);
    let (start, cpu_before) = (Instant::now(), cpu_secs(process));
    let worker = || {
        let mut waits = Vec::new();
        while next.load(Ordering::Relaxed) < count {
            let mut mta = Mta::connect_unix(socket)?;
            mta.session(&letters[0].mail(sender))?;
            for _ in 0..shape.messages_each {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    break;
                }
                waits.push(letters[number % letters.len()].play(&mut mta, sender)?.0);
            }
            mta.send(b'Q', b"")?;
        }
        Ok(waits)
    };
    let waits: Vec<Vec<Duration>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..shape.connections).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<io::Result<_>>()
    })?;
    let mut waits_ms: Vec<f64> =
        waits.into_iter().flatten().map(|wait| wait.as_secs_f64() * 1e3).collect();
    let rate = count as f64 / start.elapsed().as_secs_f64();
    waits_ms.sort_by(f64::total_cmp);
    Ok(Cost { cpu_ms: (cpu_secs(process) - cpu_before) * 1e3 / count as f64, rate, waits_ms })
}

impl Cost {
    /// The time that so many of a hundred messages stay under.
    pub fn percentile(&self, percent: usize) -> f64 {
        self.waits_ms[(self.waits_ms.len() * percent / 100).min(self.waits_ms.len() - 1)]
    }
}

/// Processor time of a process and its living children, in seconds.
pub fn cpu_secs(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    // utime, stime, cutime, cstime
    let ticks: f64 = fields.split_whitespace().skip(11).take(4).flat_map(str::parse::<f64>).sum();
    ticks / TICKS_PER_SEC + children(process).into_iter().map(cpu_secs).sum::<f64>()
}

/// The memory of a process and its children in MB, what they share counted once.
pub fn memory_mb(process: u32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let kib = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or("0 kB");
    let kib: f64 = kib.trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024.0 / 1e6 + children(process).into_iter().map(memory_mb).sum::<f64>()
}

fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let read = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).ok();
    let lists: Vec<String> = tasks.filter_map(read).collect();
    lists.iter().flat_map(|list| list.split_whitespace()).flat_map(str::parse).collect()
}
