//! Stand-ins on the bus for what no Debian package does on demand: a notification server without buttons, a paused one,
//! one that takes its time, a locked screen. They speak the real protocol on the real bus.

#![expect(
    clippy::used_underscore_binding,
    clippy::unused_self,
    reason = "the code that zbus derives names every argument"
)]

use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
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

/// What a slow server was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) shows: u32,
    /// The popup that was closed last.
    pub(super) closed: Option<u32>,
}

struct Slow {
    asked: watch::Sender<Asked>,
    /// One popup for each permit.
    permits: Arc<Semaphore>,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Slow {
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
        vec!["body".to_owned(), "actions".to_owned()]
    }

    #[expect(clippy::too_many_arguments, reason = "the protocol's own list")]
    async fn notify(
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
        self.asked.send_modify(|asked| asked.shows += 1);
        let permit = self.permits.acquire().await.expect("an open semaphore");
        permit.forget();
        7
    }

    fn close_notification(&self, id: u32) {
        self.asked.send_modify(|asked| asked.closed = Some(id));
    }
}

/// A notification server that shows a popup only when it is let; it keeps the id 7 to itself until then.
pub(super) struct SlowServer {
    _bus: Connection,
    permits: Arc<Semaphore>,
    asked: watch::Receiver<Asked>,
}

impl SlowServer {
    pub(super) async fn start(address: &str) -> Self {
        let (asked, seen) = watch::channel(Asked::default());
        let permits = Arc::new(Semaphore::new(0));
        let slow = Slow {
            asked,
            permits: Arc::clone(&permits),
        };
        let bus = Builder::address(address)
            .and_then(|b| b.serve_at("/org/freedesktop/Notifications", slow))
            .and_then(|b| b.name("org.freedesktop.Notifications"))
            .expect("a server")
            .build()
            .await
            .expect("a server on the bus");
        Self {
            _bus: bus,
            permits,
            asked: seen,
        }
    }

    /// Lets one popup come up.
    pub(super) fn let_one(&self) {
        self.permits.add_permits(1);
    }

    /// Waits until it was asked for this.
    pub(super) async fn until(&mut self, what: &str, is: impl FnMut(&Asked) -> bool) {
        let patience = std::time::Duration::from_secs(15);
        let seen = tokio::time::timeout(patience, self.asked.wait_for(is)).await;
        let seen = seen.unwrap_or_else(|_| panic!("waited for {what}"));
        seen.expect("a server");
    }

    pub(super) fn asked(&self) -> Asked {
        *self.asked.borrow()
    }
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
