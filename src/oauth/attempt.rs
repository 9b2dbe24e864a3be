//! One sign-in attempt: everything that was decided before the browser opened, and the judgement of what comes back.
//!
//! Owns: `state`, verifier, issuer and redirect address of the attempt; the checks of RFC 6749, 9207. Refuses to know:
//! how the answer arrived (loopback page or pasted address), and what is done with the code.

use super::error::{LoginError, plain_code};
use super::grants::GrantKind;
use super::registration::Registration;
use super::secret::{challenge_of, same};
use super::token::MAX_CODE;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use url::form_urlencoded;

/// The longest query that is looked at.
const MAX_QUERY: usize = 48 * 1024;

/// The record of one attempt (mix-up defence: the answer is judged by this and by nothing that comes with it).
pub(super) struct Attempt {
    pub(super) endpoint: String,
    pub(super) kind: GrantKind,
    pub(super) single: bool,
    pub(super) resource: String,
    pub(super) issuer: String,
    pub(super) iss_required: bool,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) revocation_endpoint: Option<String>,
    pub(super) registration: Registration,
    pub(super) redirect: String,
    /// What is asked for; `None`: the server's default.
    pub(super) scope: Option<String>,
    pub(super) state: SecretString,
    pub(super) verifier: SecretString,
    pub(super) used: AtomicBool,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt")
            .field("kind", &self.kind)
            .field("issuer", &self.issuer)
            .field("redirect", &self.redirect)
            .finish_non_exhaustive()
    }
}

/// What a query is to us.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Not the answer to this attempt: refused, and the attempt goes on waiting.
    NotOurs(&'static str),
    /// The one answer to it.
    Final(Result<SecretString, LoginError>),
}

impl Attempt {
    /// The address to open in the browser (RFC 6749 section 4.1.1, RFC 7636, RFC 8707).
    pub(super) fn url(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("response_type", "code")
            .append_pair("client_id", &self.registration.client_id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("code_challenge", &challenge_of(&self.verifier))
            .append_pair("code_challenge_method", "S256")
            .append_pair("state", self.state.expose_secret())
            .append_pair("resource", &self.resource);
        if let Some(scope) = &self.scope {
            form.append_pair("scope", scope);
            // OpenID Connect Core section 11: without it a server passes over the wish, and gives no means to renew.
            if scope.split(' ').any(|one| one == "offline_access") {
                form.append_pair("prompt", "consent");
            }
        }
        let joint = if self.authorization_endpoint.contains('?') {
            '&'
        } else {
            '?'
        };
        format!("{}{joint}{}", self.authorization_endpoint, form.finish())
    }

    /// Judges the query of the redirect address. The first answer with the right `state` is the only one.
    pub(super) fn judge(&self, query: &str) -> Verdict {
        match self.read(query) {
            Ok(_) if self.used.swap(true, Ordering::SeqCst) => Verdict::NotOurs("it was answered already"),
            Ok(answer) => Verdict::Final(self.weigh(&answer)),
            Err(reason) => Verdict::NotOurs(reason),
        }
    }

    /// Takes the query apart, and goes no further where `state` is not ours.
    fn read(&self, query: &str) -> Result<Answer, &'static str> {
        if query.len() > MAX_QUERY {
            return Err("it is too long");
        }
        let mut answer = Answer::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match key.as_ref() {
                "state" => &mut answer.state,
                "code" => &mut answer.code,
                "iss" => &mut answer.iss,
                "error" => &mut answer.error,
                _ => continue,
            };
            if slot.replace(SecretString::from(value.into_owned())).is_some() {
                return Err("a part of it stands there twice");
            }
        }
        let state = answer.state.as_ref().ok_or("it belongs to no sign-in")?;
        if same(state.expose_secret(), self.state.expose_secret()) {
            Ok(answer)
        } else {
            Err("it belongs to another sign-in")
        }
    }

    fn weigh(&self, answer: &Answer) -> Result<SecretString, LoginError> {
        // RFC 9207 section 2.4: before anything else of the answer is believed, errors included.
        match &answer.iss {
            Some(iss) if iss.expose_secret() != self.issuer => return Err(LoginError::WrongIssuer),
            None if self.iss_required => return Err(LoginError::WrongIssuer),
            _ => {}
        }
        if let Some(error) = &answer.error {
            return Err(self.refusal(error.expose_secret()));
        }
        match &answer.code {
            Some(code) if (1..=MAX_CODE).contains(&code.expose_secret().len()) => Ok(code.clone()),
            _ => Err(LoginError::Service("no code in the answer".to_owned())),
        }
    }

    /// The error codes of RFC 6749 section 4.1.2.1.
    fn refusal(&self, code: &str) -> LoginError {
        match code {
            "access_denied" => LoginError::Denied,
            "invalid_scope" => LoginError::InvalidScope(self.scope.clone().unwrap_or_default()),
            "subscription_required" => LoginError::WrongPlan,
            "unauthorized_client" | "invalid_client" => LoginError::Again,
            "temporarily_unavailable" | "server_error" => LoginError::Network(code.to_owned()),
            other => LoginError::Service(plain_code(other)),
        }
    }

    /// The query of a pasted redirect address.
    pub(super) fn pasted_query<'t>(&self, text: &'t str) -> Result<&'t str, LoginError> {
        let bad = |reason: &str| LoginError::BadPaste(reason.to_owned());
        let text = text.trim().trim_matches(['"', '\'', '<', '>']).trim();
        let (address, query) = text.split_once('?').ok_or_else(|| bad("it has no ? in it"))?;
        if address != self.redirect {
            return Err(bad(&format!("it does not begin with {}", self.redirect)));
        }
        Ok(query.split('#').next().unwrap_or_default())
    }
}

