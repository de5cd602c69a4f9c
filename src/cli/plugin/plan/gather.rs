//! What is planned: the resources of the cluster or of files, with the Secrets that they name.

use std::io::Read;
use std::path::Path;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::PlanFlags;
use crate::api::{ATTEMPT, ConfidenceClientCredential};
use crate::cli::plugin::cluster::Cluster;
use crate::cli::plugin::error::kube_sentence;
use crate::cli::plugin::progress::Progress;
use crate::cli::plugin::{CommandError, output};
use crate::credential::value_of;
use crate::plan::DesiredSecret;

/// Reads in flight at the API server.
const CONCURRENT_READS: usize = 8;

/// Resources on a page of a list.
const PAGE_SIZE: u32 = 500;

/// A resource, with what its spec refers to.
pub(super) struct Gathered {
    pub(super) resource: ConfidenceClientCredential,
    /// None where the spec names no Secret.
    pub(super) client_secret: Option<Result<DesiredSecret, String>>,
}

/// Finds the resources that the flags mean, and the cluster, if there is one.
pub(super) async fn gather(flags: &PlanFlags) -> Result<(Option<Cluster>, Vec<Gathered>), CommandError> {
    let (cluster, resources) = match &flags.filename {
        Some(path) => from_file(flags, path).await?,
        None => from_cluster(flags).await?,
    };
    let progress = Progress::counting("reading what resources refer to", resources.len());
    let gather = async |resource| {
        let client_secret = client_secret(cluster.as_ref(), &resource).await;
        progress.advance();
        Gathered { resource, client_secret }
    };
    let gathered = futures::stream::iter(resources).map(gather).buffered(CONCURRENT_READS).collect().await;
    Ok((cluster, gathered))
}

type Found = (Option<Cluster>, Vec<ConfidenceClientCredential>);

async fn from_cluster(flags: &PlanFlags) -> Result<Found, CommandError> {
    let cluster = flags.target.cluster.connect().await?;
    let mut resources = Vec::new();
    for name in &flags.names {
        let found = cluster.resources().get(name).await;
        resources.push(found.map_err(|error| CommandError::kube(&format!("resource {name}"), &error))?);
    }
    if flags.names.is_empty() {
        let api = if flags.all_namespaces { cluster.all_resources() } else { cluster.resources() };
        resources = list(&api).await?;
        if resources.is_empty() {
            output::tell("no resources found");
        }
    }
    Ok((Some(cluster), resources))
}

/// Lists resources, page by page.
pub(in crate::cli::plugin) async fn list(
    api: &Api<ConfidenceClientCredential>,
) -> Result<Vec<ConfidenceClientCredential>, CommandError> {
    let progress = Progress::of("listing resources");
    let (mut all, mut parameters) = (Vec::new(), ListParams::default().limit(PAGE_SIZE));
    loop {
        let page = api.list(&parameters).await.map_err(|error| CommandError::kube("listing the resources", &error))?;
        all.extend(page.items);
        progress.say(format!(": {} found", all.len()));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters.continue_token = Some(token),
            None => return Ok(all),
        }
    }
}

/// Manifests need no cluster. Where there is one, it tells which of them exist already, and in which state.
async fn from_file(flags: &PlanFlags, path: &Path) -> Result<Found, CommandError> {
    let mut resources = parse(&read(path)?).map_err(|why| CommandError::new(format!("{}: {why}", named(path))))?;
    let cluster = match flags.target.cluster.connect().await {
        Ok(cluster) => Some(cluster),
        Err(error) if flags.target.cluster.is_given() => return Err(error),
        Err(_) => None,
    };
    let Some(cluster) = cluster else { return Ok((None, resources)) };
    for resource in &mut resources {
        let namespace = resource.namespace().unwrap_or_else(|| cluster.namespace.clone());
        let existing = cluster.resources_in(&namespace).get_opt(&resource.name_any()).await;
        let existing =
            existing.map_err(|error| CommandError::kube(&format!("resource {}", resource.name_any()), &error))?;
        resource.metadata.namespace = Some(namespace);
        if let Some(existing) = existing {
            take_records(resource, existing);
        }
    }
    Ok((Some(cluster), resources))
}

/// What the operator recorded in the resource that exists. The rest is as the manifest has it.
fn take_records(resource: &mut ConfidenceClientCredential, existing: ConfidenceClientCredential) {
    let attempt = existing.annotations().get(ATTEMPT).cloned();
    resource.annotations_mut().extend(attempt.map(|attempt| (ATTEMPT.to_owned(), attempt)));
    let (metadata, found) = (&mut resource.metadata, existing.metadata);
    metadata.uid = found.uid;
    metadata.generation = found.generation;
    metadata.finalizers = found.finalizers;
    metadata.deletion_timestamp = found.deletion_timestamp;
    resource.status = existing.status;
}

fn named(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

fn read(path: &Path) -> Result<String, CommandError> {
    let failed = |error: std::io::Error| CommandError::new(format!("{}: {error}", named(path)));
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map_err(failed)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// The resources among the documents of a file; other kinds are none of ours.
pub(super) fn parse(text: &str) -> Result<Vec<ConfidenceClientCredential>, String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    let lists = |document: Value| match document {
        Value::Object(mut object) if object.get("kind").is_some_and(|it| it == "List") => {
            object.remove("items").and_then(|it| serde_json::from_value(it).ok()).unwrap_or_default()
        }
        document => vec![document],
    };
    let ours = |document: &Value| {
        document["kind"] == "ConfidenceClientCredential" && document["apiVersion"] == "iam.confidence.dev/v1alpha1"
    };
    let resources = documents.into_iter().flat_map(lists).filter(ours);
    let resources: Result<Vec<_>, _> = resources.map(serde_json::from_value).collect();
    match resources {
        Ok(resources) if resources.is_empty() => Err("there is no ConfidenceClientCredential in it".to_owned()),
        Ok(resources) => Ok(resources),
        Err(error) => Err(format!("a ConfidenceClientCredential cannot be read: {error}")),
    }
}

async fn client_secret(
    cluster: Option<&Cluster>,
    resource: &ConfidenceClientCredential,
) -> Option<Result<DesiredSecret, String>> {
    let reference = &resource.spec.client_secret.as_ref()?.secret_key_ref;
    let Some(cluster) = cluster else { return Some(Err(format!("no cluster to read Secret {} from", reference.name))) };
    let namespace = resource.namespace().unwrap_or_else(|| cluster.namespace.clone());
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), &namespace);
    let read = match secrets.get_opt(&reference.name).await {
        Ok(Some(secret)) => value_of(&secret, reference).map_err(|failure| failure.message),
        Ok(None) => Err(format!("spec.clientSecret: there is no Secret {namespace}/{}; create it", reference.name)),
        Err(error) => Err(format!("spec.clientSecret: {}", kube_sentence(&error))),
    };
    Some(read)
}
