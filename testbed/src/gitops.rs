//! How the tools of GitOps judge an object: Argo CD by our Lua, Flux and others by the rules of kstatus.
//!
//! Judging and nothing else: where the object comes from is the test's business.

pub mod argo;
pub mod kstatus;
