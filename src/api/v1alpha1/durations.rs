//! Durations as a person writes them in a manifest or a flag: Go's notation, as `metav1.Duration` has it.

use std::time::Duration;

/// The shortest interval between two observations of a credential.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// The longest duration that a manifest or a flag may have: a year.
pub const LONGEST: &str = "8760h";

/// [`LONGEST`] as a value.
const LONGEST_VALUE: Duration = Duration::from_hours(8760);

/// The longest text that is read as a duration; also the `maxLength` in the CRD.
pub const MAX_LENGTH: usize = 32;

/// The form of a duration in the CRD, for CEL. The digits of each unit are bounded, so that the sum that fits into
/// [`MAX_LENGTH`] cannot overflow Go's parser, whose error would be the API server's message.
pub const FORM: &str =
    "^([0-9]{1,4}([.][0-9]+)?h|[0-9]{1,6}([.][0-9]+)?m|[0-9]{1,8}([.][0-9]+)?s|[0-9]{1,11}([.][0-9]+)?ms)+$";

/// More digits in a row than this are no duration that anybody means, and could overflow the parser behind.
const MAX_DIGITS: usize = 12;

/// Reads a duration such as `90s`, `10m` or `1h30m`, in the units h, m, s and ms.
///
/// # Errors
/// A sentence for a person, when the text is no such duration, or one shorter than [`SHORTEST`] or longer than [`LONGEST`].
pub fn parse(text: &str) -> Result<Duration, String> {
    let refused =
        || format!("{text:?} is not a duration of 1s to {LONGEST} in h, m, s or ms, such as 90s, 10m or 1h30m");
    let plausible = (1..=MAX_LENGTH).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_digit())
        // Neither a sign in the middle, at which the parser behind panics, nor its units ns and us.
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'h' | 'm' | 's'))
        && text.split(|c: char| !c.is_ascii_digit()).all(|digits| digits.len() <= MAX_DIGITS);
    if !plausible {
        return Err(refused());
    }
    let duration: kube::core::Duration = text.parse().map_err(|_| refused())?;
    let duration = Duration::from(duration);
    if (SHORTEST..=LONGEST_VALUE).contains(&duration) { Ok(duration) } else { Err(refused()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Go's notation is read, fractions included.
    #[test]
    fn duration_in_notation_of_go_is_read() {
        for (text, seconds) in [
            ("1s", 1),
            ("90s", 90),
            ("10m", 600),
            ("1h30m", 5400),
            ("1.5h", 5400),
            ("2000ms", 2),
            ("8760h", 365 * 24 * 3600),
        ] {
            assert_eq!(parse(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
    }

    /// A text that is no duration, or one out of bounds, is refused with an example of how to write one.
    #[test]
    fn other_text_is_refused_with_example() {
        for text in [
            "",
            "0",
            "10",
            "999ms",
            "0h-1h0",
            "2h+1h",
            "-1h",
            "+1h",
            "1d",
            "ten minutes",
            "1h ",
            "9000000us",
            "9000000000ns",
            "8760h1ms",
            "99999999999999999999999999999h",
        ] {
            assert!(parse(text).unwrap_err().contains("10m"), "{text:?}");
        }
    }

    proptest! {
        /// Whatever a person types, the parser behind does not panic.
        #[test]
        fn any_text_never_panics(text in "[-+0-9.ehmsnuµ]{0,40}") {
            let _ = parse(&text);
        }
    }
}
