//! What a request held that must not come back in the words of an error.

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// What stands in the place of a secret.
const HIDDEN: &str = "[hidden]";

/// The secrets that a request held: a server may repeat them when it refuses it.
#[derive(Clone, Debug, Default)]
pub struct Secrets<'a>(Vec<&'a SecretString>);

impl<'a> Secrets<'a> {
    /// The secrets of one request.
    pub fn new(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        Self(secrets.into_iter().collect())
    }

    /// A text without the secrets, spelled as they are or as JSON spells them.
    pub(super) fn hidden_in(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| {
            let plain = secret.expose_secret();
            let json = Zeroizing::new(serde_json::to_string(plain).unwrap_or_default());
            let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
            let spellings = [json, plain].into_iter().filter(|it| !it.is_empty());
            spellings.fold(text, |text, spelling| text.replace(spelling, HIDDEN))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_however_the_server_spells_it() {
        let (token, secret) = (SecretString::from("t0ken"), SecretString::from("a\"b\\c"));
        let secrets = Secrets::new([&token, &secret]);
        let said = r#"refused: t0ken, secret a"b\c in {"clientSecret":{"secret":"a\"b\\c"}}"#;
        let expected = r#"refused: [hidden], secret [hidden] in {"clientSecret":{"secret":"[hidden]"}}"#;
        assert_eq!(secrets.hidden_in(said.to_owned()), expected);
    }

    #[test]
    fn a_text_without_secrets_stays_as_it_is() {
        assert_eq!(Secrets::new([&"".into(), &"s3cr3t".into()]).hidden_in("no".to_owned()), "no");
    }
}
