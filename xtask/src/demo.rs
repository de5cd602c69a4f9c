//! The demo: the operator at work on a real API server against the simulator. Each step shows what a platform team would
//! see, and checks that it holds.

mod lifecycle;
mod record;
mod stage;
mod steps;

use std::path::PathBuf;

use clap::Args;

use self::stage::Stage;

/// The flags of `demo`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// Leave everything running at the end, and tell how to point kubectl at it; Ctrl-C ends it
    #[arg(long)]
    keep: bool,
    /// Use the cluster of this context of your kubeconfig instead of building and starting one; the operator still runs on
    /// this machine
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Write a recording (asciicast) into a file
    #[arg(long, value_name = "FILE", conflicts_with = "keep")]
    record: Option<PathBuf>,
}

/// Runs the demo.
pub(crate) async fn run(flags: Flags) -> Result<(), String> {
    if let Some(path) = flags.record {
        let recorded = tokio::task::spawn_blocking(move || record::record(flags.context.as_deref(), &path)).await;
        return recorded.map_err(|error| error.to_string())?;
    }
    let stage = Stage::set(flags.context.as_deref()).await?;
    let shown = show(&stage).await;
    if flags.keep && shown.is_ok() {
        println!(
            "\nEverything is still running. In another terminal:\n\n  export KUBECONFIG={}",
            stage.kubeconfig().display()
        );
        println!("  {} get ccc -n {}", stage.kubectl_program(), stage::NAMESPACE);
        println!("  curl {}/admin/calls    # what Confidence was asked\n\nCtrl-C ends it.", stage.simulator_url());
        tokio::signal::ctrl_c().await.map_err(|error| error.to_string())?;
    }
    let cleared = stage.clear().await;
    shown.and(cleared)
}

async fn show(stage: &Stage) -> Result<(), String> {
    let application = lifecycle::create(stage).await?;
    lifecycle::rotate(stage, application).await?;
    lifecycle::delete(stage).await?;
    steps::adopt(stage)?;
    steps::update(stage).await?;
    steps::correct_drift(stage).await?;
    steps::rotate_secret(stage).await?;
    steps::refuse_bad_manifest(stage)?;
    steps::conflict(stage).await?;
    steps::table(stage)?;
    println!("\nAll steps held.");
    Ok(())
}
