//! Authentication-Results: what is told of foreign fields, and that ours can't be made to say that
//! it is another's.
#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;
use mailseal::auth::Authentication;
use mailseal::auth::dmarc::Dmarc;
use mailseal::auth::dmarc::suffix::SuffixReading;
use mailseal::auth::iprev::Iprev;
use mailseal::auth::results::{claims_authserv_id, render};
use mailseal::auth::spf::{Identity, Spf};
use mailseal::dkim::Verification;
use mailseal::result::AuthResult;

const OURS: &str = "mx.example.org";
const OTHERS: [&str; 4] = ["mx.example.net", "x.example.org", "none", "spf"];

fuzz_target!(|data: &[u8]| {
    let ours = [OURS.to_owned()];
    claims_authserv_id(data, &ours);
    for prefix in
        ["MX.example.org;", " mx.example.org 1;", "\"mx.example.org\" ;", "(a) mx.example.org;"]
    {
        assert!(claims_authserv_id(&[prefix.as_bytes(), data].concat(), &ours));
    }
    assert!(!claims_authserv_id(&[b"mx.example.net;", data].concat(), &ours));

    let value = render(OURS, &authentication(data));
    assert!(claims_authserv_id(value.as_bytes(), &ours), "{value}");
    assert!(!claims_authserv_id(value.as_bytes(), &OTHERS.map(str::to_owned)), "{value}");
    for line in value.split("\r\n") {
        let line = line.strip_prefix('\t').unwrap_or(line);
        assert!(line.len() < 990, "{line}");
        assert!(line.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{line:?}");
        assert!(!line.trim().is_empty(), "{value}");
    }
});

/// Results whose every text is a line of the input.
fn authentication(data: &[u8]) -> Authentication {
    let texts: Vec<_> = data.split(|octet| *octet == b'\n').map(String::from_utf8_lossy).collect();
    let mut texts = texts.iter().cycle().map(|text| text.as_ref().to_owned());
    let mut text = || texts.next().unwrap_or_default();
    Authentication {
        iprev: Some(Iprev {
            result: AuthResult::Fail,
            addr: Ipv4Addr::new(192, 0, 2, 1).into(),
            name: Some(text()),
            by_mta: false,
            reason: Some(text()),
        }),
        spf: vec![Spf {
            result: AuthResult::Softfail,
            identity: Identity::MailFrom,
            domain: text(),
            value: text(),
            reason: Some(text()),
            mechanism: Some(text()),
            any_client: false,
            explanation: None,
        }],
        dkim: vec![Verification {
            result: AuthResult::Permerror,
            domain: text(),
            auid: Some(text()),
            selector: Some(text()),
            algorithm: Some(text()),
            signature_start: Some(text()),
            reason: Some(text()),
            testing: false,
            covers_body: true,
        }],
        dkim_left_out: 1,
        arc: None,
        dmarc: Some(Dmarc {
            result: AuthResult::Temperror,
            author_domain: Some(text()),
            organizational_domain: Some(text()),
            record_domain: Some(text()),
            policy: None,
            policy_tag: None,
            record: None,
            testing: false,
            spf_aligned: false,
            dkim_aligned: false,
            identifiers: Vec::new(),
            malformed_from: false,
            psl: Some(SuffixReading {
                result: AuthResult::Fail,
                organizational_domain: text(),
                policy: None,
            }),
            reason: Some(text()),
        }),
    }
}
