//! Time zones: what a wall clock shows in one, with daylight saving.
//!
//! Owns: the bundled time zone database, and the one use of a calendar in the gate. Refuses to know: what time it is (it
//! comes in), the machine's own zone, files: a zone means the same on every machine.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::gate::Millis;

/// Minutes of a day by the wall clock.
pub(super) const DAY_MINUTES: u16 = 24 * 60;

/// A time zone by its IANA name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// What a wall clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// 0 is Monday.
    pub weekday: usize,
    /// Minutes since midnight, 0 to 1439.
    pub minute: u16,
}

impl Zone {
    /// The zone of an IANA name such as `America/New_York`, in any letter case; `None` for any other text.
    pub fn named(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Some(Self { name, zone })
    }

    /// The name as the database spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the clock on the wall shows there; `None` for a time beyond the calendar.
    pub fn local(&self, now_wall: Millis) -> Option<Local> {
        let shown = self.zone.to_datetime(instant(now_wall)?);
        let weekday = usize::try_from(shown.date().weekday().to_monday_zero_offset()).ok()?;
        let hour = u16::try_from(shown.hour()).ok()?;
        let minute = hour
            .saturating_mul(60)
            .saturating_add(u16::try_from(shown.minute()).ok()?);
        Some(Local { weekday, minute })
    }

    /// The latest moment, not after now, at which the clock on the wall came to this minute of the day. A minute that a
    /// change to summer time leaves out comes with the next one that there is; of one that comes twice the first counts.
    pub fn latest(&self, minute: u16, now_wall: Millis) -> Option<Millis> {
        let today = self.zone.to_datetime(instant(now_wall)?).date();
        let hour = i8::try_from(minute.checked_div(60)?).ok()?;
        let time = Time::new(hour, i8::try_from(minute.checked_rem(60)?).ok()?, 0, 0).ok()?;
        let at = |date: jiff::civil::Date| {
            let moment = self.zone.to_timestamp(date.to_datetime(time)).ok()?;
            Millis::try_from(moment.as_millisecond()).ok()
        };
        at(today)
            .filter(|at| *at <= now_wall)
            .or_else(|| at(today.yesterday().ok()?).filter(|at| *at <= now_wall))
    }
}

fn instant(wall: Millis) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(wall).ok()?).ok()
}
