//! What policy finds in the scanner's result.

use super::Finding;
use crate::config::{OnOversize, ScanTreatment};
use crate::scan::{ScanResult, Unscanned};
use crate::text;
use crate::verdict::Action;

/// `None` where the scanner has nothing to say.
pub(super) fn finding(treatment: ScanTreatment, scan: &ScanResult) -> Option<Finding> {
    match scan {
        ScanResult::Clean => None,
        ScanResult::Infected { name } => Some(Finding {
            action: treatment.on_infected,
            tag: Some("infected".to_owned()),
            code: 554,
            enhanced: "5.7.1",
            cause: format!("virus found: {}", text::visible(name)),
            told: None,
        }),
        ScanResult::Unscanned { cause, reason } => Some(unscanned(treatment, *cause, reason)),
    }
}

/// The client is told what it can act on; which clamd failed, and how, is for the log alone.
fn unscanned(treatment: ScanTreatment, cause: Unscanned, reason: &str) -> Finding {
    let OnOversize { action: on_oversize, .. } = treatment.on_oversize;
    let (action, tag, code, enhanced, told) = match cause {
        Unscanned::Failed => (treatment.on_failure, "unscanned", 554, "5.3.0", "virus scan failed"),
        Unscanned::Oversize | Unscanned::Prefix => {
            let told = "message is too large for the virus scan";
            (on_oversize, "unscanned", 552, "5.3.4", told)
        }
        Unscanned::Encrypted => {
            let told = "message has encrypted content that can't be scanned for viruses";
            (treatment.on_encrypted, "unscanned", 554, "5.7.1", told)
        }
        Unscanned::Limits => {
            let told = "message has content that exceeds the limits of the virus scan";
            (treatment.on_limits, "unscanned", 554, "5.7.1", told)
        }
        Unscanned::Spam => (Action::Tag, "spam-signature", 554, "5.7.1", "spam"),
        Unscanned::Ignored => (Action::Off, "unscanned", 554, "5.7.1", "signature ignored"),
    };
    let what = match cause {
        Unscanned::Failed => "virus scan failed: ",
        Unscanned::Oversize | Unscanned::Prefix => "too large to scan: ",
        Unscanned::Encrypted | Unscanned::Limits => "not scanned to the end: ",
        Unscanned::Spam | Unscanned::Ignored => "",
    };
    Finding {
        action,
        tag: Some(tag.to_owned()),
        code,
        enhanced,
        cause: format!("{what}{}", text::visible(reason)),
        told: Some(told.to_owned()),
    }
}
