//! The notification server of this session: who it is, what it can do, showing and closing a popup.
//!
//! It is pinned by its unique bus name: every call goes to that name, every signal must come from it.

use super::bus::{self, Target, call};
use crate::system::Env;
use futures_util::StreamExt;
use std::collections::HashMap;
use zbus::message::Type;
use zbus::zvariant::Value;
use zbus::{Connection, Message, MessageStream};

/// The name, path and interface of the specification.
pub(super) const NAME: &str = "org.freedesktop.Notifications";
pub(super) const PATH: &str = "/org/freedesktop/Notifications";
const NOTIFY: &str = "Notify";

/// A notification server that can show buttons, or one that cannot.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) bus: Connection,
    /// Its unique name on the bus, such as `:1.7`.
    pub(super) owner: String,
    /// Name and version, as it tells them.
    pub(super) title: String,
    buttons: bool,
    markup: bool,
}

/// What a popup says and offers.
#[derive(Debug)]
pub(super) struct Content<'a> {
    pub(super) summary: &'a str,
    pub(super) body: &'a str,
    /// Key and label, in the order of the buttons.
    pub(super) actions: &'a [(String, String)],
    /// Stays until it is closed.
    pub(super) stays: bool,
}

impl Server {
    /// Finds the server, starting it where the bus knows how to.
    ///
    /// # Errors
    /// A sentence: no bus, no server, or one that does not answer.
    pub(super) async fn find(env: &Env) -> Result<Self, String> {
        let bus = bus::session(env).await?;
        let owner = owner(&bus).await?;
        let at = Target {
            name: &owner,
            path: PATH,
            interface: NAME,
        };
        let silent = |why: String| format!("the notification server does not answer ({why})");
        let (name, _vendor, version, _spec): (String, String, String, String) =
            call(&bus, at, "GetServerInformation", &())
                .await
                .map_err(silent)?;
        let capabilities: Vec<String> = call(&bus, at, "GetCapabilities", &()).await.map_err(silent)?;
        let has = |what: &str| capabilities.iter().any(|c| c == what);
        Ok(Self {
            buttons: has("actions"),
            markup: has("body-markup"),
            title: super::super::text::ascii(&format!("{name} {version}"))
                .chars()
                .take(80)
                .collect(),
            owner,
            bus,
        })
    }

    /// Whether a card can be decided on it now.
    ///
    /// # Errors
    /// A sentence: it shows no buttons, or it is paused.
    pub(super) async fn can_ask(&self) -> Result<(), String> {
        if !self.buttons {
            return Err(format!(
                "the notification server ({}) shows no buttons",
                self.title
            ));
        }
        if self.is_paused().await {
            return Err(format!(
                "the notification server ({}) is paused or in do-not-disturb",
                self.title
            ));
        }
        Ok(())
    }

    /// Dunst hides everything while paused, and says so; Plasma says `Inhibited`. Others do not tell: there the card
    /// expires unseen, which approves nothing.
    async fn is_paused(&self) -> bool {
        let properties = Target {
            name: &self.owner,
            path: PATH,
            interface: "org.freedesktop.DBus.Properties",
        };
        for (interface, property) in [("org.dunstproject.cmd0", "paused"), (NAME, "Inhibited")] {
            let value: Result<zbus::zvariant::OwnedValue, String> =
                call(&self.bus, properties, "Get", &(interface, property)).await;
            if value.is_ok_and(|v| bool::try_from(v) == Ok(true)) {
                return true;
            }
        }
        false
    }

    /// The call that shows a popup in place of `replaces` (0: a new one).
    ///
    /// # Errors
    /// A sentence: the server's name on the bus is none.
    pub(super) fn message(&self, content: &Content<'_>, replaces: u32) -> Result<Message, String> {
        let body = if self.markup {
            super::super::text::escape_markup(content.body)
        } else {
            content.body.to_owned()
        };
        let actions: Vec<&str> = content
            .actions
            .iter()
            .flat_map(|(key, label)| [key.as_str(), label.as_str()])
            .collect();
        let urgency: u8 = if content.stays { 2 } else { 1 };
        let hints = HashMap::from([("urgency", Value::U8(urgency))]);
        let expire: i32 = if content.stays { 0 } else { 12_000 };
        let fields = (
            "Countersign",
            replaces,
            "",
            content.summary,
            body.as_str(),
            actions,
            hints,
            expire,
        );
        let build = || {
            Message::method_call(PATH, NOTIFY)?
                .destination(self.owner.as_str())?
                .interface(NAME)?
                .build(&fields)
        };
        build().map_err(|error: zbus::Error| format!("{NOTIFY}: {error}"))
    }

    /// Sends that call and tells the popup's id, whenever the server answers: the caller keeps the time. Where the server
    /// dies, the bus answers for it.
    pub(super) async fn shown(&self, message: &Message) -> Result<u32, String> {
        let failed = |error: zbus::Error| format!("{NOTIFY}: {error}");
        let serial = message.primary_header().serial_num();
        let mut answers = MessageStream::from(&self.bus);
        self.bus.send(message).await.map_err(failed)?;
        while let Some(answer) = answers.next().await {
            let answer = answer.map_err(failed)?;
            if answer.header().reply_serial() != Some(serial) {
                continue;
            }
            return match answer.message_type() {
                Type::MethodReturn => answer.body().deserialize().map_err(failed),
                Type::MethodCall | Type::Signal | Type::Error => Err(failed(answer.into())),
            };
        }
        Err(format!("{NOTIFY}: the session bus went away"))
    }

    /// Closes a popup; one that is gone already is fine.
    pub(super) async fn close(&self, id: u32) {
        close(&self.bus, &self.owner, id).await;
    }
}

/// Closes a popup of a pinned server.
pub(super) async fn close(bus: &Connection, owner: &str, id: u32) {
    let at = Target {
        name: owner,
        path: PATH,
        interface: NAME,
    };
    let _: Result<(), String> = call(bus, at, "CloseNotification", &id).await;
}

/// Who owns the name now; asks the bus to start the server where nobody does.
pub(super) async fn owner(bus: &Connection) -> Result<String, String> {
    if let Ok(owner) = call(bus, Target::BUS, "GetNameOwner", &NAME).await {
        return Ok(owner);
    }
    let started: Result<u32, String> = call(bus, Target::BUS, "StartServiceByName", &(NAME, 0u32)).await;
    if started.is_err() {
        return Err("no notification server runs in this session".to_owned());
    }
    call(bus, Target::BUS, "GetNameOwner", &NAME)
        .await
        .map_err(|_| "no notification server runs in this session".to_owned())
}
