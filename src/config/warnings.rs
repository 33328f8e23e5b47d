//! What is allowed in a configuration and still deserves a word at start.

use ipnet::IpNet;

use super::{Config, Identity};
use crate::keys::state::Algorithm;
use crate::verdict::Action;

/// The warnings, one sentence each.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let authserv_id = &config.identity.authserv_id;
    if !authserv_id.contains('.') {
        warnings.push(format!(
            "identity.authserv_id: \"{authserv_id}\" has no dot; set it to this host's full name, \
             or others may take its results for their own"
        ));
    }
    for (key, networks, risk) in [
        ("milter.allow_peers", &config.milter.allow_peers, "anybody may have mail signed"),
        ("identity.trusted_networks", &config.identity.trusted_networks, "anybody's mail is ours"),
        ("identity.trusted_relays", &config.identity.trusted_relays, "no mail is verified as such"),
    ] {
        if let Some(all) = networks.iter().find(|network| network.prefix_len() == 0) {
            warnings.push(format!("{key}: {all} is the whole Internet: {risk}"));
        }
    }
    warnings.extend(relays_that_are_ours(&config.identity));
    if config.identity_gate.action > Action::Tag && config.identity_gate.map.is_none() {
        warnings
            .push("identity_gate.action: without identity_gate.map nobody is checked".to_owned());
    }
    if config.milter.socket_mode & 0o002 != 0 {
        let mode = config.milter.socket_mode;
        warnings
            .push(format!("milter.socket_mode: {mode:04o} lets every local user have mail signed"));
    }
    if let Some(addr) = config.telemetry.metrics.filter(|addr| !addr.ip().is_loopback()) {
        warnings.push(format!(
            "telemetry.metrics: {addr} is not of this machine alone: whoever reaches it can read \
             the names of rules, signing domains and clamds"
        ));
    }
    let rotation = &config.rotation;
    if rotation.queue_secs > rotation.overlap_secs {
        warnings.push(
            "rotation.overlap_days is less than rotation.queue_days, which is in force instead"
                .to_owned(),
        );
    }
    if rotation.algorithms == [Algorithm::Ed25519] {
        warnings.push(
            "rotation.algorithms: many verifiers do not know Ed25519; for them mail that is signed \
             with it alone is unsigned"
                .to_owned(),
        );
    }
    warnings.extend(super::map::warnings(&config.sign.map));
    if config.publish.server.is_some() && config.publish.key_file.is_none() {
        warnings.push("publish.server: without publish.key_file nothing is published".to_owned());
    }
    warnings
}

/// Relays that are in a trusted network: the relay goes first, and what leaves here by that way is
/// not signed.
fn relays_that_are_ours(identity: &Identity) -> Option<String> {
    let overlap =
        |relay: &IpNet, network: &IpNet| network.contains(relay) || relay.contains(network);
    let network = |relay: &IpNet| {
        identity.trusted_networks.iter().copied().find(|network| overlap(relay, network))
    };
    let (relay, network) =
        identity.trusted_relays.iter().find_map(|relay| Some((relay, network(relay)?)))?;
    Some(format!(
        "identity.trusted_relays: {relay} overlaps {network} of identity.trusted_networks; mail \
         from where both are is a relay's, and leaves unsigned also where it is our own: take it \
         out of one of the two"
    ))
}
