//! What DNS costs a message between the end of its header and the final reply, over the milter socket,
//! with a resolver that takes 50 ms an answer: three signatures, a four-label author domain.
//!
//! Two figures, and what they are told by:
//!
//! - the wait with cold caches, in round trips (wanted: under 1.3), and with warm ones, above a
//!   resolver that takes no time (wanted: under 1 ms);
//! - the same wait where SPF alone takes five rounds, after a DATA that took longer than those
//!   (wanted: no more than without any SPF).
//!
//! Run it with `cargo bench --bench dns_overlap`. It fails at nothing; `tests/dns_overlap.rs` does.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

#[path = "../support/message.rs"]
mod message;
#[path = "../support/overlap.rs"]
mod overlap;
#[path = "../support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::time::Duration;

use overlap::{Sample, TIMEOUT, burst, daemon, measure, one_look_up};
use support::dns::DnsServer;
use support::milter::Mta;
use support::zone::Zone;

const ANSWER: Duration = Duration::from_millis(50);
const TRIES: usize = 20;
/// How long the client's DATA takes: longer than SPF's rounds.
const DATA: Duration = Duration::from_millis(400);

#[tokio::main]
async fn main() {
    let sample = Sample::new();
    let (mut single, mut cold, mut warm, mut prompt) = (vec![], vec![], vec![], vec![]);
    for _ in 0..TRIES {
        single.push(one_look_up(ANSWER).await);
        let slow = measure(&sample, ANSWER).await;
        cold.push(slow.cold);
        warm.push(slow.warm);
        prompt.push(measure(&sample, Duration::ZERO).await.warm);
    }
    let trips = median(&mut cold).as_secs_f64() / median(&mut single).as_secs_f64();
    let (warm, prompt) = (median(&mut warm), median(&mut prompt));
    let above = warm.as_secs_f64() - prompt.as_secs_f64();
    println!("one look-up          {:?}", median(&mut single));
    println!("cold caches          {:?}, {trips:.2} round trips", median(&mut cold));
    println!("warm caches          {warm:?}, {:+.3} ms to no DNS delay", above * 1e3);

    let (mut with, mut without) = (vec![], vec![]);
    for _ in 0..TRIES {
        with.push(after_data(&sample, &spf_of_five_rounds()).await);
        without.push(after_data(&sample, "example.net TXT \"no policy\"").await);
    }
    let (with, without) = (median(&mut with), median(&mut without));
    let cost = with.as_secs_f64() - without.as_secs_f64();
    println!("five rounds of SPF   {with:?} after DATA, {:+.3} ms to no SPF", cost * 1e3);
}

/// The wait from the end of the header, cold, where DATA took its time after MAIL.
async fn after_data(sample: &Sample, sender: &str) -> Duration {
    let mut zone = sample.zone.clone();
    zone.remove("example.net", "TXT");
    zone.extend(Zone::parse(sender));
    let server = DnsServer::start_slow(zone, ANSWER).await;
    let daemon = daemon(server.addr, TIMEOUT, Duration::from_secs(30)).await;
    let mail = sample.mail();
    let mut mta = Mta::connect(daemon.addr).unwrap();
    mta.session(&mail).unwrap();
    mta.envelope(&mail).unwrap();
    tokio::time::sleep(DATA).await;
    let (outcome, took) = burst(&mut mta, &mail);
    assert_eq!(outcome.disposition, "accept");
    took
}

/// A record that includes another, which includes a third, and so on to an address.
fn spf_of_five_rounds() -> String {
    let mut zone = "example.net TXT \"v=spf1 include:l1.example.net -all\"\n".to_owned();
    for level in 1..4 {
        let below = level + 1;
        writeln!(zone, "l{level}.example.net TXT \"v=spf1 include:l{below}.example.net -all\"")
            .unwrap();
    }
    writeln!(zone, "l4.example.net TXT \"v=spf1 a:client.example.net -all\"").unwrap();
    zone
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
