//! Why an order is not carried out, and what to do instead.

use super::domain::Selector;
use super::readiness::Wait;
use super::state::KeyState;

/// Why an order is not carried out.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LifecycleError {
    /// The store belongs to another machine.
    #[error(
        "rotation.primary is false: this machine only reads its key store; run this on the primary"
    )]
    NotPrimary,
    /// Nothing to activate.
    #[error("no key is pending; run: mailseal keys generate DOMAIN")]
    NonePending,
    /// No key has that selector.
    #[error("no key has the selector {0}; mailseal keys list shows the keys")]
    Unknown(Selector),
    /// Only pending keys can be activated.
    #[error("the key {0} is {1}; only a pending key can be activated")]
    NotPending(Selector, KeyState),
    /// The key would sign before everybody can verify it.
    #[error("the key {0} must wait: {1}; --force does not wait, and mail may fail verification")]
    NotReady(Selector, Wait),
    /// A rotation is under way.
    #[error("the key {0} is already pending; activate it, or revoke it, before the next rotation")]
    AlreadyPending(Selector),
    /// Only active keys can be retired.
    #[error("the key {0} is {1}; only an active key can be retired")]
    NotActive(Selector, KeyState),
    /// Nothing would sign.
    #[error(
        "no other key of the domain would sign; rotate and activate a successor first (that \
         retires {0}), or say --force, and mail leaves unsigned"
    )]
    LastActive(Selector),
    /// It would be withdrawn while it signs.
    #[error(
        "the key {0} signs; rotate and activate a successor first (that retires it), or say --now \
         in an emergency"
    )]
    StillSigns(Selector),
    /// Mail is on its way that needs the record.
    #[error(
        "mail signed with {0} may be on its way until {1}; wait, or say --now, and such mail fails \
         verification"
    )]
    Retained(Selector, String),
    /// A compromised key signs, and nothing is there to take over.
    #[error(
        "the key {0} signs and no successor is ready{1}; rotate, publish and activate one, or say \
         --force, and mail leaves unsigned"
    )]
    NoSuccessor(Selector, String),
    /// It is withdrawn already.
    #[error("the key {0} is {1} already")]
    Withdrawn(Selector, KeyState),
    /// No key to go back to.
    #[error("no key is retiring, so that there is none to go back to")]
    NoneRetiring,
    /// The record of the key before is gone.
    #[error("the record of {0} was not right at {1}; publish it again, or say --force")]
    RecordGone(Selector, String),
}
