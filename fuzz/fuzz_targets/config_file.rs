//! A configuration file: all faults as lines that a terminal can show, and a configuration that
//! survives being shown.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mailseal::config::Loaded;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parse = |text: &str| Loaded::parse(text, Path::new("mailseal.toml"), Path::new("/base"));
    match parse(text) {
        Ok(mut loaded) => {
            // All keys are set in what is shown, and a directory of rules that is named must exist.
            loaded.config.rules.dir_required = true;
            let again = parse(&loaded.shown).map(|again| again.config);
            assert_eq!(again.as_ref().ok(), Some(&loaded.config), "{}\n{again:?}", loaded.shown);
        }
        Err(errors) => {
            let shown = errors.to_string();
            let is_safe = |c: char| c == '\n' || !c.is_control();
            assert!(!shown.is_empty() && shown.chars().all(is_safe), "{shown:?}");
        }
    }
});
