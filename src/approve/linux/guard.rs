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
use std::time::Duration;
use zbus::message::Type;
use zbus::zvariant::Structure;
use zbus::{Connection, Message, MessageStream};

/// Interfaces on paths of their own by which programs press the buttons of a real server from a command line.
const CONTROLS: [&str; 2] = ["fr.emersion.Mako", "org.erikreider.swaync.cc"];
/// What others may ask on the notifications' own path: it touches no popup. Everything else there is foreign, whatever
/// its interface: servers have controls of their own on it (dunst, Plasma), and more may come.
const HARMLESS: [(&str, &str); 7] = [
    (NAME, "GetCapabilities"),
    (NAME, "GetServerInformation"),
    ("org.freedesktop.DBus.Introspectable", "Introspect"),
    ("org.freedesktop.DBus.Peer", "Ping"),
    ("org.freedesktop.DBus.Peer", "GetMachineId"),
    ("org.freedesktop.DBus.Properties", "Get"),
    ("org.freedesktop.DBus.Properties", "GetAll"),
];
/// The watch begins within this, or there is none.
const START_LIMIT: Duration = Duration::from_secs(2);
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
    names: Names,
}

/// Who is who on the bus, by unique name.
#[derive(Debug)]
struct Names {
    ours: String,
    owner: String,
    shell: Option<String>,
}

impl Guard {
    /// Starts to watch on behalf of the connection `ours`.
    ///
    /// # Errors
    /// Where the bus refuses monitors, or does not let us begin within [`START_LIMIT`].
    pub(super) async fn start(env: &Env, ours: &Connection, owner: &str) -> Result<Self, String> {
        tokio::time::timeout(START_LIMIT, Self::start_now(env, ours, owner))
            .await
            .unwrap_or_else(|_| Err("the watch on the session bus did not begin in time".to_owned()))
    }

    async fn start_now(env: &Env, ours: &Connection, owner: &str) -> Result<Self, String> {
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
        let owner = owner.to_owned();
        Ok(Self {
            stream,
            names: Names { ours, owner, shell },
        })
    }

    /// The next message that the monitor was given.
    pub(super) async fn next(&mut self) -> Sight {
        match self.stream.next().await {
            Some(Ok(message)) => self.names.judge(&message),
            Some(Err(_)) | None => Sight::Foreign(None, "the watch on the session bus was cut".to_owned()),
        }
    }
}

impl Names {
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
        let used = || Sight::Foreign(None, format!("another program used the server's controls ({member})"));
        if path != PATH {
            let control = CONTROLS.contains(&interface) || interface.is_empty();
            let harmless = matches!(member, "Ping" | "ListNotifications" | "ListModes");
            return if control && !harmless { used() } else { Sight::Nothing };
        }
        // A call may leave its interface out.
        let is = |known: &str| interface == known || interface.is_empty();
        if HARMLESS.iter().any(|(known, name)| is(known) && member == *name) {
            return Sight::Nothing;
        }
        let (place, what) = match member {
            "Notify" if is(NAME) => (1, "another program rewrote the popup"),
            "CloseNotification" if is(NAME) => (0, "another program closed the popup"),
            _ => return used(),
        };
        // One that cannot be read may still mean something to the server.
        Sight::Foreign(number(message, place), what.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            ours: ":1.1".to_owned(),
            owner: ":1.2".to_owned(),
            shell: None,
        }
    }

    fn call<B: zbus::export::serde::Serialize + zbus::zvariant::DynamicType>(
        sender: &str,
        interface: Option<&str>,
        member: &str,
        body: &B,
    ) -> Message {
        let call = Message::method_call(PATH, member).unwrap().sender(sender).unwrap();
        let call = match interface {
            Some(interface) => call.interface(interface).unwrap(),
            None => call,
        };
        call.build(body).unwrap()
    }

    #[test]
    fn on_the_notifications_path_everything_unknown_is_foreign() {
        for (interface, member) in [
            (Some("org.kde.NotificationManager"), "InvokeAction"),
            (Some("org.dunstproject.cmd0"), "NotificationAction"),
            (Some("org.dunstproject.cmd0"), "ContextMenuCall"),
            (Some("org.freedesktop.DBus.Properties"), "Set"),
            (Some("com.example.NextYear"), "Press"),
            (Some(NAME), "Press"),
            (None, "InvokeAction"),
            (None, "Set"),
        ] {
            let seen = names().judge(&call(":1.3", interface, member, &(1u32, "key")));
            assert!(matches!(seen, Sight::Foreign(None, _)), "{interface:?} {member}: {seen:?}");
            let ours = names().judge(&call(":1.1", interface, member, &(1u32, "key")));
            assert_eq!(ours, Sight::Nothing, "{interface:?} {member}");
        }
    }

    #[test]
    fn what_touches_no_popup_is_let_pass() {
        for (interface, member) in HARMLESS {
            for interface in [Some(interface), None] {
                let seen = names().judge(&call(":1.3", interface, member, &()));
                assert_eq!(seen, Sight::Nothing, "{interface:?} {member}");
            }
        }
    }

    #[test]
    fn other_popups_are_told_apart_from_ours() {
        let notify = |id: u32| call(":1.3", Some(NAME), "Notify", &("x", id, "", "summary", "body"));
        let id = |sight: Sight| match sight {
            Sight::Foreign(id, _) => id,
            other => panic!("{other:?}"),
        };
        assert_eq!(id(names().judge(&notify(7))), Some(7));
        assert_eq!(id(names().judge(&notify(0))), Some(0));
        assert_eq!(id(names().judge(&call(":1.3", None, "CloseNotification", &7u32))), Some(7));
        assert_eq!(id(names().judge(&call(":1.3", Some(NAME), "Notify", &"unreadable"))), None);
    }
}
