//! From the file's tables to the resolved configuration: one line a key.
//!
//! A key with a fault keeps its default, so that reading goes on and all faults come together.

mod attachments;
mod checks;
mod clamav;

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use crate::dns::Kind;

use super::endpoint::Endpoint;
use super::error::{Complaint, quoted};
use super::fields;
use super::map;
use super::nearest::nearest;
use super::parse;
use super::section::{Gathered, Section, home_of, shown_text};
use super::value::{Value, distinct, flag, integer, list, mode, one_of, some, text, word};
use super::words;
use super::{
    Arc, Config, Dns, Exempt, Identity, Limits, Milter, Policy, Publish, Rotation, Rules, Sign,
    Telemetry, Verify, Watch,
};

/// Resolves the root table of a file; relative directories are joined to `base`.
pub(super) fn resolve(root: &DeTable<'_>, base: &Path) -> (Config, Gathered) {
    let mut gathered = Gathered::default();
    refuse_unknown_sections(root, &mut gathered);
    let out = &mut gathered;
    let config = Config {
        milter: milter(open("milter", root, out)),
        identity: identity(open("identity", root, out)),
        dns: dns(open("dns", root, out)),
        sign: sign(root, base, out),
        rotation: rotation(open("rotation", root, out)),
        watch: watch(open("watch", root, out)),
        publish: publish(open("publish", root, out), base),
        verify: verify(open("verify", root, out)),
        arc: arc(root, out),
        policy: policy(root, out),
        rules: rules(open("rules", root, out), base),
        identity_gate: checks::identity_gate(open("identity_gate", root, out), base),
        own_domain_spoof: checks::own_domain_spoof(open("own_domain_spoof", root, out)),
        backscatter: checks::backscatter(open("backscatter", root, out)),
        attachments: attachments::attachments(root, out),
        clamav: clamav::clamav(root, out),
        limits: limits(open("limits", root, out)),
        telemetry: telemetry(open("telemetry", root, out), base),
    };
    (config, gathered)
}

fn milter(mut section: Section<'_, '_>) -> Milter {
    Milter {
        // Each with port 0 gets a port of its own.
        listen: section
            .take("listen", distinct(some(list(text(str::parse))), Endpoint::is_any_port)),
        allow_peers: section.take("allow_peers", list(text(parse::network))),
        socket_mode: section.take("socket_mode", mode),
        socket_group: section.optional("socket_group", text(parse::line)),
        connections_max: section.take("connections_max", integer(1..=65_536)) as usize,
    }
}

fn identity(mut section: Section<'_, '_>) -> Identity {
    Identity {
        authserv_id: section.computed("authserv_id", text(parse::authserv_id), host_name),
        authserv_ids_ours: section.take("authserv_ids_ours", list(text(parse::authserv_id))),
        local_domains: section.take("local_domains", list(text(parse::domain))),
        trusted_networks: section.take("trusted_networks", list(text(parse::network))),
        trusted_relays: section.take("trusted_relays", list(text(parse::network))),
        originating_daemons: section.take("originating_daemons", list(text(parse::line))),
    }
}

/// This machine's name, or `localhost` where it is none that could stand in a header field.
fn host_name() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy().to_ascii_lowercase();
    parse::authserv_id(&name).unwrap_or_else(|_| "localhost".to_owned())
}

fn dns(mut section: Section<'_, '_>) -> Dns {
    Dns {
        servers: section.take("servers", list(text(parse::resolver))),
        timeout: secs(section.take("timeout_secs", integer(1..=60))),
    }
}

fn sign(root: &DeTable<'_>, base: &Path, gathered: &mut Gathered) -> Sign {
    let mut section = open("sign", root, gathered);
    let keys = directory(&mut section, "keys", base);
    let (header_canonicalization, body_canonicalization) =
        section.take("canonicalization", word(words::CANONICALIZATIONS));
    Sign {
        keys,
        header_canonicalization,
        body_canonicalization,
        expire: section.optional("expire_secs", integer(3_600..=31_536_000)).map(secs),
        fields: signed(section.take("fields", list(text(parse::field_name)))),
        oversign: with("From", section.take("oversign", list(text(parse::oversigned_name)))),
        local: section.take("local", word(words::SIGN_LOCALS)),
        map: map::sign_map(root, gathered),
    }
}

fn rotation(mut section: Section<'_, '_>) -> Rotation {
    Rotation {
        primary: section.take("primary", flag),
        every_secs: section.optional("every_days", integer(7..=3_650)).map(days),
        overlap_secs: days(section.take("overlap_days", integer(1..=365))),
        queue_secs: days(section.take("queue_days", integer(1..=60))),
        revoked_secs: days(section.take("revoked_days", integer(1..=365))),
        distribution_secs: section.take("distribution_secs", integer(0..=604_800)),
        waiver_secs: 3_600 * section.take("waiver_hours", integer(1..=8_760)),
        algorithms: section
            .optional("algorithms", some(list(word(words::ALGORITHMS))))
            .map_or_else(Vec::new, each_once),
        together: section.take("together", flag),
        rsa_bits: section.take("rsa_bits", one_of(&[2_048, 3_072, 4_096])) as u32,
        selectors: section.take("selectors", word(words::SELECTORS)),
    }
}

