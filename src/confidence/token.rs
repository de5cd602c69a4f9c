//! The token call on the wire: `POST /v1/oauth/token` (the vendor's protobufs; recorded payloads).

use std::time::Duration;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::request::sealed;
use super::wire::WireError;

/// Longer than any token lives: a number beyond the calendar must not overflow it.
const LONGEST_LIFE: Duration = Duration::from_hours(365 * 24);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    grant_type: &'static str,
    client_id: &'a str,
    client_secret: &'a str,
}

/// The body of a token call.
pub(super) fn body(id: &SecretString, secret: &SecretString) -> Result<Bytes, serde_json::Error> {
    let (client_id, client_secret) = (id.expose_secret(), secret.expose_secret());
    serde_json::to_vec(&Body { grant_type: "client_credentials", client_id, client_secret }).map(sealed)
}

/// A token that was issued.
#[derive(Debug)]
pub struct Issued {
    /// The bearer token.
    pub value: SecretString,
    /// How long it lives; none where nobody says, and then only a refusal tells.
    pub life: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access_token: SecretString,
    expires_in: Option<Seconds>,
}

/// The seconds come as a JSON string; a number is read as well.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Issued {
    /// Reads the answer to a token call. One without a usable life has none.
    ///
    /// # Errors
    /// When the text is no JSON, or holds no token.
    pub fn from_json(text: &[u8]) -> Result<Self, WireError> {
        let answer: Answer = serde_json::from_slice(text)?;
        if answer.access_token.expose_secret().is_empty() {
            return Err(serde::de::Error::custom("empty accessToken")).map_err(|error: serde_json::Error| error.into());
        }
        let seconds = match answer.expires_in {
            Some(Seconds::Number(seconds)) => Some(seconds),
            Some(Seconds::Text(text)) => text.trim().trim_end_matches('s').parse().ok(),
            None => None,
        };
        let life = seconds
            .filter(|seconds| *seconds >= 1.0)
            .map(|seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_LIFE).min(LONGEST_LIFE));
        Ok(Self { value: answer.access_token, life })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_life_comes_as_a_string_or_a_number_and_nonsense_is_no_life() {
        for (text, seconds) in [
            (r#""86400""#, Some(86400)),
            ("3600", Some(3600)),
            (r#""3600s""#, Some(3600)),
            ("0", None),
            ("-5", None),
            (r#""soon""#, None),
            ("null", None),
            ("1e300", Some(LONGEST_LIFE.as_secs())),
            ("18446744073709551615", Some(LONGEST_LIFE.as_secs())),
        ] {
            let answer = Issued::from_json(format!(r#"{{"accessToken":"t","expiresIn":{text}}}"#).as_bytes()).unwrap();
            assert_eq!(answer.life.map(|it| it.as_secs()), seconds, "{text}");
        }
    }

    #[test]
    fn an_answer_without_a_token_is_unreadable() {
        for text in [r#"{"accessToken":""}"#, r#"{"expiresIn":"5"}"#, "<html>"] {
            assert!(Issued::from_json(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn neither_the_token_nor_a_broken_answer_is_in_debug() {
        let issued = Issued::from_json(br#"{"accessToken":"s3cr3t"}"#).unwrap();
        assert!(!format!("{issued:?}").contains("s3cr3t"));
        let error = Issued::from_json(br#"{"accessToken":["s3cr3t"]}"#).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
    }

    #[test]
    fn the_body_is_the_documented_one() {
        let body = body(&"id".into(), &"se\"cret".into()).unwrap();
        assert_eq!(&body[..], br#"{"grantType":"client_credentials","clientId":"id","clientSecret":"se\"cret"}"#);
    }
}