#[derive(Default)]
struct Answer {
    state: Option<SecretString>,
    code: Option<SecretString>,
    iss: Option<SecretString>,
    error: Option<SecretString>,
}

/// Tells whether a pasted text is the address that a sign-in waits for, before it is handed over.
#[derive(Debug, Clone)]
pub struct PasteCheck(pub(super) Arc<Attempt>);

impl PasteCheck {
    /// Checks the address and its `state`.
    ///
    /// # Errors
    /// [`LoginError::BadPaste`], with the reason.
    pub fn check(&self, text: &str) -> Result<(), LoginError> {
        let query = self.0.pasted_query(text)?;
        match self.0.read(query) {
            Ok(_) => Ok(()),
            Err(reason) => Err(LoginError::BadPaste(reason.to_owned())),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::registration::Origin;
    use super::*;

    pub(in super::super) fn attempt(iss_required: bool) -> Attempt {
        Attempt {
            endpoint: "https://mcp.example/mcp".to_owned(),
            kind: GrantKind::Read,
            single: false,
            resource: "https://mcp.example/mcp".to_owned(),
            issuer: "https://as.example".to_owned(),
            iss_required,
            authorization_endpoint: "https://as.example/authorize?tenant=1".to_owned(),
            token_endpoint: "https://as.example/token".to_owned(),
            revocation_endpoint: None,
            registration: Registration {
                issuer: "https://as.example".to_owned(),
                kind: GrantKind::Read,
                client_id: "client 1".to_owned(),
                client_secret: None,
                auth_method: "none".to_owned(),
                client_name: "Countersign read – desk".to_owned(),
                redirect_uris: vec!["http://127.0.0.1:1/callback".to_owned()],
                registered_at_ms: 0,
                secret_expires_at_ms: None,
                origin: Origin::Registered,
            },
            redirect: "http://127.0.0.1:1/callback".to_owned(),
            scope: Some("mcp:read".to_owned()),
            state: SecretString::from("STATE"),
            verifier: SecretString::from("VERIFIER"),
            used: AtomicBool::new(false),
        }
    }

    #[test]
    fn offline_access_is_asked_for_with_a_consent_and_nothing_else_is() {
        let asks = |scope: &str| {
            let asked = Attempt {
                scope: Some(scope.to_owned()),
                ..attempt(false)
            };
            asked.url().contains("&prompt=consent")
        };
        assert!(asks("mcp:use offline_access"));
        assert!(!asks("mcp:use"));
        assert!(!asks("mcp:offline_access"));
        assert!(!attempt(false).url().contains("prompt"), "CrossTrade's");
    }

    fn outcome(iss_required: bool, query: &str) -> Option<Result<String, LoginError>> {
        match attempt(iss_required).judge(query) {
            Verdict::NotOurs(_) => None,
            Verdict::Final(result) => Some(result.map(|code| code.expose_secret().to_owned())),
        }
    }

    #[test]
    fn the_address_carries_everything_and_keeps_strings_raw() {
        let url = attempt(false).url();
        assert!(
            url.starts_with("https://as.example/authorize?tenant=1&response_type=code&"),
            "{url}"
        );
        assert!(url.contains("client_id=client+1"), "{url}");
        assert!(url.contains("resource=https%3A%2F%2Fmcp.example%2Fmcp&"), "{url}");
        assert!(url.contains("scope=mcp%3Aread"), "{url}");
        assert!(!url.contains("VERIFIER"), "{url}");
    }

    #[test]
    fn answers_are_judged() {
        let code = |text: &str| Some(Ok(text.to_owned()));
        assert_eq!(outcome(false, "code=C&state=STATE"), code("C"));
        assert_eq!(
            outcome(true, "code=C&state=STATE&iss=https%3A%2F%2Fas.example"),
            code("C")
        );
        for not_ours in [
            "",
            "code=C",
            "code=C&state=state",
            "code=C&state=STATE2",
            "code=C&code=D&state=STATE",
            "code=C&state=STATE&state=STATE",
        ] {
            assert_eq!(outcome(false, not_ours), None, "{not_ours}");
        }
        for (query, error) in [
            ("state=STATE&error=access_denied", LoginError::Denied),
            (
                "state=STATE&error=invalid_scope",
                LoginError::InvalidScope("mcp:read".to_owned()),
            ),
            ("state=STATE&error=unauthorized_client", LoginError::Again),
            ("state=STATE&error=subscription_required", LoginError::WrongPlan),
            ("state=STATE&error=%3Cb%3Ex", LoginError::Service("bx".to_owned())),
            (
                "state=STATE",
                LoginError::Service("no code in the answer".to_owned()),
            ),
            (
                "state=STATE&code=",
                LoginError::Service("no code in the answer".to_owned()),
            ),
            (
                "state=STATE&code=C&iss=https%3A%2F%2Fas.example%2F",
                LoginError::WrongIssuer,
            ),
            (
                "state=STATE&error=access_denied&iss=https%3A%2F%2Fevil.example",
                LoginError::WrongIssuer,
            ),
        ] {
            assert_eq!(outcome(false, query), Some(Err(error)), "{query}");
        }
        assert_eq!(
            outcome(true, "code=C&state=STATE"),
            Some(Err(LoginError::WrongIssuer)),
            "iss is promised"
        );
    }

    #[test]
    fn one_shot() {
        let attempt = attempt(false);
        assert!(matches!(attempt.judge("code=X&state=WRONG"), Verdict::NotOurs(_)));
        assert!(matches!(
            attempt.judge("code=C&state=STATE"),
            Verdict::Final(Ok(_))
        ));
        assert!(matches!(attempt.judge("code=C&state=STATE"), Verdict::NotOurs(_)));
    }

    #[test]
    fn pasted_addresses() {
        let check = PasteCheck(Arc::new(attempt(false)));
        assert!(
            check
                .check(" \"http://127.0.0.1:1/callback?code=C&state=STATE\"\n")
                .is_ok()
        );
        for bad in [
            "",
            "code=C&state=STATE",
            "http://127.0.0.1:2/callback?code=C&state=STATE",
            "http://127.0.0.1:1/callback/x?code=C&state=STATE",
            "https://evil.example/?code=C&state=STATE",
            "http://127.0.0.1:1/callback?code=C&state=OLD",
        ] {
            assert!(matches!(check.check(bad), Err(LoginError::BadPaste(_))), "{bad}");
        }
    }

    #[test]
    fn nothing_prints_the_secrets_of_an_attempt() {
        let shown = format!(
            "{:?} {:?}",
            attempt(false),
            attempt(false).judge("code=THECODE&state=STATE")
        );
        for secret in ["STATE", "VERIFIER", "THECODE"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
