//! Zone data as simple text: `zone.dns` of the test cases.
//!
//! One record or fault a line, `NAME TYPE VALUE`; empty lines and lines that start with `#` are
//! skipped. Names are absolute, with or without their final dot.
//!
//! ```text
//! example.org       SOA   300                      # the negative TTL; one of its own making
//! example.org       TXT   "v=spf1 -all" " joined"  # \" \\ and \DDD (an octet) are escapes;
//! s1._domainkey.example.org TXT "v=DKIM1; p=..."   # strings over 255 octets are split
//! mail.example.org  A     192.0.2.1
//! mail.example.org  AAAA  2001:db8::1
//! example.org       MX    10 mail.example.org
//! example.org       NS    ns.example.org
//! www.example.org   CNAME mail.example.org
//! 1.2.0.192.in-addr.arpa PTR mail.example.org
//! ```
//!
//! (The comments above are for this page: a line has no trailing comment.)
//!
//! A value of these words is a fault of that name and type, or of all types that the name does not
//! list where the type is `ANY`:
//!
//! ```text
//! example.org  TXT  SERVFAIL | REFUSED | NXDOMAIN | RCODE 4
//! example.org  TXT  TIMEOUT      never answers
//! example.org  TXT  TRUNCATE     the records of this type come over TCP alone
//! example.org  TXT  SLOW 300ms   they come after that time
//! example.org  TXT  TTL 1        they may be kept for that many seconds, and not for 300
//! www.example.org  CNAME  ALONE  the alias comes without what it leads to
//! ```
//!
//! A name that is neither listed nor above a listed one is NXDOMAIN; a type that a name does not
//! list is an empty answer. Both carry the SOA of the nearest zone that has one, or none.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, PTR, SOA, TXT};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};

const TTL: u32 = 300;
const CNAMES_MAX: usize = 8;

/// Zone data, and how it is to be answered.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    sets: HashMap<(LowerName, RecordType), Set>,
}

/// What a name has of one type.
#[derive(Clone, Debug, Default)]
struct Set {
    records: Vec<RData>,
    fault: Option<Fault>,
    is_truncated: bool,
    is_alone: bool,
    delay: Duration,
    ttl: Option<u32>,
}

/// What is sent instead of records.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    Rcode(ResponseCode),
    Timeout,
}

/// What the server does with one question.
#[derive(Debug, Default)]
pub struct Reply {
    pub answers: Vec<Record>,
    pub soa: Option<Record>,
    pub fault: Option<Fault>,
    pub is_truncated: bool,
    pub delay: Duration,
}

impl Zone {
    /// Reads zone data.
    ///
    /// # Panics
    /// With the line that cannot be read.
    pub fn parse(text: &str) -> Self {
        let mut zone = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                zone.line(line).unwrap_or_else(|why| panic!("zone line {}: {why}", number + 1));
            }
        }
        zone
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (name, rest) = line.split_once(char::is_whitespace).ok_or("no type")?;
        let (type_name, value) =
            rest.trim_start().split_once(char::is_whitespace).ok_or("no value")?;
        let record_type = RecordType::from_str(type_name).map_err(why)?;
        let value = value.trim();
        let words: Vec<&str> = value.split_whitespace().collect();
        match words[..] {
            ["SERVFAIL"] => self.fault(name, record_type, Fault::Rcode(ResponseCode::ServFail)),
            ["REFUSED"] => self.fault(name, record_type, Fault::Rcode(ResponseCode::Refused)),
            ["NXDOMAIN"] => self.fault(name, record_type, Fault::Rcode(ResponseCode::NXDomain)),
            ["RCODE", code] => {
                let code = code.parse::<u16>().map_err(why)?.into();
                self.fault(name, record_type, Fault::Rcode(code));
            }
            ["TIMEOUT"] => self.fault(name, record_type, Fault::Timeout),
            ["ALONE"] => self.set(name, record_type).is_alone = true,
            ["TRUNCATE"] => self.set(name, record_type).is_truncated = true,
            ["TTL", secs] => {
                self.set(name, record_type).ttl = Some(secs.parse().map_err(why)?);
            }
            ["SLOW", time] => {
                let millis = time.strip_suffix("ms").ok_or("SLOW wants a time as 300ms")?;
                self.set(name, record_type).delay =
                    Duration::from_millis(millis.parse().map_err(why)?);
            }
            _ => self.add(name, rdata(record_type, value, &words)?),
        }
        Ok(())
    }

    /// Adds a record.
    pub fn add(&mut self, name: &str, data: RData) {
        self.set(name, data.record_type()).records.push(data);
    }

    /// Takes away what a name has of a type, such as `TXT`.
    pub fn remove(&mut self, name: &str, record_type: &str) {
        let record_type = RecordType::from_str(record_type).unwrap();
        self.sets.remove(&(LowerName::new(&domain(name)), record_type));
    }

    /// Adds all that is in another zone; what both have is the other's.
    pub fn extend(&mut self, other: Self) {
        self.sets.extend(other.sets);
    }

    /// Makes a fault of a name and type, or of the types not listed (`ANY`).
    pub fn fault(&mut self, name: &str, record_type: RecordType, fault: Fault) {
        self.set(name, record_type).fault = Some(fault);
    }

    fn set(&mut self, name: &str, record_type: RecordType) -> &mut Set {
        self.sets.entry((LowerName::new(&domain(name)), record_type)).or_default()
    }

    /// What the question comes to: records at the end of the CNAME chain, a denial or a fault.
    pub fn answer(&self, name: &LowerName, record_type: RecordType) -> Reply {
        let mut reply = Reply::default();
        let mut owner = name.clone();
        for _ in 0..CNAMES_MAX {
            let of_type = |record_type| self.sets.get(&(owner.clone(), record_type));
            if let Some(set) = of_type(record_type).or_else(|| of_type(RecordType::CNAME)) {
                reply.take(&owner, set);
                match set.records.first() {
                    Some(RData::CNAME(target))
                        if record_type != RecordType::CNAME && !set.is_alone =>
                    {
                        owner = LowerName::new(&target.0);
                        continue;
                    }
                    _ => return reply,
                }
            }
            if let Some(set) = of_type(RecordType::ANY) {
                reply.take(&owner, set);
            } else {
                self.deny(&owner, &mut reply);
            }
            return reply;
        }
        reply
    }

    fn deny(&self, owner: &LowerName, reply: &mut Reply) {
        if !self.sets.keys().any(|(name, _)| owner.zone_of(name)) {
            reply.fault = Some(Fault::Rcode(ResponseCode::NXDomain));
        }
        let mut zone = Name::from(owner.clone());
        loop {
            let soa = self.sets.get(&(LowerName::new(&zone), RecordType::SOA));
            if let Some(data) = soa.and_then(|set| set.records.first()) {
                reply.soa = Some(Record::from_rdata(zone, TTL, data.clone()));
            } else if !zone.is_root() {
                zone = zone.base_name();
                continue;
            }
            return;
        }
    }
}

