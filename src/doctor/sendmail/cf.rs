//! `sendmail.cf`: its lines that concern filters, addresses and delivery (Sendmail's op.me, "The Whole
//! Scoop on the Configuration File").

use std::collections::BTreeMap;

use crate::config::Endpoint;
use crate::doctor::postfix::{logical_lines, seconds};

/// What of it matters to us.
#[derive(Clone, Debug, Default)]
pub struct SendmailCf {
    pub(super) filters: Vec<Filter>,
    /// The names of the filters that are used, in their order.
    pub(super) input_filters: Vec<String>,
    /// The lists of macros, by their stages.
    pub(super) macros: BTreeMap<String, String>,
    /// The options of each listener, by their first letters, which alone count.
    pub(super) daemons: Vec<BTreeMap<char, String>>,
    /// What senders of this host are turned into.
    pub(super) masquerade: Option<String>,
    pub(super) has_generics: bool,
    pub(super) queue_return_secs: Option<u64>,
    /// The flags of the mailer that delivers to other hosts.
    pub(super) smtp_flags: Option<String>,
}

/// An `X` line.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) socket: String,
    pub(super) flags: String,
    pub(super) timeouts: BTreeMap<char, u64>,
}

impl SendmailCf {
    /// Reads the text of `sendmail.cf`.
    pub fn parse(text: &str) -> Self {
        let mut cf = Self::default();
        for line in logical_lines(text) {
            let Some(kind) = line.chars().next() else { continue };
            let rest = &line[kind.len_utf8()..];
            match kind {
                'X' => cf.filters.extend(filter(rest)),
                'O' => cf.option(rest.trim_start()),
                'D' => cf.masquerade(rest),
                'K' if rest.starts_with("generics") => cf.has_generics = true,
                'M' if rest.starts_with("esmtp,") || rest.starts_with("relay,") => cf.mailer(rest),
                _ => {}
            }
        }
        cf
    }

    /// Whether a filter has that socket.
    pub(in crate::doctor) fn uses(&self, ours: &Endpoint) -> bool {
        let ours = std::slice::from_ref(ours);
        self.filters.iter().any(|filter| socket_is(&filter.socket, ours))
    }

    fn option(&mut self, option: &str) {
        let Some((name, value)) = option.split_once('=') else { return };
        let (name, value) = (name.trim(), value.trim());
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("InputMailFilters") {
            let names = value.split(',').map(|name| name.trim().to_owned());
            self.input_filters = names.filter(|name| !name.is_empty()).collect();
        } else if is("DaemonPortOptions") {
            self.daemons.push(parts(value).collect());
        } else if is("Timeout.queuereturn") {
            self.queue_return_secs = seconds(value, 'd');
        } else if let Some(stage) = name.strip_prefix("Milter.macros.") {
            self.macros.insert(stage.to_ascii_lowercase(), value.to_owned());
        }
    }

    /// `DMexample.org`, which is `MASQUERADE_AS`.
    fn masquerade(&mut self, rest: &str) {
        if let Some(name) = rest.strip_prefix('M').or_else(|| rest.strip_prefix("{M}")) {
            let name = name.trim();
            self.masquerade = (!name.is_empty()).then(|| name.to_owned());
        }
    }

    fn mailer(&mut self, rest: &str) {
        let flags = parts(rest).find(|(name, _)| *name == 'F').map(|(_, flags)| flags);
        // Mail to a smart host goes by the relay mailer; either re-encodes.
        let old = self.smtp_flags.take();
        self.smtp_flags = match (old, flags) {
            (Some(old), Some(new)) if !new.contains('8') || old.contains('8') => Some(new),
            (old, new) => old.or(new),
        };
    }
}

/// `NAME, S=SOCKET, F=FLAGS, T=C:30s;S:60s`.
fn filter(rest: &str) -> Option<Filter> {
    let (name, equates) = rest.split_once(',')?;
    let mut filter = Filter { name: name.trim().to_owned(), ..Filter::default() };
    for (name, value) in parts(equates) {
        match name {
            'S' => filter.socket = value,
            'F' => filter.flags = value,
            'T' => filter.timeouts = timeouts(&value),
            _ => {}
        }
    }
    Some(filter)
}

/// `C:30s;S:60s;R:60s;E:5m`
fn timeouts(value: &str) -> BTreeMap<char, u64> {
    let one = |part: &str| {
        let (name, time) = part.split_once(':')?;
        Some((name.trim().chars().next()?, seconds(time.trim(), 's')?))
    };
    value.split(';').filter_map(one).collect()
}

/// `Name=value` pairs between commas, by the first letters of their names.
fn parts(text: &str) -> impl Iterator<Item = (char, String)> {
    text.split(',').filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().chars().next()?.to_ascii_uppercase(), value.trim().to_owned()))
    })
}

/// Whether the socket is one of ours.
pub(super) fn socket_is(socket: &str, ours: &[Endpoint]) -> bool {
    let Ok(socket) = socket.parse::<Endpoint>() else { return false };
    ours.iter().any(|one| match (one, &socket) {
        (Endpoint::Inet(ours), Endpoint::Inet(theirs)) => {
            ours == theirs || (ours.ip().is_unspecified() && ours.port() == theirs.port())
        }
        _ => *one == socket,
    })
}
