//! How Argo CD (by our Lua) and Flux and others (by the rules of kstatus) judge an object.
//!
//! Judging and nothing else: where the object comes from is the test's business.

pub mod argo;
pub mod kstatus;
