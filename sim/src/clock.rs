//! The clock of the simulator: the one file that reads the time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulator's one reader of the clock"
)]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Microseconds since the Unix epoch, for what is measured.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulator's one reader of the clock"
)]
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A wall time as RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(wall_ms: u64) -> String {
    let ms = i64::try_from(wall_ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| "?".to_owned(), |t| format!("{t:.3}"))
}

/// Reads an RFC 3339 time or a plain date (its first instant in UTC) as milliseconds since the epoch.
pub(crate) fn parse_ms(text: &str) -> Option<u64> {
    let stamp = text
        .parse::<jiff::Timestamp>()
        .ok()
        .or_else(|| format!("{text}T00:00:00Z").parse().ok())?;
    u64::try_from(stamp.as_millisecond()).ok()
}
