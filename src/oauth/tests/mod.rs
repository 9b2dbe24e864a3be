//! Tests of the whole room against a small authorization server on loopback, one file per subject.

mod corners;
mod discovery;
mod fake;
mod leaks;
mod login;
mod logout;
mod refresh;
mod seal;
mod simulator;
mod vault;

use super::grants::Grants;
use super::key::Keychain;
use super::seal::Cost;
use super::{Endpoint, GrantKind, LoginError, LoginRequest, NewGrant, PendingLogin, TokenError};
use crate::system::file::full::FullDisk;
use crate::system::{Env, Paths, World};
use fake::Fake;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// A keychain in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryKeychain {
    entries: Mutex<BTreeMap<String, Vec<u8>>>,
    /// What every call answers, where it fails.
    failure: Mutex<Option<String>>,
    calls: Mutex<usize>,
}

impl Keychain for MemoryKeychain {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        *self.calls.lock().unwrap() += 1;
        match self.failure.lock().unwrap().clone() {
            Some(failure) => Err(failure),
            None => Ok(self
                .entries
                .lock()
                .unwrap()
                .get(name)
                .cloned()
                .map(Zeroizing::new)),
        }
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        *self.calls.lock().unwrap() += 1;
        if let Some(failure) = self.failure.lock().unwrap().clone() {
            return Err(failure);
        }
        self.entries.lock().unwrap().remove(name);
        Ok(())
    }

    fn save(&self, name: &str, secret: &[u8]) -> Result<(), String> {
        *self.calls.lock().unwrap() += 1;
        if let Some(failure) = self.failure.lock().unwrap().clone() {
            return Err(failure);
        }
        self.entries
            .lock()
            .unwrap()
            .insert(name.to_owned(), secret.to_owned());
        Ok(())
    }
}

/// A folder, a keychain and a server: what several "processes" share.
struct Desk {
    home: tempfile::TempDir,
    keychain: Arc<MemoryKeychain>,
    fake: Fake,
    ports: Vec<u16>,
    env: Env,
}

impl Desk {
    async fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            keychain: Arc::default(),
            fake: Fake::start().await,
            ports: free_ports(),
            env: Env::default(),
        }
    }

    fn world(&self) -> World {
        World {
            env: self.env.clone(),
            paths: Paths::under(self.home.path()),
        }
    }

    /// As another process would open them: nothing is shared but the folder, the keychain and the server.
    fn grants(&self) -> Grants {
        self.grants_at(&self.fake.mcp_url())
    }

    fn grants_at(&self, url: &str) -> Grants {
        let endpoint = Endpoint::parse(url).unwrap();
        let mut grants = Grants::with_keychain(&self.world(), endpoint, http(), self.keychain.clone());
        let inner = Arc::get_mut(&mut grants.inner).unwrap();
        inner.ports.clone_from(&self.ports);
        inner.cost = Some(Cost {
            memory_kib: 256,
            passes: 1,
        });
        grants
    }

    async fn signed_in(&self, kind: GrantKind) -> Grants {
        let grants = self.grants();
        sign_in(&grants, kind).await.unwrap().keep().await.unwrap();
        grants
    }

    /// No new file can be made beside the vault until the returned value is dropped.
    fn fill_disk(&self) -> FullDisk {
        FullDisk::at(self.vault().parent().unwrap())
    }

    fn vault(&self) -> std::path::PathBuf {
        self.world().paths.vault()
    }
}

fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

fn free_ports() -> Vec<u16> {
    let held: Vec<_> = (0..3)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    held.iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}

fn request(kind: GrantKind) -> LoginRequest {
    LoginRequest {
        kind,
        challenge: None,
        single_grant: false,
        host_name: "desk".to_owned(),
    }
}

/// What a browser does: follows the consent page back to the loopback address; returns the last page.
async fn browse(url: &str) -> (u16, String) {
    let answer = http().get(url).send().await.unwrap();
    let Some(location) = answer
        .headers()
        .get("location")
        .map(|value| value.to_str().unwrap().to_owned())
    else {
        return (answer.status().as_u16(), text_of(answer).await);
    };
    let page = http().get(location).send().await.unwrap();
    (page.status().as_u16(), text_of(page).await)
}

async fn text_of(mut response: reqwest::Response) -> String {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).unwrap()
}

async fn sign_in(grants: &Grants, kind: GrantKind) -> Result<NewGrant, LoginError> {
    finish(grants.begin_login(request(kind)).await?).await.0
}

async fn finish(pending: PendingLogin) -> (Result<NewGrant, LoginError>, (u16, String)) {
    let url = pending.url.clone();
    let both = async { tokio::join!(pending.wait(CancellationToken::new()), browse(&url)) };
    let limit = std::time::Duration::from_secs(30);
    tokio::time::timeout(limit, both)
        .await
        .expect("the browser was sent back")
}

fn token_of(bearer: &super::Bearer) -> String {
    bearer
        .authorization_header()
        .to_str()
        .unwrap()
        .strip_prefix("Bearer ")
        .unwrap()
        .to_owned()
}

/// All files below a folder, as one text with what is no text replaced.
fn everything_in(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push_str(&everything_in(&path));
        } else {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    all
}
