//! The token call on the wire: `POST /v1/oauth/token` (the vendor's protobufs; recorded payloads).

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::confidence::client::sealed;
use crate::confidence::wire::WireError;

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
pub(in crate::confidence) fn exchange_body(
    id: &SecretString,
    secret: &SecretString,
) -> Result<Bytes, serde_json::Error> {
    let (client_id, client_secret) = (id.expose_secret(), secret.expose_secret());
    serde_json::to_vec(&Body { grant_type: "client_credentials", client_id, client_secret }).map(sealed)
}

/// When a token ends, if it is a JSON Web Token that says so (RFC 7519, `exp`). Whether it is valid is for the server to
/// say.
pub(in crate::confidence) fn expiry(token: &SecretString) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let mut parts = token.expose_secret().split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?);
    let Claims { exp } = serde_json::from_slice(&claims).ok()?;
    #[allow(clippy::cast_possible_truncation)] // whole seconds; what is beyond the calendar is refused
    Timestamp::from_second(exp as i64).ok()
}

/// A token that was issued.
#[derive(Debug)]
pub struct IssuedToken {
    /// The bearer token.
    pub value: SecretString,
    /// How long it lives; absent where the server does not say.
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

impl IssuedToken {
    /// Reads the answer to a token call. One without a usable life has none.
    ///
    /// # Errors
    /// When the text is no JSON, or holds no token.
    pub fn from_json(text: &[u8]) -> Result<Self, WireError> {
        let answer: Answer = serde_json::from_slice(text)?;
        if answer.access_token.expose_secret().is_empty() {
            return Err(WireError::Missing("accessToken"));
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

    fn jwt(claims: &str) -> SecretString {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)).into()
    }

    #[test]
    fn only_a_json_web_token_says_its_end() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        assert_eq!(expiry(&jwt(r#"{"sub":"x","exp":1800000000}"#)), Some(at));
        assert_eq!(expiry(&jwt(r#"{"exp":1800000000.9}"#)), Some(at));
        for claims in ["{}", r#"{"exp":"soon"}"#, r#"{"exp":1e300}"#, "not json"] {
            assert_eq!(expiry(&jwt(claims)), None, "{claims}");
        }
        for token in ["opaque", "a.b", "a.!.c", "a.e30.c.d", ""] {
            assert_eq!(expiry(&token.into()), None, "{token}");
        }
    }

    #[test]
    fn life_is_a_string_or_a_number() {
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
            let answer =
                IssuedToken::from_json(format!(r#"{{"accessToken":"t","expiresIn":{text}}}"#).as_bytes()).unwrap();
            assert_eq!(answer.life.map(|it| it.as_secs()), seconds, "{text}");
        }
    }

    #[test]
    fn answer_without_a_token_is_unreadable() {
        for text in [r#"{"accessToken":""}"#, r#"{"expiresIn":"5"}"#, "<html>"] {
            assert!(IssuedToken::from_json(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_token() {
        let issued = IssuedToken::from_json(br#"{"accessToken":"s3cr3t"}"#).unwrap();
        assert!(!format!("{issued:?}").contains("s3cr3t"));
        let error = IssuedToken::from_json(br#"{"accessToken":["s3cr3t"]}"#).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3t"));
    }

    #[test]
    fn body_is_the_documented_one() {
        let body = exchange_body(&"id".into(), &"se\"cret".into()).unwrap();
        assert_eq!(&body[..], br#"{"grantType":"client_credentials","clientId":"id","clientSecret":"se\"cret"}"#);
    }
}
