//! The text of a config file, and the configuration in it.
//!
//! Failure: a file that is missing, unreadable, no regular file, not UTF-8 or too large gives one
//! line that says so; whatever is wrong inside a text comes as a list of places.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use toml::de::DeTable;

use super::Loaded;
use super::error::{Complaint, ConfigErrors, FAULTS_SHOWN_MAX, Places, quoted};
use super::resolve::resolve;
use super::section::Gathered;
use super::value::Located;
use super::warnings::warnings;

/// No config file of people is larger.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The text of a config file.
pub(crate) fn read(path: &Path) -> Result<String, ConfigErrors> {
    read_up_to(path, FILE_BYTES_MAX, "a config file")
}

/// The text of a file that may be larger; `what` says what it should be.
pub(crate) fn read_up_to(
    path: &Path,
    bytes_max: u64,
    what: &'static str,
) -> Result<String, ConfigErrors> {
    let unreadable = |reason: String| ConfigErrors::Unreadable { path: path.to_owned(), reason };
    let bytes = read_bytes(path, bytes_max).map_err(|error| unreadable(cannot_read(&error)))?;
    if bytes.len() as u64 > bytes_max {
        let mib = bytes_max / 1024 / 1024;
        return Err(unreadable(format!("larger than {mib} MiB; is this {what}?")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        unreadable(format!("not UTF-8 text: octet {offset} is no character's; save it as UTF-8"))
    })
}

/// One octet more than allowed, at most. Only regular files are opened: a FIFO would wait for ever.
fn read_bytes(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn cannot_read(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "no such file; mailseal config default prints one to start with".to_owned()
        }
        io::ErrorKind::IsADirectory => "is a directory; name the file in it".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; let the user that runs mailseal read it".to_owned()
        }
        _ => format!("cannot be read: {error}"),
    }
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
