//! Times: how they are read, and when two of them are the same.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Whether two times that a server told are the same one, compared at the coarser of their precisions.
///
/// A server may answer microseconds to a PATCH and milliseconds to a GET, cut off or rounded. The precision of a time is
/// that of its last digit that is not zero: milli-, micro- or nanoseconds. A time that ends in zeros by chance counts as
/// coarser than it is, so two writes within the same millisecond may count as one.
///
/// ```
/// use confidence_operator::confidence::wire::same_time;
///
/// let [patch, get, later] = ["00.163017Z", "00.163Z", "00.164Z"].map(|it| format!("2026-01-01T00:00:{it}").parse().unwrap());
/// assert!(same_time(patch, get));
/// assert!(!same_time(get, later));
/// ```
pub fn same_time(a: Timestamp, b: Timestamp) -> bool {
    a.duration_since(b).abs() < precision(a).max(precision(b))
}

/// The unit of a time's last digit.
fn precision(time: Timestamp) -> SignedDuration {
    match time.subsec_nanosecond() {
        nanos if nanos % 1_000_000 == 0 => SignedDuration::from_millis(1),
        nanos if nanos % 1_000 == 0 => SignedDuration::from_micros(1),
        _ => SignedDuration::from_nanos(1),
    }
}

/// A timestamp is an RFC 3339 string. A server generated from the OpenAPI, where it is rendered as an object, answers `{}`
/// or the fields of the protobuf, whose 64-bit seconds may come as a string.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawTime {
    Text(String),
    Fields { seconds: Option<RawSeconds>, nanos: Option<i32> },
    Other(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawSeconds {
    Number(i64),
    Text(String),
}

impl RawTime {
    /// A time that cannot be read is absent, as `{}` is: it is an observation, and no reason to fail a reconcile.
    pub(super) fn timestamp(self) -> Option<Timestamp> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Fields { seconds, nanos } => {
                let seconds = match seconds? {
                    RawSeconds::Number(number) => number,
                    RawSeconds::Text(text) => text.parse().ok()?,
                };
                Timestamp::new(seconds, nanos.unwrap_or(0)).ok()
            }
            Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(fraction: &str) -> Timestamp {
        format!("2026-01-01T00:00:00{fraction}Z").parse().unwrap()
    }

    #[test]
    fn times_are_compared_at_the_coarser_precision() {
        for (a, b, same) in [
            (".163017", ".163", true),
            (".163617", ".164", true),
            (".163017123", ".163017", true),
            (".163017123", ".163", true),
            (".163", ".164", false),
            (".163017", ".163018", false),
            (".163017123", ".163017124", false),
            (".163017", ".165", false),
            ("", ".0004", true),
            ("", ".5", false),
        ] {
            assert_eq!(same_time(time(a), time(b)), same, "{a} {b}");
            assert_eq!(same_time(time(b), time(a)), same, "{b} {a}");
        }
    }

    proptest! {
        #[test]
        fn cut_off_time_is_the_same_time(nanos in 0_i32..1_000_000_000, unit in prop::sample::select(vec![1, 1_000, 1_000_000])) {
            let at = |nanos| Timestamp::new(1_767_225_600, nanos).unwrap();
            prop_assert!(same_time(at(nanos), at(nanos / unit * unit)));
        }

        #[test]
        fn times_two_milliseconds_apart_differ(nanos in 0_i32..990_000_000, apart in 2_000_000_i32..10_000_000) {
            let at = |nanos| Timestamp::new(1_767_225_600, nanos).unwrap();
            prop_assert!(!same_time(at(nanos), at(nanos + apart)));
        }
    }
}
