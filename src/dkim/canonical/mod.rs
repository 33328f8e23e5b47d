//! Canonicalization of header and body (RFC 6376 §3.4).

pub mod body;
pub mod header;
mod relax;

/// One of the two canonicalizations.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Canonicalization {
    /// Octets as they are.
    Simple,
    /// White space folded.
    Relaxed,
}

impl Canonicalization {
    /// The canonicalization of that name, as `c=` spells it.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"simple" => Some(Self::Simple),
            b"relaxed" => Some(Self::Relaxed),
            _ => None,
        }
    }

    /// The name in `c=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Relaxed => "relaxed",
        }
    }
}
