//! `mailseal keys rotate`, `activate`, `retire` and `revoke`: orders to the lifecycle.

use mailseal::keys::lifecycle::successor;
use mailseal::keys::state::{Algorithm, DomainState, KeyState};
use mailseal::keys::{DomainName, Event, Order, Selector};
use mailseal::rotation::{Rotation, Step, StepError};
use mailseal::runtime::system_clock;

use super::{config_option, parse_selector, rotation};
use crate::cli::{Activate, OneKey, Retire, Revoke, Rotate};
use crate::cmd::dns::key_lines;
use crate::cmd::parse_domain;
use crate::cmd::print::{complain, print};
use crate::cmd::{Outcome, UsageError, load};

pub(super) async fn rotate(args: &Rotate) -> anyhow::Result<Outcome> {
    let mut rotation = rotation(load(&args.config)?.config, args.via_resolver)?;
    let domain = args.domain.as_deref().map(parse_domain).transpose()?;
    let algorithms = args.algorithm.map(|algorithms| algorithms.list().to_vec());
    match domain {
        _ if args.go_on => return go_on(&rotation, domain).await,
        // clap asks for one.
        None => {}
        Some(domain) if args.rollback => {
            if !args.force {
                look(&rotation, &domain).await;
            }
            let order = Order::RollBack { algorithm: None, force: args.force };
            return obey(&rotation, &domain, &order).await;
        }
        Some(domain) => {
            rotation.policy.rsa_bits = args.bits.unwrap_or(rotation.policy.rsa_bits);
            make(&rotation, &domain, algorithms, &config_option(&args.config))?;
            publish(&rotation, &domain).await?;
        }
    }
    Ok(Outcome::Done)
}

/// Makes the successors and prints their records.
fn make(
    rotation: &Rotation,
    domain: &DomainName,
    algorithms: Option<Vec<Algorithm>>,
    config_option: &str,
) -> anyhow::Result<()> {
    let order = Order::Rotate(algorithms);
    let events = rotation.store.order(domain, &order, &rotation.policy, system_clock())?;
    let made = |selector: &Selector| {
        let is_it =
            |event: &Event| matches!(event, Event::Made { selector: made, .. } if made == selector);
        events.iter().any(is_it)
    };
    let task = match rotation.publish.server {
        Some(server) => format!("; {server} is told to publish this"),
        None => format!("; publish this in the zone of {domain}"),
    };
    let mut lines = vec![
        format!("{task}. A running mailseal serve signs with it when every name server"),
        "; shows it; without one, run:".to_owned(),
        format!(";     mailseal keys rotate {domain} --continue{config_option}"),
    ];
    lines.extend(key_lines(&rotation.store, domain, rotation.publish.dkim_strict, made)?);
    print(&lines.join("\n"))
}

/// Brings the store's state into DNS, where that is set up.
async fn publish(rotation: &Rotation, domain: &DomainName) -> anyhow::Result<()> {
    for published in rotation.publish(domain, system_clock()).await? {
        print(&format!("; {published}"))?;
    }
    Ok(())
}

/// Takes a domain, or all, as far as they can go now. Pending keys are what there is to wait for.
async fn go_on(rotation: &Rotation, domain: Option<DomainName>) -> anyhow::Result<Outcome> {
    let (domains, problems) = match domain {
        Some(domain) => (vec![domain], Vec::new()),
        None => rotation.store.domains()?,
    };
    for problem in &problems {
        complain(&problem.to_string());
    }
    let mut outcome = if problems.is_empty() { Outcome::Done } else { Outcome::FaultFound };
    let is_one = domains.len() == 1;
    for domain in domains {
        // What is wrong with one domain does not hold up the others.
        match take_further(rotation, &domain).await {
            Ok(Outcome::Done) => {}
            Ok(other) => outcome = other,
            Err(error) if is_one => return Err(error),
            Err(error) => {
                complain(&error.to_string());
                outcome = Outcome::FaultFound;
            }
        }
    }
    Ok(outcome)
}

