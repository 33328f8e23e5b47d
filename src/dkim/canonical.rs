//! Canonicalization of header and body (RFC 6376 §3.4).

/// One of the two canonicalizations.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Canonicalization {
    /// Octets as they are.
    Simple,
    /// White space folded.
    Relaxed,
}
