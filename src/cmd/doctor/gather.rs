//! The configuration of the MTAs, their tables, our sockets and keys.
//!
//! Failure: a file or program that was named and gives nothing ends the command; a table that cannot
//! be read is left out.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use futures_util::stream::{self, StreamExt as _};
use mailseal::doctor::postfix::{Postfix, TABLE_PARAMETERS};
use mailseal::doctor::sendmail::SendmailCf;
use mailseal::doctor::{Account, Facts};
use mailseal::file;
use mailseal::runtime::system_clock;
use nix::unistd::{User, getgrouplist};

use super::{Doctor, probe};
use crate::cmd::UsageError;
use crate::cmd::keys::rotation;

/// Configurations of MTAs and their tables are smaller.
const BYTES_MAX: u64 = 4 << 20;
/// Where Debian and most others have it.
const SENDMAIL_CF: &str = "/etc/mail/sendmail.cf";
/// So many domains are asked about at once.
const DOMAINS_AT_ONCE: usize = 16;

/// Postfix's and Sendmail's configuration: those that are named, else those that are here.
pub(super) fn mtas(facts: &mut Facts, args: &Doctor) -> anyhow::Result<()> {
    if let Some(path) = &args.sendmail_cf {
        facts.sendmail = Some(SendmailCf::parse(&file::text(path, BYTES_MAX)?));
    }
    if let (Some(main), Some(master)) = (&args.postconf, &args.master) {
        let texts = (file::text(main, BYTES_MAX)?, file::text(master, BYTES_MAX)?);
        facts.postfix = Some(Postfix::parse(&texts.0, &texts.1));
    } else if facts.sendmail.is_none() {
        facts.postfix = asked(args.postfix.as_deref())?;
        if args.postfix.is_none() && Path::new(SENDMAIL_CF).exists() {
            let text = file::text(Path::new(SENDMAIL_CF), BYTES_MAX)?;
            facts.sendmail = Some(SendmailCf::parse(&text));
        }
    }
    if facts.postfix.is_none() && facts.sendmail.is_none() {
        let reason = "there is neither Postfix (postconf) nor /etc/mail/sendmail.cf here; name files \
                      with --postconf and --master, or --sendmail-cf";
        return Err(UsageError(reason.to_owned()).into());
    }
    Ok(())
}

/// What postconf says; none where there is no Postfix, or one without a configuration.
fn asked(dir: Option<&Path>) -> anyhow::Result<Option<Postfix>> {
    let ask = |what: &[&str]| -> anyhow::Result<Option<String>> {
        let mut command = Command::new(program("postconf"));
        if let Some(dir) = dir {
            command.arg("-c").arg(dir);
        }
        let output = match command.args(what).output() {
            Err(error) if error.kind() == ErrorKind::NotFound && dir.is_none() => return Ok(None),
            output => output.context("postconf cannot be run")?,
        };
        if output.status.success() {
            return Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()));
        }
        if dir.is_none() && !Path::new("/etc/postfix/main.cf").exists() {
            return Ok(None);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::bail!("postconf {}: {}", what.join(" "), said.trim().escape_debug())
    };
    // -x: with the conditional parts of values, which are for Postfix to decide.
    let texts = ask(&["-n", "-x"])?.zip(ask(&["-M"])?);
    Ok(texts.map(|(main, master)| Postfix::parse(&main, &master)))
}

/// Services and administrators' shells may lack /usr/sbin in their PATH.
fn program(name: &str) -> PathBuf {
    let sbin = Path::new("/usr/sbin").join(name);
    if sbin.exists() { sbin } else { PathBuf::from(name) }
}

/// What is to be seen on this host alone.
pub(super) async fn here(facts: &mut Facts, is_offline: bool) {
    facts.sockets = probe::sockets(&facts.config.milter.listen).await;
    let Some(postfix) = &facts.postfix else { return };
    facts.mail_owner = account(&postfix.main_value("mail_owner"));
    for table in TABLE_PARAMETERS.iter().flat_map(|name| postfix.tables(name)) {
        let path = table.split_once(':').map(|(_, path)| Path::new(path));
        if let Some(Ok(text)) = path.map(|path| file::text(path, BYTES_MAX)) {
            facts.tables.insert(table, text);
        }
    }
    let relay = postfix.main_value("relayhost");
    if !is_offline && !relay.is_empty() {
        facts.relay_keywords = probe::ehlo_keywords(&relay).await;
    }
}

fn account(name: &str) -> Option<Account> {
    let user = User::from_name(name).ok().flatten()?;
    let c_name = std::ffi::CString::new(name).ok()?;
    let groups = getgrouplist(&c_name, user.gid).ok()?;
    let gids = groups.into_iter().map(nix::unistd::Gid::as_raw).collect();
    Some(Account { name: name.to_owned(), uid: user.uid.as_raw(), gids })
}

/// Our keys, and what DNS shows of them.
pub(super) async fn keys(facts: &mut Facts, is_online: bool) -> anyhow::Result<()> {
    // A store that was never made has no keys, which is no fault of its own.
    if !facts.config.sign.keys.exists() {
        return Ok(());
    }
    let rotation = rotation(facts.config.clone(), false)?;
    let (domains, problems) = match rotation.store.domains() {
        Ok(found) => found,
        Err(error) => (Vec::new(), vec![error]),
    };
    facts.key_problems = problems.iter().map(ToString::to_string).collect();
    let now = system_clock();
    let asked = domains.iter().map(|domain| rotation.status(domain, is_online, now));
    facts.domains = stream::iter(asked).buffered(DOMAINS_AT_ONCE).collect().await;
    Ok(())
}
