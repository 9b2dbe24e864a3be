//! The grants of one endpoint: what the rest of the program holds.
//!
//! Owns: the shared state (vault, memory, single flight). Refuses to know: how a token is got; that is `login`,
//! `refresh` and `unseal`.

use super::assertion::ClientKey;
use super::contents::{Contents, State, StoredGrant};
use super::discovery;
use super::endpoint::Endpoint;
use super::error::TokenError;
use super::header::machine_mark;
use super::key::{self, KeyPlace, StoreKind, SystemKeychain};
use super::seal::Cost;
use super::sealing::UnsavedSeal;
use super::secret::{Bearer, Token};
use super::token::{Tokens, usable};
use super::vault::{Vault, VaultError};
use crate::system::{World, wall_ms};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How long the keychain may take where nobody is looking, in seconds.
const PATIENCE_S: u64 = 10;
/// How long it may take for a quick look, in seconds.
const HASTE_S: u64 = 3;
/// How long it may take where the person can answer its dialog, in seconds.
const PATIENCE_WITH_PERSON_S: u64 = 60;

/// What a grant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantKind {
    /// `mcp:read`: the read lane.
    Read,
    /// `mcp:trade`: the trade lane.
    Trade,
    /// Whatever another MCP server offers (`--profile plain`).
    Plain,
}

impl GrantKind {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Read, Self::Trade, Self::Plain];

    /// `read`, `trade` or `plain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Trade => "trade",
            Self::Plain => "plain",
        }
    }
}

/// A client identity that the person brought along, for the plain profile.
#[derive(Debug, Clone, Default)]
pub struct ClientChoice {
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Token>,
    pub(super) metadata_url: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) key: Option<Arc<ClientKey>>,
    pub(super) without_person: bool,
}

impl ClientChoice {
    /// A client id that was registered by hand, with its secret if it has one.
    ///
    /// # Errors
    /// For a secret that is no visible ASCII.
    pub fn registered(client_id: &str, secret: Option<&SecretString>) -> Result<Self, String> {
        let read = |secret: &SecretString| {
            Token::read(secret.expose_secret().to_owned())
                .ok_or("the client secret is no visible ASCII".to_owned())
        };
        Ok(Self {
            client_id: Some(client_id.to_owned()),
            client_secret: secret.map(read).transpose()?,
            ..Self::default()
        })
    }

    /// The https address of a published Client ID Metadata Document; used where the server takes such.
    pub fn document(url: &str) -> Self {
        Self {
            metadata_url: Some(url.to_owned()),
            ..Self::default()
        }
    }

    /// The client signs in by itself, as itself: no person is asked.
    #[must_use]
    pub fn without_person(mut self) -> Self {
        self.without_person = true;
        self
    }

    /// The same, and it proves by this private key (the text of a PEM file) who it is.
    ///
    /// # Errors
    /// With the reason, for a key that cannot be used.
    pub fn with_key(self, pem: &str) -> Result<Self, String> {
        let key = ClientKey::read(pem)?;
        Ok(Self {
            key: Some(Arc::new(key)),
            ..self.without_person()
        })
    }

    /// Asks for this scope instead of the one that the server suggests.
    #[must_use]
    pub fn with_scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.to_owned());
        self
    }
}

/// A grant as `status` shows it: no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantInfo {
    /// What it is for.
    pub kind: GrantKind,
    /// The scope that the service granted, where it said.
    pub scope: Option<String>,
    /// The name on the service's list of clients.
    pub client_name: String,
    /// Who issued it.
    pub issuer: String,
    /// When the access token runs out (wall clock, ms); `None` where unknown or sealed. Renewed by itself.
    pub expires_at_ms: Option<u64>,
    /// Whether the access is renewed without the person; `None` where sealed.
    pub renewable: Option<bool>,
    /// Whether it lies under the PIN.
    pub sealed: bool,
    /// Why the service ended it, if it did.
    pub withdrawn: Option<String>,
    /// Whether it serves both lanes (`--single-grant`).
    pub single: bool,
    /// Where the vault's key lies.
    pub store: StoreKind,
    /// When the client was registered (wall clock, ms).
    pub registered_at_ms: u64,
    /// When the person gave it (wall clock, ms); `None` where that was not written down.
    pub granted_at_ms: Option<u64>,
}

/// The grants of one endpoint. Clones share everything.
#[derive(Clone)]
pub struct Grants {
    pub(super) inner: Arc<Inner>,
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grants")
            .field("endpoint", &self.inner.endpoint.url())
            .finish_non_exhaustive()
    }
}

pub(super) struct Inner {
    pub(super) endpoint: Endpoint,
    pub(super) http: reqwest::Client,
    pub(super) vault: Vault,
    pub(super) locks: PathBuf,
    pub(super) choice: ClientChoice,
    pub(super) tasks: TaskTracker,
    pub(super) memory: Mutex<BTreeMap<GrantKind, Remembered>>,
    /// Renewed tokens that could not be saved; saved before anything else is done with the grant.
    pub(super) unsaved: Mutex<BTreeMap<GrantKind, Unsaved>>,
    /// The same for the sealed grant: a box, still sealed.
    pub(super) unsaved_seal: Mutex<Option<UnsavedSeal>>,
    /// Until when (monotonic ms) a renewal is not tried again, and why.
    pub(super) pauses: Mutex<BTreeMap<GrantKind, (u64, String)>>,
    pub(super) flights: [tokio::sync::Mutex<()>; 3],
    /// What sealing costs; `None`: measured.
    pub(super) cost: Option<Cost>,
    pub(super) ports: Vec<u16>,
}

