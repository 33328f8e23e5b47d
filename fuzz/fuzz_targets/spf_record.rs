//! The TXT records of a name, one a line: which of them is the SPF record, and what is in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::auth::spf::record::select;

fuzz_target!(|data: &[u8]| {
    let texts: Vec<Vec<u8>> = data.split(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect();
    let found = select(&texts);
    if let Ok(Some(record)) = &found {
        let mut more = texts.clone();
        more.push(b"v=spf10 -all".to_vec());
        assert_eq!(select(&more).ok().flatten().as_ref(), Some(record));
        more.push(b"v=spf1".to_vec());
        assert!(select(&more).is_err(), "two SPF records are none");
    }
    // With the version before it, everything is read as terms.
    drop(select(&[[b"v=spf1 ", data].concat()]));
});
