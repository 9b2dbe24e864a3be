//! Counters over time: how often the person was asked, what was sent, and when entries pause.
//!
//! Owns: the counts and the pause. Refuses to know: files and clocks; the counters travel as text, and a text that
//! cannot be read counts as exhausted.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

mod sent;

pub use sent::Count;

use serde::{Deserialize, Serialize};

use super::Millis;
use super::catalogue::Class;
use super::judge::Judgement;
use sent::SentOrders;

/// Asks per minute of one group, at most (DESIGN section 5, ticket).
pub const ASKS_PER_MINUTE: usize = 6;
/// New orders per minute that are looked at, at most. Beyond them only a kind that was not looked at lately is, for it may
/// close a position.
pub const LOOKS_PER_MINUTE: usize = 12;
/// New orders per minute that are looked at, of whatever kind.
pub const MOST_LOOKS: usize = 24;
/// Open entry tickets, at most.
pub const OPEN_ENTRIES: usize = 3;
/// How long entries pause.
pub const PAUSE: Millis = 5 * MINUTE;
/// Denials within one minute that begin a pause.
const DENIALS: usize = 3;
/// Unanswered cards in a row that begin a pause.
const UNANSWERED: u32 = 2;
const MINUTE: Millis = 60_000;
/// More times than this are never needed; the bound keeps the file small.
const KEPT: usize = 200;
/// The form of the stored text.
const VERSION: u32 = 2;

/// Which limits a call falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// Opens or may open risk: all limits and the pause.
    Entry,
    /// Takes orders away or closes without proof: a limit of its own, never the pause.
    Neutral,
    /// Jobs, alerts, workspaces: a limit of their own, never the pause.
    Aside,
    /// Proven exits and protections: no limit at all.
    Free,
}

/// The group of a judged call.
pub const fn group(class: Class, opening: bool) -> Group {
    match class {
        Class::Protect | Class::Exit | Class::Read => Group::Free,
        Class::Job | Class::Alert | Class::Workspace => Group::Aside,
        Class::Cancel => Group::Neutral,
        Class::Order if !opening => Group::Neutral,
        Class::Order | Class::Strategy | Class::Code | Class::Connection | Class::Unknown => Group::Entry,
    }
}

/// What happened lately, by wall clock. Shared by all processes through a file under its lock.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    version: u32,
    asks: Vec<Millis>,
    neutral_asks: Vec<Millis>,
    aside_asks: Vec<Millis>,
    #[serde(default)]
    looks: Vec<Millis>,
    denials: Vec<Millis>,
    unanswered: u32,
    sent: SentOrders,
    pause_until: Option<Millis>,
    #[serde(skip)]
    exhausted: bool,
}

/// The first form of the stored text: of what was sent, the times alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstForm {
    version: u32,
    asks: Vec<Millis>,
    neutral_asks: Vec<Millis>,
    aside_asks: Vec<Millis>,
    denials: Vec<Millis>,
    unanswered: u32,
    sent: Vec<Millis>,
    pause_until: Option<Millis>,
}

impl Counters {
    /// Reads the stored text; `None` is a first start, and an unreadable text is exhausted.
    pub fn parse(text: Option<&str>) -> Self {
        let Some(text) = text else {
            return Self {
                version: VERSION,
                ..Self::default()
            };
        };
        match serde_json::from_str::<Self>(text) {
            Ok(counters) if counters.version == VERSION => counters,
            Ok(_) | Err(_) => Self::first_form(text).unwrap_or_else(Self::exhausted),
        }
    }

    fn first_form(text: &str) -> Option<Self> {
        let old: FirstForm = serde_json::from_str(text).ok()?;
        (old.version == 1).then(|| Self {
            version: VERSION,
            asks: old.asks,
            neutral_asks: old.neutral_asks,
            aside_asks: old.aside_asks,
            looks: Vec::new(),
            denials: old.denials,
            unanswered: old.unanswered,
            sent: SentOrders::from_times(&old.sent),
            pause_until: old.pause_until,
            exhausted: false,
        })
    }

