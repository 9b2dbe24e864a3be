//! The spelling of deep links.

use base64::Engine;

/// Standard base64 with the letters escaped that mean something in a link.
pub(super) fn base64(text: &str) -> String {
    percent(&base64::engine::general_purpose::STANDARD.encode(text))
}

/// Everything escaped but letters, digits and `-._~`.
pub(super) fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
