//! OpenDKIM's tables and configuration, and rspamd's: what is planned of them is a configuration,
//! and what is said of them are lines for a terminal.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mailseal::config::Loaded;
use mailseal::keys::import::tables::Kind;
use mailseal::keys::import::{OpenDkim, Plan, conf, opendkim, rspamd};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // No path in a text leads to a file: what is looked for is refused, and read by name alone.
    let text = text.replace(['/', '.'], "");
    let (keys, signing) = text.split_once('\x01').unwrap_or((&text, ""));
    for (kind, multiple) in [(Kind::File, false), (Kind::Refile, false), (Kind::Refile, true)] {
        let tables =
            OpenDkim { key_table: "kt".into(), signing_table: "st".into(), kind, multiple };
        let mut plan = Plan::default();
        // The key of every name.
        let keys = format!("{keys}\nk example.org:s:./no-such-file\n");
        opendkim(&mut plan, &tables, &keys, signing);
        sound(&plan);
    }
    let mut plan = Plan::default();
    let conf = conf::parse(&mut plan, Path::new("opendkim.conf"), &text);
    if conf.tables.is_none() {
        conf.single(&mut plan, Path::new("opendkim.conf"));
    }
    sound(&plan);
    let mut plan = Plan::default();
    // A path of its own, so that rspamd's directory is not looked at.
    let text = format!("{text}\npath = \"./no-such-directory/$domain.key\";\n");
    rspamd(&mut plan, Path::new("dkim_signing.conf"), &text);
    sound(&plan);
});

fn sound(plan: &Plan) {
    for line in plan.notes.iter().chain(&plan.refused) {
        assert!(!line.is_empty() && !line.chars().any(char::is_control), "{line:?}");
    }
    let maps: String = plan.maps.iter().map(ToString::to_string).collect();
    Loaded::parse(&maps, Path::new("maps"), Path::new("")).expect("what is printed can be pasted");
}
