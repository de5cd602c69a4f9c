//! The command line: flags to parts to run, and the commands of the kubectl plugin. Nothing else decides here.

pub mod account_flags;
pub mod crd;
pub mod flags;
pub mod plugin;
pub mod run;
