//! Stand-ins on the bus for what no Debian package does on demand: a notification server without buttons, a paused one,
//! a locked screen. They speak the real protocol on the real bus.

#![expect(
    clippy::used_underscore_binding,
    clippy::unused_self,
    reason = "the code that zbus derives names every argument"
)]

use std::collections::HashMap;
use zbus::connection::Builder;
use zbus::zvariant::OwnedValue;
use zbus::{Connection, interface};

struct Notifications {
    capabilities: Vec<String>,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    #[zbus(name = "GetServerInformation")]
    fn information(&self) -> (String, String, String, String) {
        (
            "stand-in".to_owned(),
            "none".to_owned(),
            "1".to_owned(),
            "1.2".to_owned(),
        )
    }

    #[zbus(name = "GetCapabilities")]
    fn capabilities(&self) -> Vec<String> {
        self.capabilities.clone()
    }

    #[expect(clippy::too_many_arguments, reason = "the protocol's own list")]
    fn notify(
        &self,
        _app: String,
        _replaces: u32,
        _icon: String,
        _summary: String,
        _body: String,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _expire: i32,
    ) -> u32 {
        7
    }

    fn close_notification(&self, _id: u32) {}
}

struct Dunst {
    paused: bool,
}

#[interface(name = "org.dunstproject.cmd0")]
impl Dunst {
    #[zbus(property, name = "paused")]
    fn paused(&self) -> bool {
        self.paused
    }
}

struct ScreenSaver;

#[interface(name = "org.freedesktop.ScreenSaver")]
impl ScreenSaver {
    fn get_active(&self) -> bool {
        true
    }
}

/// A notification server with these capabilities, paused or not.
pub(super) async fn notifications(address: &str, capabilities: &[&str], paused: bool) -> Connection {
    let capabilities = capabilities.iter().map(|c| (*c).to_owned()).collect();
    let path = "/org/freedesktop/Notifications";
    Builder::address(address)
        .and_then(|b| b.serve_at(path, Notifications { capabilities }))
        .and_then(|b| b.serve_at(path, Dunst { paused }))
        .and_then(|b| b.name("org.freedesktop.Notifications"))
        .expect("a server")
        .build()
        .await
        .expect("a server on the bus")
}

/// A screen saver that covers the screen.
pub(super) async fn locked_screen(address: &str) -> Connection {
    Builder::address(address)
        .and_then(|b| b.serve_at("/org/freedesktop/ScreenSaver", ScreenSaver))
        .and_then(|b| b.name("org.freedesktop.ScreenSaver"))
        .expect("a screen saver")
        .build()
        .await
        .expect("a screen saver on the bus")
}
