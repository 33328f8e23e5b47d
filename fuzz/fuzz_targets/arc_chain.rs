//! ARC fields, a line each, the first octet saying which: the chain is none or has failed, or wants no
//! more than 51 keys; and with a key that is none of its own it never passes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::auth::arc::{Check, begin};
use mailseal::dkim::digest::BodyHasher;
use mailseal::dkim::verify::KeyLookup;
use mailseal::message::header::HeaderBlock;
use mailseal::result::AuthResult;

const NAMES: [&[u8]; 3] = [b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"];
const RECORD: &[u8] = b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderBlock::default();
    headers.push(b"From", b" a@example.org");
    for line in data.split(|octet| *octet == b'\n') {
        let Some((&which, value)) = line.split_first() else { continue };
        headers.push(NAMES[usize::from(which) % NAMES.len()], value);
    }
    let pending = match begin(&headers, 1_800_000_000) {
        Check::Done(chain) => {
            assert!(matches!(chain.result, AuthResult::None | AuthResult::Fail));
            return;
        }
        Check::Pending(pending) => pending,
    };
    assert!(pending.query_names().len() <= 51);
    let mut body = BodyHasher::new(pending.body_wants());
    body.update(b"Hello.\r\n");
    let lookups = vec![KeyLookup::Found(vec![RECORD.to_vec()]); pending.query_names().len()];
    let trusted = ["example.org".to_owned()];
    let chain = pending.check_keys(&headers, &lookups, 1024, &trusted).finish(&body.finish());
    assert_eq!(chain.result, AuthResult::Fail, "nobody has sealed this");
    assert!(chain.endorsements.is_empty());
});