async fn take_further(rotation: &Rotation, domain: &DomainName) -> anyhow::Result<Outcome> {
    let now = system_clock();
    let mut outcome = Outcome::Done;
    match rotation.step(domain, now).await {
        Ok(Step { events, published, .. }) => {
            tell(domain, &events)?;
            for published in published? {
                print(&format!("; {published}"))?;
            }
        }
        Err(error) => {
            complain(&error.to_string());
            outcome = Outcome::FaultFound;
        }
    }
    if has_pending(&rotation.store.state(domain)?) {
        print(&rotation.status(domain, false, now).await.to_string())?;
        outcome = Outcome::FaultFound;
    }
    Ok(outcome)
}

fn has_pending(state: &DomainState) -> bool {
    state.keys.iter().any(|key| key.state == KeyState::Pending)
}

pub(super) async fn activate(args: &Activate) -> anyhow::Result<Outcome> {
    let rotation = rotation(load(&args.config)?.config, args.via_resolver)?;
    let domain = parse_domain(&args.domain)?;
    let selector = parse_selector(args.selector.as_deref())?;
    if !args.force {
        // No order looks at DNS by itself: it goes by what is written down.
        rotation.observe(&domain, system_clock()).await?;
    }
    let order = Order::Activate { selector, force: args.force };
    obey(&rotation, &domain, &order).await
}

pub(super) async fn retire(args: &Retire) -> anyhow::Result<Outcome> {
    let rotation = rotation(load(&args.key.config)?.config, false)?;
    let (domain, selector) = names(&args.key)?;
    obey(&rotation, &domain, &Order::Retire { selector, force: args.force }).await
}

pub(super) async fn revoke(args: &Revoke) -> anyhow::Result<Outcome> {
    let rotation = rotation(load(&args.key.config)?.config, false)?;
    let (domain, selector) = names(&args.key)?;
    if args.now {
        prepare_successor(&rotation, &domain, &selector, &config_option(&args.key.config)).await?;
    }
    obey(&rotation, &domain, &Order::Revoke { selector, now: args.now, force: args.force }).await
}

/// Where the key signs and nothing is there to take over, makes what will.
async fn prepare_successor(
    rotation: &Rotation,
    domain: &DomainName,
    selector: &Selector,
    config_option: &str,
) -> anyhow::Result<()> {
    let state = rotation.store.state(domain)?;
    let Some(key) = state.entry(selector).filter(|key| key.state == KeyState::Active) else {
        return Ok(());
    };
    if successor(&state, key.algorithm).is_none() {
        make(rotation, domain, Some(vec![key.algorithm]), config_option)?;
        // A server that does not answer must not keep a stolen key in force, here and below.
        if let Err(error) = publish(rotation, domain).await {
            complain(&error.to_string());
        }
    }
    look(rotation, domain).await;
    Ok(())
}

/// Has it written down what DNS shows. In an emergency an order does not wait for DNS that fails;
/// what is wrong with the store the order itself says.
async fn look(rotation: &Rotation, domain: &DomainName) {
    if let Err(error @ StepError::Dns { .. }) = rotation.observe(domain, system_clock()).await {
        complain(&error.to_string());
    }
}

/// Carries the order out, says what happened, and publishes it.
async fn obey(rotation: &Rotation, domain: &DomainName, order: &Order) -> anyhow::Result<Outcome> {
    tell(domain, &rotation.store.order(domain, order, &rotation.policy, system_clock())?)?;
    publish(rotation, domain).await?;
    Ok(Outcome::Done)
}

fn tell(domain: &DomainName, events: &[Event]) -> anyhow::Result<()> {
    for event in events {
        print(&format!("{domain}: {event}"))?;
    }
    if events.iter().any(Event::changes_signing) {
        print("a running mailseal serve follows within seconds")?;
    }
    Ok(())
}

fn names(key: &OneKey) -> Result<(DomainName, Selector), UsageError> {
    let selector = Selector::parse(&key.selector);
    let selector = selector.map_err(|error| UsageError(format!("selector {error}")))?;
    Ok((parse_domain(&key.domain)?, selector))
}
