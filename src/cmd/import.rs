//! `mailseal import`: one mailseal.toml of the configurations of the filters that it replaces.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use mailseal::file;
use mailseal::import::{Draft, Source, read};

use super::print::{complain, print};
use super::{Outcome, UsageError};

/// No configuration of these filters is larger.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// OpenDKIM's configuration; without any file named, those that are in /etc
    #[arg(long, value_name = "OPENDKIM.CONF")]
    opendkim: Option<PathBuf>,
    /// OpenDMARC's configuration
    #[arg(long, value_name = "OPENDMARC.CONF")]
    opendmarc: Option<PathBuf>,
    /// clamav-milter's configuration
    #[arg(long, value_name = "CLAMAV-MILTER.CONF")]
    clamav_milter: Option<PathBuf>,
    /// Where to write it; without it, it is printed
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file that is there
    #[arg(long, requires = "output")]
    overwrite: bool,
}

pub(super) fn run(args: &Import) -> anyhow::Result<Outcome> {
    let mut draft = Draft::default();
    for (source, path) in sources(args)? {
        let text = file::text(&path, BYTES_MAX)?;
        read(&mut draft, source, &path, &text);
    }
    let (draft, text, loaded) = draft.finish();
    // What we make and do not take ourselves is a fault of the import, and still of use to whoever edits it.
    let loaded = loaded.context("what was made is no whole configuration")?;
    match &args.output {
        None => print(&text)?,
        Some(path) => {
            write(path, &text, args.overwrite)?;
            tell(&draft, path)?;
        }
    }
    for warning in loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    for reason in &draft.refused {
        complain(&format!("cannot be taken over: {reason}"));
    }
    Ok(if draft.refused.is_empty() { Outcome::Done } else { Outcome::FaultFound })
}

/// The files that are named, or those that Debian's packages have.
fn sources(args: &Import) -> Result<Vec<(Source, PathBuf)>, UsageError> {
    let all = [
        (Source::OpenDkim, &args.opendkim, "/etc/opendkim.conf"),
        (Source::OpenDmarc, &args.opendmarc, "/etc/opendmarc.conf"),
        (Source::ClamavMilter, &args.clamav_milter, "/etc/clamav/clamav-milter.conf"),
    ];
    let named = all.iter().filter_map(|(source, path, _)| Some((*source, (*path).clone()?)));
    let mut sources: Vec<(Source, PathBuf)> = named.collect();
    if sources.is_empty() {
        let here = all.iter().map(|(source, _, path)| (*source, PathBuf::from(path)));
        sources = here.filter(|(_, path)| path.exists()).collect();
    }
    if sources.is_empty() {
        let reason = "there is no configuration of OpenDKIM, OpenDMARC or clamav-milter in /etc; name \
                      it with --opendkim, --opendmarc or --clamav-milter";
        return Err(UsageError(reason.to_owned()));
    }
    Ok(sources)
}

/// Writes a new file, or, where asked to, over an old one.
fn write(path: &Path, text: &str, overwrite: bool) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(!overwrite).create(overwrite).truncate(overwrite);
    let shown = file::plain(path);
    let mut file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{shown} is there already; --overwrite replaces it");
        }
        opened => opened.with_context(|| format!("{shown} cannot be written"))?,
    };
    file.write_all(text.as_bytes()).with_context(|| format!("{shown} cannot be written"))
}

fn tell(draft: &Draft, path: &Path) -> anyhow::Result<()> {
    let shown = file::plain(path);
    let mut lines = vec![format!("{shown} is written; what becomes different:")];
    lines.extend(draft.changes().iter().map(|change| format!("  {change}")));
    lines.push("next:".to_owned());
    let opendkim = draft.sources.first().filter(|_| draft.has_keys);
    lines.extend(opendkim.map(|conf| {
        format!("    mailseal keys import --opendkim {} --config {shown}", file::plain(conf))
    }));
    lines.push(format!("    mailseal config check {shown}"));
    lines.push(format!("    mailseal serve --observe --config {shown}"));
    print(&lines.join("\n"))
}
