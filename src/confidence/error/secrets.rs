//! Whether the server's words about a failure may be repeated: a server or proxy may echo the request that it refuses.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// So many characters of a token in a text are a part of the token.
const PART_LENGTH: usize = 6;

/// The secrets that one request carried.
///
/// A secret in the body is a short text that a person chose, and every part of it counts: the server's words are dropped.
/// The bearer token is in every request, so its case is decided by the text.
#[derive(Clone, Copy, Debug, Default)]
pub struct SentSecrets<'a> {
    /// Whether the body holds a secret.
    pub in_body: bool,
    /// The bearer token.
    pub token: Option<&'a SecretString>,
}

impl SentSecrets<'_> {
    /// Whether the text is free of every part of the secrets, however they are spelled.
    pub(super) fn allow(&self, text: &str) -> bool {
        !self.in_body && self.token.is_none_or(|token| !has_escapes(text) && !has_part_of(text, token))
    }
}

/// Escapes of JSON, URLs and HTML can spell any character; words for a person need none.
fn has_escapes(text: &str) -> bool {
    text.contains(['\\', '%', '&'])
}

fn has_part_of(text: &str, token: &SecretString) -> bool {
    let text = Zeroizing::new(text.to_ascii_lowercase());
    spellings(token.expose_secret()).iter().any(|spelling| {
        let part_length = PART_LENGTH.min(spelling.len());
        part_length > 0 && spelling.as_bytes().windows(part_length).any(|part| contains(text.as_bytes(), part))
    })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The token plain, in hexadecimal and in base64, all in lower case. Base64 depends on how many characters come before,
/// modulo three.
fn spellings(token: &str) -> Vec<Zeroizing<String>> {
    let shifted = (0..3).filter_map(|shift| token.as_bytes().get(shift..));
    let base64 = shifted.flat_map(|bytes| [BASE64_STANDARD_NO_PAD.encode(bytes), BASE64_URL_SAFE_NO_PAD.encode(bytes)]);
    [token.to_owned(), in_hex(token)]
        .into_iter()
        .chain(base64)
        .map(|it| Zeroizing::new(it.to_ascii_lowercase()))
        .collect()
}

fn in_hex(token: &str) -> String {
    token.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "s3cr3t/t0ken&of<us>";

    fn is_repeated(text: &str) -> bool {
        SentSecrets { in_body: false, token: Some(&TOKEN.into()) }.allow(text)
    }

    /// The spellings that Go, browsers, proxies and people use, and parts of them.
    #[test]
    fn token_is_recognised_in_every_spelling() {
        for spelled in [
            "s3cr3t/t0ken&of<us>",
            r"s3cr3t\/t0ken\u0026of\u003cus\u003e",
            "s3cr3t%2Ft0ken%26of%3Cus%3E",
            "s3cr3t/t0ken&amp;of&lt;us&gt;",
            "&#115;&#51;&#99;&#114;",
            "%73%33%63%72%33%74",
            "S3CR3T/T0KEN",
            "s3cr3t",
            "t0ken",
        ]
        .into_iter()
        .map(str::to_owned)
        .chain(["", "x", "xy"].map(|before| BASE64_STANDARD_NO_PAD.encode(format!("{before}{TOKEN}"))))
        .chain([in_hex(TOKEN)])
        .filter(|spelled| spelled.len() >= PART_LENGTH)
        {
            assert!(!is_repeated(&format!("refused: Bearer {spelled}, sorry")), "{spelled}");
        }
    }

    #[test]
    fn words_without_the_token_are_repeated() {
        assert!(is_repeated("display_name: at most 64 characters, see clients/1bhq4c2zqigdzqg6ufni"));
    }

    #[test]
    fn words_about_a_secret_body_are_dropped() {
        assert!(!SentSecrets { in_body: true, token: None }.allow("no"));
    }
}