/// A token that was given out in this process.
pub(super) struct Remembered {
    bearer: Bearer,
    expires_at_ms: Option<u64>,
    obtained_at_ms: u64,
}

/// Tokens that replace the ones whose refresh token was spent.
pub(super) struct Unsaved {
    pub(super) spent: Token,
    pub(super) tokens: Tokens,
}

impl Grants {
    /// The grants of this endpoint, in the vault of this world. No I/O.
    pub fn open(world: &World, endpoint: Endpoint, http: reqwest::Client) -> Self {
        Self::with_keychain(world, endpoint, http, Arc::new(SystemKeychain))
    }

    pub(super) fn with_keychain(
        world: &World,
        endpoint: Endpoint,
        http: reqwest::Client,
        keychain: Arc<dyn key::Keychain>,
    ) -> Self {
        let vault = Vault {
            path: world.paths.vault(),
            lock: world.paths.lock("vault.lock"),
            chosen: key::chosen(world),
            place: KeyPlace {
                keychain,
                file: world.paths.vault_key_file(),
            },
            patience_s: AtomicU64::new(PATIENCE_S),
            machine: machine_mark(),
            known: Mutex::new(None),
        };
        let inner = Inner {
            endpoint,
            http,
            vault,
            locks: world.paths.lock(""),
            choice: ClientChoice::default(),
            tasks: TaskTracker::new(),
            memory: Mutex::default(),
            unsaved: Mutex::default(),
            unsaved_seal: Mutex::default(),
            pauses: Mutex::default(),
            flights: Default::default(),
            cost: None,
            ports: super::registration::default_ports().to_vec(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Uses a client identity of the person's (plain profile). To be called before the value is cloned; later it
    /// has no effect.
    #[must_use]
    pub fn with_client(mut self, choice: ClientChoice) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.choice = choice;
        }
        self
    }

    /// Lets the keychain take a minute: the person is here and can answer its dialog.
    pub fn person_is_present(&self) {
        self.inner
            .vault
            .patience_s
            .store(PATIENCE_WITH_PERSON_S, Ordering::Relaxed);
    }

    /// Lets the keychain take three seconds only: whoever asks wants a quick look.
    pub fn in_haste(&self) {
        self.inner.vault.patience_s.store(HASTE_S, Ordering::Relaxed);
    }

    /// Waits for a renewal that is under way, at most `limit`: to be called before the process ends, so that a
    /// renewed token is saved.
    pub async fn settle(&self, limit: Duration) {
        self.inner.tasks.close();
        let _ = tokio::time::timeout(limit, self.inner.tasks.wait()).await;
        self.inner.tasks.reopen();
    }

    /// What there is, for `status`.
    ///
    /// # Errors
    /// [`TokenError::Store`] where the vault cannot be read.
    pub async fn overview(&self) -> Result<Vec<GrantInfo>, TokenError> {
        let (contents, store) = self
            .blocking(|inner| Ok((inner.vault.read()?, inner.vault.store()?)))
            .await?;
        let endpoint = self.inner.endpoint.url();
        let here = contents.grants.iter().filter(|grant| grant.endpoint == endpoint);
        Ok(here
            .map(|grant| info(grant, store.unwrap_or(StoreKind::Keychain)))
            .collect())
    }

    /// Whether the trade grant lies under the PIN.
    ///
    /// # Errors
    /// [`TokenError::Store`] where the vault cannot be read.
    pub async fn is_sealed(&self) -> Result<bool, TokenError> {
        let contents = self.contents().await?;
        let grant = contents.grant(self.inner.endpoint.url(), GrantKind::Trade);
        Ok(grant.is_some_and(|grant| matches!(grant.state, State::Sealed(_))))
    }

    /// Where a trade grant of this installation lies under the PIN: this endpoint's own first, else another one's.
    ///
    /// # Errors
    /// [`TokenError::Store`] where the vault cannot be read.
    pub async fn sealed_at(&self) -> Result<Option<String>, TokenError> {
        let own = self.inner.endpoint.url();
        let contents = self.contents().await?;
        let sealed = contents
            .grants
            .iter()
            .filter(|grant| matches!(grant.state, State::Sealed(_)));
        Ok(sealed
            .map(|grant| grant.endpoint.clone())
            .max_by_key(|endpoint| endpoint == own))
    }

    /// Runs what blocks (files, locks, keychain) away from the loop.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, TokenError> {
        let inner = self.inner.clone();
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result.map_err(|error| TokenError::Store(error.to_string())),
            Err(_) => Err(TokenError::Store(
                "the vault could not be used: its task was cut off".to_owned(),
            )),
        }
    }

    pub(super) async fn contents(&self) -> Result<Contents, TokenError> {
        self.blocking(|inner| inner.vault.read()).await
    }

    /// Changes the vault; on the disk when it returns.
    pub(super) async fn update<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Contents) -> T + Send + 'static,
    ) -> Result<T, TokenError> {
        self.blocking(move |inner| inner.vault.update(change)).await
    }

    pub(super) fn remember(&self, kind: GrantKind, tokens: &Tokens) -> Bearer {
        let bearer = Bearer::of(&tokens.access);
        let remembered = Remembered {
            bearer: bearer.clone(),
            expires_at_ms: tokens.expires_at_ms,
            obtained_at_ms: tokens.obtained_at_ms,
        };
        self.inner
            .memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(kind, remembered);
        bearer
    }

    /// Forgets what memory has of these grants: the vault has something else now.
    pub(super) fn forget(&self, kinds: &[GrantKind]) {
        let mut memory = self.inner.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.retain(|kind, _| !kinds.contains(kind));
        let mut unsaved = self.inner.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
        unsaved.retain(|kind, _| !kinds.contains(kind));
        if kinds.contains(&GrantKind::Trade) {
            let mut sealed = self
                .inner
                .unsaved_seal
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *sealed = None;
        }
        let mut pauses = self.inner.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.retain(|kind, _| !kinds.contains(kind));
    }

    /// The token in memory, if it is good and not the refused one. The trade grant is always looked up in the vault,
    /// so that sealing and signing out hold at once in every process.
    pub(super) fn remembered(&self, kind: GrantKind, refused: Option<&Bearer>) -> Option<Bearer> {
        if kind == GrantKind::Trade {
            return None;
        }
        let memory = self.inner.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let known = memory.get(&kind)?;
        let good = usable(known.expires_at_ms, known.obtained_at_ms, wall_ms());
        let other = refused.is_none_or(|refused| !refused.same_as(&known.bearer));
        (good && other).then(|| known.bearer.clone())
    }

    /// The scope that is asked for. Read and trade name theirs; a plain grant follows the challenge, then the
    /// metadata (MCP, scope selection strategy), and after `insufficient_scope` keeps what it had.
    pub(super) fn wanted_scope(
        &self,
        kind: GrantKind,
        hint: &discovery::Hint,
        found: &discovery::Found,
        had: Option<&str>,
    ) -> Option<String> {
        match kind {
            GrantKind::Read => return Some("mcp:read".to_owned()),
            GrantKind::Trade => return Some("mcp:trade".to_owned()),
            GrantKind::Plain => {}
        }
        let asked = self.inner.choice.scope.clone().or_else(|| hint.scope.clone());
        let mut scopes: Vec<String> = match asked {
            Some(asked) => asked.split_ascii_whitespace().map(str::to_owned).collect(),
            None => found.resource_scopes.clone(),
        };
        if hint.insufficient_scope {
            scopes.extend(
                had.unwrap_or_default()
                    .split_ascii_whitespace()
                    .map(str::to_owned),
            );
        }
        if !scopes.is_empty() && found.server.scopes.iter().any(|scope| scope == "offline_access") {
            scopes.push("offline_access".to_owned());
        }
        let mut seen = std::collections::BTreeSet::new();
        scopes.retain(|scope| seen.insert(scope.clone()));
        (!scopes.is_empty()).then(|| scopes.join(" "))
    }
}

