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

/// Both clocks at one moment. Where the wall clock has moved against the monotonic one since, the machine slept (the
/// wall clock went on, the monotonic one stood still: `CLOCK_MONOTONIC` on Linux and the uptime clock on macOS do) or
/// somebody set the clock. On Windows the monotonic clock may go on during sleep; a set clock is seen there all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    wall: u64,
    mono: u64,
}

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self {
            wall: wall_ms(),
            mono: mono_ms(),
        }
    }

    /// How far (ms) the wall clock has moved against the monotonic one between this moment and that later one, forward
    /// or back.
    pub fn drift_to(self, later: Self) -> u64 {
        let expected = self.wall.saturating_add(later.mono.saturating_sub(self.mono));
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
            mono: 5_000,
        };
        for (what, wall, mono, drift) in [
            ("time passes", 60_000, 60_000, 0),
            ("set forward", 60_000 + HOUR, 60_000, HOUR),
            ("slept: the monotonic clock stood still", 61_000, 1_000, 60_000),
            ("a little slow", 59_800, 60_000, 200),
        ] {
            let later = Moment {
                wall: start.wall + wall,
                mono: start.mono + mono,
            };
            assert_eq!(start.drift_to(later), drift, "{what}");
        }
        // An hour back, seen 200 ms later, and not only once two more seconds have passed.
        let later = Moment {
            wall: start.wall - HOUR,
            mono: start.mono + 200,
        };
        assert_eq!(start.drift_to(later), HOUR + 200);
        let zero = Moment { wall: 0, mono: 9 };
        assert_eq!(start.drift_to(zero), start.wall);
    }
}
