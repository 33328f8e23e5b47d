//! Postfix: what its configuration does to mail on its way to us, and after us.
//!
//! What happens before the filters and what after them is not in its manuals in one place; the
//! end-to-end tests hold it: `canonical_maps`, `masquerade_domains` and `header_checks` come before,
//! `smtp_generic_maps`, `smtp_header_checks`, re-encoding and line breaking after.

mod attach;
mod checks_table;
mod header_checks;
mod macros;
mod main_cf;
mod master_cf;
mod milter;
mod reinjection;
mod rewriting;
mod transport;
mod waiting;

use std::path::PathBuf;

use self::milter::{Milter, Whose, milters};
use super::{Facts, Finding};
use crate::config::Endpoint;
pub use header_checks::PARAMETERS as TABLE_PARAMETERS;
pub use main_cf::Parameters;
pub(super) use main_cf::{logical_lines, seconds};
pub use master_cf::Service;

/// Its configuration.
#[derive(Clone, Debug)]
pub struct Postfix {
    /// `main.cf`
    pub main: Parameters,
    /// `master.cf`
    pub services: Vec<Service>,
}

/// A service that mail comes in by, and its filters.
struct Attached<'a> {
    service: &'a Service,
    milters: Vec<(Milter, Whose)>,
}

impl Postfix {
    /// Reads what `postconf -n` and `postconf -M` print, or the files themselves.
    pub fn parse(main_cf: &str, master_cf: &str) -> Self {
        Self { main: Parameters::parse(main_cf), services: master_cf::parse(master_cf) }
    }

    /// A parameter of `main.cf`, or its default.
    pub fn main_value(&self, name: &str) -> String {
        self.main.value(&std::collections::BTreeMap::new(), name)
    }

    /// A parameter as a service has it.
    pub fn value(&self, service: &Service, name: &str) -> String {
        self.main.value(&service.options, name)
    }

    /// All values of a parameter: that of `main.cf`, and those of `-o` options, with whose they are.
    pub fn values(&self, name: &str) -> Vec<(String, Option<&Service>)> {
        let own = self.services.iter().filter(|service| service.options.contains_key(name));
        let own = own.map(|service| (self.value(service, name), Some(service)));
        let mut values = vec![(self.main_value(name), None)];
        values.extend(own);
        values
    }

    /// The tables that a parameter names, in `main.cf` and in `-o` options: `TYPE:NAME`.
    pub fn tables(&self, name: &str) -> Vec<String> {
        let values = self.values(name).into_iter();
        values.flat_map(|(value, _)| main_cf::elements(&value)).collect()
    }

    /// Where its queue is; the root of its processes in a chroot.
    pub fn queue_directory(&self) -> PathBuf {
        PathBuf::from(self.main_value("queue_directory"))
    }

    /// Whether a service is confined to the queue directory (master(5): the default changed with
    /// `compatibility_level` 1).
    fn is_in_chroot(&self, service: &Service) -> bool {
        let level = self.main_value("compatibility_level");
        let major = level.split('.').next().and_then(|major| major.trim().parse::<u32>().ok());
        let is_old = major.unwrap_or(0) == 0;
        service.chroot.unwrap_or(is_old)
    }

    fn yes(&self, name: &str) -> bool {
        self.main_value(name).eq_ignore_ascii_case("yes")
    }

    fn whose(&self, list: &str, ours: &[Endpoint], service: &Service) -> Vec<(Milter, Whose)> {
        let (queue, chroot) = (self.queue_directory(), self.is_in_chroot(service));
        let milters = milters(list).into_iter();
        milters
            .map(|one| {
                let whose = one.whose(ours, &queue, chroot);
                (one, whose)
            })
            .collect()
    }

    /// The services that mail comes in by over SMTP, with their filters.
    fn smtpds(&self, ours: &[Endpoint]) -> Vec<Attached<'_>> {
        let attached = |service| {
            let list = self.value(service, "smtpd_milters");
            let is_off = self.value(service, "receive_override_options").contains("no_milters");
            let list = if is_off { "" } else { &list };
            Attached { service, milters: self.whose(list, ours, service) }
        };
        self.services.iter().filter(|service| service.is_smtpd()).map(attached).collect()
    }

    /// The filters of mail that comes in otherwise: cleanup speaks to them.
    fn cleanup(&self, ours: &[Endpoint]) -> Vec<(Milter, Whose)> {
        let Some(cleanup) = self.services.iter().find(|service| service.command == "cleanup")
        else {
            return Vec::new();
        };
        self.whose(&self.value(cleanup, "non_smtpd_milters"), ours, cleanup)
    }
}

impl Attached<'_> {
    fn has_ours(&self) -> bool {
        self.milters.iter().any(|(_, whose)| *whose == Whose::Ours)
    }
}

/// How Postfix should spell our first socket.
fn spelling(postfix: &Postfix, ours: &[Endpoint]) -> String {
    let first = ours.first().map(|endpoint| endpoint.for_postfix(&postfix.queue_directory()));
    first.unwrap_or_default()
}

/// `master.cf` at that service, as the place of a line.
fn place(service: &Service) -> String {
    format!("master.cf, {} {}", service.name, service.kind)
}

/// All findings about it.
pub(super) fn findings(postfix: &Postfix, facts: &Facts) -> Vec<Finding> {
    [
        attach::findings,
        reinjection::findings,
        macros::findings,
        waiting::findings,
        header_checks::findings,
        rewriting::findings,
        transport::findings,
    ]
    .iter()
    .flat_map(|check| check(postfix, facts))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_of_chroot_came_with_compatibility_level_1() {
        let master = "25 inet n - - - - smtpd\n";
        for (level, wanted) in [("0", true), ("1", false), ("3.6", false), ("", true)] {
            let postfix = Postfix::parse(&format!("compatibility_level = {level}\n"), master);
            assert_eq!(postfix.is_in_chroot(&postfix.services[0]), wanted, "{level}");
        }
    }
}
