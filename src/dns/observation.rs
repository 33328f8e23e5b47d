//! What the servers of a name show of its TXT records: data alone.

use std::net::SocketAddr;

use serde::{Serialize, Serializer};

/// The answers of all servers that were asked for one name.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Observation {
    /// The name, without its final dot.
    pub name: String,
    /// One entry for each address; those of the zones that aliases lead to come after.
    pub servers: Vec<Shown>,
    /// How long a denial of the name may be remembered (RFC 2308 §5): the longest that a server
    /// gives of the zones on the way. `None` where none gave an SOA.
    pub negative_ttl_secs: Option<u32>,
}

/// What one address showed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Shown {
    /// The server's name without its final dot; of a resolver, its address.
    pub server: String,
    /// Where it was asked; `None` where its name has no address.
    pub addr: Option<SocketAddr>,
    /// The name that it was asked for: another than the observation's where an alias led to it.
    pub name: String,
    /// What it said.
    pub answer: Answer,
}

/// An answer, or why there is none.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// All TXT records; never empty.
    Txt(Vec<Txt>),
    /// The name is an alias (CNAME) of this one, whose servers were asked, too.
    Alias(String),
    /// The name has no TXT record.
    Empty,
    /// There is no such name.
    NotFound,
    /// The answer over UDP was cut short, and TCP failed for this cause.
    Truncated(String),
    /// No answer, or none of authority (a lame server), for this cause: plain ASCII of ours.
    Silent(String),
}

/// A TXT record as it came.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Txt {
    /// Its character-strings.
    #[serde(serialize_with = "as_text")]
    pub strings: Vec<Vec<u8>>,
    /// Its time to live.
    pub ttl_secs: u32,
}

impl Txt {
    /// Its character-strings joined without a blank, as DKIM, SPF and DMARC read them.
    pub fn text(&self) -> Vec<u8> {
        self.strings.concat()
    }
}

impl Answer {
    /// Whether the server said something.
    pub fn is_reachable(&self) -> bool {
        !matches!(self, Self::Silent(_))
    }

    /// Its TXT records.
    pub fn records(&self) -> &[Txt] {
        match self {
            Self::Txt(records) => records,
            _ => &[],
        }
    }
}

impl Observation {
    /// The servers of which no address answered, each once with the first cause.
    pub fn unreachable(&self) -> Vec<(&str, &str)> {
        let mut servers: Vec<(&str, &str)> = Vec::new();
        for shown in &self.servers {
            let Answer::Silent(cause) = &shown.answer else { continue };
            let is_known = servers.iter().any(|(server, _)| *server == shown.server);
            if !is_known && !self.is_reachable(&shown.server) {
                servers.push((&shown.server, cause));
            }
        }
        servers
    }

    /// What was said: the entries that are no silence.
    pub fn answers(&self) -> impl Iterator<Item = &Shown> {
        self.servers.iter().filter(|shown| shown.answer.is_reachable())
    }

    fn is_reachable(&self, server: &str) -> bool {
        self.answers().any(|shown| shown.server == server)
    }
}

fn as_text<S: Serializer>(strings: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(strings.iter().map(|string| string.escape_ascii().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_unreachable_where_no_address_of_it_answers() {
        let shown = |server: &str, answer| Shown {
            server: server.to_owned(),
            addr: None,
            name: "a.example".to_owned(),
            answer,
        };
        let silent = || Answer::Silent("no answer in time".to_owned());
        let observation = Observation {
            name: "a.example".to_owned(),
            servers: vec![
                shown("ns1", silent()),
                shown("ns1", Answer::Empty),
                shown("ns2", silent()),
                shown("ns2", silent()),
                shown("ns3", Answer::Truncated("no answer in time".to_owned())),
            ],
            negative_ttl_secs: None,
        };
        assert_eq!(observation.unreachable(), [("ns2", "no answer in time")]);
        assert_eq!(observation.answers().count(), 2);
    }
}
