//! Conditions on the envelope, the results of authentication and the scan's.

use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;
use toml::de::{DeTable, DeValue};

use super::super::condition::{TextTest, What};
use super::super::fact::{Fact, ResultTest, SCAN_WORDS};
use super::super::list::List;
use super::super::part::{Part, View};
use super::super::reader::Reader;
use super::super::results::Method;
use crate::config::error::{Complaint, quoted};
use crate::config::value::{Located, Value, integer, list, text, word, wrong_type};
use crate::message::domain;
use crate::message::origin::Origin;
use crate::result::AuthResult;

pub(in crate::rules) const ORIGINS: &[(&str, Origin)] = &[
    ("relay", Origin::Relay),
    ("authenticated", Origin::Authenticated),
    ("submission", Origin::Submission),
    ("local", Origin::Local),
    ("inbound", Origin::Inbound),
];

/// RFC 8601 §2.7's words.
pub(in crate::rules) const RESULTS: &[(&str, AuthResult)] = &[
    ("none", AuthResult::None),
    ("pass", AuthResult::Pass),
    ("fail", AuthResult::Fail),
    ("softfail", AuthResult::Softfail),
    ("neutral", AuthResult::Neutral),
    ("policy", AuthResult::Policy),
    ("temperror", AuthResult::Temperror),
    ("permerror", AuthResult::Permerror),
];

/// More is no count and no size of a message.
const NUMBER_MAX: u64 = 1 << 40;

