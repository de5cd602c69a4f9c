//! The flags that lead to an account at Confidence. `run` and the commands of the plugin have them.

// The docs of the flags are their --help: text for a terminal, without the marks of Markdown.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, rustdoc::invalid_html_tags)]

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use crate::confidence::settings::{BaseUrl, Credentials, Settings};
use crate::confidence::transport::HttpClient;
use crate::confidence::wire::LabelsShape;

/// What is told where no credentials were given at all.
pub const NO_CREDENTIALS: &str = "no credentials for Confidence: give --token-file, or --client-id-file with --client-secret-file, or set CONFIDENCE_TOKEN";

/// Where an account is, and how to use it.
#[derive(Clone, Debug, Args)]
pub struct AccountFlags {
    /// Where the Confidence IAM API is: https://iam.confidence.dev, or https://iam.eu.confidence.dev or
    /// https://iam.us.confidence.dev for one region
    #[arg(long, env = "CONFIDENCE_URL", default_value = "https://iam.confidence.dev", value_name = "URL")]
    pub confidence_url: String,
    /// A file with a bearer token; read again when it changes
    #[arg(long, env = "CONFIDENCE_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A file with the id of an API client, to be exchanged for tokens; goes with --client-secret-file
    #[arg(long, env = "CONFIDENCE_CLIENT_ID_FILE", value_name = "FILE")]
    pub client_id_file: Option<PathBuf>,
    /// A file with the secret of that API client
    #[arg(long, env = "CONFIDENCE_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// The Secret (NAMESPACE/NAME) that these files are mounted from: messages then name it instead of the files
    #[arg(long, env = "CONFIDENCE_CREDENTIALS_SECRET", value_name = "SECRET")]
    pub credentials_secret: Option<String>,
    /// Where the id and secret are exchanged for a token [default: <confidence-url>/v1/oauth/token]
    #[arg(long, env = "CONFIDENCE_TOKEN_URL", value_name = "URL")]
    pub token_url: Option<String>,
    /// A file with certificates (PEM) of further authorities to trust when calling Confidence
    #[arg(long, env = "CONFIDENCE_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Allow an http:// URL that is not loopback: the token then crosses the network in the clear
    #[arg(long, env = "CONFIDENCE_ALLOW_INSECURE_URL")]
    pub allow_insecure_url: bool,
    /// How many requests a second the whole account may cost, token requests included; also that of an account resource that
    /// does not say
    #[arg(long, env = "CONFIDENCE_REQUESTS_PER_SECOND", default_value = "20", value_name = "N")]
    pub requests_per_second: NonZeroU32,
    /// How the server wants labels: as it shows them (auto), as one JSON object, or as an array of maps
    #[arg(long, env = "CONFIDENCE_LABELS_ENCODING", value_enum, default_value_t, value_name = "FORM")]
    pub labels_encoding: LabelsEncodingFlag,
}

/// How the server wants labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LabelsEncodingFlag {
    /// As it shows them, or as it turns out.
    #[default]
    Auto,
    /// One JSON object.
    Object,
    /// An array of maps.
    Array,
}

/// The account's credentials, as they were given.
#[derive(Clone, Debug)]
pub enum CredentialSource {
    /// A file with a token.
    TokenFile(PathBuf),
    /// Two files, to be exchanged for tokens.
    ClientFiles {
        /// With the id.
        id: PathBuf,
        /// With the secret.
        secret: PathBuf,
    },
    /// A token from the environment.
    Token(SecretString),
}

