//! The command line: flags to parts to run. Nothing else decides here.

pub mod account_flags;
pub mod crd;
pub mod flags;
pub mod run;
