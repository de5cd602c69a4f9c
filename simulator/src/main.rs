//! The simulator as a program.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use confidence_simulator::{Config, Contract, Credential, LabelsShape, Secrets, Simulator, Token};
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
    /// A YAML or JSON file: {config: {…}, credentials: [{client, credential, value: {displayName: …}}]}
    #[arg(long, env = "SIMULATOR_STATE", value_name = "FILE")]
    state: Option<PathBuf>,
    /// What to offer: everything, or exactly what the published OpenAPI documents
    #[arg(long, env = "SIMULATOR_CONTRACT", value_enum)]
    contract: Option<ContractFlag>,
    /// How labels look
    #[arg(long, env = "SIMULATOR_LABELS", value_enum)]
    labels: Option<LabelsFlag>,
    /// Return secrets on reads and updates too
    #[arg(long, env = "SIMULATOR_RETURN_SECRETS")]
    return_secrets: bool,
    /// A bearer token to accept beside those of the file [default: test-token]
    #[arg(long, env = "SIMULATOR_TOKEN", value_name = "TOKEN")]
    token: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ContractFlag {
    Full,
    Openapi,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LabelsFlag {
    Object,
    Array,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct StateFile {
    config: Config,
    credentials: Vec<Seed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    client: String,
    credential: String,
    #[serde(default)]
    value: Credential,
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
            serde_saphyr::from_str(&text).map_err(|error| named(&error))?
        }
    };
    let simulator = Simulator::new(configured(state.config, &flags));
    for seed in state.credentials {
        simulator.put(&seed.client, &seed.credential, seed.value);
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

fn configured(mut config: Config, flags: &Flags) -> Config {
    match flags.contract {
        Some(ContractFlag::Full) => config.contract = Contract::Full,
        Some(ContractFlag::Openapi) => config.contract = Contract::Openapi,
        None => {}
    }
    match flags.labels {
        Some(LabelsFlag::Object) => config.labels = LabelsShape::Object,
        Some(LabelsFlag::Array) => config.labels = LabelsShape::Array,
        None => {}
    }
    if flags.return_secrets {
        config.secrets = Secrets::Returned;
    }
    if let Some(token) = &flags.token {
        config.tokens.insert(token.clone(), Token::default());
    }
    config
}
