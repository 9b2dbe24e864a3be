//! Where the question reaches the person: session, notifications, browser, local page.

#[cfg(not(target_os = "linux"))]
use super::skipped;
use super::{Check, Context, Seen, fail, ok, warn};
use crate::approve::{Channel, Desk};
use crate::gate::Tier;
use crate::relay::settings::Settings;
use crate::system::browser;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// How long a connection on this computer may take.
const LOCAL: Duration = Duration::from_secs(1);

pub(super) async fn checks(context: &Context, settings: &Result<Settings, String>) -> Vec<Check> {
    let desk = Desk::new(&context.world);
    let tier = settings.as_ref().map_or(Tier::Click, |settings| settings.tier);
    let notified = desk.channel(Tier::Click, false).await;
    let browser = browser(context, &notified);
    vec![
        Check::new("session", session(context, &desk).await),
        Check::new("bus", bus(context)),
        Check::new("notification", notification(&notified, tier)),
        Check::new("browser", browser),
        Check::new("local-page", loopback()),
        Check::new("prompt", prompt(&desk, tier).await),
    ]
}

/// Whether somebody can sit before the screen on which a card would appear.
async fn session(context: &Context, desk: &Desk) -> Seen {
    if desk.is_locked().await {
        return warn(
            "the screen is locked: nobody is asked, and nothing is sent",
            "unlock it before the AI trades",
        );
    }
    let env = &context.world.env;
    if env.text("SSH_CONNECTION").is_some() || env.text("SSH_TTY").is_some() {
        return warn(
            "you are here by SSH: cards appear on the computer where the AI client runs, not on the one before you",
            "keep a terminal open for them: countersign watch",
        );
    }
    if cfg!(target_os = "linux") && !env.has_display() {
        return warn(
            "there is no desktop in this session (DISPLAY is not set)",
            "decide in a terminal: countersign watch",
        );
    }
    ok("a desktop, not locked")
}

/// Some AI clients hand on few variables: then the bus must be found without them.
#[cfg(target_os = "linux")]
fn bus(context: &Context) -> Seen {
    let usual = format!("/run/user/{}/bus", rustix::process::getuid().as_raw());
    let env = &context.world.env;
    if std::path::Path::new(&usual).exists() {
        return ok("found without any variable");
    }
    if env.text("DBUS_SESSION_BUS_ADDRESS").is_some() || env.text("XDG_RUNTIME_DIR").is_some() {
        return warn(
            format!(
                "D-Bus is found by a variable alone (there is no {usual}): an AI client that does not pass it on, such as Codex, shows no notification"
            ),
            "put env_vars = [\"DISPLAY\", \"WAYLAND_DISPLAY\", \"XDG_RUNTIME_DIR\", \"DBUS_SESSION_BUS_ADDRESS\"] into that client's entry",
        );
    }
    warn(
        "there is no D-Bus session: no notification can be shown",
        "start the AI client from your desktop, or decide in a terminal: countersign watch",
    )
}

#[cfg(not(target_os = "linux"))]
fn bus(_context: &Context) -> Seen {
    skipped("this system has none")
}

fn notification(found: &Result<Channel, String>, tier: Tier) -> Seen {
    let why = match found {
        Ok(Channel::Notification { server }) => return ok(format!("{server} shows buttons")),
        Ok(Channel::Page { why: Some(why), .. }) => why,
        Ok(Channel::Page { why: None, .. }) => "this system shows none with buttons yet",
        Err(why) => why.split(". Run `").next().unwrap_or(why),
    };
    let what = format!("no card can be shown as a notification: {why}");
    let todo = match (found, tier) {
        (Err(_), _) => "decide in a terminal: countersign watch",
        (Ok(_), Tier::Click) => {
            "the page opens in your browser instead; for buttons on the desktop, start its notifications, or turn do-not-disturb off"
        }
        (Ok(_), Tier::Pin | Tier::Passkey) => {
            "your PIN page opens without one; to be told sooner, turn do-not-disturb off"
        }
    };
    warn(what, todo)
}

fn browser(context: &Context, notified: &Result<Channel, String>) -> Seen {
    let env = &context.world.env;
    match browser::available(env) {
        Ok(browser) => ok(browser),
        Err(why) => {
            let todo = match env.text("BROWSER") {
                Some(_) => "set BROWSER to a browser with windows, or take it away: unset BROWSER",
                None if env.has_display() => "install a browser, or name one: BROWSER=firefox",
                None => "sign in with: countersign login --no-browser",
            };
            if matches!(notified, Ok(Channel::Notification { .. })) {
                warn(format!("{why}: code, alerts and PIN pages cannot be shown"), todo)
            } else {
                fail(format!("{why}: no page can be shown"), todo)
            }
        }
    }
}

/// The page needs both addresses of this computer, so that nobody else can listen on the other one.
fn loopback() -> Seen {
    let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    for address in addresses {
        let tried = TcpListener::bind((address, 0)).and_then(|listener| {
            let port = listener.local_addr()?.port();
            TcpStream::connect_timeout(&SocketAddr::new(address, port), LOCAL)
        });
        if let Err(error) = tried {
            let what = super::super::out::cause(&error);
            return fail(
                format!(
                    "{address} cannot be used ({what}): the PIN page and the sign-in cannot come back to this computer"
                ),
                if address.is_ipv6() {
                    "turn IPv6 on for this computer itself (::1); it need not reach the Internet"
                } else {
                    "let programs of this computer talk to each other (127.0.0.1) in your firewall"
                },
            );
        }
    }
    ok("127.0.0.1 and ::1 work")
}

async fn prompt(desk: &Desk, tier: Tier) -> Seen {
    match desk.channel(tier, false).await {
        Ok(channel) => ok(channel.to_string()),
        Err(why) => fail(
            why,
            "without a prompt, trade calls are refused; `countersign watch` in a terminal can decide on them",
        ),
    }
}
