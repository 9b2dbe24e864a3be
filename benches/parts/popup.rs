//! A notification server on a bus of its own: it shows nothing, and presses a button when it is told to.
//!
//! Owns: the five calls of the desktop's specification that a program makes. Refuses to know: what a popup says.

use super::Outcome;
use std::collections::HashMap;
use tokio::sync::mpsc;
use zbus::zvariant::OwnedValue;
use zbus::{Connection, connection, interface};

const PATH: &str = "/org/freedesktop/Notifications";
const NAME: &str = "org.freedesktop.Notifications";

/// A button that stands on a popup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Button {
    popup: u32,
    key: String,
}

struct Server {
    last: u32,
    offered: mpsc::UnboundedSender<(Button, Button)>,
}

#[expect(
    clippy::unused_self,
    clippy::needless_pass_by_value,
    reason = "what the interface is made from takes both"
)]
#[interface(name = "org.freedesktop.Notifications")]
impl Server {
    fn get_server_information(&self) -> (String, String, String, String) {
        let [name, vendor, version, spec] = ["bench", "none", "1", "1.2"].map(str::to_owned);
        (name, vendor, version, spec)
    }

    fn get_capabilities(&self) -> Vec<String> {
        ["actions", "body", "persistence"].map(str::to_owned).to_vec()
    }

    #[expect(clippy::too_many_arguments, reason = "the specification's call")]
    fn notify(
        &mut self,
        app: String,
        replaces: u32,
        icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        expire: i32,
    ) -> u32 {
        drop((app, icon, summary, body, hints, expire));
        let popup = if replaces == 0 { self.last + 1 } else { replaces };
        self.last = self.last.max(popup);
        let button = |word: &str| {
            let named = |pair: &&[String]| matches!(pair, [_, label] if label.starts_with(word));
            let key = actions.chunks_exact(2).find(named)?.first()?.clone();
            Some(Button { popup, key })
        };
        if let (Some(approve), Some(deny)) = (button("Approve"), button("Deny")) {
            // Nobody listens any more at the end of a round.
            let _ = self.offered.send((approve, deny));
        }
        popup
    }

    fn close_notification(&mut self, popup: u32) {
        self.last = self.last.max(popup);
    }
}

/// The server, with what stands on it.
pub(crate) struct Popups {
    bus: Connection,
    offered: tokio::sync::Mutex<(mpsc::UnboundedReceiver<(Button, Button)>, u32)>,
}

impl Popups {
    /// Owns the name on this bus.
    pub(crate) async fn serve(address: &str) -> Outcome<Self> {
        let (offered, buttons) = mpsc::unbounded_channel();
        let server = Server { last: 0, offered };
        let bus = connection::Builder::address(address)?
            .name(NAME)?
            .serve_at(PATH, server)?
            .build()
            .await?;
        let offered = tokio::sync::Mutex::new((buttons, 0));
        Ok(Self { bus, offered })
    }

    /// Waits for a popup that was not seen before; its buttons Approve and Deny.
    pub(crate) async fn offered(&self) -> Outcome<(Button, Button)> {
        let mut offered = self.offered.lock().await;
        let (buttons, seen) = &mut *offered;
        loop {
            let (approve, deny) = buttons.recv().await.ok_or("the server is gone")?;
            if approve.popup > *seen {
                *seen = approve.popup;
                return Ok((approve, deny));
            }
        }
    }

    /// Presses it.
    pub(crate) async fn press(&self, button: &Button) -> Outcome<()> {
        let body = (button.popup, &button.key);
        let to_all: Option<&str> = None;
        self.bus
            .emit_signal(to_all, PATH, NAME, "ActionInvoked", &body)
            .await?;
        Ok(())
    }
}
