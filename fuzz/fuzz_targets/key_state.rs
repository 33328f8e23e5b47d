//! The state file of a domain's keys: what is read is written so that it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailseal::keys::state::DomainState;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match DomainState::parse(text) {
        Ok(state) => assert_eq!(DomainState::parse(&state.to_text()), Ok(state)),
        Err(reason) => assert!(!reason.is_empty() && !reason.contains('\n')),
    }
});
