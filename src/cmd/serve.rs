//! `mailseal serve`: runs the daemon and prints how to attach an MTA to it.

use std::fmt::Write as _;
use std::path::Path;

use mailseal::config::{Config, Endpoint};
use mailseal::file;
use mailseal::remarks::Remark;
use mailseal::runtime::Runtime;
use mailseal::serve::{Daemon, Reloads, asked_to_end};
use mailseal::telemetry;

use super::{Outcome, config_file, in_config, load_config, print};
use crate::cli::Serve;

pub(crate) async fn run(args: Serve) -> anyhow::Result<Outcome> {
    file::speak_as_service();
    let config = load_config(&args.config)?;
    in_config(&args.config, telemetry::init(&config.telemetry))?;
    // Before the sockets are open: whoever sees them may send the signal at once.
    let ((end, end_at_once), reloads) = (asked_to_end()?, Reloads::of(config_file(&args.config))?);
    let runtime = in_config(&args.config, Runtime::build(config.clone()))?;
    announce(&runtime, args.observe);
    let daemon = Daemon::bind(runtime).await?.reloading(reloads);
    let lines = if args.observe {
        observation(daemon.endpoints())
    } else {
        attachments(daemon.endpoints(), &config)
    };
    if let Err(error) = print::print(&lines) {
        // They are for who sets up an MTA; mail need not wait for it.
        tracing::warn!("the lines for the MTA are not shown: {error}");
    }
    for endpoint in daemon.endpoints() {
        tracing::info!(%endpoint, "listening");
    }
    tokio::select! {
        served = daemon.run(args.observe, end) => {
            served?;
            tracing::info!("stopped");
        }
        () = end_at_once => {
            tracing::warn!("told a second time to stop: messages under way are cut off");
        }
    }
    Ok(Outcome::Done)
}

/// Says what the daemon works with, and what it goes on without.
fn announce(runtime: &Runtime, observe: bool) {
    let Runtime { config, keys, rules, .. } = runtime;
    if nix::unistd::geteuid().is_root() {
        tracing::warn!(
            "running as root, which mailseal never needs: give it a user of its own (User= in its unit)"
        );
    }
    runtime.remarks.iter().for_each(Remark::log);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        authserv_id = %config.identity.authserv_id,
        signing_domains = keys.current().domains().count(),
        rules = rules.len(),
        scanning = runtime.scanner.is_some(),
        observe,
        "starting"
    );
}

/// Where Postfix's queue is unless its `queue_directory` says otherwise, and its chroot.
const POSTFIX_QUEUE: &str = "/var/spool/postfix";

/// What to add to Postfix's configuration for an observer, whose end is to cost no mail and no other
/// filter.
fn observation(endpoints: &[Endpoint]) -> String {
    endpoints.first().map_or_else(String::new, |endpoint| {
        let endpoint = endpoint.for_postfix(Path::new(POSTFIX_QUEUE));
        format!(
            "# Postfix, main.cf, at the end of the list that smtpd_milters has:\n\
             {{ {endpoint}, default_action=accept }}\n"
        )
    })
}

/// The lines to paste into the MTA's configuration, for the first socket; with the others in the
/// same list, a message would come by twice.
fn attachments(endpoints: &[Endpoint], config: &Config) -> String {
    let Some((endpoint, others)) = endpoints.split_first() else { return String::new() };
    // The MTA must wait longer than we may take, or it acts for us.
    let wait_secs = config.limits.message.as_secs() + 30;
    let mut lines = format!(
        "# Postfix, main.cf:\n\
         smtpd_milters = {}\n\
         non_smtpd_milters = $smtpd_milters\n\
         internal_mail_filter_classes = bounce\n\
         milter_default_action = tempfail\n\
         # Postfix, master.cf, for the submission services:\n\
         #   -o milter_macro_daemon_name=ORIGINATING\n\
         # Sendmail, sendmail.mc:\n\
         INPUT_MAIL_FILTER(`mailseal', `S={}, F=T, T=C:30s;S:60s;R:60s;E:{wait_secs}s')dnl\n",
        endpoint.for_postfix(Path::new(POSTFIX_QUEUE)),
        endpoint.for_sendmail(),
    );
    for other in others {
        // Writing to a string cannot fail.
        let postfix = other.for_postfix(Path::new(POSTFIX_QUEUE));
        let _ = writeln!(lines, "# or instead: {postfix} ({})", other.for_sendmail());
    }
    lines
}
