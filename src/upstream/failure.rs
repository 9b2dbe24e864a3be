//! Why a request on a lane got no answer of the service.

use crate::oauth::TokenError;

/// One variant for each thing that a caller does differently.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// There is no usable token.
    #[error("{0}")]
    Token(TokenError),
    /// The person has to sign in first, or the sign-in did not succeed.
    #[error("{0}")]
    SignIn(String),
    /// The service refused the token twice.
    #[error("the service refuses this sign-in: run `countersign login` once more")]
    Unauthorized,
    /// HTTP 403 in the documented words about the plan.
    #[error("CrossTrade's MCP needs the Elite plan")]
    Plan,
    /// HTTP 403 `insufficient_scope`, with the scope that is asked for.
    #[error("the service wants more access than this sign-in has: {0}")]
    Scope(String),
    /// HTTP 403 of another kind.
    #[error("the service forbids this: {0}")]
    Forbidden(String),
    /// HTTP 408: the add-on or `NinjaTrader` is away, or slow.
    #[error("NinjaTrader or its CrossTrade add-on is not connected")]
    NotConnected,
    /// HTTP 429 with the documented body, which says that the request was not taken; with the seconds to wait where the
    /// service says them.
    #[error("the service asks to slow down{}", .0.map(|s| format!(": again in {s} s")).unwrap_or_default())]
    RateLimited(Option<u64>),
    /// HTTP 429 with a body that we do not know: it proves nothing about a call.
    #[error("the service, or something before it, asks to slow down{}", .0.map(|s| format!(": again in {s} s")).unwrap_or_default())]
    Throttled(Option<u64>),
    /// HTTP 404 although a session was given: it is gone, and the request was not run.
    #[error("the service has forgotten this session")]
    SessionLost,
    /// HTTP 400 that speaks of a session, where one was given. So some servers refuse for want of the session, before they
    /// run anything; it may as well be about something else, and proves nothing about a call. With the answer to the
    /// request where the body is one.
    #[error("the service answered with HTTP 400, and speaks of a session")]
    SessionDoubted(Option<String>),
    /// Another HTTP status.
    #[error("the service answered with HTTP {0}{redirect}", redirect = redirect(*.0))]
    Status(u16),
    /// Not even connected: nothing was sent.
    #[error("the service cannot be reached: {0}")]
    Connect(String),
    /// The connection broke, or nothing came in time, after sending had begun.
    #[error("the connection to the service broke: {0}")]
    Broken(String),
    /// An answer that is none: HTML, half a message, another id.
    #[error("the service sent something that is no answer: {0}")]
    BadAnswer(String),
    /// `-32022`: the service does not speak the revision in which it was asked, and did not run the request; whether it
    /// speaks 2026-07-28.
    #[error("the service does not speak this revision of the protocol")]
    Revision(bool),
    /// The service answered with a JSON-RPC error to a request of our own; its text.
    #[error("the service refused: {0}")]
    Refused(String),
}

/// What is added where a status is a redirect: neither the request nor the token goes to another place by itself.
fn redirect(status: u16) -> &'static str {
    if (300..400).contains(&status) {
        ", a redirect, which is not followed"
    } else {
        ""
    }
}

impl Failure {
    /// A failure of the HTTP client: `Connect` where nothing was sent, `Broken` else.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        if error.is_connect() || error.is_builder() {
            Self::connect(error)
        } else {
            Self::Broken(plain(error))
        }
    }

    pub(super) fn connect(error: &reqwest::Error) -> Self {
        Self::Connect(plain(error))
    }

    /// The same in words that fit any server: statuses that mean something at `CrossTrade` are only statuses elsewhere.
    pub fn of_any_server(&self) -> String {
        match self {
            Self::Unauthorized => "the server refuses this sign-in (HTTP 401)".to_owned(),
            Self::Plan | Self::Forbidden(_) => "the server forbids this (HTTP 403)".to_owned(),
            Self::Scope(scope) => format!("the server wants more access than it gave (scope: {scope})"),
            Self::NotConnected => {
                "the server answered with HTTP 408 (it waited too long for something)".to_owned()
            }
            other => other.to_string(),
        }
    }

    /// Whether a read may be tried once more: the fault may pass, and reading twice harms nobody.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::NotConnected | Self::Connect(_) | Self::Broken(_) => true,
            Self::Status(status) => (500..600).contains(status),
            Self::Token(_)
            | Self::SignIn(_)
            | Self::Unauthorized
            | Self::Plan
            | Self::Scope(_)
            | Self::Forbidden(_)
            | Self::RateLimited(_)
            | Self::Throttled(_)
            | Self::SessionLost
            | Self::SessionDoubted(_)
            | Self::BadAnswer(_)
            | Self::Revision(_)
            | Self::Refused(_) => false,
        }
    }
}

