//! What of ours is on the screen: closed at every end, and, where a process died, by the next one that shows a card.

use super::server::{self, Server};
use super::{Shared, bus};
use crate::system::file;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use zbus::Connection;

/// A popup on the screen.
#[derive(Debug)]
pub(in crate::approve) struct Live {
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

impl Live {
    pub(super) fn new(server: &Server, id: u32) -> Self {
        Self {
            bus: server.bus.clone(),
            mark: Mark {
                session: session(&server.bus),
                owner: server.owner.clone(),
                id,
            },
        }
    }
}

fn session(bus: &Connection) -> String {
    bus.server_guid().to_string()
}

fn path(shared: &Shared) -> PathBuf {
    shared.world.paths.state().join("card.popup")
}

/// Notes a popup that is on the screen now. A full disk costs no more than the clean-up after a crash.
pub(super) async fn remember(shared: &Shared, live: Live) {
    let path = path(shared);
    let text = serde_json::to_vec(&live.mark).unwrap_or_default();
    if let Ok(mut known) = shared.live.lock() {
        *known = Some(live);
    }
    let written = tokio::task::spawn_blocking(move || file::write_atomic(&path, &text)).await;
    if !matches!(written, Ok(Ok(()))) {
        tracing::warn!("the popup on the screen could not be noted in the state folder");
    }
}

/// Closes our popup, if there is one.
pub(super) async fn sweep(shared: &Shared) {
    let live = shared.live.lock().ok().and_then(|mut known| known.take());
    if let Some(live) = live {
        server::close(&live.bus, &live.mark.owner, live.mark.id).await;
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