    /// The text to store. Exhausted counters store a text that reads as exhausted again.
    pub fn text(&self) -> String {
        if self.exhausted {
            return "exhausted".to_owned();
        }
        serde_json::to_string(self).unwrap_or_else(|_| "exhausted".to_owned())
    }

    /// Counters that let no entry through until a person resets them.
    pub fn exhausted() -> Self {
        Self {
            version: VERSION,
            exhausted: true,
            ..Self::default()
        }
    }

    /// Whether these are exhausted for want of a readable file.
    pub const fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// An entry card was asked for.
    pub fn note_ask(&mut self, now_wall: Millis) {
        note(&mut self.asks, now_wall, MINUTE);
    }

    /// A card of this class was asked for; proven exits and protections do not count.
    pub fn note_ask_for(&mut self, class: Class, opening: bool, now_wall: Millis) {
        match group(class, opening) {
            Group::Entry => self.note_ask(now_wall),
            Group::Neutral => note(&mut self.neutral_asks, now_wall, MINUTE),
            Group::Aside => note(&mut self.aside_asks, now_wall, MINUTE),
            Group::Free => {}
        }
    }

    /// A new order was looked at in the account's state, whatever came of it.
    pub fn note_look(&mut self, now_wall: Millis) {
        note(&mut self.looks, now_wall, MINUTE);
    }

    /// What stops a new order before it is looked at: too many were, within a minute; `None` where nothing does.
    pub fn look_brake(&self, most: usize, now_wall: Millis) -> Option<(&'static str, String)> {
        (within(&self.looks, now_wall, MINUTE) >= most).then(|| {
            let reason = format!(
                "more than {LOOKS_PER_MINUTE} orders came within a minute; wait a minute. To close a position use a tool that closes: it still reaches the person"
            );
            ("too_many_orders", reason)
        })
    }

    /// The person denied an entry card: three in a minute begin a pause.
    pub fn note_denied(&mut self, now_wall: Millis) {
        note(&mut self.denials, now_wall, MINUTE);
        self.unanswered = 0;
        if within(&self.denials, now_wall, MINUTE) >= DENIALS {
            self.pause(now_wall);
        }
    }

    /// An entry card expired before a person looked at it: two in a row begin a pause.
    pub fn note_unanswered(&mut self, now_wall: Millis) {
        self.unanswered = self.unanswered.saturating_add(1);
        if self.unanswered >= UNANSWERED {
            self.pause(now_wall);
        }
    }

    /// A cleared call is about to be sent. What may open risk counts as an order; a person approved it, so they are there.
    pub fn note_sent(&mut self, ticket: &str, judgement: &Judgement, now_wall: Millis) {
        self.unanswered = 0;
        if let Some(entry) = &judgement.entry {
            self.sent.note(ticket, entry, now_wall);
        }
    }

    /// What this ticket was counted for provably did not run, or it is judged once more.
    pub fn forget(&mut self, ticket: &str, now_wall: Millis) {
        self.sent.forget(ticket, now_wall);
    }

    /// The orders of the last minute, for this account or for all.
    pub fn last_minute(&self, account: Option<&str>, now_wall: Millis) -> Count {
        self.sent.since(
            now_wall.saturating_sub(MINUTE.saturating_sub(1)),
            account,
            now_wall,
        )
    }

    /// The orders since a trading day began, for this account or for all.
    pub fn since(&self, day_start: Millis, account: Option<&str>, now_wall: Millis) -> Count {
        self.sent.since(day_start, account, now_wall)
    }

    /// How long ago the same order was sent, in milliseconds.
    pub fn last_twin(&self, twin: &str, account: Option<&str>, now_wall: Millis) -> Option<Millis> {
        self.sent.last_twin(twin, account, now_wall)
    }