fn watch(mut section: Section<'_, '_>) -> Watch {
    Watch {
        pending: secs(section.take("pending_secs", integer(5..=1_800))),
        every: secs(section.take("every_secs", integer(60..=86_400))),
        via_resolver: section.take("via_resolver", flag),
        on_lost_record: section.take("on_lost_record", word(words::LOST_RECORDS)),
    }
}

fn days(days: u64) -> u64 {
    24 * 3_600 * days
}

fn each_once<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items.dedup();
    items
}

/// Besides what the list says: From (RFC 6376 §5.4), and the fields of one-click unsubscription,
/// which "MUST be covered by the signature" (RFC 8058 §4).
fn signed(names: Vec<String>) -> Vec<String> {
    let mut names = with("From", names);
    for name in ["List-Unsubscribe", "List-Unsubscribe-Post"] {
        if !names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    names
}

/// The names with one before them, and none there twice.
fn with(first: &str, names: Vec<String>) -> Vec<String> {
    let mut kept = vec![first.to_owned()];
    for name in names {
        if !kept.iter().any(|seen| seen.eq_ignore_ascii_case(&name)) {
            kept.push(name);
        }
    }
    kept
}

fn publish(mut section: Section<'_, '_>, base: &Path) -> Publish {
    let path = |value: &Value<'_>| text(parse::directory)(value).map(|path| base.join(path));
    let show = |path: &PathBuf, _: &DeValue<'_>| shown_text(&path.to_string_lossy());
    Publish {
        server: section.optional("server", text(parse::resolver)),
        key_file: section.optional_shown("key_file", path, show),
        ttl_secs: section.take("ttl_secs", integer(60..=86_400)) as u32,
        dkim_strict: section.take("dkim_strict", flag),
        dmarc_record: section
            .optional("dmarc_record", text(|text| parse::record(Kind::Dmarc, text))),
        spf_record: section.optional("spf_record", text(|text| parse::record(Kind::Spf, text))),
        tls_rpt_record: section
            .optional("tls_rpt_record", text(|text| parse::record(Kind::TlsRpt, text))),
    }
}

fn verify(mut section: Section<'_, '_>) -> Verify {
    Verify {
        enabled: section.take("enabled", flag),
        min_rsa_bits: section.take("min_rsa_bits", integer(1_024..=4_096)) as u32,
        require_dkim: section.take("require_dkim", list(text(parse::domain))),
        received_spf: section.take("received_spf", flag),
        dmarc_psl: section.take("dmarc_psl", flag),
    }
}

fn arc(root: &DeTable<'_>, gathered: &mut Gathered) -> Arc {
    let mut section = open("arc", root, gathered);
    let trusted_sealers = section.take("trusted_sealers", list(text(parse::domain)));
    let seal = section.take("seal", flag);
    let seal_domain = section.optional("seal_domain", text(parse::domain));
    let table = table_of(root, "arc");
    if let Some(value) = table.and_then(|table| table.get("seal")).filter(|_| seal)
        && table.is_none_or(|table| table.get("seal_domain").is_none())
    {
        let complaint = Complaint::new("arc.seal: there is no arc.seal_domain");
        gathered.fault(value.span().start, complaint.hint("name a domain that has an RSA key"));
    }
    Arc { trusted_sealers, seal_domain: seal_domain.filter(|_| seal) }
}

fn policy(root: &DeTable<'_>, gathered: &mut Gathered) -> Policy {
    let mut section = open("policy", root, gathered);
    Policy {
        dmarc: section.take("dmarc", word(words::TREATMENTS)),
        spf_fail: section.take("spf_fail", word(words::TREATMENTS)),
        spf_any: section.take("spf_any", word(words::TREATMENTS)),
        spf_any_domains: section.take("spf_any_domains", list(text(parse::domain))),
        require_dkim: section.take("require_dkim", word(words::TREATMENTS)),
        iprev_fail: section.take("iprev_fail", word(words::TREATMENTS)),
        malformed_from: section.take("malformed_from", word(words::TREATMENTS)),
        temperror: section.take("temperror", word(words::TEMPERRORS)),
        reject_local: section.take("reject_local", flag),
        exempt: exempts(root, gathered),
    }
}

fn exempts(root: &DeTable<'_>, gathered: &mut Gathered) -> Vec<Exempt> {
    let Some(value) = table_of(root, "policy").and_then(|policy| policy.get("exempt")) else {
        return Vec::new();
    };
    let DeValue::Array(entries) = value.get_ref() else {
        gathered.fault(value.span().start, not_repeated("policy.exempt"));
        return Vec::new();
    };
    entries.iter().filter_map(|entry| exempt(entry, gathered)).collect()
}

fn exempt(entry: &Value<'_>, gathered: &mut Gathered) -> Option<Exempt> {
    let DeValue::Table(table) = entry.get_ref() else {
        gathered.fault(entry.span().start, not_repeated("policy.exempt"));
        return None;
    };
    if table.is_empty() {
        let complaint = Complaint::new("[[policy.exempt]] names nothing");
        gathered.fault(
            entry.span().start,
            complaint.hint("give it networks, lists, sealers, recipients or domains"),
        );
    }
    let mut section = Section::new("policy.exempt", Some(table), gathered);
    Some(Exempt {
        networks: section.optional("networks", list(text(parse::network))).unwrap_or_default(),
        lists: section.optional("lists", list(text(parse::list_id))).unwrap_or_default(),
        sealers: section.optional("sealers", list(text(parse::domain))).unwrap_or_default(),
        recipients: section
            .optional("recipients", list(text(parse::recipient)))
            .unwrap_or_default(),
        domains: section.optional("domains", list(text(parse::domain))).unwrap_or_default(),
    })
}

fn rules(mut section: Section<'_, '_>, base: &Path) -> Rules {
    Rules {
        dir_required: section.sets("dir"),
        dir: directory(&mut section, "dir", base),
        body_bytes_max: section.take("body_bytes_max", integer(0..=67_108_864)) as usize,
    }
}

fn limits(mut section: Section<'_, '_>) -> Limits {
    Limits {
        header_bytes_max: section.take("header_bytes_max", integer(1_024..=16_777_216)) as usize,
        header_fields_max: section.take("header_fields_max", integer(1..=100_000)) as usize,
        recipients_max: section.take("recipients_max", integer(1..=100_000)) as usize,
        message: secs(section.take("message_secs_max", integer(1..=300))),
        transactions_max: section.take("transactions_max", integer(1..=65_536)) as usize,
        memory_bytes_max: section.take("memory_bytes_max", integer(16_777_216..=1_099_511_627_776))
            as usize,
        drain: secs(section.take("drain_secs_max", integer(0..=600))),
    }
}

fn telemetry(mut section: Section<'_, '_>, base: &Path) -> Telemetry {
    let path = |value: &Value<'_>| text(parse::directory)(value).map(|path| base.join(path));
    let show = |path: &PathBuf, _: &DeValue<'_>| shown_text(&path.to_string_lossy());
    Telemetry {
        log: section.take("log", word(words::LOG_FORMATS)),
        level: section.take("level", word(words::LEVELS)).to_owned(),
        filter: section.take("filter", list(text(parse::log_filter))),
        story_clients: section.take("story_clients", list(text(parse::network))),
        story_domains: section.take("story_domains", list(text(parse::domain))),
        personal_data: section.take("personal_data", word(words::PERSONAL_DATA)),
        personal_data_key: section.optional_shown("personal_data_key", path, show),
        metrics: section.optional("metrics", text(parse::address)),
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn directory(section: &mut Section<'_, '_>, key: &str, base: &Path) -> PathBuf {
    let read = |value: &Value<'_>| text(parse::directory)(value).map(|path| base.join(path));
    section.take_shown(key, read, |path, _| shown_text(&path.to_string_lossy()))
}

fn open<'a, 'g>(
    name: &'static str,
    root: &'a DeTable<'a>,
    gathered: &'g mut Gathered,
) -> Section<'a, 'g> {
    Section::new(name, table_of(root, name), gathered)
}

pub(super) fn table_of<'a>(root: &'a DeTable<'a>, name: &str) -> Option<&'a DeTable<'a>> {
    match root.get(name)?.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

fn refuse_unknown_sections(root: &DeTable<'_>, gathered: &mut Gathered) {
    for (key, value) in root {
        let name = key.get_ref();
        let known = fields::SECTIONS.iter().any(|section| section.name == name);
        if !known {
            gathered.fault(key.span().start, unknown_section(name));
        } else if !matches!(value.get_ref(), DeValue::Table(_)) {
            let complaint = Complaint::new(format!("{name} is a section"));
            gathered.fault(
                key.span().start,
                complaint.hint(format!("write [{name}] and its keys below it")),
            );
        }
    }
}

fn unknown_section(name: &str) -> Complaint {
    let complaint = Complaint::new(format!("unknown section or key {}", quoted(name)));
    if let Some(home) = home_of(name) {
        return complaint.hint(format!("the key belongs in [{}]", home.name));
    }
    match nearest(name, fields::SECTIONS.iter().map(|section| section.name)) {
        Some(near) => complaint.hint(format!("did you mean [{near}]?")),
        None => complaint.hint("mailseal config default lists all sections"),
    }
}

pub(super) fn not_repeated(name: &str) -> Complaint {
    Complaint::new(format!("{name} is a list of tables"))
        .hint(format!("write [[{name}]] in double brackets"))
}
