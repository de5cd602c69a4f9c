//! Durations as a person writes them in a manifest or a flag: Go's notation, as `metav1.Duration` has it.

use std::time::Duration;

/// The shortest interval between two looks at a credential.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// The longest text that is read as a duration; also the `maxLength` in the CRD.
pub const MAX_LENGTH: usize = 32;

/// More digits in a row than this are no duration that anybody means, and could overflow the parser behind.
const MAX_DIGITS: usize = 12;

/// Reads a duration such as `90s`, `10m` or `1h30m`.
///
/// # Errors
/// A sentence for a person, when the text is no such duration or one shorter than [`SHORTEST`].
pub fn parse(text: &str) -> Result<Duration, String> {
    let refused = || format!("{text:?} is not a duration of 1s or more, such as 90s, 10m or 1h30m");
    let plausible = (1..=MAX_LENGTH).contains(&text.len())
        && text.chars().next().is_some_and(|c| c.is_ascii_digit())
        // The parser behind takes a sign in the middle, and then panics.
        && !text.contains(['-', '+'])
        && text.split(|c: char| !c.is_ascii_digit()).all(|digits| digits.len() <= MAX_DIGITS);
    if !plausible {
        return Err(refused());
    }
    let duration: kube::core::Duration = text.parse().map_err(|_| refused())?;
    let duration = Duration::from(duration);
    if duration < SHORTEST { Err(refused()) } else { Ok(duration) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, seconds) in [("1s", 1), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("2000ms", 2)] {
            assert_eq!(parse(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_too_short_or_no_duration_and_says_how_to_write_one() {
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
            "99999999999999999999999999999h",
        ] {
            assert!(parse(text).unwrap_err().contains("10m"), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9.ehmsnuµ]{0,40}") {
            let _ = parse(&text);
        }
    }
}