impl Reply {
    fn take(&mut self, owner: &LowerName, set: &Set) {
        self.answers.extend(
            set.records
                .iter()
                .map(|data| Record::from_rdata(owner.into(), set.ttl.unwrap_or(TTL), data.clone())),
        );
        self.fault = self.fault.or(set.fault);
        self.is_truncated |= set.is_truncated;
        self.delay += set.delay;
    }
}

/// A name of these octets: there are no escapes.
pub fn domain(text: &str) -> Name {
    let text = text.strip_suffix('.').unwrap_or(text);
    let labels = text.split('.').filter(|label| !label.is_empty());
    Name::from_labels(labels.map(str::as_bytes)).unwrap_or_else(|why| panic!("{text}: {why}"))
}

/// A TXT record of these character-strings; those over 255 octets are split.
pub fn txt(strings: &[Vec<u8>]) -> RData {
    let mut pieces: Vec<&[u8]> = strings.iter().flat_map(|string| string.chunks(255)).collect();
    if pieces.is_empty() {
        pieces.push(b"");
    }
    RData::TXT(TXT::from_bytes(pieces))
}

fn rdata(record_type: RecordType, value: &str, words: &[&str]) -> Result<RData, String> {
    Ok(match (record_type, words) {
        (RecordType::TXT, _) => txt(&strings(value)?),
        (RecordType::A, [addr]) => RData::A(A(addr.parse().map_err(why)?)),
        (RecordType::AAAA, [addr]) => RData::AAAA(AAAA(addr.parse().map_err(why)?)),
        (RecordType::MX, [preference, host]) => {
            RData::MX(MX::new(preference.parse().map_err(why)?, domain(host)))
        }
        (RecordType::PTR, [name]) => RData::PTR(PTR(domain(name))),
        (RecordType::CNAME, [name]) => RData::CNAME(CNAME(domain(name))),
        (RecordType::NS, [name]) => RData::NS(NS(domain(name))),
        (RecordType::SOA, [ttl]) => {
            let minimum = ttl.parse().map_err(why)?;
            RData::SOA(SOA::new(domain("ns"), domain("postmaster"), 1, 60, 60, 600, minimum))
        }
        _ => return Err(format!("no {record_type} record: {value}")),
    })
}

/// Quoted strings with their escapes undone.
fn strings(value: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut strings = Vec::new();
    let mut octets = value.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'"' => strings.push(string(&mut octets)?),
            b' ' | b'\t' => {}
            _ => return Err(format!("TXT wants quoted strings: {value}")),
        }
    }
    Ok(strings)
}

fn string(octets: &mut impl Iterator<Item = u8>) -> Result<Vec<u8>, String> {
    let mut string = Vec::new();
    loop {
        match octets.next().ok_or("a string has no end")? {
            b'"' => return Ok(string),
            b'\\' => string.push(escaped(octets)?),
            octet => string.push(octet),
        }
    }
}

fn escaped(octets: &mut impl Iterator<Item = u8>) -> Result<u8, String> {
    let first = octets.next().ok_or("an escape has no end")?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let digits = [first].into_iter().chain(octets.take(2)).map(char::from).collect::<String>();
    digits.parse().map_err(|_| format!("no octet: \\{digits}"))
}

fn why(error: impl Display) -> String {
    error.to_string()
}
