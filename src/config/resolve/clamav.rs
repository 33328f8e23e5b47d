//! `[clamav]` and its `[[clamav.origin]]`.

use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::super::error::Complaint;
use super::super::parse;
use super::super::section::{Gathered, Section};
use super::super::value::{Value, integer, list, some, text, word};
use super::super::words;
use super::super::{Clamav, ScanTreatment, ScanTreatmentOf};
use super::{not_repeated, open, secs, table_of};

const SECS_OF_A_DAY: u64 = 86_400;

pub(super) fn clamav(root: &DeTable<'_>, gathered: &mut Gathered) -> Clamav {
    let mut section = open("clamav", root, gathered);
    Clamav {
        servers: section.take("servers", list(text(parse::peer))),
        balance: section.take("balance", word(words::BALANCES)),
        scans_max: section.take("scans_max", integer(1..=65_536)) as usize,
        scan_bytes_max: section.take("scan_bytes_max", integer(1_024..=4_294_967_295)),
        replay_bytes_max: section.take("replay_bytes_max", integer(0..=67_108_864)) as usize,
        treatment: ScanTreatment {
            on_infected: section.take("on_infected", word(words::ON_INFECTED)),
            on_failure: section.take("on_failure", word(words::ON_FAILURE)),
            on_oversize: section.take("on_oversize", word(words::ON_OVERSIZE)),
            on_encrypted: section.take("on_encrypted", word(words::ON_UNREADABLE)),
            on_limits: section.take("on_limits", word(words::ON_UNREADABLE)),
        },
        tag_signatures: section.take("tag_signatures", list(text(parse::line))),
        ignore_signatures: section.take("ignore_signatures", list(text(parse::line))),
        timeout: secs(section.take("timeout_secs", integer(1..=300))),
        clamd_conf: section.take("clamd_conf", text(parse::directory)),
        database_age_max: days(section.take("database_days_max", integer(0..=3_650))),
        origins: origins(root, gathered),
    }
}

fn days(days: u64) -> Option<Duration> {
    (days > 0).then(|| secs(days * SECS_OF_A_DAY))
}

fn origins(root: &DeTable<'_>, gathered: &mut Gathered) -> Vec<ScanTreatmentOf> {
    let Some(value) = table_of(root, "clamav").and_then(|clamav| clamav.get("origin")) else {
        return Vec::new();
    };
    let DeValue::Array(entries) = value.get_ref() else {
        gathered.fault(value.span().start, not_repeated("clamav.origin"));
        return Vec::new();
    };
    entries.iter().filter_map(|entry| origin(entry, gathered)).collect()
}

fn origin(entry: &Value<'_>, gathered: &mut Gathered) -> Option<ScanTreatmentOf> {
    let DeValue::Table(table) = entry.get_ref() else {
        gathered.fault(entry.span().start, not_repeated("clamav.origin"));
        return None;
    };
    if !table.contains_key("origins") {
        let complaint = Complaint::new("[[clamav.origin]] names no origins");
        gathered.fault(entry.span().start, complaint.hint("such as origins = [\"inbound\"]"));
    }
    let mut section = Section::new("clamav.origin", Some(table), gathered);
    Some(ScanTreatmentOf {
        origins: section.optional("origins", some(list(word(words::ORIGINS)))).unwrap_or_default(),
        on_infected: section.optional("on_infected", word(words::ON_INFECTED)),
        on_failure: section.optional("on_failure", word(words::ON_FAILURE)),
        on_oversize: section.optional("on_oversize", word(words::ON_OVERSIZE)),
        on_encrypted: section.optional("on_encrypted", word(words::ON_UNREADABLE)),
        on_limits: section.optional("on_limits", word(words::ON_UNREADABLE)),
    })
}
