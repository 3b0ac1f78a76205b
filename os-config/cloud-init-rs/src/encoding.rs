//! Base64 as providers and their users write it.

use base64::Engine as _;

/// Decodes base64 with line breaks and spaces in it; `None` if it is not base64.
pub(crate) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let packed: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let engine = base64::engine::general_purpose::STANDARD;
    engine.decode(packed).ok()
}

/// Decodes base64; any other text is returned as it is.
pub(crate) fn base64_or_text(text: &str) -> Vec<u8> {
    decode_base64(text.as_bytes()).unwrap_or_else(|| text.as_bytes().to_vec())
}