impl Inner {
    pub(super) fn flight(&self, kind: GrantKind) -> &tokio::sync::Mutex<()> {
        let [read, trade, plain] = &self.flights;
        match kind {
            GrantKind::Read => read,
            GrantKind::Trade => trade,
            GrantKind::Plain => plain,
        }
    }

    /// The lock that whoever spends the refresh token of this grant holds, over all processes.
    pub(super) fn refresh_lock(&self, kind: GrantKind) -> PathBuf {
        self.locks.join(format!("refresh-{}.lock", kind.as_str()))
    }

    /// The lock that whoever signs in for this grant holds, over all processes.
    pub(super) fn login_lock(&self, kind: GrantKind) -> PathBuf {
        self.locks.join(format!("login-{}.lock", kind.as_str()))
    }
}

fn info(grant: &StoredGrant, store: StoreKind) -> GrantInfo {
    let tokens = match &grant.state {
        State::Open { tokens, .. } => Some(tokens),
        State::Sealed(_) | State::Withdrawn(_) => None,
    };
    GrantInfo {
        kind: grant.kind,
        scope: grant.scope.clone(),
        client_name: grant.registration.client_name.clone(),
        issuer: grant.registration.issuer.clone(),
        expires_at_ms: tokens.and_then(|tokens| tokens.expires_at_ms),
        renewable: tokens.map(|tokens| tokens.refresh.is_some()),
        sealed: matches!(grant.state, State::Sealed(_)),
        withdrawn: match &grant.state {
            State::Withdrawn(reason) => Some(reason.clone()),
            State::Open { .. } | State::Sealed(_) => None,
        },
        single: grant.single,
        store,
        registered_at_ms: grant.registration.registered_at_ms,
        granted_at_ms: grant.granted_at_ms,
    }
}
