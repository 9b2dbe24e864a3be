//! The store behind the authorization server: clients, pending consents, codes, grants and tokens. Pure state; the
//! time is a parameter.

use std::collections::HashMap;

use serde::Serialize;

use super::error::OauthError;
use crate::secret;

/// A registered client (RFC 7591).
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) issued_ms: u64,
}

/// An authorization request that waits for a person.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) scope: String,
    pub(crate) challenge: String,
    pub(crate) resource: String,
    pub(crate) since_ms: u64,
}

/// An authorization code: used once, for two minutes.
#[derive(Debug, Clone)]
struct Code {
    asked: Asked,
    user: String,
    scope: String,
    issued_ms: u64,
    /// The grant that came of it, once it has been used.
    spent: Option<u64>,
}

/// What a user has allowed a client.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) id: u64,
    pub(crate) client_id: String,
    pub(crate) client_name: String,
    pub(crate) user: String,
    pub(crate) scope: String,
    pub(crate) resource: String,
    pub(crate) created_ms: u64,
    pub(crate) used_ms: u64,
    pub(crate) revoked: bool,
}

#[derive(Debug, Clone)]
struct Access {
    grant: u64,
    expires_ms: u64,
}

#[derive(Debug, Clone)]
struct Refresh {
    grant: u64,
    spent: bool,
}

/// How often each thing happened.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) registrations: u64,
    pub(crate) code_exchanges: u64,
    pub(crate) refreshes: u64,
    pub(crate) reuse_detections: u64,
    pub(crate) revocations: u64,
}

/// Tokens as they are given to a client.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) scope: String,
}

/// How tokens are issued.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) access_seconds: u64,
    pub(crate) rotation: bool,
    pub(crate) exclusive: bool,
    pub(crate) registration_limit: usize,
}

const HOUR_MS: u64 = 3_600_000;
const CODE_LIFE_MS: u64 = 120_000;
const CONSENT_LIFE_MS: u64 = 900_000;

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    clients: HashMap<String, Client>,
    registered_ms: Vec<u64>,
    asked: HashMap<String, Asked>,
    codes: HashMap<String, Code>,
    list: Vec<Grant>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    /// The PKCE verifiers that came with codes.
    verifiers: Vec<String>,
    pub(crate) counts: Counts,
}

impl Grants {
    /// Registers a client, at most `limit` in a sliding hour.
    pub(crate) fn register(
        &mut self,
        name: String,
        redirect_uris: Vec<String>,
        rules: Rules,
        now: u64,
    ) -> Result<Client, OauthError> {
        self.registered_ms.retain(|at| now.saturating_sub(*at) < HOUR_MS);
        if self.registered_ms.len() >= rules.registration_limit {
            let oldest = self.registered_ms.first().copied().unwrap_or(now);
            let wait = HOUR_MS.saturating_sub(now.saturating_sub(oldest)).div_ceil(1000);
            return Err(OauthError {
                status: axum::http::StatusCode::TOO_MANY_REQUESTS,
                code: "too_many_registrations",
                text: format!(
                    "{} registrations an hour are allowed from one address",
                    rules.registration_limit
                ),
                retry_after: Some(wait.max(1)),
            });
        }
        let id = random("client_")?;
        let client = Client {
            id: id.clone(),
            name,
            redirect_uris,
            issued_ms: now,
        };
        self.registered_ms.push(now);
        self.counts.registrations += 1;
        self.clients.insert(id, client.clone());
        Ok(client)
    }

    pub(crate) fn client(&self, id: &str) -> Option<&Client> {
        self.clients.get(id)
    }

    /// Forgets a client, as when its registration was deleted on the service.
    pub(crate) fn forget_clients(&mut self) {
        self.clients.clear();
    }

    /// Forgets how many registrations there were in the last hour.
    pub(crate) fn forget_registrations(&mut self) {
        self.registered_ms.clear();
    }

