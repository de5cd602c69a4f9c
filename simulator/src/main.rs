//! The simulator as a program.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use confidence_simulator::{
    Client, Config, Contract, Credential, DEFAULT_ACCOUNT, LabelsShape, NameForm, Reading, Secrets, Simulator, Token,
};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

/// A Confidence IAM server for development and tests: state in memory, faults on request. Not for production.
///
/// Controls are below /admin/: GET /admin/calls shows what came, PATCH /admin/credentials/{client}/{credential} makes
/// drift, POST /admin/faults makes trouble.
#[derive(Debug, Parser)]
#[command(name = "confidence-simulator", version)]
struct Flags {
    /// Where to listen
    #[arg(long, env = "SIMULATOR_LISTEN", default_value = "127.0.0.1:8081", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// A YAML or JSON file: {config: {…}, clients: [{client, value: {displayName: …}}],
    /// credentials: [{client, credential, value: {displayName: …}}]}, each with an `account` if it is not the default one's
    #[arg(long, env = "SIMULATOR_STATE", value_name = "FILE")]
    state: Option<PathBuf>,
    /// What to offer: everything, or exactly what the published OpenAPI documents
    #[arg(long, env = "SIMULATOR_CONTRACT", value_enum)]
    contract: Option<Contract>,
    /// How labels look
    #[arg(long, env = "SIMULATOR_LABELS", value_enum)]
    labels: Option<LabelsShape>,
    /// Accept labels in both forms
    #[arg(long, env = "SIMULATOR_LENIENT_LABELS")]
    lenient_labels: bool,
    /// How names look in answers
    #[arg(long, env = "SIMULATOR_NAMES", value_enum)]
    names: Option<NameForm>,
    /// What becomes of GET and LIST
    #[arg(long, env = "SIMULATOR_READING", value_enum)]
    reading: Option<Reading>,
    /// Return secrets on reads and updates too
    #[arg(long, env = "SIMULATOR_RETURN_SECRETS")]
    return_secrets: bool,
    /// A bearer token to accept beside those of the file [default: test-token]
    #[arg(long, env = "SIMULATOR_TOKEN", value_name = "TOKEN")]
    token: Option<String>,
    /// An id and a secret to exchange for a token, beside those of the file [default: test-client:test-client-secret]
    #[arg(long, env = "SIMULATOR_CLIENT", value_name = "ID:SECRET", value_parser = id_and_secret)]
    client: Option<(String, String)>,
    /// How long an exchanged token is valid
    #[arg(long, env = "SIMULATOR_TOKEN_SECONDS", value_name = "SECONDS")]
    token_seconds: Option<u64>,
    /// How long each call takes
    #[arg(long, env = "SIMULATOR_LATENCY_MS", value_name = "MILLISECONDS")]
    latency_ms: Option<u64>,
    /// How many calls a second are answered; the others get 429
    #[arg(long, env = "SIMULATOR_QUOTA", value_name = "CALLS")]
    quota: Option<u32>,
    /// Retry-After of those 429
    #[arg(long, env = "SIMULATOR_QUOTA_RETRY_AFTER", value_name = "VALUE", requires = "quota")]
    quota_retry_after: Option<String>,
    /// The most credentials on a page
    #[arg(long, env = "SIMULATOR_MAX_PAGE_SIZE", value_name = "CREDENTIALS")]
    max_page_size: Option<usize>,
}

fn id_and_secret(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((id, secret)) if !id.is_empty() && !secret.is_empty() => Ok((id.to_owned(), secret.to_owned())),
        _ => Err("expected ID:SECRET".to_owned()),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct StateFile {
    config: Config,
    clients: Vec<ClientSeed>,
    credentials: Vec<Seed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientSeed {
    client: String,
    #[serde(default)]
    value: Client,
    /// The default account, where this is absent.
    account: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    client: String,
    credential: String,
    #[serde(default)]
    value: Credential,
    /// The default account, where this is absent.
    account: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("confidence-simulator: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(flags: Flags) -> Result<(), String> {
    let state = match &flags.state {
        None => StateFile::default(),
        Some(path) => {
            let named = |error: &dyn std::fmt::Display| format!("--state {}: {error}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
            serde_saphyr::from_str(&text).map_err(|error| named(error.without_snippet()))?
        }
    };
    let simulator = Simulator::new(configured(state.config, &flags));
    let account = |name: &Option<String>| simulator.account(name.as_deref().unwrap_or(DEFAULT_ACCOUNT));
    for seed in state.clients {
        account(&seed.account).put_client(&seed.client, seed.value);
    }
    for seed in state.credentials {
        account(&seed.account).put(&seed.client, &seed.credential, seed.value);
    }
    let listening = simulator.listen(flags.listen).await;
    let running = listening.map_err(|error| format!("--listen {}: {error}", flags.listen))?;
    eprintln!("confidence-simulator: serving {}", running.url());
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    running.stop().await;
    Ok(())
}

/// The configuration of the file with what the flags say over it.
fn configured(mut config: Config, flags: &Flags) -> Config {
    set(&mut config.contract, flags.contract);
    set(&mut config.labels, flags.labels);
    set(&mut config.names, flags.names);
    set(&mut config.reading, flags.reading);
    set(&mut config.token_seconds, flags.token_seconds);
    set(&mut config.latency_milliseconds, flags.latency_ms);
    set(&mut config.max_page_size, flags.max_page_size);
    config.quota = flags.quota.or(config.quota);
    config.quota_retry_after = flags.quota_retry_after.clone().or(config.quota_retry_after);
    config.lenient_labels |= flags.lenient_labels;
    if flags.return_secrets {
        config.secrets = Secrets::Returned;
    }
    if let Some(token) = &flags.token {
        config.tokens.insert(token.clone(), Token::default());
    }
    config.clients.extend(flags.client.clone());
    config
}

fn set<T>(value: &mut T, flag: Option<T>) {
    if let Some(flag) = flag {
        *value = flag;
    }
}
