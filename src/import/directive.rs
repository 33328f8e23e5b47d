//! A line `Name value` of a configuration.

use std::path::Path;

use crate::keys::import::{Place, directives};

/// One option.
#[derive(Clone, Debug)]
pub(super) struct Directive {
    /// Where it stands.
    pub(super) place: Place,
    /// As it is written.
    pub(super) name: String,
    /// The same in small letters: letter case does not matter.
    pub(super) key: String,
    /// The rest of the line.
    pub(super) value: String,
}

/// Of OpenDKIM and OpenDMARC: `#` begins a comment anywhere.
pub(super) fn of_opendkim(path: &Path, text: &str) -> Vec<Directive> {
    directives(text).map(|(line, name, value)| directive(path, line, name, value)).collect()
}

/// Of `ClamAV`: `#` begins a comment at the start of a line; quotes around a value are taken off.
pub(super) fn of_clamav(path: &Path, text: &str) -> Vec<Directive> {
    let lines = text.lines().enumerate();
    let lines = lines.map(|(index, line)| (index + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            directive(path, number, name, value.trim().trim_matches('"'))
        })
        .collect()
}

fn directive(path: &Path, line: usize, name: &str, value: &str) -> Directive {
    Directive {
        place: Place { path: path.to_owned(), line },
        name: name.to_owned(),
        key: name.to_ascii_lowercase(),
        value: value.to_owned(),
    }
}

impl Directive {
    /// A yes in any of the spellings.
    pub(super) fn is_yes(&self) -> bool {
        ["yes", "true", "1", "y", "t", "on"].iter().any(|yes| self.value.eq_ignore_ascii_case(yes))
    }

    /// The elements of a list between commas.
    pub(super) fn elements(&self) -> Vec<&str> {
        let words = self.value.split([',', ' ', '\t']);
        words.filter(|word| !word.is_empty()).collect()
    }
}
