//! The world of one test: a namespace, a simulator, an operator.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use confidence_operator::api::{ConfidenceClientCredential, ConfidenceClientCredentialStatus};
use confidence_simulator::openapi::{Strictness, check_request};
use confidence_simulator::{Call, CallKind, Config, Contract, Credential, Running, Simulator};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use testbed::{ControlPlane, Deadline, Process, Program, eventually};

/// The client of all credentials in these tests.
pub const CLIENT: &str = "1bhq4c2zqigdzqg6ufni";

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The world of one test. What it started ends with it.
pub struct World {
    pub client: Client,
    pub namespace: String,
    pub simulator: Simulator,
    pub server: Running,
    pub files: tempfile::TempDir,
    /// Who the operator is to the API server: the administrator, unless a test says otherwise.
    pub kubeconfig: PathBuf,
}

impl World {
    /// A world with a server that behaves as told.
    pub async fn new(config: Config) -> Self {
        static CRD: OnceLock<()> = OnceLock::new();
        let plane = ControlPlane::shared();
        CRD.get_or_init(|| install_crd(plane));
        Self::on(plane, config).await
    }

    /// A world on a control plane of its own, to which the test may do what would disturb others.
    pub async fn on(plane: &ControlPlane, config: Config) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let client = plane.client().await.unwrap();
        let namespace = format!("e2e-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let object = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        let simulator = Simulator::new(config);
        let server = simulator.start().await.unwrap();
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("token"), "test-token\n").unwrap();
        Self { client, namespace, simulator, server, files, kubeconfig: plane.kubeconfig() }
    }

    /// The operator as it is started in these tests; flags may be added.
    pub fn program(&self) -> Program {
        Program::new(env!("CARGO_BIN_EXE_confidence-operator"))
            .env("KUBECONFIG", &self.kubeconfig)
            .args(["--listen", "127.0.0.1:0", "--watch-namespace", &self.namespace])
            .args(["--confidence-url", &self.server.url()])
            .args(["--requests-per-second", "1000", "--min-interval", "1s"])
            // Accounts of the cluster belong to no world: each operator would write the statuses of all.
            .arg("--watch-accounts=false")
            .env("LOG_LEVEL", "info,confidence_operator=trace")
    }

    /// Starts the operator with a token and further flags.
    pub fn operator(&self, flags: &[&str]) -> Process {
        self.program().arg("--token-file").arg(self.file("token")).args(flags).start().unwrap()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    pub fn api(&self) -> Api<ConfidenceClientCredential> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies a resource (server-side) whose spec names the credential with the same id as the resource.
    pub async fn apply(&self, name: &str, spec: Value) -> ConfidenceClientCredential {
        self.try_apply(name, spec).await.unwrap()
    }

    pub async fn try_apply(&self, name: &str, mut spec: Value) -> kube::Result<ConfidenceClientCredential> {
        let map = spec.as_object_mut().unwrap();
        map.entry("name").or_insert_with(|| json!(format!("clients/{CLIENT}/credentials/{name}")));
        map.entry("displayName").or_insert_with(|| json!("Checkout"));
        self.apply_spec(name, spec).await
    }

    /// Applies a resource with this spec and no other.
    pub async fn apply_spec(&self, name: &str, spec: Value) -> kube::Result<ConfidenceClientCredential> {
        let object = json!({
            "apiVersion": "iam.confidence.dev/v1alpha1", "kind": "ConfidenceClientCredential",
            "metadata": {"name": name}, "spec": spec,
        });
        self.api().patch(name, &PatchParams::apply("a-person").force(), &Patch::Apply(object)).await
    }

    pub async fn annotate(&self, name: &str, annotation: &str, value: &str) {
        let patch = json!({"metadata": {"annotations": {annotation: value}}});
        self.api().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub async fn put_secret(&self, name: &str, key: &str, value: &str) {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: value},
        });
        self.secrets().patch(name, &PatchParams::apply("a-person").force(), &Patch::Apply(object)).await.unwrap();
    }

    /// Puts a credential into the simulator as the manifest would have it.
    pub fn seed(&self, id: &str) {
        self.simulator.put(CLIENT, id, credential("Checkout"));
    }

    pub fn credential(&self, id: &str) -> Credential {
        self.simulator.get(CLIENT, id).unwrap()
    }

    /// Waits until a resource is as wanted.
    pub async fn until(
        &self,
        name: &str,
        wanted: impl Fn(&ConfidenceClientCredential) -> bool,
    ) -> ConfidenceClientCredential {
        let api = self.api();
        eventually(&format!("resource {name}"), Deadline(PATIENCE), async || api.get(name).await.unwrap(), wanted).await
    }

    /// Waits until the Ready condition has a reason and speaks of the newest spec.
    pub async fn until_reason(&self, name: &str, reason: &str) -> ConfidenceClientCredential {
        self.until(name, |it| is_current(it) && condition(it, "Ready").is_some_and(|(_, it)| it == reason)).await
    }

    /// Waits until the annotation of this value was acted on: everything before it has then happened.
    pub async fn look_at(&self, name: &str, value: &str) -> ConfidenceClientCredential {
        self.annotate(name, "iam.confidence.dev/reconcile-requested-at", value).await;
        self.until(name, |it| status(it).last_handled_reconcile_at.as_deref() == Some(value)).await
    }

    /// Waits until the server received the wanted calls.
    pub async fn until_calls(&self, wanted: impl Fn(&[Call]) -> bool) -> Vec<Call> {
        let calls = tokio::time::timeout(PATIENCE, self.simulator.until(wanted)).await;
        calls.unwrap_or_else(|_| panic!("the calls did not come; there were {:#?}", self.simulator.calls()))
    }

    /// The updates that the server received.
    pub fn updates(&self) -> Vec<Call> {
        self.calls(CallKind::Update)
    }

    pub fn calls(&self, kind: CallKind) -> Vec<Call> {
        self.simulator.calls().into_iter().filter(|call| call.kind == kind).collect()
    }

    /// The events about a resource: type and reason, the oldest first.
    pub async fn events(&self, name: &str) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let all = api.list(&ListParams::default()).await.unwrap().items;
        let mut about: Vec<Event> = all
            .into_iter()
            .filter(|it| it.regarding.as_ref().is_some_and(|it| it.name.as_deref() == Some(name)))
            .collect();
        about.sort_by_key(|it| it.event_time.as_ref().map(|time| time.0));
        about
    }

    /// Waits for the events about a resource, which are told after its status: these and no others.
    pub async fn until_events(&self, name: &str, reasons: &[&str]) {
        let events = async || self.event_reasons(name).await;
        let told = eventually("events", Deadline::default(), events, |it| it.len() >= reasons.len()).await;
        assert_eq!(told, reasons);
    }

    pub async fn event_reasons(&self, name: &str) -> Vec<String> {
        self.events(name).await.into_iter().filter_map(|it| it.reason).collect()
    }

    pub async fn delete(&self, name: &str) {
        self.api().delete(name, &DeleteParams::default()).await.unwrap();
    }
}

