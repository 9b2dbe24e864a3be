//! The HTTP headers that MCP and OAuth read and write.

/// One challenge of a `WWW-Authenticate` header (RFC 9110 section 11.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme in lower case, such as `bearer`.
    pub scheme: String,
    /// The parameters: names in lower case, values unquoted.
    pub params: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads all challenges of one header value: several challenges, quoted strings with escapes, any order.
pub fn challenges(value: &str) -> Vec<Challenge> {
    let _ = value;
    Vec::new()
}

/// Encodes a value for an `Mcp-Name` or `Mcp-Param-*` header (2026-07-28, value encoding).
pub fn mcp_value(value: &str) -> String {
    value.to_owned()
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
