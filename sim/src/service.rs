//! The whole service in one place: its options, its addresses, and the state behind one lock. Nothing awaits while
//! it holds the lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock;
use crate::control::fault::Faults;
use crate::control::record::Record;
use crate::market::Market;
use crate::mcp::envelope::notification;
use crate::mcp::modern::Listener;
use crate::mcp::session::Sessions;
use crate::oauth::grants::{Grants, Rules};
use crate::options::{Era, Options};
use crate::tools::platform::Platform;

/// One running simulator.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) options: Options,
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) issuer: String,
    /// The MCP endpoint, which is the `resource` of RFC 8707 too.
    pub(crate) endpoint: String,
    state: Mutex<State>,
}

/// What the person in the browser does where nobody clicks (`--auto-consent`), and whom the page preselects.
#[derive(Debug, Clone)]
pub(crate) struct Consent {
    pub(crate) user: String,
    /// Grants this scope instead of the one asked for.
    pub(crate) scope: Option<String>,
    pub(crate) deny: bool,
}

/// Switches of the control interface.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct Switches {
    /// The user's plan includes MCP.
    pub(crate) elite: bool,
    /// `NinjaTrader` runs with the add-on connected.
    pub(crate) addon: bool,
    /// `PlaceOrder` has one more field in its schema.
    pub(crate) changed_schema: bool,
    /// There is one more tool, unknown to every catalogue.
    pub(crate) new_tool: bool,
    /// The revisions spoken now: a service may move.
    pub(crate) era: Era,
    /// Accounts, instruments and quantities of calls are wanted in headers as well (2026-07-28, custom headers).
    pub(crate) mirrored: bool,
    /// A tool whose definition names a header that can be none.
    pub(crate) unsound: Option<String>,
    /// `ListOrders` and `GetAllOrders` leave out orders younger than this many milliseconds.
    pub(crate) orders_lag_ms: u64,
}

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) grants: Grants,
    pub(crate) consent: Consent,
    pub(crate) sessions: Sessions,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) market: Market,
    pub(crate) platform: Platform,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
    pub(crate) switches: Switches,
    pub(crate) budget: Budget,
}

impl State {
    fn new(options: &Options) -> Self {
        let now = clock::now_ms();
        Self {
            grants: Grants::default(),
            consent: Consent {
                user: options.user.clone(),
                scope: None,
                deny: false,
            },
            sessions: Sessions::default(),
            listeners: Vec::new(),
            market: Market::new(options.seed, options.frozen, now),
            platform: Platform::new(now),
            faults: Faults::default(),
            record: Record::default(),
            switches: Switches {
                elite: true,
                addon: true,
                changed_schema: false,
                new_tool: false,
                orders_lag_ms: 0,
                era: options.era,
                mirrored: options.mirrored,
                unsound: None,
            },
            budget: Budget::default(),
        }
    }
}

impl Service {
    pub(crate) fn new(options: Options, issuer: String) -> Self {
        let state = State::new(&options);
        let endpoint = format!("{issuer}{}", crate::ENDPOINT_PATH);
        Self {
            options,
            issuer,
            endpoint,
            state: Mutex::new(state),
        }
    }

    /// The state. A panic elsewhere must not take the whole service down with it.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The revisions spoken now.
    pub(crate) fn era(&self) -> Era {
        self.state().switches.era
    }

    /// From now on other revisions are spoken: what only the old ones have is gone.
    pub(crate) fn move_to(&self, era: Era) {
        let mut state = self.state();
        state.switches.era = era;
        if era == Era::Modern {
            state.sessions.forget();
        }
        if era == Era::Legacy {
            state.listeners.clear();
        }
    }

    /// Tells every open stream that the list of tools has changed; how many heard it.
    pub(crate) fn tools_changed(&self) -> usize {
        let mut state = self.state();
        let text = notification("notifications/tools/list_changed", &serde_json::Value::Null);
        let legacy = state.sessions.broadcast(&text);
        legacy + state.listeners.iter().filter(|l| l.tools_changed()).count()
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            access_seconds: self.options.access_seconds,
            rotation: !self.options.no_rotation,
            exclusive: self.options.exclusive_grants,
            registration_limit: self.options.registration_limit,
        }
    }

    /// Forgets what was recorded and done: market, platform, faults, records, switches. Grants, sessions and revisions stay, so
    /// that a signed-in program goes on.
    pub(crate) fn reset(&self) {
        let fresh = State::new(&self.options);
        let mut state = self.state();
        state.market = fresh.market;
        state.platform = fresh.platform;
        state.faults = fresh.faults;
        state.record = fresh.record;
        let era = state.switches.era;
        state.switches = fresh.switches;
        state.switches.era = era;
        state.consent = fresh.consent;
        state.budget = fresh.budget;
        state.grants.forget_registrations();
    }
}

/// The request budget of the service: 3 a second for each user, burst 20, as a token bucket in thousandths.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    users: std::collections::HashMap<String, (u64, u64)>,
}

const BURST: u64 = 20_000;
const PER_MS: u64 = 3;

impl Budget {
    /// Takes one request from the user's budget; false when it is empty.
    pub(crate) fn take(&mut self, user: &str, now: u64) -> bool {
        let (tokens, at) = self.users.get(user).copied().unwrap_or((BURST, now));
        let refilled = tokens
            .saturating_add(now.saturating_sub(at).saturating_mul(PER_MS))
            .min(BURST);
        let taken = refilled.checked_sub(1000);
        self.users
            .insert(user.to_owned(), (taken.unwrap_or(refilled), now));
        taken.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_twenty_and_then_three_a_second() {
        let mut budget = Budget::default();
        assert_eq!((0..30).filter(|_| budget.take("u", 0)).count(), 20);
        assert_eq!((0..30).filter(|_| budget.take("u", 1000)).count(), 3);
        assert!(budget.take("other", 0));
    }
}
