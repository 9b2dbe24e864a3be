//! Trading windows and the trading day.
//!
//! Owns: when a window is open and when a trading day begins, by the clock on the wall of its zone. Refuses to know: what
//! is refused because of it.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::fmt;

use super::zone::{DAY_MINUTES, Local, Zone};
use crate::gate::Millis;

/// The names of the days, as files write them; 0 is Monday.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A time in which orders may open risk. It follows the clock on the wall: on the day that the clocks change it is as
/// much shorter or longer as the day itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The days on which it opens; one over midnight closes on the next.
    pub(super) days: [bool; 7],
    /// The minute of the day at which it opens.
    pub(super) from: u16,
    /// The minute of the day at which it closes; at most 1440, and below `from` where it runs over midnight.
    pub(super) to: u16,
    /// The minute of the day from which on nothing new is opened.
    pub(super) no_new_after: Option<u16>,
    pub(super) zone: Zone,
    /// Its line in the file.
    pub(super) line: u32,
}

/// What a window says at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Open {
    /// Closed.
    No,
    /// Open, but too late for a new position.
    NothingNew,
    /// Open.
    Yes,
}

impl Window {
    /// Whether it is open. A time that no calendar has finds it closed.
    pub fn open(&self, now_wall: Millis) -> Open {
        self.zone.local(now_wall).map_or(Open::No, |local| self.at(local))
    }

    fn at(&self, local: Local) -> Open {
        let opens = |day: usize| self.days.get(day).copied().unwrap_or(false);
        let before = local.weekday.checked_sub(1).unwrap_or(6);
        let minute = local.minute;
        let open = if self.from < self.to {
            opens(local.weekday) && (self.from..self.to).contains(&minute)
        } else {
            (opens(local.weekday) && minute >= self.from) || (opens(before) && minute < self.to)
        };
        let late = self
            .no_new_after
            .is_some_and(|last| self.since_opening(minute) >= self.since_opening(last));
        match (open, late) {
            (false, _) => Open::No,
            (true, true) => Open::NothingNew,
            (true, false) => Open::Yes,
        }
    }

    /// Whether a minute of the day lies inside.
    pub(super) fn holds(&self, minute: u16) -> bool {
        let length = if self.from < self.to {
            self.to.saturating_sub(self.from)
        } else {
            DAY_MINUTES.saturating_sub(self.from).saturating_add(self.to)
        };
        self.since_opening(minute) < length
    }

    fn since_opening(&self, minute: u16) -> u16 {
        match minute.checked_sub(self.from) {
            Some(since) => since,
            None => DAY_MINUTES.saturating_sub(self.from).saturating_add(minute),
        }
    }

    /// Its zone.
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Its line in the file.
    pub const fn line(&self) -> u32 {
        self.line
    }
}

impl fmt::Display for Window {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = days_text(self.days);
        write!(out, "{days} {}-{}", clock(self.from), clock(self.to))?;
        if let Some(last) = self.no_new_after {
            write!(out, ", nothing new after {}", clock(last))?;
        }
        write!(out, ", {}", self.zone.name())
    }
}

/// When a trading day begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayBoundary {
    pub(super) minute: u16,
    pub(super) zone: Zone,
    /// Its line in the file; 0 for the one that holds without a file.
    pub(super) line: u32,
}

impl DayBoundary {
    /// 17:00 in Chicago, where the day of the CME's markets turns.
    pub(super) fn usual() -> Option<Self> {
        Some(Self {
            minute: 17 * 60,
            zone: Zone::named("America/Chicago")?,
            line: 0,
        })
    }

    /// When the trading day began that this moment lies in.
    pub fn start(&self, now_wall: Millis) -> Option<Millis> {
        self.zone.latest(self.minute, now_wall)
    }
}

impl fmt::Display for DayBoundary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", clock(self.minute), self.zone.name())
    }
}

/// `09:35` as minutes; `24:00` is the end of the day.
pub(super) fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u16>().ok())
            .flatten()
    };
    let (hour, minute) = (two(hour)?, two(minute)?);
    let whole = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && whole <= DAY_MINUTES).then_some(whole)
}

/// `09:35`.
pub(super) fn clock(minute: u16) -> String {
    let (hour, rest) = (minute.checked_div(60), minute.checked_rem(60));
    format!("{:02}:{:02}", hour.unwrap_or_default(), rest.unwrap_or_default())
}

/// What a clock on the wall of this zone shows: `Sun 17:12`.
pub(in crate::gate) fn local_text(zone: &Zone, now_wall: Millis) -> String {
    zone.local(now_wall).map_or_else(
        || "?".to_owned(),
        |local| {
            let day = DAYS.get(local.weekday).copied().unwrap_or("?");
            format!("{day} {}", clock(local.minute))
        },
    )
}

/// `Mon-Fri`, `Sun-Thu`, `Mon,Wed`: days and spans of days in any letter case; a span may run over the end of the week.
pub(super) fn days_of(text: &str) -> Option<[bool; 7]> {
    let day = |name: &str| DAYS.iter().position(|own| own.eq_ignore_ascii_case(name.trim()));
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        let mut at = first;
        loop {
            *days.get_mut(at)? = true;
            if at == last {
                break;
            }
            at = if at >= 6 { 0 } else { at.saturating_add(1) };
        }
    }
    Some(days)
}

fn days_text(days: [bool; 7]) -> String {
    if days == [true; 7] {
        return "every day".to_owned();
    }
    let names = DAYS.iter().zip(days).filter(|(_, on)| *on).map(|(name, _)| *name);
    names.collect::<Vec<_>>().join(",")
}
