//! What to do, decided from what is asked for and what is known. Pure: no I/O, no clock, the same inputs give the same plan.
//!
//! ```text
//! spec ── Desired::from_spec ──► Desired ─┐
//! observed credential ── Observation ─────┼─► plan() ──► InSync | Update | NeedsFreshRead
//! status, memory ── SecretKnowledge ──────┘
//! ```
//!
//! An existing credential is planned by [`plan`]. The controller and the command line both call it, so what one shows is
//! what the other does.
//!
//! ```
//! use confidence_operator::confidence::wire::ClientCredential;
//! use confidence_operator::plan::{Desired, Observation, Plan, SecretKnowledge, plan};
//!
//! let spec = serde_json::from_str(r#"{"name":"clients/c/credentials/k","displayName":"Checkout"}"#)?;
//! let observed = ClientCredential::from_json(br#"{"displayName":"Chekout","labels":{"team":"shop"}}"#)?;
//! let plan = plan(&Desired::from_spec(&spec)?, &Observation::read(observed), &SecretKnowledge::default(), spec.drift_policy);
//! let Plan::Update(update) = plan else { panic!("the name differs") };
//! assert_eq!(update.request().update_mask(), "display_name");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client_secret;
mod desired;
pub mod lifecycle;
mod observation;
mod update;

pub use client_secret::{DesiredSecret, SecretKnowledge, SecretState};
pub use desired::{Desired, InvalidSpec};
pub use observation::{Method, Observation};
pub use update::{FieldChange, Plan, PlannedUpdate, plan};

#[cfg(test)]
mod tests;
