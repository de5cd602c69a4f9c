//! The parts of confidence-operator, as a library for the binary and the tests.

pub mod api;
pub mod app;
pub mod confidence;
pub mod controller;
pub mod crd;
pub mod flags;
pub mod health;
pub mod leader;
pub mod metrics;
pub mod plan;
pub mod replica;
pub mod serve;
pub mod traces;
