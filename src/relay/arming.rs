//! `countersign arm`: the request that the verb leaves in the state folder, and what this process does with it.
//!
//! The PIN never crosses processes: each running relay opens a PIN page of its own, and keeps what the PIN unseals in
//! its own memory, until the time is over, a halt, a locked screen, a sleep, a changed seal, or its end.

use super::verbs::{Slot, verify_into};
use super::{Relay, lock, outcomes, under_seal};
use crate::approve::{Answer, Notice};
use crate::gate::Tier;
use crate::relay::settings::Armed as ArmedFor;
use crate::system::clock::{Moment, local_time, wall_ms};
use crate::system::{Paths, file};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A request older than this is not obeyed: the person no longer expects a page.
const FRESH_MS: u64 = 30_000;
/// The longest armed time.
pub(crate) const MAX_MINUTES: u64 = 60;
/// A wall clock that moves this much against the monotonic one means that the machine slept or the clock was set.
const JUMP_MS: u64 = 2000;

/// What the verb writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// Wall clock.
    at: u64,
    minutes: u64,
}

/// Asks each running relay of this installation to open its PIN page.
///
/// # Errors
/// As the file system says.
pub(crate) fn request(paths: &Paths, minutes: u64) -> io::Result<()> {
    let text = serde_json::to_string(&Request {
        at: wall_ms(),
        minutes,
    })
    .map_err(io::Error::other)?;
    file::write_atomic(&place(paths), text.as_bytes())
}

fn place(paths: &Paths) -> PathBuf {
    paths.state().join("arm")
}

fn read(paths: &Paths) -> Option<Request> {
    let text = file::read_text(&place(paths), 1024).ok().flatten()?;
    serde_json::from_str(&text).ok()
}

/// What this process has seen of requests and of the clock.
#[derive(Debug)]
pub(super) struct Arming(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    /// When the last request was made that this process knows.
    request: u64,
    /// A page is open.
    asking: bool,
    when: Moment,
}

/// How far (ms) a request may lie ahead: two processes read the same clock.
const FUTURE_MS: u64 = 5000;

impl Arming {
    /// A request from before the start is not for this process.
    pub(super) fn new(paths: &Paths) -> Self {
        let request = read(paths).map_or(0, |request| request.at);
        Self(Mutex::new(Seen {
            request,
            asking: false,
            when: Moment::now(),
        }))
    }

    /// Whether the machine slept, or its clock was set, since this was last asked.
    fn jumped(&self) -> bool {
        let mut seen = lock(&self.0);
        let now = Moment::now();
        let drift = std::mem::replace(&mut seen.when, now).drift_to(now);
        drift > JUMP_MS
    }

    /// A request that is new and fresh; from then on a page counts as open.
    fn take(&self, found: Option<Request>) -> Option<Request> {
        let mut seen = lock(&self.0);
        // A time that is still to come was not written by `arm`, and would make this process deaf to it.
        let request = found
            .filter(|found| found.at > seen.request && found.at <= wall_ms().saturating_add(FUTURE_MS))?;
        seen.request = request.at;
        let fresh = wall_ms().saturating_sub(request.at) <= FRESH_MS;
        if !fresh || seen.asking {
            return None;
        }
        seen.asking = true;
        Some(request)
    }

    fn done(&self) {
        lock(&self.0).asking = false;
    }
}

/// Called every two seconds: ends the armed time where it must end, and obeys a new request.
pub(super) fn look(relay: &Arc<Relay>) {
    let unsealed = relay.unsealed.grant().or_else(|| relay.at_hand.grant());
    let armed = unsealed.is_some();
    if relay.arming.jumped() && armed {
        return end(relay, "the computer slept or its clock was set");
    }
    if armed && relay.is_halted() {
        return end(relay, "AI trading was stopped");
    }
    if let Some(unsealed) = unsealed {
        let relay = Arc::clone(relay);
        relay.tasks.clone().spawn(async move {
            if relay.desk.is_locked().await {
                end(&relay, "the screen was locked");
            } else if !unsealed.is_current().await {
                end(&relay, "the PIN was changed, or trading was signed out");
            }
        });
    }
    if let Some(request) = relay.arming.take(read(&relay.world.paths)) {
        let relay = Arc::clone(relay);
        relay.tasks.clone().spawn(async move {
            ask(&relay, request.minutes.clamp(1, MAX_MINUTES)).await;
            relay.arming.done();
        });
    }
}

