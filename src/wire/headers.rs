//! The HTTP headers that MCP and OAuth read and write.
//!
//! Refuses to know: any HTTP library; values come and go as text.

mod challenge;
mod retry;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use challenge::{Challenge, challenges};
pub use retry::retry_after;

/// Encodes a value for an `Mcp-Name` or `Mcp-Param-*` header (2026-07-28, value encoding): visible ASCII with blanks
/// inside stays as it is; all else, also what looks encoded already, becomes `=?base64?…?=`. The empty value is
/// encoded too, as some servers read an empty header as a missing one.
pub fn mcp_value(value: &str) -> String {
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let trimmed = value.trim_matches(' ').len() == value.len();
    let encoded_look = value
        .get(..9)
        .is_some_and(|start| start.eq_ignore_ascii_case("=?base64?"));
    if plain && trimmed && !encoded_look && !value.is_empty() {
        return value.to_owned();
    }
    format!("=?base64?{}?=", STANDARD.encode(value))
}

/// The media type of a `Content-Type` value, in lower case, without parameters.
pub fn media_type(value: &str) -> String {
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Whether a `Content-Type` value names this media type (given in lower case), whatever its parameters.
pub fn content_type_is(value: &str, media: &str) -> bool {
    media_type(value) == media
}

/// Whether `name` can be the part after `Mcp-Param-` of a header name: a token of RFC 9110 section 5.6.2.
pub fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(challenge::is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_a_header_cannot_carry_are_encoded() {
        for plain in [
            "GetQuote",
            "a b",
            "us-west1",
            "42",
            "true",
            "=?utf-8?x?=",
            "=?base64",
            "a=?base64?x?=",
        ] {
            assert_eq!(mcp_value(plain), plain);
        }
        for (value, encoded) in [
            ("", "=?base64??="),
            (" a", "=?base64?IGE=?="),
            ("a ", "=?base64?YSA=?="),
            ("a\tb", "=?base64?YQli?="),
            ("a\nb", "=?base64?YQpi?="),
            ("\u{7f}", "=?base64?fw==?="),
            ("é", "=?base64?w6k=?="),
            ("日本", "=?base64?5pel5pys?="),
            ("=?base64?w6k=?=", "=?base64?PT9iYXNlNjQ/dzZrPT89?="),
            ("=?BASE64?x", "=?base64?PT9CQVNFNjQ/eA==?="),
        ] {
            assert_eq!(mcp_value(value), encoded, "{value:?}");
        }
    }

    #[test]
    fn media_types_are_read_without_parameters() {
        assert_eq!(
            media_type(" Text/Event-Stream ; charset=utf-8"),
            "text/event-stream"
        );
        assert!(content_type_is(
            "application/JSON;charset=UTF-8",
            "application/json"
        ));
        assert!(!content_type_is("application/json-seq", "application/json"));
        assert!(!content_type_is("", "application/json"));
    }

    #[test]
    fn tokens() {
        assert!(is_token("Region-1.x!#$%&'*+^_`|~"));
        for wrong in ["", "a b", "a:b", "é", "a\n", "a/b", "(x)"] {
            assert!(!is_token(wrong), "{wrong}");
        }
    }
}