impl Drop for World {
    /// Whatever a test is about: no request of the operator's departs from the vendor's OpenAPI, and none is one that a
    /// strict server would only put up with.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let strictness = match self.simulator.config().contract {
            Contract::Full => Strictness::AsRecorded,
            Contract::Openapi => Strictness::ToTheLetter,
        };
        // A call that was reset before its body was read has none.
        for call in self.updates().into_iter().filter(|call| !call.body.is_null()) {
            check_request(&call, strictness).unwrap_or_else(|error| panic!("{error}\n{call:#?}"));
            assert!(call.violations.is_empty(), "{call:#?}");
        }
    }
}

pub fn install_crd(plane: &ControlPlane) {
    let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
    run(plane, &["apply", "--server-side", "-f", crds]);
    run(plane, &["wait", "--for=condition=Established", "crd/confidenceclientcredentials.iam.confidence.dev"]);
}

/// Runs kubectl; answers what it printed.
pub fn run(plane: &ControlPlane, arguments: &[&str]) -> String {
    let output = plane.kubectl().args(arguments).output().unwrap();
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A credential that somebody else created.
pub fn credential(display_name: &str) -> Credential {
    Credential {
        display_name: display_name.to_owned(),
        creator: "identities/creator".to_owned(),
        updater: "identities/creator".to_owned(),
        ..Credential::default()
    }
}

pub fn status(object: &ConfidenceClientCredential) -> ConfidenceClientCredentialStatus {
    object.status.clone().unwrap_or_default()
}

/// Truth and reason of a condition.
pub fn condition(object: &ConfidenceClientCredential, name: &str) -> Option<(String, String)> {
    let conditions = status(object).conditions;
    conditions.into_iter().find(|it| it.type_ == name).map(|it| (it.status, it.reason))
}

pub fn message(object: &ConfidenceClientCredential) -> String {
    let conditions = status(object).conditions;
    conditions.into_iter().find(|it| it.type_ == "Ready").map(|it| it.message).unwrap_or_default()
}

pub fn is_current(object: &ConfidenceClientCredential) -> bool {
    status(object).observed_generation == object.metadata.generation
}

pub fn version(object: &ConfidenceClientCredential) -> String {
    object.resource_version().unwrap()
}
