//! Nothing is left of a control plane, whatever way it ends.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::{Deadline, eventually};

/// A process: its id, its parent's, and its command line.
type Line = (u32, u32, String);

fn processes() -> Vec<Line> {
    let output = Command::new("ps").args(["-A", "-ww", "-o", "pid=", "-o", "ppid=", "-o", "args="]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |line: &str| {
        let (id, rest) = line.trim().split_once(' ')?;
        let (parent, command) = rest.trim().split_once(' ')?;
        Some((id.parse().ok()?, parent.parse().ok()?, command.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// The servers: their command lines name the folder.
fn servers(dir: &Path) -> Vec<Line> {
    processes().into_iter().filter(|(_, _, command)| command.contains(&*dir.to_string_lossy())).collect()
}

fn started() -> (ControlPlane, PathBuf) {
    let plane = ControlPlane::start().unwrap();
    let dir = plane.kubeconfig().parent().unwrap().to_owned();
    assert_eq!(servers(&dir).len(), 2, "etcd and kube-apiserver: {:#?}", servers(&dir));
    (plane, dir)
}

async fn nothing_is_left(dir: &Path) {
    let left = async || (servers(dir), dir.exists());
    eventually("nothing is left", Deadline::default(), left, |(servers, folder)| servers.is_empty() && !folder).await;
}

fn sigkill(id: u32) {
    kill(Pid::from_raw(i32::try_from(id).unwrap()), Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn a_control_plane_that_is_stopped_leaves_nothing() {
    let (plane, dir) = started();
    plane.stop().unwrap();
    assert!(servers(&dir).is_empty() && !dir.exists(), "what stop waited for is gone");
}

#[tokio::test]
async fn a_starter_that_is_killed_takes_its_servers_and_files_with_it() {
    let (plane, dir) = started();
    let starter = plane.starter.lock().unwrap().child.id();
    sigkill(starter);
    nothing_is_left(&dir).await;
}

#[tokio::test]
#[cfg(target_os = "linux")] // elsewhere nobody can adopt the servers
async fn servers_whose_parent_is_killed_end_too() {
    let (plane, dir) = started();
    let starter = plane.starter.lock().unwrap().child.id();
    let worker = processes().into_iter().find(|(_, parent, _)| *parent == starter).unwrap().0;
    sigkill(worker);
    nothing_is_left(&dir).await;
    assert!(plane.stop().is_err(), "the starter tells that it did not end well");
}