    /// Keeps an authorization request until the person has decided; the answer names it.
    pub(crate) fn ask(&mut self, asked: Asked, now: u64) -> Result<String, OauthError> {
        self.asked
            .retain(|_, a| now.saturating_sub(a.since_ms) < CONSENT_LIFE_MS);
        if self.asked.len() >= 1000 {
            return Err(OauthError::server("too many sign-ins are open"));
        }
        let name = random("ask_")?;
        self.asked.insert(name.clone(), asked);
        Ok(name)
    }

    /// Takes an authorization request out: it can be decided once.
    pub(crate) fn decide(&mut self, name: &str) -> Option<Asked> {
        self.asked.remove(name)
    }

    /// A code for a consent.
    pub(crate) fn code(
        &mut self,
        asked: Asked,
        user: &str,
        scope: &str,
        now: u64,
    ) -> Result<String, OauthError> {
        self.codes
            .retain(|_, c| now.saturating_sub(c.issued_ms) < HOUR_MS);
        let code = random("code_")?;
        let entry = Code {
            asked,
            user: user.to_owned(),
            scope: scope.to_owned(),
            issued_ms: now,
            spent: None,
        };
        self.codes.insert(code.clone(), entry);
        Ok(code)
    }

    /// Turns a code into tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.6). A second use takes back what the
    /// first one gave.
    pub(crate) fn exchange(
        &mut self,
        request: &Exchange<'_>,
        rules: Rules,
        now: u64,
    ) -> Result<Issued, OauthError> {
        self.verifiers.push(request.verifier.to_owned());
        let Some(code) = self.codes.get(request.code).cloned() else {
            return Err(OauthError::bad("invalid_grant", "the code is unknown"));
        };
        if let Some(grant) = code.spent {
            self.revoke_grant(grant);
            return Err(OauthError::bad("invalid_grant", "the code has been used"));
        }
        if now.saturating_sub(code.issued_ms) > CODE_LIFE_MS {
            return Err(OauthError::bad("invalid_grant", "the code has expired"));
        }
        if code.asked.client_id != request.client_id || code.asked.redirect_uri != request.redirect_uri {
            return Err(OauthError::bad(
                "invalid_grant",
                "the code belongs to another client or redirect",
            ));
        }
        if secret::challenge(request.verifier) != code.asked.challenge {
            return Err(OauthError::bad(
                "invalid_grant",
                "the code verifier does not match",
            ));
        }
        if request
            .resource
            .is_some_and(|resource| resource != code.asked.resource)
        {
            return Err(OauthError::bad(
                "invalid_target",
                "another resource than the one that was authorized",
            ));
        }
        if rules.exclusive {
            self.revoke_where(|g| g.user == code.user);
        }
        let grant = self.add_grant(&code, now);
        if let Some(stored) = self.codes.get_mut(request.code) {
            stored.spent = Some(grant);
        }
        self.counts.code_exchanges += 1;
        self.issue(grant, &code.scope, rules, now)
    }

    fn add_grant(&mut self, code: &Code, now: u64) -> u64 {
        let id = self.list.last().map_or(1, |g| g.id + 1);
        let name = self
            .clients
            .get(&code.asked.client_id)
            .map_or_else(String::new, |c| c.name.clone());
        self.list.push(Grant {
            id,
            client_id: code.asked.client_id.clone(),
            client_name: name,
            user: code.user.clone(),
            scope: code.scope.clone(),
            resource: code.asked.resource.clone(),
            created_ms: now,
            used_ms: now,
            revoked: false,
        });
        id
    }

    fn issue(&mut self, grant: u64, scope: &str, rules: Rules, now: u64) -> Result<Issued, OauthError> {
        let access = random("at_")?;
        let refresh = random("rt_")?;
        let expires_ms = now.saturating_add(rules.access_seconds.saturating_mul(1000));
        self.access.insert(access.clone(), Access { grant, expires_ms });
        self.refresh
            .insert(refresh.clone(), Refresh { grant, spent: false });
        Ok(Issued {
            access,
            refresh,
            scope: scope.to_owned(),
        })
    }

