//! What will break between the MTA and us: its configuration, read as the MTA reads it, beside ours.
//!
//! Everything here is a function of [`Facts`]; who gathers them is `cmd/doctor`. A check is a function
//! from facts to findings, and a finding says what happens to mail and which lines mend it.
//!
//! | where | what |
//! |---|---|
//! | `facts.rs` | all that is looked at |
//! | `finding.rs` | what is said |
//! | `postfix/` | `main.cf` and `master.cf`, and a check a file |
//! | `sendmail/` | `sendmail.cf`, and its checks |
//! | `socket.rs` | whether the MTA can open our sockets |
//! | `ours.rs` | our own configuration and keys |

mod facts;
mod finding;
mod ours;
pub mod postfix;
pub mod sendmail;
mod socket;

pub use facts::{Account, Facts, Permissions, SocketFact, SocketState};
pub use finding::{Finding, Remedy, Report, Severity};

/// All findings, the gravest first; of one severity in the order in which mail meets them.
pub fn examine(facts: &Facts) -> Report {
    let mut findings = Vec::new();
    if let Some(postfix) = &facts.postfix {
        findings.extend(postfix::findings(postfix, facts));
    }
    if let Some(sendmail) = &facts.sendmail {
        findings.extend(sendmail::findings(sendmail, facts));
    }
    findings.extend(socket::findings(facts));
    findings.extend(ours::findings(facts));
    findings.sort_by_key(|finding| finding.severity);
    Report { findings }
}
