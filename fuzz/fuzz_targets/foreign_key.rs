//! Private keys of other software: what is read signs, and is the same key once it is in the form
//! of the store.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::dkim::signing_key::SigningKey;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match SigningKey::from_foreign(text) {
        Ok(key) => {
            let pem = key.to_pem().expect("what was read can be written");
            let again = SigningKey::from_pem(&pem).expect("what was written can be read");
            assert_eq!(again.public_key(), key.public_key());
            assert!(key.sign(b"x").is_ok());
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
