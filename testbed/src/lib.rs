//! What tests, demo and benchmark run on: a real control plane, the operator as a process, kubectl.
//!
//! Everything that is started here ends with the process that started it, killed or not: the control plane and the
//! operator both hold a pipe from it, and go when it closes.
//!
//! [`gitops`] is how others read what the operator reports.

mod assets;
mod control_plane;
pub mod gitops;
mod go;
mod process;
mod tools;
mod wait;

pub use assets::Assets;
pub use control_plane::{ControlPlane, install_crypto};
pub use go::target_dir;
pub use process::{Process, Program};
pub use tools::Tool;
pub use wait::{Deadline, eventually};

/// Why something of the testbed does not work: a sentence for a person.
pub type Result<T> = std::result::Result<T, String>;
