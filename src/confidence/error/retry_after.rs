//! `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use jiff::Timestamp;

/// The shortest and the longest time that a `Retry-After` is followed for.
pub const RETRY_AFTER_RANGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// For how long the server asks to be left alone, within [`RETRY_AFTER_RANGE`].
///
/// A date is compared with the server's own `Date` where it sends one, so that clocks that disagree do no harm; `now` is
/// for where it does not.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        let now = date(headers, &header::DATE).unwrap_or(now);
        Duration::try_from(date(headers, &header::RETRY_AFTER)?.duration_since(now)).unwrap_or_default()
    };
    Some(wait.clamp(RETRY_AFTER_RANGE.0, RETRY_AFTER_RANGE.1))
}

/// A date in the one form that may be sent (RFC 9110, 5.6.7); the two that are obsolete are no date.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn seconds(headers: &[(HeaderName, &str)]) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        retry_after(&headers, "2026-01-01T00:00:00Z".parse().unwrap()).map(|it| it.as_secs())
    }

    #[test]
    fn both_forms_are_read_and_kept_within_a_sane_range() {
        for (text, expected) in [
            ("7", Some(7)),
            ("0", Some(1)),
            ("86400", Some(300)),
            ("99999999999999999999999999", Some(300)),
            ("Thu, 01 Jan 2026 00:00:30 GMT", Some(30)),
            ("Thu, 01 Jan 2026 09:00:00 GMT", Some(300)),
            ("Wed, 31 Dec 2025 00:00:00 GMT", Some(1)),
            ("soon", None),
            ("", None),
            ("-1", None),
            ("1.5", None),
        ] {
            assert_eq!(seconds(&[(header::RETRY_AFTER, text)]), expected, "{text}");
        }
    }

    #[test]
    fn a_date_is_measured_by_the_servers_own_clock() {
        let headers =
            [(header::RETRY_AFTER, "Fri, 06 Mar 2026 12:00:40 GMT"), (header::DATE, "Fri, 06 Mar 2026 12:00:00 GMT")];
        assert_eq!(seconds(&headers), Some(40));
    }
}
