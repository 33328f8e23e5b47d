//! A message in a file: split, put together, split again; and the author domain of its From.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::config::Config;
use mailseal::message::address::{author, sender_domain};
use mailseal::message::domain::normalize;
use mailseal::message::envelope::Envelope;
use mailseal::message::file;
use mailseal::message::header::HeaderBlock;
use std::sync::LazyLock;

static CONFIG: LazyLock<Config> = LazyLock::new(Config::default);

fuzz_target!(|data: &[u8]| {
    let (draft, body) = file::parse(data, Envelope::default(), &CONFIG.limits);
    if let Some(domain) = author(&draft.headers).domain() {
        assert_eq!(normalize(domain).as_deref(), Some(domain), "not in its one form");
    }
    if draft.over_limit.is_none() && is_unambiguous(&draft.headers) {
        let message = file::emit(&draft.headers, &body, &[]);
        let (again, body_again) = file::parse(&message, Envelope::default(), &CONFIG.limits);
        assert_eq!(again.headers, draft.headers);
        assert_eq!(body_again, body);
    }

    let mut alone = HeaderBlock::default();
    alone.push(b"From", data);
    if let Some(domain) = author(&alone).domain() {
        assert_eq!(normalize(domain).as_deref(), Some(domain), "not in its one form");
    }
    let domain = sender_domain(&String::from_utf8_lossy(data));
    assert_eq!(domain.as_deref().and_then(normalize), domain);
});

/// A bare LF in a value becomes CRLF, as the milter protocol has it; what was no fold is then one
/// field here and two in a file.
fn is_unambiguous(headers: &HeaderBlock) -> bool {
    headers.iter().all(|field| {
        let after_lf = field.value.split(|octet| *octet == b'\n').skip(1);
        after_lf.into_iter().all(|line| line.starts_with(b" ") || line.starts_with(b"\t"))
    })
}
