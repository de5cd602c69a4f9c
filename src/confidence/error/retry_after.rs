//! `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;

use crate::confidence::http_date::http_date;

/// The shortest time that a `Retry-After` is followed for.
pub const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The longest time that a `Retry-After` is followed for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_mins(5);

/// How long the server asks to be left alone, between [`MIN_RETRY_AFTER`] and [`MAX_RETRY_AFTER`].
///
/// A date is compared with the server's own `Date` header, so that clocks that disagree do no harm. `now` is used where
/// the server sends no `Date`.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        let now = http_date(headers, &header::DATE).unwrap_or(now);
        let date = http_date(headers, &header::RETRY_AFTER)?;
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(wait.clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn seconds(headers: &[(HeaderName, &str)]) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        retry_after(&headers, "2026-01-01T00:00:00Z".parse().unwrap()).map(|it| it.as_secs())
    }

    /// Seconds and the three date forms count; a wait is never shorter than a second or longer than five minutes.
    #[test]
    fn every_form_is_read_and_clamped() {
        for (text, expected) in [
            ("7", Some(7)),
            ("0", Some(1)),
            ("86400", Some(300)),
            ("99999999999999999999999999", Some(300)),
            ("Thu, 01 Jan 2026 00:00:30 GMT", Some(30)),
            ("Thursday, 01-Jan-26 00:00:30 GMT", Some(30)),
            ("Thu Jan  1 00:00:30 2026", Some(30)),
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
    fn date_is_measured_by_the_servers_clock() {
        let headers =
            [(header::RETRY_AFTER, "Fri, 06 Mar 2026 12:00:40 GMT"), (header::DATE, "Fri, 06 Mar 2026 12:00:00 GMT")];
        assert_eq!(seconds(&headers), Some(40));
    }
}