fn end(relay: &Arc<Relay>, why: &'static str) {
    let at_hand = relay.at_hand.drop_it();
    let armed = relay.unsealed.grant().is_some();
    relay.unsealed.disarm();
    if !armed && !at_hand {
        return;
    }
    let relay = Arc::clone(relay);
    relay.tasks.clone().spawn(async move {
        let kind = if armed { "disarmed" } else { "pin_forgotten" };
        outcomes::note(&relay, kind, &[("reason", why.into())]).await;
        if !armed {
            return;
        }
        let lines = vec![format!("{why}. From now on each order needs your PIN again.")];
        relay
            .desk
            .notice(Notice {
                title: "The armed time has ended".to_owned(),
                lines,
                lasting: false,
            })
            .await;
    });
}

/// Opens the PIN page of this process, and keeps what the PIN unseals for the asked minutes.
async fn ask(relay: &Arc<Relay>, minutes: u64) {
    if relay.is_halted() || !relay.grants.is_sealed().await.unwrap_or(false) {
        return;
    }
    let Ok(settings) = relay.settings() else {
        return;
    };
    // In tier passkey a click never suffices.
    if settings.tier == Tier::Passkey {
        return;
    }
    let scope = settings.armed;
    let covers = match scope {
        ArmedFor::Exits => "exits and protective stops",
        ArmedFor::All => "every order",
    };
    let slot = Slot::default();
    let title = format!(
        "Your PIN, once: then a click approves {covers} of {} for {minutes} min",
        relay.client_name()
    );
    let answer = relay
        .desk
        .ask_pin(
            &title,
            settings.phrase.as_deref(),
            verify_into(relay, &slot),
            relay.ending.child_token(),
        )
        .await;
    let unsealed = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Answer::Approved { .. }, Some(unsealed)) = (&answer, unsealed) else {
        tracing::info!(?answer, "not armed");
        return;
    };
    // A halt while the person typed wins.
    if relay.is_halted() {
        return;
    }
    // What the armed time covers comes from a file that any program of this user can write: these very settings, not
    // what the file says by now.
    if let Err(why) = under_seal::settings_as_sealed(&settings, &unsealed.extras()) {
        outcomes::note(relay, "not_armed", &[("reason", why.clone().into())]).await;
        let notice = Notice {
            title: "NOT ARMED".to_owned(),
            lines: vec![why],
            lasting: true,
        };
        relay.desk.notice(notice).await;
        return;
    }
    relay
        .unsealed
        .arm(unsealed, Duration::from_secs(minutes * 60), scope);
    outcomes::note(
        relay,
        "armed",
        &[
            ("minutes", minutes.into()),
            ("covers", covers.into()),
            ("client", relay.client_name().into()),
        ],
    )
    .await;
    told(relay, minutes, covers).await;
}

/// The armed time begins with a look at what it will need: the service, and a card that shows.
async fn told(relay: &Arc<Relay>, minutes: u64, covers: &str) {
    let until = local_time(wall_ms().saturating_add(minutes * 60_000));
    let asked = relay
        .read
        .own("tools/call", r#"{"name":"GetConnections","arguments":{}}"#)
        .await;
    let service = match asked {
        Ok(_) => "The service and NinjaTrader answer.".to_owned(),
        Err(failure) => format!("But: {failure}."),
    };
    let lines = vec![
        format!("A click approves {covers} until {until}. `countersign halt` ends it at once."),
        service,
    ];
    let title = format!("Armed for {}", relay.client_name());
    if !relay
        .desk
        .notice(Notice {
            title,
            lines,
            lasting: false,
        })
        .await
    {
        tracing::warn!("armed, but no notification can be shown: each order opens the page");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_obeyed_once_and_only_while_it_is_fresh() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::under(folder.path());
        request(&paths, 10).unwrap();
        let arming = Arming::new(&paths);
        assert_eq!(arming.take(read(&paths)), None, "from before the start");
        let now = wall_ms();
        let new = Request {
            at: now + 1,
            minutes: 5,
        };
        assert_eq!(arming.take(Some(new)), Some(new));
        arming.done();
        assert_eq!(arming.take(Some(new)), None, "once");
        let arming = Arming(Mutex::new(Seen {
            request: 0,
            asking: false,
            when: Moment::now(),
        }));
        assert_eq!(
            arming.take(Some(Request {
                at: now - FRESH_MS - 1,
                minutes: 5
            })),
            None,
            "stale"
        );
    }
}
