//! What of ours is on the screen: closed at every end, and, where a process died, by the next one that shows a card.

use super::server::{self, Server};
use super::{Shared, bus};
use crate::system::file;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};
use zbus::Connection;

/// Our popup on the screen. Locked while one is on its way there, so that whoever clears the screen waits for it.
#[derive(Debug, Default)]
pub(in crate::approve) struct Live(Arc<Mutex<Option<Popup>>>);

#[derive(Debug)]
struct Popup {
    bus: Connection,
    mark: Mark,
}

/// The same, as the next process finds it. The bus's own id tells a session from the next one, which gives the same
/// names and numbers to others.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    session: String,
    owner: String,
    id: u32,
}

/// The place of a popup that is on its way to the screen.
#[derive(Debug)]
pub(super) struct Coming {
    place: OwnedMutexGuard<Option<Popup>>,
    path: PathBuf,
}

impl Coming {
    /// Notes a popup that is on the screen now. A full disk costs no more than the clean-up after a crash.
    pub(super) async fn note(mut self, server: &Server, id: u32) {
        let mark = Mark {
            session: session(&server.bus),
            owner: server.owner.clone(),
            id,
        };
        if self.place.as_ref().is_some_and(|known| known.mark == mark) {
            return;
        }
        let text = serde_json::to_vec(&mark).unwrap_or_default();
        let bus = server.bus.clone();
        *self.place = Some(Popup { bus, mark });
        let path = self.path;
        let written = tokio::task::spawn_blocking(move || file::write_atomic(&path, &text)).await;
        if !matches!(written, Ok(Ok(()))) {
            tracing::warn!("the popup on the screen could not be noted in the state folder");
        }
    }
}

fn session(bus: &Connection) -> String {
    bus.server_guid().to_string()
}

fn path(shared: &Shared) -> PathBuf {
    shared.world.paths.state().join("card.popup")
}

/// To be taken before a popup is sent to the screen.
pub(super) async fn coming(shared: &Shared) -> Coming {
    Coming {
        place: Arc::clone(&shared.live.0).lock_owned().await,
        path: path(shared),
    }
}

/// Closes our popup, if there is one; waits for one that is on its way, which it is for no longer than a call on the
/// bus may take.
pub(super) async fn sweep(shared: &Shared) {
    let mut live = shared.live.0.lock().await;
    if let Some(Popup { bus, mark }) = live.take() {
        server::close(&bus, &mark.owner, mark.id).await;
        let _ = std::fs::remove_file(path(shared));
    }
}

/// Closes the popup of a process that died while it had the turn. Called with the turn taken: nobody else's is up.
pub(super) async fn close_orphan(shared: &Shared, server: &Server) {
    let Ok(Some(text)) = file::read_text(&path(shared), 4096) else {
        return;
    };
    let _ = std::fs::remove_file(path(shared));
    let Ok(mark) = serde_json::from_str::<Mark>(&text) else {
        return;
    };
    if mark.session == session(&server.bus) && mark.owner == server.owner {
        let at = bus::Target {
            name: &mark.owner,
            path: server::PATH,
            interface: server::NAME,
        };
        let _: Result<(), String> = bus::call(&server.bus, at, "CloseNotification", &mark.id).await;
    }
}
