//! `base64string` (RFC 6376 §2.10): white space anywhere, padding optional.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::tags::without_white_space;

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(crate) fn decode(value: &[u8]) -> Option<Vec<u8>> {
    ENGINE.decode(without_white_space(value)).ok()
}

pub(crate) fn encode(octets: &[u8]) -> String {
    ENGINE.encode(octets)
}
