//! What the demo runs on: a cluster, the simulator, the operator.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use confidence_operator::api::ConfidenceClientCredential;
use confidence_simulator::{Call, CallKind, Config, Credential, Running, Simulator};
use k8s_openapi::api::core::v1::Secret;
use kube::config::Kubeconfig;
use kube::{Api, Client};
use tempfile::TempDir;
use testbed::{ControlPlane, Process, Program};
use tokio::time::Instant;

use crate::cargo::cargo;

/// Where the demo's resources live.
pub(super) const NAMESPACE: &str = "confidence-demo";

/// The client of the demo's credentials.
pub(super) const CLIENT: &str = "1bhq4c2zqigdzqg6ufni";

const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster, the simulator and the operator, running.
pub(super) struct Stage {
    plane: Option<ControlPlane>,
    files: TempDir,
    client: Client,
    pub(super) simulator: Simulator,
    server: Running,
    operator: Process,
    installed_crd: bool,
}

impl Stage {
    /// Starts everything, or uses the cluster of a context.
    pub(super) async fn set(context: Option<&str>) -> Result<Self, String> {
        testbed::install_crypto();
        let files = tempfile::tempdir().map_err(|error| error.to_string())?;
        let kubeconfig = files.path().join("kubeconfig");
        let plane = if let Some(context) = context {
            write_kubeconfig(context, &kubeconfig)?;
            None
        } else {
            heading("A control plane: kube-apiserver and etcd (the first run builds them, which takes minutes)");
            let plane = tokio::task::spawn_blocking(ControlPlane::start).await.map_err(|error| error.to_string())??;
            std::fs::copy(plane.kubeconfig(), &kubeconfig).map_err(|error| error.to_string())?;
            Some(plane)
        };
        let client = client_of(&kubeconfig).await?;
        heading("The simulator: a Confidence IAM server in this process");
        let simulator = Simulator::new(Config::default());
        simulator.put_client(CLIENT, confidence_simulator::Client::default());
        let server = simulator.start().await.map_err(|error| error.to_string())?;
        println!("{}", server.url());
        heading("The operator: the real binary");
        let operator = start_operator(files.path(), &kubeconfig, &server)?;
        let mut stage = Self { plane, files, client, simulator, server, operator, installed_crd: false };
        stage.prepare()?;
        Ok(stage)
    }

    fn prepare(&mut self) -> Result<(), String> {
        self.installed_crd =
            self.try_kubectl(&["get", "crd", "confidenceclientcredentials.iam.confidence.dev"], "").is_err();
        self.kubectl(&["apply", "-f", "crds/"], "")?;
        self.kubectl(&["create", "namespace", NAMESPACE], "")?;
        Ok(())
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.files.path().join("kubeconfig")
    }

    pub(super) fn simulator_url(&self) -> String {
        self.server.url()
    }

    pub(super) fn kubectl_program(&self) -> String {
        let kubectl = self.plane.as_ref().map_or_else(|| Command::new("kubectl"), ControlPlane::kubectl);
        kubectl.get_program().to_string_lossy().into_owned()
    }

