//! A DKIM-Signature field: parsed, its copied fields compared, and carried through verification
//! against a key that is none of its own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::dkim::copied::changed;
use mailseal::dkim::digest::BodyHasher;
use mailseal::dkim::signature::Signature;
use mailseal::dkim::verify::{Check, KeyLookup, begin};
use mailseal::message::header::HeaderBlock;
use mailseal::result::AuthResult;

const RECORD: &[u8] = b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fuzz_target!(|data: &[u8]| {
    let claims = match Signature::parse(data) {
        Ok(signature) => {
            let raw = &data[signature.signature_range.clone()];
            assert!(!raw.contains(&b';'), "b= reaches past its tag");
            assert!(signature.signed_fields.iter().any(|name| name == "from"));
            signature.claims()
        }
        Err(error) => *error.claims,
    };
    let named = |text: &Option<String>| {
        let allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
        text.as_ref().is_none_or(|text| text.bytes().all(allowed))
    };
    assert!(named(&claims.domain) && named(&claims.selector) && named(&claims.algorithm));

    let mut headers = HeaderBlock::default();
    headers.push(b"DKIM-Signature", data);
    headers.push(b"From", b" a@example.org");
    let copies = changed(&headers, data);
    assert!(copies.iter().all(|copy| copy.is.as_ref() != Some(&copy.was)));
    for check in begin(&headers, 1_800_000_000).checks {
        let Check::Pending(pending) = check else { continue };
        let mut body = BodyHasher::new([pending.body_want()]);
        body.update(b"Hello.\r\n");
        let lookup = KeyLookup::Found(vec![RECORD.to_vec()]);
        let verification = pending.check_key(&headers, &lookup, 1024).finish(&body.finish());
        assert_ne!(verification.result, AuthResult::Pass, "nobody has signed this");
    }
});