/// Whether a request failed because the server's certificate was not trusted.
pub fn is_certificate_trouble(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return matches!(tls, rustls::Error::InvalidCertificate(_));
    }
    // An I/O error hides what it carries from the chain of sources, and they are nested here.
    if let Some(inside) = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        return is_certificate_trouble(inside);
    }
    error.source().is_some_and(is_certificate_trouble)
}

/// What is wrong with a certificate, in words of ours: those of the TLS library repeat what the other side wrote into it.
fn certificate(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    use rustls::CertificateError as Wrong;
    if let Some(rustls::Error::InvalidCertificate(wrong)) = error.downcast_ref::<rustls::Error>() {
        return Some(match wrong {
            Wrong::Expired | Wrong::ExpiredContext { .. } => {
                "its certificate has run out, or this computer's clock is wrong"
            }
            Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
                "its certificate is not valid yet, or this computer's clock is wrong"
            }
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
                "its certificate is for another name; something may stand in between"
            }
            Wrong::UnknownIssuer => {
                "its certificate is signed by nobody that this computer trusts; something may stand in between"
            }
            _ => "its certificate is not trusted; something may stand in between",
        });
    }
    if let Some(inside) = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        return certificate(inside);
    }
    error.source().and_then(certificate)
}

/// The innermost cause, without the URL: the outer texts of the HTTP client repeat it and say little.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    if let Some(wrong) = certificate(error) {
        return wrong.to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    let mut proxied = false;
    loop {
        proxied |= cause.to_string().starts_with("tunnel error");
        let Some(next) = cause.source() else { break };
        cause = next;
    }
    let text = cause.to_string();
    let text: String = without_manual(&text)
        .chars()
        .filter(|c| !c.is_control())
        .take(160)
        .collect();
    if proxied {
        return format!("the proxy did not open the way to it ({text})");
    }
    if text.starts_with("unsupported scheme") {
        return format!("the proxy is of a kind that is not spoken here ({text}); HTTP proxies are");
    }
    text
}

/// Without the page of a library's manual that its error names: it is for whoever builds with it.
fn without_manual(text: &str) -> &str {
    text.split_once(": https://").map_or(text, |(said, _)| said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::CertificateError;
    use rustls::pki_types::ServerName;

    #[test]
    fn no_word_of_a_certificate_is_repeated() {
        let name = ServerName::try_from("expected.example").unwrap();
        let presented = vec!["marker.example".to_owned()];
        let wrong = CertificateError::NotValidForNameContext {
            expected: name,
            presented,
        };
        let error = std::io::Error::other(rustls::Error::InvalidCertificate(wrong));
        let said = certificate(&error).unwrap();
        assert!(
            said.contains("another name") && !said.contains("marker"),
            "{said}"
        );
        assert_eq!(certificate(&std::io::Error::other("marker")), None);
    }

    #[test]
    fn no_manual_is_named() {
        let cut = "peer closed connection without sending TLS close_notify";
        assert_eq!(without_manual(&format!("{cut}: https://manual.example/x#y")), cut);
        assert_eq!(without_manual(cut), cut);
    }

    #[test]
    fn a_redirect_is_named_as_one() {
        assert_eq!(
            Failure::Status(500).to_string(),
            "the service answered with HTTP 500"
        );
        assert!(Failure::Status(307).to_string().contains("which is not followed"));
    }
}
