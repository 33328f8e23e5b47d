//! The text of a config file, and the configuration in it.
//!
//! Failure: a file that cannot be read ([`crate::file`]), or is empty, gives one line that says so;
//! whatever is wrong inside a text comes as a list of places.

use std::collections::HashSet;
use std::path::Path;

use toml::de::DeTable;

use super::Loaded;
use super::error::{Complaint, ConfigErrors, FAULTS_SHOWN_MAX, Places, quoted};
use super::resolve::resolve;
use super::section::Gathered;
use super::value::Located;
use super::warnings::warnings;
use crate::file;

/// No config file of people is larger.
pub(super) const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The text of a file that has at most so many octets. One with nothing in it was cut off, by an editor or a full disk: taken for
/// no settings at all, it would put the defaults in force.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<String, ConfigErrors> {
    let unreadable = |reason: String| ConfigErrors::Unreadable { path: path.to_owned(), reason };
    let missing = "mailseal config default prints one to start with";
    let text = file::text(path, bytes_max)
        .map_err(|error| unreadable(error.hint_if_missing(missing).reason()))?;
    if text.is_empty() {
        return Err(unreadable("is empty; write it anew, or remove it".to_owned()));
    }
    Ok(text)
}

/// The configuration in a text; relative directories are joined to `base`.
pub(super) fn parse(text: &str, path: &Path, base: &Path) -> Result<Loaded, ConfigErrors> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let (config, Gathered { faults, shown }) = resolve(root.get_ref(), base);
    faulty(path, text, &errors, faults)?;
    let warnings = warnings(&config);
    Ok(Loaded { config, warnings, shown })
}

/// All that is wrong with a file: what the parser said and what was found in the values.
pub(crate) fn faulty(
    path: &Path,
    text: &str,
    syntax: &[toml::de::Error],
    values: Vec<Located>,
) -> Result<(), ConfigErrors> {
    let places = Places::new(text);
    let syntax = syntax.iter().map(|error| located(error, text)).collect();
    let faults = sorted(syntax, values, &places);
    if faults.is_empty() {
        return Ok(());
    }
    // Finding a column costs the length of its line, so only what is shown gets one.
    let more = faults.len().saturating_sub(FAULTS_SHOWN_MAX);
    let shown = faults.into_iter().take(FAULTS_SHOWN_MAX);
    let faults = shown.map(|Located { at, complaint }| places.fault(at, complaint)).collect();
    Err(ConfigErrors::Faulty { path: path.to_owned(), faults, more })
}

fn located(error: &toml::de::Error, text: &str) -> Located {
    let span = error.span().unwrap_or(0..0);
    let complaint = match (error.message(), text.get(span.clone())) {
        ("duplicate key", Some(key)) => {
            Complaint::new(format!("duplicate key {}", quoted(key))).hint("it is set above")
        }
        (message, _) => Complaint::new(one_line(message)),
    };
    Located { at: span.start, complaint }
}

/// The parser's words may quote the text, so control characters are escaped.
fn one_line(message: &str) -> String {
    let escaped =
        |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    message.chars().map(escaped).collect()
}

/// All faults by place. One syntax error brings others on its line, and what the parser made up
/// to go on after it would only confuse, so such a line keeps its first syntax error alone.
fn sorted(mut syntax: Vec<Located>, values: Vec<Located>, places: &Places<'_>) -> Vec<Located> {
    syntax.sort_by_key(|fault| fault.at);
    syntax.dedup_by_key(|fault| places.line(fault.at));
    let broken: HashSet<usize> = syntax.iter().map(|fault| places.line(fault.at)).collect();
    let whole = values.into_iter().filter(|fault| !broken.contains(&places.line(fault.at)));
    let mut faults: Vec<Located> = syntax.into_iter().chain(whole).collect();
    faults.sort_by_key(|fault| fault.at);
    faults
}
