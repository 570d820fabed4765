//! The whole crate on real files: look, plan, run, look again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    unreachable_pub,
    reason = "tests"
)]

#[macro_use]
#[path = "../../../../fixtures/needs.rs"]
mod needs;
#[path = "../../../../fixtures/dice.rs"]
mod dice;
#[path = "../../../../fixtures/extent.rs"]
mod extent;

mod apply;
mod converge;

mod ending;
mod faults;
mod forged;
mod handoff;
mod meddling;
mod pair;
mod record;
mod robbed;
mod secrets;
mod sight;
mod system;
mod undo;
mod unread;
mod world;
