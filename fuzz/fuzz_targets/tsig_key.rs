//! A TSIG key file as BIND writes it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::dns::TsigKey;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match TsigKey::parse(text) {
        // White space and comments around a key change nothing.
        Ok(key) => {
            let again = TsigKey::parse(&format!(" /* a */ {text}\n# b")).expect("the same key");
            assert_eq!(format!("{key:?}"), format!("{again:?}"));
        }
        // What is wrong is said in one line of printable text.
        Err(reason) => assert!(!reason.is_empty() && !reason.contains(char::is_control)),
    }
});
