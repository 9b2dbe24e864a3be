//! Whether the screen is locked. A locked screen never approves (DESIGN §6).

use super::bus::{self, Target, call};
use crate::system::Env;
use zbus::Connection;
use zbus::zvariant::OwnedValue;

/// Screen savers that tell whether they cover the screen: name (which is the interface as well) and path.
const SAVERS: [(&str, &str); 5] = [
    ("org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver"),
    ("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver"),
    ("org.mate.ScreenSaver", "/org/mate/ScreenSaver"),
    ("org.cinnamon.ScreenSaver", "/org/cinnamon/ScreenSaver"),
    ("org.xfce.ScreenSaver", "/org/xfce/ScreenSaver"),
];

/// Whom to ask whether the screen is locked; connected once, so that asking at the approval costs a moment only.
#[derive(Debug)]
pub(super) struct Lock {
    session: Connection,
    system: Option<Connection>,
}

impl Lock {
    pub(super) async fn open(session: &Connection, env: &Env) -> Self {
        Self {
            session: session.clone(),
            system: bus::system(env).await.ok(),
        }
    }

    /// Who says that the screen is locked; `None` where nobody says so.
    pub(super) async fn locked(&self) -> Option<&'static str> {
        let (by_saver, by_logind) = tokio::join!(covered(&self.session), hinted(self.system.as_ref()));
        by_saver.or(by_logind)
    }
}

async fn covered(session: &Connection) -> Option<&'static str> {
    let names: Vec<String> = call(session, Target::BUS, "ListNames", &()).await.ok()?;
    for (name, path) in SAVERS.iter().filter(|(name, _)| names.iter().any(|n| n == name)) {
        let active: Result<bool, String> = call(
            session,
            Target {
                name,
                path,
                interface: name,
            },
            "GetActive",
            &(),
        )
        .await;
        if active == Ok(true) {
            return Some("the screen saver is on");
        }
    }
    None
}

/// logind's `LockedHint` of the caller's session, or of the user's graphical one.
async fn hinted(system: Option<&Connection>) -> Option<&'static str> {
    let system = system?;
    // Asked first, so that logind is never started for this.
    let runs: bool = call(system, Target::BUS, "NameHasOwner", &"org.freedesktop.login1")
        .await
        .ok()?;
    if !runs {
        return None;
    }
    let at = Target {
        name: "org.freedesktop.login1",
        path: "/org/freedesktop/login1/session/auto",
        interface: "org.freedesktop.DBus.Properties",
    };
    let hint: OwnedValue = call(
        system,
        at,
        "Get",
        &("org.freedesktop.login1.Session", "LockedHint"),
    )
    .await
    .ok()?;
    (bool::try_from(hint) == Ok(true)).then_some("the session is locked")
}
