//! The clocks.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch; jumps when the clock is set.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock"
)]
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since the first call in this process; never goes back, and stands still while the machine sleeps
/// on the systems where the monotonic clock does.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the monotonic clock"
)]
pub fn mono_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds in which the machine was awake. The monotonic clocks of Linux (`CLOCK_MONOTONIC`) and macOS (the uptime clock)
/// stand still while it sleeps; that of Windows goes on, so another one is read there (`QueryUnbiasedInterruptTime`).
fn awake_ms() -> u64 {
    #[cfg(windows)]
    if let Some(awake) = super::windows::awake_ms() {
        return awake;
    }
    mono_ms()
}

/// The wall clock and the time awake at one moment. Where one has moved against the other since, the machine slept (the
/// wall clock went on) or somebody set the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    wall: u64,
    awake: u64,
}

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self {
            wall: wall_ms(),
            awake: awake_ms(),
        }
    }

    /// How far (ms) the wall clock has moved against the time awake between this moment and that later one, forward
    /// or back.
    pub fn drift_to(self, later: Self) -> u64 {
        let expected = self.wall.saturating_add(later.awake.saturating_sub(self.awake));
        expected.abs_diff(later.wall)
    }

    /// The same until now.
    pub fn drift(self) -> u64 {
        self.drift_to(Self::now())
    }
}

/// A wall time as RFC 3339 in UTC with milliseconds, such as `2026-11-22T16:44:08.120Z`.
pub fn rfc3339(wall_ms: u64) -> String {
    let ms = i64::try_from(wall_ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| "?".to_owned(), |t| format!("{t:.3}"))
}

/// A wall time as the local time of day, such as `15:41:07`.
pub fn local_time(wall_ms: u64) -> String {
    let ms = i64::try_from(wall_ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| "?".to_owned(),
        |t| {
            t.to_zoned(jiff::tz::TimeZone::system())
                .strftime("%H:%M:%S")
                .to_string()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minutes of quiet, then a moment later in which the wall clock stands elsewhere.
    #[test]
    fn a_clock_that_is_set_is_seen_at_once_in_both_directions() {
        const HOUR: u64 = 3_600_000;
        let start = Moment {
            wall: 1_000 * HOUR,
            awake: 5_000,
        };
        for (what, wall, awake, drift) in [
            ("time passes", 60_000, 60_000, 0),
            ("set forward", 60_000 + HOUR, 60_000, HOUR),
            ("slept", 61_000, 1_000, 60_000),
            ("a little slow", 59_800, 60_000, 200),
        ] {
            let later = Moment {
                wall: start.wall + wall,
                awake: start.awake + awake,
            };
            assert_eq!(start.drift_to(later), drift, "{what}");
        }
        // An hour back, seen 200 ms later, and not only once two more seconds have passed.
        let later = Moment {
            wall: start.wall - HOUR,
            awake: start.awake + 200,
        };
        assert_eq!(start.drift_to(later), HOUR + 200);
        let zero = Moment { wall: 0, awake: 9 };
        assert_eq!(start.drift_to(zero), start.wall);
    }
}
