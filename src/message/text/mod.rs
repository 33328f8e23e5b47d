//! Stub.
use std::borrow::Cow;
/// x
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Folding {
    /// x
    pub leet: bool,
    /// x
    pub separators: bool,
}
/// x
pub fn decoded(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}
/// x
pub fn folded(text: &str, _: Folding) -> Cow<'_, str> {
    text.to_lowercase().into()
}
