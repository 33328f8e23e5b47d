//! `mailseal keys import` and `keys export`: keys of other software, and keys for it. Private keys
//! go from file to file and are never printed.

use std::path::PathBuf;

use clap::Args;
use mailseal::keys::import::tables::Kind;
use mailseal::keys::import::{self, FoundKey, OpenDkim, Plan, conf, read_text};
use mailseal::keys::{DomainName, Order, Policy, Selector, Store};
use mailseal::runtime::system_clock;

use super::{config_option, open_store, refuse_reader};
use crate::cli::ConfigArg;
use crate::cmd::parse_domain;
use crate::cmd::print::{complain, print};
use crate::cmd::{Outcome, UsageError, load};

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct Import {
    /// Key files, and directories of them as opendkim-genkey, rspamd, mailcow and maddy name them
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// OpenDKIM's configuration: its tables, or its one key
    #[arg(long, value_name = "OPENDKIM.CONF", conflicts_with_all = ["paths", "domain", "selector"])]
    opendkim: Option<PathBuf>,
    /// OpenDKIM's `KeyTable`, as its configuration has it: `refile:PATH` or `file:PATH`
    #[arg(
        long, value_name = "TABLE", requires = "signing_table",
        conflicts_with_all = ["paths", "opendkim", "domain", "selector"],
    )]
    key_table: Option<String>,
    /// OpenDKIM's `SigningTable`, as its configuration has it: `refile:PATH` or `file:PATH`
    #[arg(long, value_name = "TABLE", requires = "key_table")]
    signing_table: Option<String>,
    /// All lines of the `SigningTable` that match sign (OpenDKIM's `MultipleSignatures`)
    #[arg(long, requires = "key_table")]
    multiple_signatures: bool,
    /// rspamd's configuration of signing
    #[arg(
        long, value_name = "DKIM_SIGNING.CONF",
        conflicts_with_all = ["paths", "opendkim", "key_table", "domain", "selector"],
    )]
    rspamd: Option<PathBuf>,
    /// Files by their names, such as '/var/lib/rspamd/dkim/$domain.$selector.key'
    #[arg(
        long,
        conflicts_with_all = ["paths", "opendkim", "key_table", "rspamd", "domain"],
    )]
    pattern: Option<String>,
    /// The domain of key files whose names do not tell it
    #[arg(long)]
    domain: Option<String>,
    /// The selector of key files whose names do not tell it
    #[arg(long)]
    selector: Option<String>,
    /// Tell what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Take over what can be, and leave out the rest
    #[arg(long)]
    partial: bool,
    /// Sign with the keys that signed before, from now on
    #[arg(long, requires = "force")]
    activate: bool,
    /// Activate without having seen the records in DNS
    #[arg(long, requires = "activate")]
    force: bool,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// The domain
    domain: String,
    /// The selector
    selector: String,
    /// Where SELECTOR.private and SELECTOR.txt are written; they must not be there
    directory: PathBuf,
    #[command(flatten)]
    config: ConfigArg,
}

pub(crate) fn import(args: &Import) -> anyhow::Result<Outcome> {
    let config = load(&args.config)?.config;
    refuse_reader(&config)?;
    let store = Store::new(&config.sign.keys);
    let mut plan = plan(args)?;
    plan.compare(&store);
    tell(&plan)?;
    let is_refused = !plan.refused.is_empty();
    if is_refused && !args.partial {
        complain("nothing was imported; --partial takes over what can be");
        return Ok(Outcome::FaultFound);
    }
    if args.dry_run {
        print("nothing was written (--dry-run)")?;
    } else {
        write(&store, &plan, args, &config.rotation)?;
    }
    Ok(if is_refused { Outcome::FaultFound } else { Outcome::Done })
}

