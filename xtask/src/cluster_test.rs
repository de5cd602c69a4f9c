//! Installs the chart in a cluster, and checks what only a cluster with nodes shows: pods, failover, upgrade and uninstall.
//!
//! It uses `helm` and `kubectl` from the path and the manifests of `examples/try`, so the simulator takes the place of
//! Confidence. It installs into the namespaces of those manifests and deletes them at the end.

mod cluster;
mod steps;

use clap::Args;

use self::cluster::Cluster;

/// The flags of `cluster-test`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// The context of your kubeconfig; the cluster must not have a confidence-operator yet
    #[arg(long, value_name = "NAME")]
    context: String,
    /// The image of the operator, as the cluster's nodes can pull it or have it already
    #[arg(long, value_name = "IMAGE", default_value = concat!("confidence-operator:", env!("CARGO_PKG_VERSION")))]
    image: String,
    /// The image of the simulator
    #[arg(long, value_name = "IMAGE", default_value = concat!("confidence-simulator:", env!("CARGO_PKG_VERSION")))]
    simulator_image: String,
    /// Leave out the steps that need running pods: for an API server without nodes
    #[arg(long)]
    without_pods: bool,
    /// Leave everything as it is at the end, or where a step failed
    #[arg(long)]
    keep: bool,
}

/// Runs the steps, and clears up.
pub(crate) fn run(flags: &Flags) -> Result<(), String> {
    let cluster = Cluster::new(&flags.context);
    steps::refuse_used_cluster(&cluster)?;
    let tested = test(&cluster, flags);
    if tested.is_err() {
        steps::tell(&cluster);
    }
    if flags.keep {
        return tested;
    }
    let cleared = steps::clear(&cluster);
    tested.and(cleared)?;
    println!("\nAll steps held.");
    Ok(())
}

fn test(cluster: &Cluster, flags: &Flags) -> Result<(), String> {
    let has_pods = !flags.without_pods;
    steps::prepare(cluster, &flags.simulator_image, has_pods)?;
    steps::install(cluster, &flags.image, has_pods)?;
    steps::apply_credential(cluster)?;
    if has_pods {
        steps::run_helm_test(cluster)?;
        steps::wait_for_credential(cluster)?;
        steps::fail_over(cluster)?;
        steps::rotate(cluster)?;
    }
    steps::upgrade(cluster, &flags.image, has_pods)?;
    if has_pods {
        steps::delete_credential(cluster)?;
    }
    steps::uninstall(cluster)
}
