//! What is measured on: a control plane with many resources, and the simulator with their credentials.

use std::time::Duration;

use confidence_operator::api::{ConfidenceClientCredential, ConfidenceClientCredentialSpec};
use confidence_simulator::{Config, Credential, Running, Simulator};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use testbed::ControlPlane;

use super::operator::Setting;

/// Credentials of one client: as many as are on a page.
pub(super) const A_PAGE: usize = 100;

/// Namespaces that the resources are spread over.
const NAMESPACES: usize = 10;

/// Requests to the API server at the same time.
const AT_ONCE: usize = 32;

/// Calls that the simulator's record keeps.
const RECORD: usize = 20_000;

/// Everything that a size is measured on.
pub(super) struct Stage {
    pub(super) size: usize,
    pub(super) client: Client,
    pub(super) simulator: Simulator,
    pub(super) setting: Setting,
    pub(super) plane: ControlPlane,
    origin: Origin,
    _server: Running,
}

/// Where the credentials come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// They exist, and the resources name them.
    Adopted,
    /// The operator is to create them.
    Created,
}

impl Stage {
    /// Starts everything and creates the resources.
    pub(super) async fn set(size: usize, origin: Origin, binary: &std::path::Path) -> Result<Self, String> {
        testbed::install_crypto();
        println!("\n{size} resources, {origin:?}: starting a control plane");
        let plane = tokio::task::spawn_blocking(ControlPlane::start).await.map_err(|error| error.to_string())??;
        let crds = plane.kubectl().args(["apply", "--server-side", "-f", "crds/"]).output();
        let established = plane
            .kubectl()
            .args(["wait", "--for=condition=Established", "crd/confidenceclientcredentials.iam.confidence.dev"])
            .output();
        for output in [crds, established] {
            let output = output.map_err(|error| error.to_string())?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned());
            }
        }
        let client = plane.client().await?;
        let simulator = Simulator::new(Config { record_limit: Some(RECORD), ..Config::default() });
        let server = simulator.start().await.map_err(|error| error.to_string())?;
        let setting =
            Setting { binary: binary.to_owned(), kubeconfig: plane.kubeconfig(), confidence_url: server.url() };
        let stage = Self { size, client, simulator, setting, plane, origin, _server: server };
        stage.create().await?;
        Ok(stage)
    }

    async fn create(&self) -> Result<(), String> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for number in 0..NAMESPACES {
            let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace(number)}}))
                .map_err(|error| error.to_string())?;
            namespaces.create(&PostParams::default(), &namespace).await.map_err(|error| error.to_string())?;
        }
        for number in 0..self.size {
            let (client, id) = credential(number);
            match self.origin {
                Origin::Adopted => self.simulator.put(&client, &id, as_seeded(number)),
                Origin::Created => self.simulator.put_client(&client, confidence_simulator::Client::default()),
            }
        }
        let creates = stream::iter(0..self.size).map(|number| async move {
            let spec = match self.origin {
                Origin::Adopted => spec(number, "BACKEND"),
                Origin::Created => created_spec(number),
            };
            let object = ConfidenceClientCredential::new(&name(number), spec);
            let created = self.api(number).create(&PostParams::default(), &object).await;
            if number % 1000 == 999 {
                println!("  {} created", number + 1);
            }
            created.map(drop).map_err(|error| error.to_string())
        });
        creates.buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    /// The resources' namespace.
    pub(super) fn api(&self, number: usize) -> Api<ConfidenceClientCredential> {
        Api::namespaced(self.client.clone(), &namespace(number % NAMESPACES))
    }

    /// The pages of all lists: what a look at everything costs.
    pub(super) fn pages(&self) -> u64 {
        self.size.div_ceil(A_PAGE) as u64
    }

    /// Makes drift: somebody else edits these credentials.
    pub(super) fn drift(&self, numbers: impl Iterator<Item = usize>) {
        for number in numbers {
            let (client, id) = credential(number);
            self.simulator.edit(&client, &id, |it| it.display_name = format!("Somebody's {number}"));
        }
    }

    /// Edits a spec, so that the SDK type is another one.
    pub(super) async fn edit(&self, number: usize, sdk_type: &str) -> Result<(), String> {
        let patch = Patch::Merge(json!({"spec": {"sdkType": sdk_type}}));
        let edited = self.api(number).patch(&name(number), &PatchParams::default(), &patch).await;
        edited.map(drop).map_err(|error| error.to_string())
    }

    /// Whether every resource is Ready.
    pub(super) async fn all_ready(&self) -> Result<bool, String> {
        let all: Api<ConfidenceClientCredential> = Api::all(self.client.clone());
        let all = all.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let is_ready = |object: &ConfidenceClientCredential| {
            let conditions = object.status.as_ref().map(|status| &status.conditions);
            conditions.is_some_and(|all| all.iter().any(|it| it.type_ == "Ready" && it.status == "True"))
        };
        Ok(all.items.len() == self.size && all.items.iter().all(is_ready))
    }

    pub(super) fn set_latency(&self, latency: Duration) {
        let milliseconds = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.simulator.reconfigure(|config| config.latency_milliseconds = milliseconds);
    }
}

fn namespace(number: usize) -> String {
    format!("bench-{number}")
}

fn name(number: usize) -> String {
    format!("credential-{number:06}")
}

/// The ids of client and credential, as long as real ones.
pub(super) fn credential(number: usize) -> (String, String) {
    (format!("1bhq4c2zqigdzq{:06}", number / A_PAGE), format!("3pxcfkkmi5sppg{number:06}"))
}

/// A spec that manages all but the secret.
pub(super) fn spec(number: usize, sdk_type: &str) -> ConfidenceClientCredentialSpec {
    let (client, id) = credential(number);
    let spec = json!({
        "name": format!("clients/{client}/credentials/{id}"),
        "displayName": format!("Credential {number}"),
        "environments": ["production", "staging"],
        "labels": {"team": "checkout", "tier": "1"},
        "sdkType": sdk_type,
    });
    serde_json::from_value(spec).unwrap_or_default()
}

/// A spec that has the operator create its credential.
fn created_spec(number: usize) -> ConfidenceClientCredentialSpec {
    let (client, _) = credential(number);
    let spec = json!({
        "client": format!("clients/{client}"),
        "displayName": format!("Credential {number}"),
        "environments": ["production", "staging"],
        "labels": {"team": "checkout", "tier": "1"},
        "publishedSecret": {"name": name(number)},
    });
    serde_json::from_value(spec).unwrap_or_default()
}

fn as_seeded(number: usize) -> Credential {
    Credential {
        display_name: format!("Before {number}"),
        environments: ["production".to_owned()].into(),
        creator: "identities/1bhq4c2zqigdzqg6ufni".to_owned(),
        updater: "identities/1bhq4c2zqigdzqg6ufni".to_owned(),
        ..Credential::default()
    }
}
