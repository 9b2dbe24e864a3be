//! The address of the remote MCP endpoint, and which other addresses it may send us to.
//!
//! Owns: the raw text of the endpoint, the judgement of every address that a peer names. Refuses to know: HTTP.

use std::net::IpAddr;
use url::{Host, Url};

/// The longest address that is taken from anyone: 2,048 bytes, what browsers and servers agree on.
const MAX_URL: usize = 2048;

/// The remote MCP endpoint: https, or http on this machine only. The text is kept as it was given, because OAuth
/// resource identifiers are strings (RFC 8707 section 2): `http://h` and `http://h/` are two of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    raw: String,
    url: Url,
}

impl Endpoint {
    /// Reads an address.
    ///
    /// # Errors
    /// With the reason, for anything but an absolute https (loopback: http) address without user name and fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = read(text)?;
        if url.scheme() == "http" && !is_local(&url) {
            return Err("it must begin with https:// (http:// is for this machine only)".to_owned());
        }
        Ok(Self {
            raw: text.to_owned(),
            url,
        })
    }

    /// The address exactly as it was given.
    pub fn url(&self) -> &str {
        &self.raw
    }

    /// The same, read.
    pub fn parsed(&self) -> &Url {
        &self.url
    }

    /// Whether it lies on this computer.
    pub fn is_loopback(&self) -> bool {
        is_local(&self.url)
    }

    /// The host name, without the port.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether the host is `crosstrade.io`, `app.crosstrade.io` or any other under `crosstrade.io`.
    pub fn is_crosstrade(&self) -> bool {
        belongs_to_crosstrade(&self.url)
    }

    /// `scheme://host[:port]`.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The path as it was given; empty where there is none beyond `/`.
    pub(super) fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    /// Reads an address that a peer named (challenge, metadata). It must be https, or on this machine where the
    /// endpoint itself is; never a private or link-local address literal for an endpoint in the open (server-side
    /// request forgery); and for an endpoint under `crosstrade.io` it must lie there too.
    ///
    /// # Errors
    /// With the reason.
    pub(super) fn judge(&self, text: &str) -> Result<Url, String> {
        let url = read(text)?;
        if is_local(&url) {
            return if is_local(&self.url) {
                Ok(url)
            } else {
                Err("it points to this machine".to_owned())
            };
        }
        if url.scheme() != "https" {
            return Err("it is not https".to_owned());
        }
        if !is_local(&self.url) && is_private(&url) {
            return Err("it points into a private network".to_owned());
        }
        if self.is_crosstrade() && !belongs_to_crosstrade(&url) {
            return Err("it is no host of crosstrade.io".to_owned());
        }
        // Another server could have the person sign in there, and trade with the token past the gate.
        if !self.is_crosstrade() && belongs_to_crosstrade(&url) {
            return Err("it is a host of crosstrade.io, to which this server does not belong".to_owned());
        }
        Ok(url)
    }

    /// Whether `resource` of the metadata names this endpoint: the same string, or an ancestor path on the same
    /// origin (RFC 9728 section 3.3, relaxed as deployed servers need it).
    pub(super) fn is_covered_by(&self, resource: &str) -> bool {
        if resource == self.raw {
            return true;
        }
        let Ok(other) = read(resource) else { return false };
        if other.origin() != self.url.origin() || other.query().is_some() {
            return false;
        }
        let prefix = other.path().trim_end_matches('/');
        self.url
            .path()
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn read(text: &str) -> Result<Url, String> {
    if text.len() > MAX_URL {
        return Err(format!("it is longer than {MAX_URL} bytes"));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("it holds blanks or control characters".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("it is no address ({error})"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("it is neither https nor http".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("it names no host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it carries a user name or password".to_owned());
    }
    if url.fragment().is_some() {
        return Err("it carries a fragment (#…)".to_owned());
    }
    Ok(url)
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        // With a dot at its end it is the same name (RFC 1034 section 3.1).
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
        None => false,
    }
}

/// Whether it is an address that no public service has (the registries of RFC 6890), or one of those IPv6 ranges
/// through which a gateway reaches any IPv4 address: nobody names a public service by such a one.
fn is_private(url: &Url) -> bool {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4),
        Some(Host::Domain(_)) | None => return false,
    };
    match ip {
        IpAddr::V4(ip) => {
            ip.is_private()
                || ip.is_link_local()
                || ip.is_multicast()
                || matches!(
                    ip.octets(),
                    [0 | 240..=255, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18 | 19, ..]
                )
        }
        IpAddr::V6(ip) => {
            ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || matches!(
                    ip.segments(),
                    // Unspecified and IPv4-compatible; NAT64 (RFC 6052, RFC 8215); 6to4; site-local.
                    [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 0 | 1, ..] | [0x2002 | 0xfec0..=0xfeff, ..]
                )
        }
    }
}

fn belongs_to_crosstrade(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Domain(name))
        if name.trim_end_matches('.') == "crosstrade.io" || name.trim_end_matches('.').ends_with(".crosstrade.io"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_https_and_local_http_only() {
        for (text, good) in [
            ("https://app.crosstrade.io/v1/api/mcp", true),
            ("http://127.0.0.1:9/mcp", true),
            ("http://localhost:9/mcp", true),
            ("http://[::1]:9/mcp", true),
            ("http://app.crosstrade.io/mcp", false),
            ("http://127.0.0.1.evil.example/mcp", false),
            ("https://user@app.crosstrade.io/mcp", false),
            ("https://app.crosstrade.io/mcp#x", false),
            ("ftp://app.crosstrade.io/mcp", false),
            ("https://app.crosstrade.io/ mcp", false),
            ("mcp", false),
            ("", false),
        ] {
            assert_eq!(Endpoint::parse(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn keeps_the_text_as_given() {
        for text in [
            "http://localhost:8080",
            "http://localhost:8080/",
            "https://H.example/A",
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().url(), text);
        }
    }

    #[test]
    fn crosstrade_is_known_by_its_host() {
        for (text, yes) in [
            ("https://app.crosstrade.io/v1/api/mcp", true),
            ("https://APP.CROSSTRADE.IO./mcp", true),
            ("https://crosstrade.io/mcp", true),
            ("https://crosstrade.io.evil.example/mcp", false),
            ("https://evilcrosstrade.io/mcp", false),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().is_crosstrade(), yes, "{text}");
        }
    }

    #[test]
    fn judges_what_a_peer_names() {
        let check = |endpoint: &str, named: &str| Endpoint::parse(endpoint).unwrap().judge(named).is_ok();
        let crosstrade = "https://app.crosstrade.io/v1/api/mcp";
        assert!(check(crosstrade, "https://auth.crosstrade.io/token"));
        assert!(!check(crosstrade, "https://evil.example/token"));
        assert!(!check(crosstrade, "http://app.crosstrade.io/token"));
        let open = "https://mcp.example/mcp";
        assert!(check(open, "https://auth.example/token"));
        assert!(!check(open, "https://app.crosstrade.io/v1/oauth/mcp/token"));
        assert!(!check(
            "http://127.0.0.1:9/mcp",
            "https://app.crosstrade.io/v1/oauth/mcp/token"
        ));
        for bad in [
            "http://auth.example/token",
            "http://127.0.0.1/token",
            "https://localhost/token",
            "https://169.254.169.254/latest",
            "https://10.0.0.1/token",
            "https://100.64.0.1/token",
            "https://[fd00::1]/token",
            "https://[::ffff:192.168.0.1]/token",
            "https://0x7f.1/token",
            "https://localhost./token",
            "https://LOCALHOST../token",
            "https://auth.localhost./token",
            "https://240.0.0.1/token",
            "https://255.1.2.3/token",
            "https://192.0.0.8/token",
            "https://198.18.0.1/token",
            "https://[64:ff9b::7f00:1]/token",
            "https://[64:ff9b::a00:1]/token",
            "https://[64:ff9b:1::1]/token",
            "https://[2002:7f00:1::]/token",
            "https://[::7f00:1]/token",
            "https://[fec0::1]/token",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ] {
            assert!(!check(open, bad), "{bad}");
        }
        assert!(check("http://127.0.0.1:9/mcp", "http://127.0.0.1:10/token"));
        assert!(!check("http://127.0.0.1:9/mcp", "http://auth.example/token"));
    }

    #[test]
    fn the_resource_is_the_endpoint_or_its_ancestor() {
        let endpoint = Endpoint::parse("https://h.example/v1/api/mcp").unwrap();
        for (resource, good) in [
            ("https://h.example/v1/api/mcp", true),
            ("https://h.example/v1/api", true),
            ("https://h.example", true),
            ("https://h.example/", true),
            ("https://h.example/v1/api/mc", false),
            ("https://h.example/v1/api/mcp/deeper", false),
            ("https://h.example/other", false),
            ("https://other.example/v1/api/mcp", false),
            ("http://h.example/v1/api/mcp", false),
            ("https://h.example:8443/v1/api/mcp", false),
            ("", false),
        ] {
            assert_eq!(endpoint.is_covered_by(resource), good, "{resource}");
        }
    }
}