    /// A refresh (RFC 6749 section 6). With rotation on, a token that has been used before ends its whole family
    /// (RFC 9700 section 4.14.2).
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        scope: Option<&str>,
        rules: Rules,
        now: u64,
    ) -> Result<Issued, OauthError> {
        let Some(stored) = self.refresh.get(token).cloned() else {
            return Err(OauthError::bad("invalid_grant", "the refresh token is unknown"));
        };
        let Some(grant) = self.list.iter().find(|g| g.id == stored.grant).cloned() else {
            return Err(OauthError::bad("invalid_grant", "the grant is gone"));
        };
        if grant.client_id != client_id {
            return Err(OauthError::bad(
                "invalid_grant",
                "the refresh token belongs to another client",
            ));
        }
        if stored.spent {
            self.counts.reuse_detections += 1;
            self.revoke_grant(grant.id);
            return Err(OauthError::bad(
                "invalid_grant",
                "the refresh token has been used; its family is revoked",
            ));
        }
        if grant.revoked {
            return Err(OauthError::bad("invalid_grant", "access has been revoked"));
        }
        if scope.is_some_and(|s| s != grant.scope) {
            return Err(OauthError::bad(
                "invalid_scope",
                "the scope of a grant cannot be changed; authorize again",
            ));
        }
        self.counts.refreshes += 1;
        let mut issued = self.issue(grant.id, &grant.scope, rules, now)?;
        if rules.rotation {
            if let Some(old) = self.refresh.get_mut(token) {
                old.spent = true;
            }
        } else {
            self.refresh.remove(&issued.refresh);
            token.clone_into(&mut issued.refresh);
        }
        Ok(issued)
    }

    /// The live grant of an access token.
    pub(crate) fn lookup(&mut self, token: &str, now: u64) -> Option<Grant> {
        let access = self.access.get(token)?;
        if access.expires_ms <= now {
            return None;
        }
        let grant = self.list.iter_mut().find(|g| g.id == access.grant)?;
        if grant.revoked {
            return None;
        }
        grant.used_ms = now;
        Some(grant.clone())
    }

    /// RFC 7009: either kind of token ends its grant. An unknown token is no error.
    pub(crate) fn revoke_token(&mut self, token: &str, client_id: Option<&str>) {
        let grant = self
            .refresh
            .get(token)
            .map(|r| r.grant)
            .or_else(|| self.access.get(token).map(|a| a.grant));
        let owned = grant.filter(|id| {
            let owner = self.list.iter().find(|g| g.id == *id);
            owner.is_some_and(|g| client_id.is_none_or(|c| c == g.client_id))
        });
        if let Some(id) = owned {
            self.counts.revocations += 1;
            self.revoke_grant(id);
        }
    }

    /// The Revoke button of the AI Clients page.
    pub(crate) fn revoke_by_person(&mut self, which: impl Fn(&Grant) -> bool) -> usize {
        let count = self.revoke_where(which);
        self.counts.revocations += u64::try_from(count).unwrap_or(u64::MAX);
        count
    }

    fn revoke_where(&mut self, which: impl Fn(&Grant) -> bool) -> usize {
        let hit = self.list.iter_mut().filter(|g| !g.revoked && which(g));
        hit.map(|g| g.revoked = true).count()
    }

    fn revoke_grant(&mut self, id: u64) {
        self.revoke_where(|g| g.id == id);
    }

    /// Lets every access token of the grants of `scope` expire now.
    pub(crate) fn expire(&mut self, scope: Option<&str>, now: u64) -> usize {
        let mut count = 0;
        for access in self.access.values_mut().filter(|a| a.expires_ms > now) {
            let grant = self.list.iter().find(|g| g.id == access.grant);
            if grant.is_some_and(|g| scope.is_none_or(|s| s == g.scope)) {
                access.expires_ms = now;
                count += 1;
            }
        }
        count
    }

    /// Everything that only a client and this server may know, by its kind, for tests that look for it elsewhere.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, String)> {
        let of = |kind: &'static str, keys: Vec<&String>| {
            keys.into_iter()
                .map(move |key| (kind, key.clone()))
                .collect::<Vec<_>>()
        };
        [
            of("code", self.codes.keys().collect()),
            of("access token", self.access.keys().collect()),
            of("refresh token", self.refresh.keys().collect()),
            of("verifier", self.verifiers.iter().collect()),
        ]
        .concat()
    }

    /// All grants, revoked ones too.
    pub(crate) fn all(&self) -> &[Grant] {
        &self.list
    }
}

