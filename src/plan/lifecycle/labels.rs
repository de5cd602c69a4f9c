//! The labels that say at Confidence whose a credential is, and the text form of an attempt.
//!
//! A label is at most 63 characters of `a–z 0–9 _ -`. All three are made here and nowhere else.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The label with an [`OwnerLabel`].
pub const OWNER_LABEL: &str = "confidence-operator-owner";
/// The label with a [`resource_label`], for a person who reads the web console.
pub const RESOURCE_LABEL: &str = "confidence-operator-resource";
/// The label with an [`Attempt`].
pub const ATTEMPT_LABEL: &str = "confidence-operator-attempt";

/// The most characters of a label's value.
pub const MAX_LABEL_LENGTH: usize = 63;
const INSTANCE_DIGITS: usize = 12;
const RESOURCE_DIGITS: usize = 8;

/// Which resource of which instance of the operator owns a credential: `<12 hex of the instance>_<uid>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerLabel(Box<str>);

impl OwnerLabel {
    /// The label of the resource with this uid, kept by the instance with this id.
    pub fn new(instance: &str, uid: &str) -> Self {
        let text = format!("{}_{}", hex_digest(instance, INSTANCE_DIGITS), in_alphabet(uid));
        Self(shortened(text, MAX_LABEL_LENGTH).into())
    }

    /// The label as a credential shows it. Any text will do: one that we never make equals none of ours.
    pub fn from_label(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for OwnerLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The resource for a reader: `<namespace>_<name>-<8 hex>`. The digits tell apart names that had to be shortened.
pub fn resource_label(namespace: &str, name: &str) -> String {
    let digits = hex_digest(&format!("{namespace}/{name}"), RESOURCE_DIGITS);
    let readable = in_alphabet(&format!("{namespace}_{name}"));
    format!("{}-{digits}", shortened(readable, MAX_LABEL_LENGTH - RESOURCE_DIGITS - 1))
}

/// One POST, as the API server recorded it before it was sent: `<n>-<16 hex>`, in the annotation and in the label.
///
/// The number orders the credentials of a resource. The nonce tells two attempts of one number apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// Counts the attempts of a resource, from 1.
    pub number: u32,
    /// Random.
    pub nonce: u64,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.number, self.nonce)
    }
}

/// A text that is no attempt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an attempt: expected a number, a hyphen and 16 hexadecimal digits")]
pub struct InvalidAttempt;

impl FromStr for Attempt {
    type Err = InvalidAttempt;

    /// Reads only the form that is written, so one attempt has one text.
    fn from_str(text: &str) -> Result<Self, InvalidAttempt> {
        let (number, nonce) = text.split_once('-').ok_or(InvalidAttempt)?;
        let number = number.parse().map_err(|_| InvalidAttempt)?;
        let nonce = u64::from_str_radix(nonce, 16).map_err(|_| InvalidAttempt)?;
        let attempt = Self { number, nonce };
        if attempt.to_string() == text { Ok(attempt) } else { Err(InvalidAttempt) }
    }
}

/// The first digits of the SHA-256 of a text.
fn hex_digest(text: &str, digits: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let hex: String = nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)).collect();
    shortened(hex, digits)
}

/// A number between 0 and 1 that is fixed by a text.
pub(super) fn fraction(text: &str) -> f64 {
    let digest = Sha256::digest(text.as_bytes());
    let number = digest.iter().take(4).fold(0, |number: u32, byte| (number << 8) | u32::from(*byte));
    f64::from(number) / f64::from(u32::MAX)
}

fn in_alphabet(text: &str) -> String {
    let allowed =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c.to_ascii_lowercase() } else { '-' };
    text.chars().map(allowed).collect()
}

/// Only for ASCII, where a character is a byte.
fn shortened(mut text: String, length: usize) -> String {
    text.truncate(length);
    text
}
