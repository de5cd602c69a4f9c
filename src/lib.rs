//! The parts of confidence-operator, as a library for the binary and the tests.

pub mod account;
pub mod api;
pub mod cli;
pub mod confidence;
pub mod credential;
pub mod engine;
pub mod http_server;
pub mod metrics;
pub mod plan;
pub mod replica;
pub mod telemetry;
