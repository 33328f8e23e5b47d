//! mailseal beside Debian's OpenDKIM, OpenDMARC and rspamd, on one machine, in one run:
//!
//!     apt-get install opendkim opendmarc rspamd
//!     cargo bench --bench peers
//!
//! as root, in about two minutes. Each filter does the part that it can: signs with one RSA key of
//! 2048 bits for 20 domains; or verifies, OpenDKIM DKIM, OpenDMARC SPF and DMARC behind it, rspamd
//! SPF, DKIM, DMARC and ARC, mailseal those and iprev. Rounds of all filters are interleaved, so that
//! noise hits all alike, and medians shown. Load and DNS server share the machine with the filters:
//! compare processor time first, rates second. DNS answers at once.
//!
//! A filter that does not do its part is named in place of its figures. Nothing else fails: figures
//! differ between machines, and the ratios are what to read.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]
#![allow(clippy::cast_precision_loss, reason = "its counts are small")]
#![allow(dead_code, unreachable_pub, reason = "it uses a part of what tests share")]

mod corpus;
mod load;
#[path = "../support/message.rs"]
mod message;
mod rivals;
#[path = "../support/mod.rs"]
mod support;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use corpus::Key;
use load::{Cost, Letter, Sender, Shape, load, memory_mb};
use support::dns::DnsServer;
use support::milter::Mta;
use support::zone::Zone;

/// Where DNS answers: the port that OpenDKIM and OpenDMARC ask cannot be chosen.
const DNS: Ipv4Addr = Ipv4Addr::new(127, 53, 17, 1);
const ROUNDS: usize = 5;
const SHAPE: Shape = Shape { connections: 8, messages_each: 10 };

/// A filter that listens.
struct Filter {
    name: &'static str,
    /// What a message passes, one after the other.
    stations: Vec<Station>,
}

/// A process that listens.
struct Station {
    process: u32,
    socket: PathBuf,
    /// What its edits say where it does its part.
    says: &'static str,
}

/// What is played to all filters.
struct Work {
    name: &'static str,
    letters: Vec<Letter>,
    messages: usize,
}

#[tokio::main]
async fn main() {
    let key = Key::generate();
    let zone = Zone::parse(&key.zone());
    let _dns = DnsServer::start_at(SocketAddr::from((DNS, 53)), zone).await.unwrap();
    tokio::task::spawn_blocking(move || measure(&key)).await.unwrap();
}

fn measure(key: &Key) {
    let dir = tempfile::tempdir().unwrap();
    let rivals = rivals::Rivals::start(dir.path(), key, DNS);
    let plain = |sign: usize| {
        let letters = move |messages: Vec<message::Message>| -> Vec<Letter> {
            messages.iter().map(|message| Letter::new(&key.sign(message, sign))).collect()
        };
        [
            Work { name: "all sizes", letters: letters(corpus::mixed()), messages: 900 },
            Work { name: "4 KB", letters: letters(corpus::sized(40, 4 << 10)), messages: 2400 },
            Work { name: "4 MB", letters: letters(corpus::sized(4, 4 << 20)), messages: 96 },
        ]
    };
    println!("Processor time of the filter a message, in ms; messages a second and the time of a");
    println!(
        "message from MAIL to the reply (p50 / p99, ms) with {} connections; memory in MB.",
        SHAPE.connections
    );
    for (title, filters, sender, works) in [
        ("Signing, RSA-2048", rivals.signers(), Sender::User, plain(0)),
        ("Verifying", rivals.verifiers(), Sender::Stranger, plain(1)),
    ] {
        for work in works {
            println!("\n### {title}, {}\n", work.name);
            println!("| filter | CPU | x mailseal's | messages/s | time | memory |");
            println!("|---|---|---|---|---|---|");
            table(&filters, &work, sender);
        }
    }
}

fn table(filters: &[Filter], work: &Work, sender: Sender) {
    let mut rounds: Vec<io::Result<Vec<Cost>>> = filters.iter().map(|_| Ok(Vec::new())).collect();
    for round in 0..=ROUNDS {
        for (filter, costs) in filters.iter().zip(&mut rounds) {
            let Ok(so_far) = costs else { continue };
            let cost = match filter.cost(work, sender) {
                // The first round is to warm up.
                Ok(_) if round == 0 => filter.does_its_part(work, sender).map(|()| None),
                cost => cost.map(Some),
            };
            match cost {
                Ok(cost) => so_far.extend(cost),
                Err(error) => *costs = Err(error),
            }
        }
    }
    let ours = median(rounds[0].as_ref().unwrap(), |cost| cost.cpu_ms);
    for (filter, costs) in filters.iter().zip(&rounds) {
        let costs = match costs {
            Ok(costs) => costs,
            Err(error) => {
                println!("| {} | failed: {error} | | | | |", filter.name);
                continue;
            }
        };
        let cpu = median(costs, |cost| cost.cpu_ms);
        println!(
            "| {} | {cpu:.2} | {:.1} | {:.0} | {:.2} / {:.2} | {:.0} |",
            filter.name,
            cpu / ours,
            median(costs, |cost| cost.rate),
            median(costs, |cost| cost.percentile(50)),
            median(costs, |cost| cost.percentile(99)),
            filter.stations.iter().map(|station| memory_mb(station.process)).sum::<f64>(),
        );
    }
}

impl Filter {
    fn does_its_part(&self, work: &Work, sender: Sender) -> io::Result<()> {
        for Station { socket, says, .. } in &self.stations {
            let mut mta = Mta::connect_unix(socket)?;
            mta.session(&work.letters[0].mail(sender))?;
            let (_, outcome) = work.letters[0].play(&mut mta, sender)?;
            if !format!("{:?}", outcome.edits).contains(says) {
                return Err(io::Error::other(format!("no {says} in {:?}", outcome.edits)));
            }
        }
        Ok(())
    }

    /// A message passes one station after the other: their costs and waits add up.
    fn cost(&self, work: &Work, sender: Sender) -> io::Result<Cost> {
        let costs = self.stations.iter().map(|Station { process, socket, .. }| {
            load(socket, *process, &work.letters, work.messages, sender, SHAPE)
        });
        let sum = |a: Cost, b: Cost| Cost {
            cpu_ms: a.cpu_ms + b.cpu_ms,
            rate: 1.0 / (1.0 / a.rate + 1.0 / b.rate),
            waits_ms: a.waits_ms.iter().zip(&b.waits_ms).map(|(a, b)| a + b).collect(),
        };
        costs.reduce(|a, b| Ok(sum(a?, b?))).unwrap()
    }
}

fn median(costs: &[Cost], what: impl Fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<f64> = costs.iter().map(what).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
