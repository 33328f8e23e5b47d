//! The sections of the built-in checks.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::super::checks::{Backscatter, IdentityGate, OwnDomainSpoof};
use super::super::parse;
use super::super::section::{Section, shown_text};
use super::super::value::{Value, flag, integer, list, text, word};
use super::super::words;

pub(super) fn identity_gate(mut section: Section<'_, '_>, base: &Path) -> IdentityGate {
    let path = |value: &Value<'_>| text(parse::login_map)(value).map(|path| base.join(path));
    let show = |path: &PathBuf, _: &DeValue<'_>| shown_text(&path.to_string_lossy());
    IdentityGate {
        action: section.take("action", word(words::TREATMENTS)),
        map: section.optional_shown("map", path, show),
        sender: section.take("sender", flag),
        reply_to: section.take("reply_to", word(words::REPLY_TOS)),
        allows_unlisted: section.take("unlisted", word(words::UNLISTED)),
        recipient_delimiter: section.take("recipient_delimiter", text(parse::delimiters)),
        bare_domains: section.take("bare_domains", list(text(parse::domain))),
    }
}

pub(super) fn own_domain_spoof(mut section: Section<'_, '_>) -> OwnDomainSpoof {
    OwnDomainSpoof {
        author: section.take("author", word(words::TREATMENTS)),
        display_name: section.take("display_name", word(words::TREATMENTS)),
    }
}

pub(super) fn backscatter(mut section: Section<'_, '_>) -> Backscatter {
    Backscatter {
        delivered_to: section.take("delivered_to", word(words::TREATMENTS)),
        report: section.take("report", word(words::TREATMENTS)),
        notify_success: section.take("notify_success", word(words::TREATMENTS)),
        exempt: section.take("exempt", list(text(parse::recipient))),
        report_bytes_max: section.take("report_bytes_max", integer(4_096..=16_777_216)) as usize,
    }
}
