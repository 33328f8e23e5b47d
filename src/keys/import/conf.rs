//! `opendkim.conf`: where the tables are, or the one key that it names itself.

use std::path::{Path, PathBuf};

use super::opendkim::OpenDkim;
use super::plan::{Place, Plan, PlannedMap, plain, shown};
use super::tables::{Kind, lines};
use crate::keys::DomainName;
use crate::sign::map::Authors;

/// What of it concerns keys.
#[derive(Clone, Debug, Default)]
pub struct Conf {
    /// The tables, where it has both.
    pub tables: Option<OpenDkim>,
    key_file: Option<(Place, PathBuf)>,
    selector: Option<String>,
    domains: Vec<String>,
    subdomains: bool,
}

/// Settings that are no more than told of, and what stands for them here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("InternalHosts", "identity.trusted_networks"),
    ("MTA", "identity.originating_daemons"),
    ("MacroList", "identity.originating_daemons"),
    ("Canonicalization", "sign.canonicalization"),
    ("SignHeaders", "sign.fields"),
    ("OmitHeaders", "sign.fields"),
    ("OversignHeaders", "sign.oversign"),
    ("SignatureTTL", "sign.expire_secs"),
    ("Socket", "milter.listen"),
    ("AuthservID", "identity.authserv_id"),
];

/// Reads the text of `opendkim.conf`, and notes which of its settings are not about keys.
pub fn parse(plan: &mut Plan, path: &Path, text: &str) -> Conf {
    let conf = keys_of(plan, path, text);
    let elsewhere = |(_, name, _): (usize, &str, &str)| {
        let here = ELSEWHERE.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        here.map(|(name, key)| format!("{name} ({key})"))
    };
    let elsewhere: Vec<String> = lines(text).filter_map(elsewhere).collect();
    if !elsewhere.is_empty() {
        let path = plain(path);
        plan.note(format!(
            "{path}: not keys, so set them yourself or see mailseal import: {}",
            elsewhere.join(", ")
        ));
    }
    conf
}

/// Reads of the text what concerns keys.
pub fn keys_of(plan: &mut Plan, path: &Path, text: &str) -> Conf {
    let mut conf = Conf::default();
    let (mut keys, mut signing, mut multiple) = (None, None, false);
    for (line, name, value) in lines(text) {
        let place = Place { path: path.to_owned(), line };
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("KeyTable") {
            keys = plan.or_refuse(table(value).map_err(|reason| format!("{place}: {reason}")));
        } else if is("SigningTable") {
            signing = plan.or_refuse(table(value).map_err(|reason| format!("{place}: {reason}")));
        } else if is("MultipleSignatures") {
            multiple = is_yes(value);
        } else if is("SubDomains") {
            conf.subdomains = is_yes(value);
        } else if is("Domain") {
            conf.domains = value.split([',', ' ', '\t']).map(str::to_owned).collect();
            conf.domains.retain(|domain| !domain.is_empty());
        } else if is("Selector") {
            conf.selector = Some(value.to_owned());
        } else if is("KeyFile") {
            conf.key_file = Some((place, PathBuf::from(value)));
        } else if is("Include") {
            plan.refuse(format!("{place}: Include is not followed; import that file by itself"));
        }
    }
    conf.tables = keys.zip(signing).map(|((key_table, _), (signing_table, kind))| OpenDkim {
        key_table,
        signing_table,
        kind,
        multiple,
    });
    conf
}

impl Conf {
    /// Whether it names a key itself.
    pub fn has_key(&self) -> bool {
        self.key_file.is_some()
    }

    /// Plans the import of the one key that the file names (OpenDKIM looks at it only where there
    /// is no `KeyTable`).
    pub fn single(&self, plan: &mut Plan, path: &Path) {
        let (Some((place, file)), Some(selector)) = (&self.key_file, &self.selector) else {
            let path = plain(path);
            return plan.refuse(format!(
                "{path}: no KeyTable with SigningTable, and no Domain, Selector and KeyFile"
            ));
        };
        for domain in &self.domains {
            if domain.contains(['/', ':']) {
                plan.refuse(format!(
                    "{place}: Domain {} is a data set; name the domains in the file",
                    shown(domain)
                ));
            } else if let Some(index) = plan.add_file(file, (domain, selector), Some(place)) {
                plan.sign_with(index);
                if self.subdomains {
                    let domain = plan.keys[index].domain.clone();
                    plan.maps.push(below(domain));
                }
            }
        }
    }
}

/// OpenDKIM names `d=` itself in `i=` there, which is what its absence says.
fn below(domain: DomainName) -> PlannedMap {
    PlannedMap { from: Authors::Below(domain.to_string()), domain, auid: false }
}

/// The file of a data set, and how it is looked at.
pub fn table(spec: &str) -> Result<(PathBuf, Kind), String> {
    let (path, kind) = match spec.split_once(':') {
        Some(("refile", path)) => (path, Kind::Refile),
        Some(("file", path)) => (path, Kind::File),
        None if spec.starts_with(['/', '.']) && !is_database(spec) => (spec, Kind::File),
        _ => {
            return Err(format!(
                "{} is no file that can be read; export the table to a file: or refile: of lines",
                shown(spec)
            ));
        }
    };
    Ok((PathBuf::from(path), kind))
}

/// opendkim(8): a name without a prefix that ends so is a Berkeley database.
fn is_database(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == "db")
}

fn is_yes(value: &str) -> bool {
    ["yes", "true", "1", "y", "t"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}
