//! The session bus: where it is, and calls on it that always come back. Refuses to know: cards, answers.

use crate::system::Env;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use zbus::Connection;
use zbus::connection::Builder;
use zbus::export::serde::Serialize;
use zbus::zvariant::DynamicType;

/// Every call on the bus ends within this (the notification server may hang).
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(2);
/// Name and path of the bus itself.
pub(super) const DBUS: (&str, &str) = ("org.freedesktop.DBus", "/org/freedesktop/DBus");

/// Connects to the session bus of this environment. Never starts one.
pub(super) async fn session(env: &Env) -> Result<Connection, String> {
    let address = match (env.text("DBUS_SESSION_BUS_ADDRESS"), env.text("XDG_RUNTIME_DIR")) {
        (Some(address), _) => address.to_owned(),
        (None, Some(folder)) => socket_address(&Path::new(folder).join("bus"))?,
        // Clients hand their servers few variables (the SDKs and Codex pass neither): where systemd keeps the session's
        // folder, the bus is found without them.
        (None, None) => {
            let folder = format!("/run/user/{}", rustix::process::getuid().as_raw());
            socket_address(&Path::new(&folder).join("bus"))
                .map_err(|_| "there is no D-Bus session (DBUS_SESSION_BUS_ADDRESS is not set)".to_owned())?
        }
    };
    connect(&address).await
}

/// Connects to the system bus, where there is one.
pub(super) async fn system(env: &Env) -> Result<Connection, String> {
    let address = match env.text("DBUS_SYSTEM_BUS_ADDRESS") {
        Some(address) => address.to_owned(),
        None => socket_address(Path::new("/run/dbus/system_bus_socket"))?,
    };
    connect(&address).await
}

fn socket_address(path: &Path) -> Result<String, String> {
    if !path.exists() {
        return Err(format!("there is no D-Bus socket at {}", path.display()));
    }
    let mut address = String::from("unix:path=");
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"-_/.*".contains(&byte) {
            address.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(address, "%{byte:02x}");
        }
    }
    Ok(address)
}

async fn connect(address: &str) -> Result<Connection, String> {
    let build = async {
        Builder::address(address)?
            .method_timeout(CALL_LIMIT.saturating_add(Duration::from_secs(1)))
            .build()
            .await
    };
    match tokio::time::timeout(CALL_LIMIT, build).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(format!("the D-Bus session cannot be reached: {error}")),
        Err(_) => Err("the D-Bus session does not answer".to_owned()),
    }
}

/// Where a call goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) name: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
}

impl Target<'_> {
    /// The bus itself.
    pub(super) const BUS: Target<'static> = Target {
        name: DBUS.0,
        path: DBUS.1,
        interface: DBUS.0,
    };
}

/// One call and its answer, within [`CALL_LIMIT`].
pub(super) async fn call<B, R>(bus: &Connection, to: Target<'_>, method: &str, body: &B) -> Result<R, String>
where
    B: Serialize + DynamicType + Sync,
    R: for<'d> zbus::zvariant::DynamicDeserialize<'d>,
{
    let sent = bus.call_method(Some(to.name), to.path, Some(to.interface), method, body);
    let reply = match tokio::time::timeout(CALL_LIMIT, sent).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => return Err(format!("{method}: {error}")),
        Err(_) => return Err(format!("{method}: no answer within {} s", CALL_LIMIT.as_secs())),
    };
    reply
        .body()
        .deserialize()
        .map_err(|error| format!("{method}: {error}"))
}
