//! `mailseal rules import`: rules of Postfix's tables.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use mailseal::file;
use mailseal::rules::import::table::Dialect;
use mailseal::rules::import::{Imported, Kind, Source, import};

use crate::cmd::print::{complain, print};
use crate::cmd::{Outcome, UsageError};

/// No table of people is larger.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// A table of `header_checks`, as main.cf has it: pcre:PATH or regexp:PATH; may be given again
    #[arg(long, value_name = "TABLE")]
    postfix: Vec<String>,
    /// A table of `mime_header_checks`; without one, those of --postfix see MIME fields, too
    #[arg(long, value_name = "TABLE")]
    mime: Vec<String>,
    /// A table of `nested_header_checks`; without one, those of --postfix see the headers of
    /// attached messages, too
    #[arg(long, value_name = "TABLE")]
    nested: Vec<String>,
    /// A table of `body_checks`
    #[arg(long, value_name = "TABLE")]
    body: Vec<String>,
    /// How tables without a prefix are written
    #[arg(long = "type", value_enum)]
    dialect: Option<TableType>,
    /// Write the rules into a new file, such as rules/postfix.toml; by default they are printed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TableType {
    /// PCRE
    Pcre,
    /// POSIX extended
    Regexp,
}

/// A table and the lines that it is asked about.
struct Table {
    file: String,
    dialect: Dialect,
    kinds: Vec<Kind>,
    text: Vec<u8>,
}

/// Exits with 1 where something cannot be taken over.
pub(crate) fn run(args: &Import) -> anyhow::Result<Outcome> {
    let tables = tables(args)?;
    let sources: Vec<Source<'_>> = tables
        .iter()
        .map(|table| Source {
            file: &table.file,
            dialect: table.dialect,
            kinds: &table.kinds,
            text: &table.text,
        })
        .collect();
    let imported = import(&sources);
    match &args.out {
        // A table without entries is hardly the one that was meant, and an empty file no rules.
        _ if imported.rules == 0 => {}
        Some(path) => write_new(path, &imported.text)?,
        None => print(imported.text.trim_end())?,
    }
    report(&imported);
    let is_whole = imported.lost.is_empty() && imported.rules > 0;
    Ok(if is_whole { Outcome::Done } else { Outcome::FaultFound })
}

fn report(imported: &Imported) {
    let Imported { rules, notes, skipped, lost, .. } = imported;
    let said = [("note", notes), ("skipped, as by Postfix", skipped), ("not taken over", lost)];
    for (what, lines) in said {
        for line in lines {
            complain(&format!("{what}: {line}"));
        }
    }
    if *rules == 0 {
        complain("nothing to import; name the text of a table that has entries");
    }
    complain(&format!(
        "{rules} rules; {} notes, {} skipped by Postfix, too, {} not taken over",
        notes.len(),
        skipped.len(),
        lost.len()
    ));
}

fn tables(args: &Import) -> anyhow::Result<Vec<Table>> {
    let mut header = vec![Kind::Header];
    if args.mime.is_empty() {
        header.push(Kind::Mime);
    }
    if args.nested.is_empty() {
        header.push(Kind::Nested);
    }
    let given = [
        (&args.postfix, header),
        (&args.mime, vec![Kind::Mime]),
        (&args.nested, vec![Kind::Nested]),
        (&args.body, vec![Kind::Body]),
    ];
    let mut tables = Vec::new();
    for (names, kinds) in given {
        for name in names {
            tables.push(table(name, kinds.clone(), args.dialect)?);
        }
    }
    if tables.is_empty() {
        let reason = "no table; name one, such as --postfix pcre:/etc/postfix/header_checks";
        return Err(UsageError(reason.to_owned()).into());
    }
    Ok(tables)
}

fn table(name: &str, kinds: Vec<Kind>, given: Option<TableType>) -> anyhow::Result<Table> {
    let (dialect, path) = match (name.split_once(':'), given) {
        (Some(("pcre", path)), _) => (Dialect::Pcre, path),
        (Some(("regexp", path)), _) => (Dialect::Regexp, path),
        (_, Some(TableType::Pcre)) => (Dialect::Pcre, name),
        (_, Some(TableType::Regexp)) => (Dialect::Regexp, name),
        _ => {
            let reason = format!(
                "{name}: of what type? say pcre:PATH or regexp:PATH, as main.cf does, or --type pcre or \
                 --type regexp"
            );
            return Err(UsageError(reason).into());
        }
    };
    let path = Path::new(path);
    let text = octets(path)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Table { file, dialect, kinds, text })
}

/// What a table says, in whatever charset. What `postmap` makes of tables has NULs, and is none.
fn octets(path: &Path) -> anyhow::Result<Vec<u8>> {
    let octets = file::octets(path, TABLE_BYTES_MAX)?;
    if octets.contains(&0) {
        let path = file::plain(path);
        anyhow::bail!("{path}: is no text: it has a NUL; name the table that people write");
    }
    Ok(octets)
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let open = OpenOptions::new().write(true).create_new(true).open(path);
    let written = open.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow!("{} is there, and is not overwritten", path.display()),
        _ => anyhow!("{} cannot be written: {error}", path.display()),
    })
}
