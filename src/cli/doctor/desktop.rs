//! Where the question reaches the person: session, notifications, browser, local page.

use super::{Check, Context, Seen, fail, ok, skipped, warn};
use crate::approve::{Channel, Desk};
use crate::gate::Tier;
use crate::relay::settings::Settings;
use crate::system::probe::{self, Console, Notifications, Session};
use crate::system::{Env, browser};
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
        Check::new("screen", screen(probe::notifications(), cfg!(windows))),
        Check::new("notification", notification(&notified, tier)),
        Check::new("browser", browser),
        Check::new("local-page", loopback()),
        Check::new("prompt", prompt(&desk, tier).await),
        Check::new("terminal", terminal(probe::console(), &context.world.env)),
    ]
}

/// Whether somebody can sit before the screen on which a card would appear.
async fn session(context: &Context, desk: &Desk) -> Seen {
    let env = &context.world.env;
    let away = desk.away().await;
    session_seen(
        probe::session(env),
        away,
        env.text("SSH_CONNECTION").is_some() || env.text("SSH_TTY").is_some(),
    )
}

/// `away` is why the prompt would ask nobody now.
fn session_seen(session: Session, away: Option<&str>, by_ssh: bool) -> Seen {
    if session.id == Some(0) {
        return fail(
            "this runs in session 0, that of Windows services: nobody sees a card there, and nothing is sent",
            "start the AI client from your own desktop, not as a service or a task that runs without you",
        );
    }
    if by_ssh {
        return warn(
            "you are here by SSH: cards appear on the computer where the AI client runs, not on the one before you",
            "keep a terminal open for them: countersign watch",
        );
    }
    if session.is_connected == Some(false) {
        return if cfg!(target_os = "linux") {
            warn(
                "there is no desktop in this session (DISPLAY is not set)",
                "decide in a terminal: countersign watch",
            )
        } else {
            warn(
                format!(
                    "no screen is connected to this session{}: nobody is asked, and nothing is sent",
                    number(session.id)
                ),
                "connect to it again (Remote Desktop) before the AI trades, and stay connected",
            )
        };
    }
    let locked = (session.is_locked == Some(true)).then_some("the screen is locked");
    if let Some(why) = away.or(locked) {
        return warn(
            format!("{why}: nobody is asked, and nothing is sent"),
            if why.contains("locked") {
                "unlock it before the AI trades"
            } else {
                "be at the desktop on which the AI client runs before the AI trades"
            },
        );
    }
    let by = match session.is_remote {
        Some(true) => ", seen over the network: cards are gone from your sight once you disconnect",
        Some(false) | None => "",
    };
    ok(format!("a desktop{}, not locked{by}", number(session.id)))
}

fn number(session: Option<u32>) -> String {
    session.map_or_else(String::new, |id| format!(" (session {id})"))
}

/// What Windows says about what fills the screen. A do-not-disturb that the person switched on is told to nobody.
fn screen(found: Option<Notifications>, is_asked: bool) -> Seen {
    let Some(found) = found else {
        return skipped(if is_asked {
            "Windows does not say whether anything covers the screen"
        } else {
            "only Windows tells what fills the screen"
        });
    };
    let what = match found {
        Notifications::Shown => {
            return ok(
                "nothing fills the screen (Windows tells no program of a do-not-disturb that you switched on)",
            );
        }
        Notifications::Quiet => {
            return ok("Windows keeps its own notifications back now; our card is a window, and is shown");
        }
        Notifications::NobodyThere => {
            "the screen saver is on, or somebody else is at this computer: nobody is asked"
        }
        Notifications::FullScreen => {
            "a program fills the screen (a game, a film, a presentation): it may cover a card"
        }
        Notifications::StoreApp => "an app from the Store fills the screen: it may cover a card",
    };
    warn(
        what,
        "before the AI trades, leave full screen and come back to your desktop; a practice order shows what you will see",
    )
}

/// Whether keys can be read here, as `watch` and a PIN in the terminal need it.
fn terminal(console: Console, env: &Env) -> Seen {
    let page = console.code_page.map_or_else(String::new, |page| {
        format!(" (code page {page}; it plays no part)")
    });
    if console.stdin && console.stdout {
        return ok(format!("keys can be read here{page}"));
    }
    if cfg!(windows) && env.text("MSYSTEM").is_some() {
        return warn(
            "this window (Git Bash) is no Windows console: `countersign watch` and a PIN cannot be typed in it",
            "open Windows Terminal for them",
        );
    }
    skipped("this was not started in a terminal; `countersign watch` needs one")
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
    ok("none is needed: cards on this system are windows of its own")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::parts;

    fn state(seen: Seen, has: &str) -> &'static str {
        let check = Check::new("x", seen);
        let (state, what, todo) = parts(&check);
        assert!(what.contains(has), "{what:?} does not say {has:?}");
        assert_eq!(todo.is_some(), ["warn", "fail"].contains(&state));
        state
    }

    const AT_DESK: Session = Session {
        id: Some(2),
        is_connected: Some(true),
        is_remote: Some(false),
        is_locked: Some(false),
    };

    #[test]
    fn a_session_that_nobody_sees_is_told_from_a_desktop() {
        let told = |session, away, has: &str| state(session_seen(session, away, false), has);
        assert_eq!(told(AT_DESK, None, "a desktop (session 2), not locked"), "ok");
        let service = Session {
            id: Some(0),
            ..AT_DESK
        };
        assert_eq!(told(service, Some("the screen is locked"), "session 0"), "fail");
        let closed = Session {
            is_connected: Some(false),
            ..AT_DESK
        };
        assert_eq!(told(closed, None, "in"), "warn");
        let locked = Session {
            is_locked: Some(true),
            ..AT_DESK
        };
        assert_eq!(
            told(locked, None, "the screen is locked: nobody is asked"),
            "warn"
        );
        assert_eq!(
            told(
                AT_DESK,
                Some("the screen saver is on"),
                "the screen saver is on: nobody"
            ),
            "warn"
        );
        let remote = Session {
            is_remote: Some(true),
            ..AT_DESK
        };
        assert_eq!(told(remote, None, "seen over the network"), "ok");
        assert_eq!(state(session_seen(AT_DESK, None, true), "by SSH"), "warn");
    }

    #[test]
    fn what_fills_the_screen_is_told() {
        for (found, has, is) in [
            (Some(Notifications::Shown), "nothing fills the screen", "ok"),
            (Some(Notifications::Quiet), "is shown", "ok"),
            (Some(Notifications::FullScreen), "it may cover a card", "warn"),
            (Some(Notifications::StoreApp), "it may cover a card", "warn"),
            (Some(Notifications::NobodyThere), "nobody is asked", "warn"),
            (None, "Windows does not say", "skipped"),
        ] {
            assert_eq!(state(screen(found, true), has), is);
        }
    }
}