impl Reader<'_> {
    /// A condition on the envelope or on results.
    pub(super) fn fact(&mut self, form: &str, value: &Value<'_>) -> Option<What> {
        let part = match form {
            "mail_from" => Part::MailFrom,
            "recipient" => Part::Recipient,
            "helo" => Part::Helo,
            "client_name" => Part::ClientName,
            "auth_user" => Part::AuthUser,
            "tls" if matches!(value.get_ref(), DeValue::String(_)) => Part::Tls,
            _ => return self.known(form, value).map(What::Fact),
        };
        self.part(part, value)
    }

    /// A text of the envelope: a pattern, or the list that it is in.
    fn part(&mut self, part: Part, value: &Value<'_>) -> Option<What> {
        let pattern = match value.get_ref() {
            DeValue::Table(table) => {
                return self.in_list(table, value).map(|list| What::Fact(Fact::Listed(part, list)));
            }
            _ => self.pattern(value)?,
        };
        Some(What::Text(TextTest { part, view: View::Raw, pattern }))
    }

    fn known(&mut self, form: &str, value: &Value<'_>) -> Option<Fact> {
        match form {
            "client" => self.client(value),
            "tls" => self.keep(crate::config::value::flag(value)).map(Fact::Tls),
            "origin" => self.words(value, &word(ORIGINS)).map(Fact::Origin),
            "size" => self.range(value, "size").map(Fact::Size),
            "spf" => self.result(Method::Spf, value),
            "dkim" => self.result(Method::Dkim, value),
            "dmarc" => self.result(Method::Dmarc, value),
            "arc" => self.result(Method::Arc, value),
            "iprev" => self.result(Method::Iprev, value),
            _ => self.scan(value),
        }
    }

    fn client(&mut self, value: &Value<'_>) -> Option<Fact> {
        if let DeValue::Table(table) = value.get_ref() {
            return self.in_list(table, value).map(Fact::ClientListed);
        }
        self.words(value, &text(network)).map(Fact::Client)
    }

    fn scan(&mut self, value: &Value<'_>) -> Option<Fact> {
        if let DeValue::Table(table) = value.get_ref() {
            self.refuse_unknown_fields(table, &["virus"], "scan");
            let Some(virus) = table.get("virus") else {
                let complaint = Complaint::new("\"virus\" is missing").hint("or name a result");
                self.fault(value.span().start, complaint);
                return None;
            };
            return self.pattern(virus).map(Fact::Virus);
        }
        let words = SCAN_WORDS.map(|word| (word, word));
        self.words(value, &word(&words)).map(Fact::Scan)
    }

    fn result(&mut self, method: Method, value: &Value<'_>) -> Option<Fact> {
        let results = word(RESULTS);
        let DeValue::Table(table) = value.get_ref() else {
            let results = self.words(value, &results)?;
            return Some(Fact::Auth(method, ResultTest { results, ..ResultTest::default() }));
        };
        if !self.refuse_unknown_fields(table, &["result", "domain", "in_list"], "a result") {
            return None;
        }
        let mut test = ResultTest::default();
        if let Some(value) = table.get("result") {
            test.results = self.words(value, &results)?;
        }
        if table.contains_key("domain") {
            test.domain = Some(self.optional(table, "domain", &text(domain_name))?);
        }
        if let Some(value) = table.get("in_list") {
            test.in_list = Some(self.list_of(value)?);
        }
        Some(Fact::Auth(method, test))
    }

    /// `{ in_list = "file" }`
    pub(super) fn in_list(&mut self, table: &DeTable<'_>, value: &Value<'_>) -> Option<Arc<List>> {
        if !self.refuse_unknown_fields(table, &["in_list"], "a condition") {
            return None;
        }
        let Some(path) = table.get("in_list") else {
            let complaint = Complaint::new("a condition without a test")
                .hint("a pattern, or { in_list = \"file\" }");
            self.fault(value.span().start, complaint);
            return None;
        };
        self.list_of(path)
    }

    /// A number, or `{ min = 1, max = 2 }` with one of them or both.
    pub(super) fn range(&mut self, value: &Value<'_>, field: &str) -> Option<RangeInclusive<u64>> {
        let number = integer(0..=NUMBER_MAX);
        let DeValue::Table(table) = value.get_ref() else {
            let number = self.keep(number(value))?;
            return Some(number..=number);
        };
        self.refuse_unknown_fields(table, &["min", "max"], field);
        let mut end = |name: &str, open: u64| match table.get(name) {
            Some(_) => self.optional(table, name, &number),
            None => Some(open),
        };
        let (min, max) = (end("min", 0), end("max", u64::MAX));
        let (min, max) = (min?, max?);
        if min > max || table.is_empty() {
            let complaint = Complaint::new(format!("{field}: no number is in it"));
            self.fault(value.span().start, complaint.hint("such as { min = 1, max = 2 }"));
            return None;
        }
        Some(min..=max)
    }

    /// One value, or a list of them that is not empty.
    pub(super) fn words<T>(
        &mut self,
        value: &Value<'_>,
        read: &impl Fn(&Value<'_>) -> Result<T, Vec<Located>>,
    ) -> Option<Vec<T>> {
        match value.get_ref() {
            DeValue::String(_) => Some(vec![self.keep(read(value))?]),
            DeValue::Array(_) => {
                let words = self.keep(list(read)(value))?;
                if words.is_empty() {
                    let complaint = Complaint::new("is empty").hint("name at least one");
                    self.fault(value.span().start, complaint);
                }
                Some(words)
            }
            _ => self.keep(wrong_type(value, "a string or an array of strings")),
        }
    }
}

/// A network, or one address.
fn network(entry: &str) -> Result<IpNet, Complaint> {
    let addr = |entry: &str| entry.parse::<std::net::IpAddr>().map(IpNet::from).ok();
    let net = entry.parse::<IpNet>().ok().or_else(|| addr(entry));
    net.filter(|net| net.addr() == net.network()).ok_or_else(|| {
        Complaint::new(format!("{} is no network", quoted(entry)))
            .hint("such as 192.0.2.0/24 or 2001:db8::/32")
    })
}

fn domain_name(name: &str) -> Result<String, Complaint> {
    domain::normalize(name)
        .ok_or_else(|| Complaint::new(format!("{} is no domain name", quoted(name))))
}
