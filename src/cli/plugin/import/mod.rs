//! `import`: manifests of the credentials that exist, which change nothing when they are applied.

// The docs of the flags are their --help: text for a terminal, without the marks of Markdown.
#![allow(clippy::doc_markdown)]

mod manifest;
mod names;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};

use self::manifest::{FieldChoice, Form, Manifest};
use super::account::{client_id, list_clients, list_credentials_of, requester};
use super::error::confidence_sentence;
use super::{CommandError, TargetFlags, output};
use crate::confidence::Confidence;
use crate::confidence::name::CredentialName;
use crate::confidence::wire::ClientCredential;

/// What -n means here, below the flags.
pub(super) const HELP: &str = "The manifests have a namespace only with -n; without it, kubectl apply -n says it.\n\n\
                               Exit code: 0, 1 where the command failed or had to leave out an entry that cannot be read.";

/// The flags of `import`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(false))]
pub struct ImportFlags {
    /// The credentials of this client: clients/ID, or the id alone; may be repeated
    #[arg(long = "client", group = "which", value_name = "CLIENT")]
    pub clients: Vec<String>,
    /// The credentials of all clients
    #[arg(long, group = "which")]
    pub all: bool,
    /// This credential, clients/ID/credentials/ID, even one that the operator created; may be repeated
    #[arg(long = "credential", group = "which", value_name = "CREDENTIAL")]
    pub credentials: Vec<CredentialName>,
    /// Which fields the manifests manage: the display name alone, which every manifest has, or all but the secret
    #[arg(long, value_enum, default_value_t, value_name = "FIELDS")]
    pub fields: FieldChoice,
    /// Print driftPolicy Correct, so that the operator keeps the credentials in line, in place of Report
    #[arg(long)]
    pub adopt: bool,
    /// A directory for the manifests, one file each [default: standard output]
    #[arg(long, value_name = "DIRECTORY")]
    pub output_dir: Option<PathBuf>,
    /// Overwrite files that differ
    #[arg(long, requires = "output_dir")]
    pub overwrite: bool,
    /// Which cluster and which account.
    #[command(flatten)]
    pub target: TargetFlags,
}

/// Runs the command to its exit code: 1 where something had to be left out.
pub(super) async fn run(flags: &ImportFlags) -> Result<u8, CommandError> {
    let account = flags.target.account().await?;
    let (credentials, unreadable) = read(flags, &account.confidence).await?;
    let form =
        Form { namespace: flags.target.cluster.namespace.clone(), fields: flags.fields, is_adopted: flags.adopt };
    let includes_created = !flags.credentials.is_empty();
    let chosen = manifest::choose(credentials, includes_created);
    let manifests = manifest::manifests(&chosen.credentials, &form)?;
    match &flags.output_dir {
        Some(directory) => write_files(directory, &manifests, flags.overwrite)?,
        None => output::print(&manifests.iter().map(|it| it.yaml.as_str()).collect::<Vec<_>>().join("---\n"))?,
    }
    chosen.remarks.iter().for_each(|remark| output::tell(remark));
    if unreadable > 0 {
        output::tell(&format!(
            "left out, because the list shows them broken: {}",
            output::counted(unreadable, "credential")
        ));
    }
    output::tell(&format!("{} imported", output::counted(manifests.len(), "credential")));
    Ok(u8::from(unreadable > 0))
}

async fn read(flags: &ImportFlags, confidence: &Confidence) -> Result<(Vec<ClientCredential>, usize), CommandError> {
    let (mut credentials, mut unreadable) = (Vec::new(), 0);
    for name in &flags.credentials {
        let read = confidence.get(name, &requester()).await;
        let read = read.map_err(|error| CommandError::new(format!("{name}: {}", confidence_sentence(&error))))?.value;
        credentials.push(ClientCredential { name: Some(name.clone()), ..read });
    }
    let mut clients: Vec<_> = flags.clients.iter().map(|it| client_id(it)).collect();
    if flags.all {
        let listed = list_clients(confidence).await?;
        unreadable += listed.unreadable;
        clients = listed.entries.into_iter().map(|client| client.id).collect();
    }
    let listed = list_credentials_of(confidence, clients).await?;
    credentials.extend(listed.entries);
    Ok((credentials, unreadable + listed.unreadable))
}

/// Writes one file each. A file with another content is somebody's work.
fn write_files(directory: &Path, manifests: &[Manifest], may_overwrite: bool) -> Result<(), CommandError> {
    let failed =
        |path: &Path, error: &std::io::Error| CommandError::new(format!("--output-dir: {}: {error}", path.display()));
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let files: Vec<_> = manifests.iter().map(|it| (directory.join(format!("{}.yaml", it.name)), &it.yaml)).collect();
    for (path, yaml) in &files {
        match fs::read_to_string(path) {
            Ok(found) if found != **yaml && !may_overwrite => {
                let path = path.display();
                return Err(CommandError::new(format!("{path} exists and differs; move it away, or give --overwrite")));
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(path, &error)),
            _ => {}
        }
    }
    files.iter().try_for_each(|(path, yaml)| fs::write(path, yaml).map_err(|error| failed(path, &error)))
}
