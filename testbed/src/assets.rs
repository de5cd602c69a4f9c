//! Where the programs of a control plane are.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::go::{self, Package};

/// Without this the API server calls itself v0.0.0, and clients that ask for its version go astray.
const VERSION: &[&str] = &[
    "-ldflags",
    "-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 \
     -X k8s.io/component-base/version.gitMinor=37",
];

const STARTER: Package = Package { binary: "controlplane", path: ".", flags: &[] };

const SERVERS: [Package; 3] = [
    Package { binary: "etcd", path: "go.etcd.io/etcd/server/v3", flags: VERSION },
    Package { binary: "kube-apiserver", path: "k8s.io/kubernetes/cmd/kube-apiserver", flags: VERSION },
    Package { binary: "kubectl", path: "k8s.io/kubernetes/cmd/kubectl", flags: VERSION },
];

/// Where the programs of a control plane are.
#[derive(Clone, Debug)]
pub struct Assets {
    servers: PathBuf,
    starter: PathBuf,
}

impl Assets {
    /// Finds them: in `KUBEBUILDER_ASSETS` if that is set, else in the cache, where they are built on first use. The
    /// starter is small, and always this repository's own.
    ///
    /// # Errors
    /// When they cannot be built.
    pub fn find() -> Result<Self> {
        if let Some(servers) = std::env::var_os("KUBEBUILDER_ASSETS").filter(|it| !it.is_empty()) {
            let starter = go::build("controlplane", &[STARTER])?;
            return Ok(Self { servers: servers.into(), starter });
        }
        let built = go::build("controlplane", &[STARTER, SERVERS[0], SERVERS[1], SERVERS[2]])?;
        Ok(Self { servers: built.clone(), starter: built })
    }

    /// The folder with kube-apiserver and etcd.
    pub fn servers(&self) -> &Path {
        &self.servers
    }

    /// The program that starts them.
    pub fn starter(&self) -> PathBuf {
        self.starter.join(STARTER.binary)
    }

    /// kubectl: from the same place, or, where that has none, from the path.
    pub fn kubectl(&self) -> PathBuf {
        let own = self.servers.join("kubectl");
        if own.exists() { own } else { PathBuf::from("kubectl") }
    }
}
