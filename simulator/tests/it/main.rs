//! The simulator as its users see it: in memory, on sockets, as a program.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod accounts;
mod common;
mod faults;
mod lifecycle;
mod oddities;
mod openapi;
mod program;
mod reading;
mod sockets;
mod updates;
