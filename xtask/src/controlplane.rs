//! A control plane to try things by hand.

use testbed::ControlPlane;

/// Runs one until Ctrl-C.
pub(crate) async fn run() -> Result<(), String> {
    let plane = tokio::task::spawn_blocking(ControlPlane::start).await.map_err(|error| error.to_string())??;
    println!(
        "A control plane is running. In another terminal:\n\n  export KUBECONFIG={}",
        plane.kubeconfig().display()
    );
    println!("  {} apply -f crds/\n\nCtrl-C ends it, and all that is in it.", plane.kubectl().get_program().display());
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())?;
    plane.stop()
}