fn plan(args: &Import) -> anyhow::Result<Plan> {
    let mut plan = Plan::default();
    if let Some(path) = &args.opendkim {
        let conf = conf::parse(&mut plan, path, &read_text(path)?);
        match &conf.tables {
            Some(tables) => opendkim(&mut plan, tables)?,
            None => conf.single(&mut plan, path),
        }
    } else if let (Some(keys), Some(signing)) = (&args.key_table, &args.signing_table) {
        let (key_table, _) = table(keys)?;
        let (signing_table, kind) = table(signing)?;
        let multiple = args.multiple_signatures;
        opendkim(&mut plan, &OpenDkim { key_table, signing_table, kind, multiple })?;
    } else if let Some(path) = &args.rspamd {
        import::rspamd(&mut plan, path, &read_text(path)?);
    } else if let Some(pattern) = &args.pattern {
        import::pattern(&mut plan, pattern, args.selector.as_deref());
        plan.first_ones_sign();
    } else if args.paths.is_empty() {
        let reason = "name key files or directories, or --opendkim, --key-table with \
                      --signing-table, --rspamd or --pattern";
        return Err(UsageError(reason.to_owned()).into());
    } else {
        for path in &args.paths {
            let (domain, selector) = (args.domain.as_deref(), args.selector.as_deref());
            if path.is_dir() {
                import::scan(&mut plan, path, domain, selector);
            } else {
                import::key_file(&mut plan, path, domain, selector);
            }
        }
        plan.first_ones_sign();
    }
    Ok(plan)
}

/// A table as the configuration would name it, or the bare name of a file.
fn table(spec: &str) -> Result<(PathBuf, Kind), UsageError> {
    let spec = if spec.contains([':', '/']) { spec.to_owned() } else { format!("./{spec}") };
    conf::table(&spec).map_err(UsageError)
}

fn opendkim(plan: &mut Plan, tables: &OpenDkim) -> anyhow::Result<()> {
    let texts = (read_text(&tables.key_table)?, read_text(&tables.signing_table)?);
    import::opendkim(plan, tables, &texts.0, &texts.1);
    Ok(())
}

/// What was understood, what changes, and what cannot be.
fn tell(plan: &Plan) -> anyhow::Result<()> {
    let mut lines: Vec<String> = plan.keys.iter().map(key_line).collect();
    if !plan.notes.is_empty() {
        lines.push("\nwhat to mind:".to_owned());
        lines.extend(plan.notes.iter().map(|note| format!("  {note}")));
    }
    if !plan.maps.is_empty() {
        lines.push(
            "\nfor the configuration, so that the same domains sign for others:\n".to_owned(),
        );
        lines.extend(plan.maps.iter().map(ToString::to_string));
    }
    if !lines.is_empty() {
        print(&lines.join("\n"))?;
    }
    for reason in &plan.refused {
        complain(&format!("cannot be taken over: {reason}"));
    }
    Ok(())
}

fn key_line(key: &FoundKey) -> String {
    let FoundKey { domain, selector, algorithm, bits, path, signs, .. } = key;
    let signs = if *signs { "signs" } else { "does not sign" };
    format!("{selector} of {domain}: {algorithm} of {bits} bits, {signs}: {}", import::plain(path))
}

fn write(store: &Store, plan: &Plan, args: &Import, policy: &Policy) -> anyhow::Result<()> {
    let now = system_clock();
    for key in &plan.keys {
        key.write(store, now)?;
    }
    let count = plan.keys.len();
    print(&format!("\n{count} {} imported", if count == 1 { "key" } else { "keys" }))?;
    let signing: Vec<&FoundKey> = plan.keys.iter().filter(|key| key.signs).collect();
    if args.activate {
        for FoundKey { domain, selector, .. } in signing {
            let order = Order::Activate { selector: Some(selector.clone()), force: true };
            store.order(domain, &order, policy, now)?;
            print(&format!(
                "{domain}: {selector} signs; a running mailseal serve follows within seconds"
            ))?;
        }
    } else if !signing.is_empty() {
        let config = config_option(&args.config);
        print(
            "they are pending; see that DNS has the record of each (mailseal dns records prints \
             what it must be), then activate them and stop the other signer:",
        )?;
        for FoundKey { domain, selector, .. } in signing {
            print(&format!(
                "    mailseal keys activate {domain} --selector {selector} --force{config}"
            ))?;
        }
    }
    Ok(())
}

pub(crate) fn export(args: &Export) -> anyhow::Result<Outcome> {
    let domain: DomainName = parse_domain(&args.domain)?;
    let selector =
        Selector::parse(&args.selector).map_err(|error| UsageError(format!("selector {error}")))?;
    let store = open_store(&args.config)?;
    let [key, record] = import::export(&store, &domain, &selector, &args.directory)?;
    print(&format!(
        "{}: the private key; whoever has it can sign as {domain}\n{}: its record",
        key.display(),
        record.display()
    ))?;
    Ok(Outcome::Done)
}