    /// Runs kubectl, shows the command and what it said.
    pub(super) fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        println!("$ kubectl {}{}", arguments.join(" "), if input.is_empty() { "" } else { " <<EOF" });
        if !input.is_empty() {
            println!("{}\nEOF", input.trim());
        }
        let output = self.try_kubectl(arguments, input)?;
        print!("{output}");
        Ok(output)
    }

    /// Runs kubectl; what it said, or what it said was wrong.
    pub(super) fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut child = Command::new(self.kubectl_program())
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .env("KUBECONFIG", self.kubeconfig())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("kubectl: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).map_err(|error| format!("kubectl: {error}"))?;
        }
        let output = child.wait_with_output().map_err(|error| format!("kubectl: {error}"))?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The Secrets of the demo.
    pub(super) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// Puts a credential into the simulator.
    pub(super) fn seed(&self, id: &str, credential: Credential) {
        self.simulator.put(CLIENT, id, credential);
    }

    /// The updates from a call on.
    pub(super) fn updates_since(&self, from: usize) -> Vec<Call> {
        self.simulator.calls().into_iter().skip(from).filter(|call| call.kind == CallKind::Update).collect()
    }

    /// Waits until a resource is as wanted.
    pub(super) async fn until(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&ConfidenceClientCredential) -> bool,
    ) -> Result<ConfidenceClientCredential, String> {
        let api: Api<ConfidenceClientCredential> = Api::namespaced(self.client.clone(), NAMESPACE);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let object = api.get(name).await.map_err(|error| error.to_string())?;
            if wanted(&object) {
                return Ok(object);
            }
            if Instant::now() > deadline {
                let log = self.operator.lines();
                let tail = log.iter().rev().take(20).rev().cloned().collect::<Vec<_>>().join("\n");
                return Err(format!("{name}: not {what} within {PATIENCE:?}\n{object:#?}\n{tail}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops everything and takes away what the demo brought.
    pub(super) async fn clear(mut self) -> Result<(), String> {
        heading("Clearing up");
        let ended = self.operator.terminate(Duration::from_secs(15))?;
        check(ended.success(), &format!("the operator ended in good order ({ended})"))?;
        if self.plane.is_none() {
            self.kubectl(&["delete", "ccc,secrets", "--all", "-n", NAMESPACE], "")?;
            self.kubectl(&["delete", "namespace", NAMESPACE, "--wait=false"], "")?;
            if self.installed_crd {
                self.kubectl(&["delete", "crd", "confidenceclientcredentials.iam.confidence.dev"], "")?;
            }
        }
        self.server.stop().await;
        self.plane.map_or(Ok(()), |plane| plane.stop())
    }
}

fn start_operator(files: &Path, kubeconfig: &Path, server: &Running) -> Result<Process, String> {
    let built = cargo().args(["build", "--quiet", "--package", "confidence-operator"]).status();
    check(built.is_ok_and(|status| status.success()), "the operator was built")?;
    let token = files.join("token");
    std::fs::write(&token, "test-token\n").map_err(|error| error.to_string())?;
    let operator = Program::new(testbed::target_dir().join("debug/confidence-operator"))
        .env("KUBECONFIG", kubeconfig)
        .args(["--watch-namespace", NAMESPACE, "--listen", "127.0.0.1:0", "--confidence-url", &server.url()])
        .arg("--token-file")
        .arg(token)
        .start()?;
    println!("{}", operator.wait_for_line(PATIENCE, |line| line.contains("serving"))?);
    Ok(operator)
}

fn write_kubeconfig(context: &str, path: &Path) -> Result<(), String> {
    let mut config = Kubeconfig::read().map_err(|error| error.to_string())?;
    if !config.contexts.iter().any(|it| it.name == context) {
        return Err(format!("--context: there is no context {context:?} in your kubeconfig"));
    }
    config.current_context = Some(context.to_owned());
    // JSON is YAML.
    let text = serde_json::to_string(&config).map_err(|error| error.to_string())?;
    std::fs::write(path, text).map_err(|error| error.to_string())
}

async fn client_of(kubeconfig: &Path) -> Result<Client, String> {
    let config = Kubeconfig::read_from(kubeconfig).map_err(|error| error.to_string())?;
    let config = kube::Config::from_custom_kubeconfig(config, &kube::config::KubeConfigOptions::default()).await;
    Client::try_from(config.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}

/// Begins a step.
pub(super) fn heading(text: &str) {
    println!("\n\u{1b}[1m== {text}\u{1b}[0m");
}

/// Shows that something holds, or ends the demo.
pub(super) fn check(holds: bool, what: &str) -> Result<(), String> {
    if holds {
        println!("\u{1b}[32m✔\u{1b}[0m {what}");
        return Ok(());
    }
    Err(format!("this does not hold: {what}"))
}
