//! `status`: am I safe, am I signed in, what is waiting. One screen, from this computer alone: no network, no PIN.
//!
//! Owns: what is gathered, and how the verb ends. The words are in `lines`, the data in `object`.

mod headline;
mod lines;
mod object;

use super::clients::places;
use super::{Context, Exit, apply, waiting};
use crate::clients::{Around, Found, detected};
use crate::gate::limits::Count;
use crate::gate::ticket::Ticket;
use crate::gate::{Counters, Policy};
use crate::oauth::{GrantInfo, GrantKind, StoreKind, TokenError};
use crate::relay::past::Past;
use crate::relay::running::{self, Running};
use crate::relay::settings::Settings;
use crate::relay::tickets::Tickets;
use crate::relay::{counters_at, load_policy_at, under_seal};
use crate::system::clock;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

/// How things stand at one moment.
pub(super) struct Standing {
    /// Wall clock, ms.
    now: u64,
    endpoint: String,
    grants: Vec<GrantInfo>,
    /// Why the grants cannot be told, where they cannot.
    trouble: Option<String>,
    settings: Result<Settings, String>,
    policy: Result<Policy, String>,
    policy_file: PathBuf,
    halted: bool,
    paused: Option<u64>,
    today: Today,
    changes: Vec<Change>,
    open: Vec<Waiting>,
    doubts: Vec<waiting::Doubt>,
    /// Tickets whose files cannot be read: what was in them may have been sent.
    unreadable: Vec<String>,
    running: Vec<Running>,
    /// AI clients that are set up.
    set_up: Vec<&'static str>,
    /// What is wrong with our entries in them.
    lost: Vec<String>,
    /// Entries that reach the service without us, and second ones of us.
    around: Vec<Around>,
}

/// What the person has to approve beside orders: its line and its object.
struct Change {
    line: String,
    object: Value,
}

/// A trade call that waits, and whether the process that asks about it lives.
struct Waiting {
    ticket: Arc<Ticket>,
    owned: bool,
}

/// What was sent, beside the limits for all accounts together.
struct Today {
    day: Count,
    minute: Count,
    /// No count can be trusted: new orders are refused.
    exhausted: bool,
}

pub(super) async fn status(context: &Context) -> Exit {
    let standing = Standing::of(context).await;
    context.out.data(&standing.text(), &standing.object());
    standing.exit()
}

/// The same data for `diagnostics`.
pub(super) async fn data(context: &Context) -> Value {
    Standing::of(context).await.object()
}

impl Standing {
    async fn of(context: &Context) -> Self {
        let paths = &context.world.paths;
        let seen = context.grants();
        seen.in_haste();
        let (grants, trouble) = match seen.overview().await {
            Ok(grants) => (grants, None),
            Err(TokenError::NotSignedIn) => (Vec::new(), None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let sealed = trouble.is_some() || !matches!(seen.sealed_at().await, Ok(None));
        let policy = load_policy_at(&paths.policy());
        let past = Past::of(paths);
        let counters = counters_at(paths, sealed, &past);
        let now = clock::wall_ms();
        let tickets = Tickets::of(paths);
        let survey = tickets.survey();
        let open = survey.tickets.iter().filter(|ticket| ticket.state.is_open());
        let changes = apply::waiting(context).await;
        let found: Vec<Found> = places(context)
            .map(|places| detected(&places))
            .unwrap_or_default();
        let connected = found.iter().filter(|found| found.is_connected());
        Self {
            set_up: connected.map(|found| found.client.name).collect(),
            lost: found.iter().filter_map(super::doctor::clients::broken).collect(),
            around: found.iter().flat_map(|found| found.around.clone()).collect(),
            now,
            endpoint: context.endpoint.url().to_owned(),
            halted: under_seal::is_stopped(paths, &past.look_now().unwrap_or_default()),
            paused: counters.paused_until(now),
            today: Today::of(&counters, policy.as_ref().ok(), now),
            changes: changes
                .iter()
                .map(|change| Change {
                    line: apply::line(context, change),
                    object: apply::object(change),
                })
                .collect(),
            open: open
                .map(|ticket| Waiting {
                    ticket: Arc::clone(ticket),
                    owned: tickets.is_owned(&ticket.id).unwrap_or(true),
                })
                .collect(),
            doubts: waiting::doubts(&tickets),
            unreadable: survey
                .unreadable
                .into_iter()
                .filter(|id| !tickets.notes(id).acknowledged)
                .collect(),
            running: running::all(paths),
            settings: Settings::load(paths),
            policy_file: paths.policy(),
            policy,
            grants,
            trouble,
        }
    }

    fn trade(&self) -> Option<&GrantInfo> {
        self.grants.iter().find(|grant| grant.kind == GrantKind::Trade)
    }

    /// The sign-in for reading: one of its own, or the single one.
    fn read(&self) -> Option<&GrantInfo> {
        let own = self.grants.iter().find(|grant| grant.kind == GrantKind::Read);
        own.or(self.trade().filter(|grant| grant.single))
    }

    /// Whether a trade call could reach the person and then the service at all.
    fn can_trade(&self) -> bool {
        self.trouble.is_none()
            && !self.halted
            && self.settings.is_ok()
            && self.policy.is_ok()
            && self.trade().is_some_and(|grant| grant.withdrawn.is_none())
    }

    /// The first that holds: 1 the sign-in cannot be read, 8 a file is wrong, 3 not signed in for reading, 7 stopped,
    /// 9 something needs you that does not end by itself, 0 all is well.
    fn exit(&self) -> Exit {
        if self.trouble.is_some() {
            return Exit::Failure;
        }
        if self.settings.is_err() || self.policy.is_err() {
            return Exit::Config;
        }
        if self.read().is_none_or(|grant| grant.withdrawn.is_some()) {
            return Exit::NotSignedIn;
        }
        if self.halted {
            return Exit::Refused;
        }
        let ended = self.trade().is_some_and(|grant| grant.withdrawn.is_some());
        let needs =
            ended || !self.doubts.is_empty() || !self.unreadable.is_empty() || !self.changes.is_empty();
        if needs { Exit::Partly } else { Exit::Fine }
    }
}

impl Today {
    fn of(counters: &Counters, policy: Option<&Policy>, now: u64) -> Self {
        let usual = Policy::default();
        let begin = policy.unwrap_or(&usual).day_start(now);
        Self {
            day: counters.since(begin.unwrap_or(0), None, now),
            minute: counters.last_minute(None, now),
            exhausted: counters.is_exhausted(),
        }
    }
}

/// Where the vault's key lies, in words.
pub(super) fn store(grant: &GrantInfo) -> &'static str {
    match grant.store {
        StoreKind::Keychain => "in the keychain of this system",
        StoreKind::File => {
            "in a FILE, not in a keychain: any program that runs as you can read it, and use a sign-in that lies under no PIN"
        }
    }
}