    /// The person ended the pause.
    pub fn end_pause(&mut self) {
        self.pause_until = None;
        self.unanswered = 0;
        self.denials.clear();
    }

    /// Until when entries pause, if they do now.
    pub fn paused_until(&self, now_wall: Millis) -> Option<Millis> {
        let until = self.pause_until.filter(|until| *until > now_wall)?;
        // Setting the clock back does not free entries; see `settle`.
        Some(until.min(now_wall.saturating_add(PAUSE)))
    }

    /// After a clock that was set back: the pause goes on, and no longer than a pause from now; asks and denials that
    /// seem to lie ahead count as of now, and so for one more minute. Neither must last for hours. What was sent keeps
    /// its times: the limits of a day say so where a clock was ahead.
    /// Whether anything was to be changed.
    pub fn settle(&mut self, now_wall: Millis) -> bool {
        let longest = now_wall.saturating_add(PAUSE);
        let pause = self.pause_until.iter_mut().map(|until| (until, longest));
        let asks = [
            &mut self.asks,
            &mut self.neutral_asks,
            &mut self.aside_asks,
            &mut self.denials,
        ];
        let times = asks.into_iter().flatten().map(|time| (time, now_wall));
        let mut changed = false;
        for (time, latest) in pause.chain(times) {
            changed |= *time > latest;
            *time = latest.min(*time);
        }
        changed
    }

    /// The limit that stands in the way of this call, with its machine word; `None` where none does.
    pub fn brake(
        &self,
        class: Class,
        opening: bool,
        open_entry_tickets: usize,
        now_wall: Millis,
    ) -> Option<(&'static str, String)> {
        let asks = match group(class, opening) {
            Group::Free => return None,
            Group::Entry => &self.asks,
            Group::Neutral => &self.neutral_asks,
            Group::Aside => &self.aside_asks,
        };
        if let Some(brake) = self.unreadable(class, opening) {
            return Some(brake);
        }
        if group(class, opening) == Group::Entry
            && let Some(brake) = self.entry_brake(open_entry_tickets, now_wall)
        {
            return Some(brake);
        }
        (within(asks, now_wall, MINUTE) >= ASKS_PER_MINUTE).then(|| {
            (
                "too_many_asks",
                format!("the person was asked {ASKS_PER_MINUTE} times within a minute; wait a minute"),
            )
        })
    }

    /// Counters that cannot be read stop every entry, also at its approval.
    pub fn unreadable(&self, class: Class, opening: bool) -> Option<(&'static str, String)> {
        (self.exhausted && group(class, opening) == Group::Entry).then(|| {
            let reason =
                "the order counters cannot be read or are gone, and count as exhausted; the person must look at them, and `countersign policy check` says how";
            ("counters_unreadable", reason.to_owned())
        })
    }

    fn entry_brake(&self, open: usize, now: Millis) -> Option<(&'static str, String)> {
        if self.paused_until(now).is_some() {
            let reason = "the person is away or declined several times; do not ask again until they write";
            return Some(("paused", reason.to_owned()));
        }
        (open >= OPEN_ENTRIES).then(|| {
            let reason = format!("{OPEN_ENTRIES} orders already wait for the person; let them decide first");
            ("too_many_open", reason)
        })
    }

    fn pause(&mut self, now: Millis) {
        self.pause_until = Some(now.saturating_add(PAUSE));
    }
}

/// How many of the times lie within the span before `now`. Times in the future (a clock set back) count as recent:
/// a changed clock must not free a limit.
fn within(times: &[Millis], now: Millis, span: Millis) -> usize {
    times
        .iter()
        .filter(|time| now.saturating_sub(**time) < span)
        .count()
}

fn note(times: &mut Vec<Millis>, now: Millis, span: Millis) {
    times.retain(|time| now.saturating_sub(*time) < span);
    times.push(now);
    if times.len() > KEPT {
        times.remove(0);
    }
}
