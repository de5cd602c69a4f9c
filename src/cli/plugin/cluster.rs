//! The cluster, found as kubectl finds it.

// The docs of the flags are their --help: text for a terminal, without the marks of Markdown.
#![allow(clippy::doc_markdown)]

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use k8s_openapi::api::core::v1::Namespace;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use super::CommandError;
use crate::api::ConfidenceClientCredential;

/// How long a connection to the API server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which cluster, and who asks.
#[derive(Clone, Debug, Default, Args)]
pub struct ClusterFlags {
    /// The context of the kubeconfig [default: its current context]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, else ~/.kube/config; in a pod its ServiceAccount]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The user to act as, such as system:serviceaccount:NAMESPACE:NAME
    #[arg(long = "as", value_name = "USER")]
    pub act_as: Option<String>,
    /// The namespace [default: that of the context]
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
}

/// A cluster to talk to.
#[derive(Clone)]
pub struct Cluster {
    /// Its client.
    pub client: Client,
    /// The namespace that is meant where none is given.
    pub namespace: String,
}

impl ClusterFlags {
    /// Connects: reads the kubeconfig, and makes no call.
    pub async fn connect(&self) -> Result<Cluster, CommandError> {
        let mut config = self.config().await?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // Up to fifteen tries, minutes long: a person waits.
        config.default_retry = false;
        if self.act_as.is_some() {
            config.auth_info.impersonate.clone_from(&self.act_as);
        }
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| unusable(&error))?;
        Ok(Cluster { client, namespace })
    }

    /// Whether a cluster was asked for in words.
    pub fn is_given(&self) -> bool {
        self.context.is_some() || self.kubeconfig.is_some()
    }

    async fn config(&self) -> Result<Config, CommandError> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        if let Some(path) = &self.kubeconfig {
            let kubeconfig = Kubeconfig::read_from(path).map_err(|error| unusable(&error))?;
            return Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unusable(&error));
        }
        if self.context.is_some() {
            return Config::from_kubeconfig(&options).await.map_err(|error| unusable(&error));
        }
        // As kubectl: a kubeconfig wins over the ServiceAccount of a pod.
        match Config::from_kubeconfig(&options).await {
            Ok(config) => Ok(config),
            Err(error) => Config::incluster()
                .map_err(|_| CommandError::new(format!("no cluster: {error}; give --kubeconfig or set KUBECONFIG"))),
        }
    }
}

fn unusable(error: &dyn std::error::Error) -> CommandError {
    CommandError::new(format!("the kubeconfig cannot be used: {error}; check --kubeconfig and --context"))
}

impl Cluster {
    /// The id of the installation, as the operator takes it.
    pub async fn instance(&self, given: Option<&str>) -> Result<String, CommandError> {
        if let Some(id) = given {
            return Ok(id.to_owned());
        }
        let namespace = Api::<Namespace>::all(self.client.clone()).get_metadata("kube-system").await;
        let tried = "the id of this installation (or give --instance-id)";
        let namespace = namespace.map_err(|error| CommandError::kube(tried, &error))?;
        Ok(namespace.metadata.uid.unwrap_or_default())
    }

    /// The resources of the namespace.
    pub fn resources(&self) -> Api<ConfidenceClientCredential> {
        self.resources_in(&self.namespace)
    }

    /// The resources of another namespace.
    pub fn resources_in(&self, namespace: &str) -> Api<ConfidenceClientCredential> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The resources of all namespaces.
    pub fn all_resources(&self) -> Api<ConfidenceClientCredential> {
        Api::all(self.client.clone())
    }
}
