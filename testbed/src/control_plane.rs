//! A real kube-apiserver with etcd, on loopback ports.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::{Assets, Result};

/// A running control plane.
#[derive(Debug)]
pub struct ControlPlane {
    assets: Assets,
    kubeconfig: PathBuf,
    starter: Mutex<Starter>,
}

#[derive(Debug)]
struct Starter {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// The crypto provider of kube and reqwest, once for the process.
pub fn install_crypto() {
    // An error says that it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl ControlPlane {
    /// Starts one; it takes some seconds, and minutes where the programs must be built first.
    ///
    /// # Errors
    /// When the programs cannot be built or do not come up.
    pub fn start() -> Result<Self> {
        install_crypto();
        let assets = Assets::find()?;
        let mut child = Command::new(assets.starter())
            .arg("-assets")
            .arg(assets.servers())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", assets.starter().display()))?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("the starter has no output")?;
        let mut starter = Starter { child, input, output: BufReader::new(output) };
        let kubeconfig = starter.expect("ready ")?.into();
        Ok(Self { assets, kubeconfig, starter: Mutex::new(starter) })
    }

    /// The one that all tests of this process share. It ends with the process.
    ///
    /// # Panics
    /// When there can be none: no test makes sense then.
    #[allow(clippy::panic)]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().unwrap_or_else(|error| panic!("no control plane: {error}")))
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// kubectl, pointed at it.
    pub fn kubectl(&self) -> Command {
        let mut kubectl = Command::new(self.assets.kubectl());
        kubectl.env("KUBECONFIG", self.kubeconfig());
        kubectl
    }

    /// An administrator's client. Each runtime needs one of its own.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn client(&self) -> Result<Client> {
        client_of(&self.kubeconfig()).await
    }

    /// Takes the API server away; etcd and all that is in it stay.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop_api_server(&self) -> Result<()> {
        self.command("stop-apiserver", "stopped")
    }

    /// Brings the API server back, at the same address.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_api_server(&self) -> Result<()> {
        self.command("start-apiserver", "ready")
    }

    /// The process whose children are etcd and the API server.
    pub fn starter_id(&self) -> u32 {
        self.starter.lock().unwrap_or_else(PoisonError::into_inner).child.id()
    }

    fn command(&self, command: &str, answer: &str) -> Result<()> {
        let mut starter = self.starter.lock().unwrap_or_else(PoisonError::into_inner);
        let input = starter.input.as_mut().ok_or("the control plane is stopped")?;
        writeln!(input, "{command}").map_err(|error| error.to_string())?;
        starter.expect(answer).map(drop)
    }

    /// Stops it, and waits until nothing is left of it.
    ///
    /// # Errors
    /// When it did not end well.
    pub fn stop(&self) -> Result<()> {
        let mut starter = self.starter.lock().unwrap_or_else(PoisonError::into_inner);
        starter.input = None;
        let status = starter.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("the control plane ended with {status}")) }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // It ends by itself when the pipe closes; waiting leaves no zombie.
        let _ = self.stop();
    }
}

impl Starter {
    /// The rest of a line that begins so.
    fn expect(&mut self, answer: &str) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| error.to_string())?;
        let rest = line.trim_end().strip_prefix(answer);
        rest.map(str::to_owned).ok_or_else(|| format!("the control plane said {line:?} instead of {answer:?}"))
    }
}

async fn client_of(kubeconfig: &Path) -> Result<Client> {
    install_crypto();
    let read = Kubeconfig::read_from(kubeconfig).map_err(|error| error.to_string())?;
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
    Client::try_from(config.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
