//! `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date in one of the three forms of section 5.6.7.

use std::time::Duration;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// How long to wait from now, which is `now_ms` milliseconds after the Unix epoch. A date in the past is no wait;
/// what is neither seconds nor a date is `None`. The caller bounds what it is willing to wait.
pub fn retry_after(value: &str, now_ms: u64) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until_ms = http_date(value)?.saturating_mul(1000);
    Some(Duration::from_millis(until_ms.saturating_sub(now_ms)))
}

/// Seconds after the Unix epoch. The weekday is not compared with the date.
fn http_date(value: &str) -> Option<u64> {
    let parts: Vec<&str> = value
        .split([' ', ',', '-'])
        .filter(|part| !part.is_empty())
        .take(7)
        .collect();
    // `Sun, 06 Nov 1994 08:49:37 GMT`, and two obsolete forms that must be read as well:
    // `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
    let ([_, day, month, year, time, "GMT" | "UTC"] | [_, month, day, time, year]) = *parts.as_slice() else {
        return None;
    };
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let days = days(full_year(year)?, u64::try_from(month).ok()?, number(day, 1, 31)?);
    let mut clock = time.split(':');
    let (hours, minutes, seconds) = (clock.next()?, clock.next()?, clock.next()?);
    if clock.next().is_some() {
        return None;
    }
    // A leap second is written as 60.
    let clock = number(hours, 0, 23)? * 3600 + number(minutes, 0, 59)? * 60 + number(seconds, 0, 60)?;
    Some(days * 86_400 + clock)
}

/// Two digits mean 1970 to 2069: no server tells a client to wait for longer than that.
fn full_year(text: &str) -> Option<u64> {
    let year = number(text, 0, 9999)?;
    match text.len() {
        4 => Some(year).filter(|year| *year >= 1970),
        2 => Some(if year < 70 { 2000 + year } else { 1900 + year }),
        _ => None,
    }
}

fn number(text: &str, least: u64, most: u64) -> Option<u64> {
    let plain = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| plain && (least..=most).contains(number))
}

/// Days from 1 January 1970 to a date from then on; `month` counts from 0. A day past the end of its month is the
/// next month's.
fn days(year: u64, month: u64, day: u64) -> u64 {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let before = usize::try_from(month)
        .ok()
        .and_then(|month| BEFORE.get(month))
        .copied()
        .unwrap_or_default();
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969) + before + u64::from(leap && month > 1) + day
        - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn seconds() {
        let seconds = |value| retry_after(value, 0).map(|wait| wait.as_secs());
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds(" 120 "), Some(120));
        assert_eq!(seconds("99999999999999999999999"), Some(u64::MAX));
        for wrong in ["", " ", "-1", "1.5", "+1", "1s", "soon", "\u{664}"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn dates_in_all_three_forms() {
        for value in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(http_date(value), Some(784_111_777), "{value}");
            assert_eq!(
                retry_after(value, 784_111_770_500),
                Some(Duration::from_millis(6500))
            );
            assert_eq!(retry_after(value, 784_111_778_000), Some(Duration::ZERO));
        }
        for wrong in [
            "Sun, 06 Nov 1994 08:49:37 EST",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37:1 GMT",
            "06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 194 08:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sun, 0 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(http_date(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn dates_agree_with_another_calendar(seconds in 0i64..8_000_000_000) {
            let date = jiff::Timestamp::from_second(seconds).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            prop_assert_eq!(http_date(&date), u64::try_from(seconds).ok(), "{}", date);
        }

        #[test]
        fn any_text_is_read_without_harm(value in "[0-9A-Za-z :,-]{0,40}") {
            retry_after(&value, 0);
        }
    }
}