impl AccountFlags {
    /// Which of the three kinds of credentials was given. `CONFIDENCE_TOKEN` has no flag, because a command line is there
    /// for every process of the machine to read; a file wins over it.
    pub fn credential_source(&self, environment_token: Option<String>) -> Result<CredentialSource, String> {
        match (&self.token_file, &self.client_id_file, &self.client_secret_file) {
            (Some(token), None, None) => Ok(CredentialSource::TokenFile(token.clone())),
            (None, Some(id), Some(secret)) => {
                Ok(CredentialSource::ClientFiles { id: id.clone(), secret: secret.clone() })
            }
            (Some(_), _, _) => {
                Err("--token-file and --client-id-file or --client-secret-file are two kinds of credentials: give one"
                    .into())
            }
            (None, Some(_), None) => Err("--client-id-file needs --client-secret-file beside it".into()),
            (None, None, Some(_)) => Err("--client-secret-file needs --client-id-file beside it".into()),
            (None, None, None) => environment_token
                .map(|token| token.trim_end_matches(['\r', '\n']).to_owned())
                .filter(|token| !token.is_empty())
                .map(|token| CredentialSource::Token(token.into()))
                .ok_or_else(|| NO_CREDENTIALS.into()),
        }
    }

    /// What the client of the account is told.
    ///
    /// # Errors
    /// A sentence for a person, when a flag or the environment is wrong.
    pub fn settings(&self) -> Result<Settings, String> {
        let url = |flag: &str, text: &str| {
            BaseUrl::parse(text, self.allow_insecure_url).map_err(|error| format!("{flag}: {error}"))
        };
        Ok(Settings {
            url: url("--confidence-url", &self.confidence_url)?,
            token_url: self.token_url.as_deref().map(|text| url("--token-url", text)).transpose()?,
            credentials: match self.credential_source(std::env::var("CONFIDENCE_TOKEN").ok())? {
                CredentialSource::Token(token) => Credentials::Token(token),
                CredentialSource::TokenFile(path) => Credentials::TokenFile(path),
                CredentialSource::ClientFiles { id, secret } => Credentials::ClientFiles { id, secret },
            },
            secret: self.credentials_secret.clone(),
            requests_per_second: self.requests_per_second.get(),
            labels: self.labels_shape(),
            seed: None,
        })
    }

    /// The form of labels, if it was given.
    pub fn labels_shape(&self) -> Option<LabelsShape> {
        match self.labels_encoding {
            LabelsEncodingFlag::Auto => None,
            LabelsEncodingFlag::Object => Some(LabelsShape::Object),
            LabelsEncodingFlag::Array => Some(LabelsShape::Array),
        }
    }

    /// The HTTP client that trusts what `--ca-file` adds.
    ///
    /// # Errors
    /// A sentence for a person, when the file cannot be used.
    pub fn http_client(&self) -> Result<HttpClient, String> {
        let path = self.ca_file.as_deref();
        let read = |path: &Path| std::fs::read(path).map_err(|error| named(Some(path), &error.to_string()));
        let ca = path.map(read).transpose()?;
        // Once for the process: kube and reqwest use the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        HttpClient::new(ca.as_deref()).map_err(|error| named(path, &error.to_string()))
    }
}

fn named(ca_file: Option<&Path>, error: &str) -> String {
    match ca_file {
        Some(path) => format!("--ca-file {}: {error}", path.display()),
        None => error.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cli::flags::Cli;
    use clap::Parser;

    fn source(flags: &[&str], environment: Option<&str>) -> Result<CredentialSource, String> {
        let cli = Cli::try_parse_from(["confidence-operator"].iter().chain(flags)).unwrap();
        cli.run.account.credential_source(environment.map(str::to_owned))
    }

    /// Exactly one kind is taken, and a file wins over the environment.
    #[test]
    fn one_kind_of_credentials_is_taken() {
        assert!(matches!(source(&["--token-file", "t"], Some("x")), Ok(CredentialSource::TokenFile(_))));
        assert!(matches!(source(&[], Some("x\n")), Ok(CredentialSource::Token(_))));
        let files = ["--client-id-file", "i", "--client-secret-file", "s"];
        assert!(matches!(source(&files, None), Ok(CredentialSource::ClientFiles { .. })));
        for flags in [&["--token-file", "t", "--client-id-file", "i"][..], &files[..2], &files[2..], &[]] {
            assert!(source(flags, None).is_err(), "{flags:?}");
        }
        assert!(source(&[], Some("")).is_err());
    }

    #[test]
    fn the_environment_token_is_not_in_debug() {
        assert!(!format!("{:?}", source(&[], Some("s3cr3t")).unwrap()).contains("s3cr3t"));
    }
}
