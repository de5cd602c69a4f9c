//! The parts of confidence-operator, as a library for the binary and the tests.

pub mod api;
pub mod confidence;
pub mod plan;
