//! `mailseal check --replay`: what a configuration does with stored mail, and where two differ.
//!
//! Failure: a message that cannot be read is one line on standard error, is counted, and the rest
//! is judged all the same.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, stream};
use mailseal::config::Config;
use mailseal::file;
use mailseal::message::envelope::bare_path;
use mailseal::pipeline::Inspection;
use mailseal::replay::{self, Broken, Difference, Overrides, Stored, Tally};
use mailseal::runtime::Runtime;

use super::{Outcome, in_config, load_config, print};
use crate::cli::{Check, ConfigArg};

/// How many messages are judged at once: each may wait for DNS.
const AT_ONCE: usize = 8;

/// One or two configurations, and what they are given.
struct Replay {
    before: Arc<Runtime>,
    after: Option<Arc<Runtime>>,
    overrides: Overrides,
}

/// What both did with a message.
struct Judged {
    name: String,
    before: replay::Outcome,
    after: Option<replay::Outcome>,
}

pub(super) async fn run(args: &Check, store: &Path) -> anyhow::Result<Outcome> {
    let replay = Replay::new(args)?;
    let messages =
        replay::messages(store).with_context(|| format!("stored mail in {}", store.display()))?;
    let mut judged = stream::iter(messages).map(|found| replay.judge(found)).buffered(AT_ONCE);
    let mut tally = Tally::new(replay.after.is_some());
    while let Some(judged) = judged.next().await {
        match judged {
            Ok(judged) => tell(&mut tally, &judged, args.json)?,
            Err(Broken { name, reason }) => {
                tally.broken += 1;
                print::complain(&format!("{name}: {reason}"));
            }
        }
    }
    if tally.messages == 0 {
        // Nothing was compared, and a script is not to take that for no difference.
        bail!("{}: {}", file::plain(store), nothing(tally.broken));
    }
    if args.json {
        print::print(&serde_json::to_string(&tally)?)?;
    } else {
        print::print(&tally.table())?;
    }
    Ok(if tally.differing > Some(0) { Outcome::FaultFound } else { Outcome::Done })
}

/// Why no message was judged.
fn nothing(broken: u64) -> String {
    match broken {
        0 => "there is no message in it; name an mbox, or a directory with *.eml files or Maildirs"
            .to_owned(),
        _ => format!("no message of it can be read, and {broken} cannot"),
    }
}

fn tell(tally: &mut Tally, judged: &Judged, json: bool) -> anyhow::Result<()> {
    let Judged { name, before, after } = judged;
    if !tally.add(before, after.as_ref()) {
        return Ok(());
    }
    let Some(after) = after else { return Ok(()) };
    let difference = Difference { message: name, before, after };
    if json {
        print::print(&serde_json::to_string(&difference)?)
    } else {
        print::print(&difference.to_string())
    }
}

impl Replay {
    fn new(args: &Check) -> anyhow::Result<Self> {
        let config = |mut config: Config| {
            config.verify.enabled &= !args.no_dns;
            config
        };
        let before = Runtime::build(config(load_config(&args.config)?));
        let before = in_config(&args.config, before)?;
        let after = match &args.against {
            Some(path) => {
                let arg = ConfigArg { path: Some(path.clone()) };
                let other = load_config(&arg)?;
                // With the same resolvers, what DNS said to one it says to the other.
                Some(Arc::new(in_config(&arg, before.rebuild(config(other)))?))
            }
            None => None,
        };
        Ok(Self { before: Arc::new(before), after, overrides: overrides(args) })
    }

    async fn judge(&self, found: Result<Stored, Broken>) -> Result<Judged, Broken> {
        let Stored { name, octets } = found?;
        let before = self.outcome(&self.before, &octets).await;
        let after = match &self.after {
            Some(after) => Some(self.outcome(after, &octets).await),
            None => None,
        };
        Ok(Judged { name, before, after })
    }

    async fn outcome(&self, runtime: &Arc<Runtime>, octets: &[u8]) -> replay::Outcome {
        let Config { identity, limits, .. } = &runtime.config;
        let (draft, body) = replay::draft(octets, &self.overrides, identity, limits);
        (&Inspection::judged(runtime, draft, body).await).into()
    }
}

fn overrides(args: &Check) -> Overrides {
    let bare = |path: &String| bare_path(path).to_owned();
    Overrides {
        client_addr: args.client_ip,
        client_name: args.client_name.clone(),
        helo: args.helo.clone(),
        mail_from: args.mail_from.as_ref().map(bare),
        recipients: args.rcpt.iter().map(bare).collect(),
        auth_user: args.auth.clone(),
        daemon_name: args.daemon_name.clone(),
    }
}
