//! Watching for other programs that touch our popup.
//!
//! Any program of the same user can rewrite a live popup (`Notify` with our id), close it, or forge the signal of a
//! click. A monitor connection sees all of these in the order in which the bus passes them on, so a click counts only
//! once the monitor has shown the same click with nothing foreign before it (`reference`: the lab attacks of the
//! rewritten popup and the forged signal). Refuses to know: what the popup says.

use super::bus::{self, Target, call};
use super::server::{NAME, PATH};
use crate::system::Env;
use futures_util::StreamExt;
use zbus::message::Type;
use zbus::zvariant::Structure;
use zbus::{Connection, Message, MessageStream};

/// Programs that press the buttons of a real server from a command line: their control interfaces.
const CONTROLS: [&str; 3] = [
    "fr.emersion.Mako",
    "org.dunstproject.cmd0",
    "org.erikreider.swaync.cc",
];
/// What the bus shall copy to us. By path where a call may leave its interface out.
const RULES: [&str; 5] = [
    "type='method_call',path='/org/freedesktop/Notifications'",
    "type='method_call',path='/fr/emersion/Mako'",
    "type='method_call',path='/org/erikreider/swaync/cc'",
    "type='signal',interface='org.freedesktop.Notifications'",
    "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.freedesktop.Notifications'",
];

/// What the monitor saw that concerns us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Another program touched the popup with this id (`None`: any popup).
    Foreign(Option<u32>, String),
    /// The pinned server said that this key was pressed on this id.
    Pressed(u32, String),
    /// Nothing of interest.
    Nothing,
}

/// The monitor connection. It can only listen.
#[derive(Debug)]
pub(super) struct Guard {
    stream: MessageStream,
    ours: String,
    owner: String,
    shell: Option<String>,
}

impl Guard {
    /// Starts to watch on behalf of the connection `ours`.
    ///
    /// # Errors
    /// Where the bus refuses monitors.
    pub(super) async fn start(env: &Env, ours: &Connection, owner: &str) -> Result<Self, String> {
        let monitor = bus::session(env).await?;
        // GNOME's shell broadcasts the same signals as the helper that owns the public name; they are not believed,
        // and not held against it either.
        let shell: Option<String> = call(&monitor, Target::BUS, "GetNameOwner", &"org.gnome.Shell")
            .await
            .ok();
        let stream = MessageStream::from(&monitor);
        let at = Target {
            interface: "org.freedesktop.DBus.Monitoring",
            ..Target::BUS
        };
        let () = call(&monitor, at, "BecomeMonitor", &(RULES.as_slice(), 0u32)).await?;
        let ours = ours.unique_name().map(ToString::to_string).unwrap_or_default();
        Ok(Self {
            stream,
            ours,
            owner: owner.to_owned(),
            shell,
        })
    }

    /// The next message that the monitor was given.
    pub(super) async fn next(&mut self) -> Sight {
        match self.stream.next().await {
            Some(Ok(message)) => self.judge(&message),
            Some(Err(_)) | None => Sight::Foreign(None, "the watch on the session bus was cut".to_owned()),
        }
    }

    fn judge(&self, message: &Message) -> Sight {
        let header = message.header();
        let sender = header.sender().map_or("", |name| name.as_str());
        let member = header.member().map_or("", |name| name.as_str());
        let interface = header.interface().map_or("", |name| name.as_str());
        let path = header.path().map_or("", |path| path.as_str());
        match message.message_type() {
            Type::MethodCall => self.judge_call(message, sender, member, interface, path),
            Type::Signal if sender == bus::DBUS.0 && member == "NameOwnerChanged" => {
                Sight::Foreign(None, "the notification server was stopped or replaced".to_owned())
            }
            Type::Signal if interface == NAME => self.judge_signal(message, sender, member),
            Type::Signal | Type::MethodReturn | Type::Error => Sight::Nothing,
        }
    }

    fn judge_call(
        &self,
        message: &Message,
        sender: &str,
        member: &str,
        interface: &str,
        path: &str,
    ) -> Sight {
        if sender == self.ours || sender == self.owner {
            return Sight::Nothing;
        }
        let control = CONTROLS.contains(&interface) || (path != PATH && interface.is_empty());
        if control && !matches!(member, "Ping" | "ListNotifications" | "ListModes") {
            return Sight::Foreign(
                None,
                format!("another program used the server's controls ({member})"),
            );
        }
        if path != PATH || !(interface == NAME || interface.is_empty()) {
            return Sight::Nothing;
        }
        let what = match member {
            "Notify" => (1, "another program rewrote the popup"),
            "CloseNotification" => (0, "another program closed the popup"),
            "NotificationAction" | "ContextMenuCall" => {
                return Sight::Foreign(
                    None,
                    format!("another program used the server's controls ({member})"),
                );
            }
            _ => return Sight::Nothing,
        };
        match number(message, what.0) {
            Some(id) => Sight::Foreign(Some(id), what.1.to_owned()),
            None => Sight::Nothing,
        }
    }

    fn judge_signal(&self, message: &Message, sender: &str, member: &str) -> Sight {
        let id = number(message, 0);
        if sender == self.owner {
            return match (member, id, text(message, 1)) {
                ("ActionInvoked", Some(id), Some(key)) => Sight::Pressed(id, key),
                _ => Sight::Nothing,
            };
        }
        if self.shell.as_deref() == Some(sender) || !matches!(member, "ActionInvoked" | "NotificationClosed")
        {
            return Sight::Nothing;
        }
        id.map_or(Sight::Nothing, |id| {
            Sight::Foreign(Some(id), "another program forged a click".to_owned())
        })
    }
}

/// A number at a place in a message's body, whatever else is in it.
pub(super) fn number(message: &Message, place: usize) -> Option<u32> {
    let body = message.body();
    let fields: Structure<'_> = match body.deserialize() {
        Ok(fields) => fields,
        // A body of one value is no structure.
        Err(_) if place == 0 => return body.deserialize().ok(),
        Err(_) => return None,
    };
    u32::try_from(fields.fields().get(place)?).ok()
}

/// A text at a place in a message's body.
pub(super) fn text(message: &Message, place: usize) -> Option<String> {
    let body = message.body();
    let fields: Structure<'_> = body.deserialize().ok()?;
    let text: &str = fields.fields().get(place)?.try_into().ok()?;
    Some(text.to_owned())
}
