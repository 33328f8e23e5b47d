//! The domain owner's explanation of a fail (RFC 7208 §6.2).
//!
//! Failure: whatever goes wrong, there is no explanation and the fail stands.

use viaspf_record::{ExplainString, ExplainStringSegment, MacroKind};

use super::evaluate::{Evaluation, Matched};
use super::record::has_macro;

/// The explanation, expanded and bounded: printable ASCII of foreign making.
pub(super) async fn fetch(evaluation: &mut Evaluation<'_>, matched: &Matched) -> Option<String> {
    let spec = matched.explanation.as_ref()?;
    let name = evaluation.target(spec, &matched.domain).await?;
    let texts = evaluation.dns.txt(&name).await.ok()?;
    // RFC 7208 §6.2: more than one record, or none, is no explanation.
    let [text] = texts.as_slice() else { return None };
    let text: ExplainString = std::str::from_utf8(text).ok()?.parse().ok()?;
    let validated = if wants_validated(&text) {
        evaluation.validated_name(&matched.domain).await
    } else {
        None
    };
    let explanation = evaluation.values(&matched.domain, validated.as_deref()).explanation(&text);
    // The parser takes only ASCII; a local part may bring in more.
    explanation.bytes().all(|octet| matches!(octet, b' '..=b'~')).then_some(explanation)
}

fn wants_validated(text: &ExplainString) -> bool {
    text.segments.iter().any(|segment| match segment {
        ExplainStringSegment::MacroString(text) => {
            has_macro(text, |kind| kind == MacroKind::ValidatedDomain)
        }
        ExplainStringSegment::Space => false,
    })
}