/// A token request with a code.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) code: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) verifier: &'a str,
    pub(crate) resource: Option<&'a str>,
}

fn random(prefix: &str) -> Result<String, OauthError> {
    secret::random(prefix).map_err(|e| OauthError::server(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        access_seconds: 60,
        rotation: true,
        exclusive: false,
        registration_limit: 10,
    };
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn signed_in(grants: &mut Grants, rules: Rules, scope: &str) -> (String, Issued) {
        let uri = "http://127.0.0.1:9/cb".to_owned();
        let client = grants.register("A".into(), vec![uri.clone()], rules, 0).unwrap();
        let asked = Asked {
            client_id: client.id.clone(),
            redirect_uri: uri.clone(),
            state: None,
            scope: scope.into(),
            challenge: secret::challenge(VERIFIER),
            resource: "r".into(),
            since_ms: 0,
        };
        let code = grants.code(asked, "trader-a", scope, 0).unwrap();
        let exchange = Exchange {
            code: &code,
            client_id: &client.id,
            redirect_uri: &uri,
            verifier: VERIFIER,
            resource: None,
        };
        let issued = grants.exchange(&exchange, rules, 1).unwrap();
        (client.id, issued)
    }

    #[test]
    fn a_refresh_token_used_twice_ends_its_family() {
        let mut grants = Grants::default();
        let (client, first) = signed_in(&mut grants, RULES, "mcp:read");
        let second = grants.refresh(&first.refresh, &client, None, RULES, 2).unwrap();
        assert!(grants.lookup(&second.access, 3).is_some());
        assert_eq!(
            grants
                .refresh(&first.refresh, &client, None, RULES, 4)
                .unwrap_err()
                .code,
            "invalid_grant"
        );
        assert!(grants.lookup(&second.access, 5).is_none());
        assert!(grants.refresh(&second.refresh, &client, None, RULES, 6).is_err());
        assert_eq!(grants.counts.reuse_detections, 1);
    }

    #[test]
    fn without_rotation_the_same_token_serves_again() {
        let rules = Rules {
            rotation: false,
            ..RULES
        };
        let mut grants = Grants::default();
        let (client, first) = signed_in(&mut grants, rules, "mcp:read");
        for now in 2..5 {
            let next = grants.refresh(&first.refresh, &client, None, rules, now).unwrap();
            assert_eq!(next.refresh, first.refresh);
        }
    }

    #[test]
    fn an_exclusive_service_keeps_one_grant() {
        let rules = Rules {
            exclusive: true,
            ..RULES
        };
        let mut grants = Grants::default();
        let (_, read) = signed_in(&mut grants, rules, "mcp:read");
        let (_, trade) = signed_in(&mut grants, rules, "mcp:trade");
        assert!(grants.lookup(&read.access, 2).is_none());
        assert!(grants.lookup(&trade.access, 2).is_some());
    }

    #[test]
    fn the_eleventh_registration_of_an_hour_waits() {
        let mut grants = Grants::default();
        for _ in 0..10 {
            grants.register("A".into(), vec![], RULES, 0).unwrap();
        }
        let refused = grants.register("A".into(), vec![], RULES, 600_000).unwrap_err();
        assert_eq!(
            (refused.code, refused.retry_after),
            ("too_many_registrations", Some(3000))
        );
        assert!(grants.register("A".into(), vec![], RULES, HOUR_MS).is_ok());
    }

    #[test]
    fn access_ends_at_its_second_and_on_demand() {
        let mut grants = Grants::default();
        let (_, issued) = signed_in(&mut grants, RULES, "mcp:read");
        assert!(grants.lookup(&issued.access, 60_000).is_some());
        assert!(grants.lookup(&issued.access, 60_001).is_none());
        assert_eq!(grants.expire(Some("mcp:read"), 10), 1);
        assert!(grants.lookup(&issued.access, 10).is_none());
    }
}
