//! The programs that test the Helm chart, the statuses and the release, each pinned by a Go module of its own in `testbed/tools/`.

use std::path::PathBuf;

use crate::Result;
use crate::go::{self, Package};

/// Without what a debugger needs: half the size.
const STRIPPED: &[&str] = &["-ldflags", "-s -w"];

/// A program of `testbed/tools/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Checks the workflows of GitHub.
    Actionlint,
    /// Lints, renders and installs charts.
    Helm,
    /// Writes the chart's README from its values.
    HelmDocs,
    /// Runs the chart's unit tests.
    HelmUnittest,
    /// Renders the mixin of the alerts and the dashboard.
    Jsonnet,
    /// Checks the manifest of the kubectl plugin.
    Krew,
    /// Judges objects as Flux does: a small program of ours around the library (`sigs.k8s.io/cli-utils`).
    Kstatus,
    /// Holds manifests against the schemas of Kubernetes.
    Kubeconform,
    /// Checks the OLM bundle.
    OperatorVerify,
    /// Checks and tests the alerts.
    Promtool,
}

impl Tool {
    /// The program, built on first use.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn find(self) -> Result<PathBuf> {
        let (binary, package, flags) = match self {
            Self::Actionlint => ("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", STRIPPED),
            Self::Helm => ("helm", "helm.sh/helm/v4/cmd/helm", STRIPPED),
            Self::HelmDocs => ("helm-docs", "github.com/norwoodj/helm-docs/cmd/helm-docs", STRIPPED),
            Self::HelmUnittest => {
                ("helm-unittest", "github.com/helm-unittest/helm-unittest/cmd/helm-unittest", STRIPPED)
            }
            Self::Jsonnet => ("jsonnet", "github.com/google/go-jsonnet/cmd/jsonnet", STRIPPED),
            Self::Krew => ("krew", "sigs.k8s.io/krew/cmd/validate-krew-manifest", STRIPPED),
            Self::OperatorVerify => {
                ("operator-verify", "github.com/operator-framework/api/cmd/operator-verify", STRIPPED)
            }
            Self::Kstatus => ("kstatus", ".", STRIPPED),
            Self::Kubeconform => ("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", STRIPPED),
            // Service discovery is most of Prometheus, and none of it has to do with rules.
            Self::Promtool => (
                "promtool",
                "github.com/prometheus/prometheus/cmd/promtool",
                &["-ldflags", "-s -w", "-tags", "remove_all_sd"][..],
            ),
        };
        let built = go::build(&format!("tools/{binary}"), &[Package { binary, path: package, flags }])?;
        Ok(built.join(binary))
    }
}
