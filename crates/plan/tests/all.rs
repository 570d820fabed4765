//! Every integration test of the crate, in one program. Each test program links the whole product, and linking once
//! takes a fraction of the time.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

#[path = "../../../fixtures/markdown.rs"]
mod markdown;
#[macro_use]
#[path = "../../../fixtures/needs.rs"]
mod needs;
mod world;

mod by_name;
mod clocks;
mod handoff;
mod inert;
mod judgement;
mod laws;
mod loads;
#[path = "model/main.rs"]
mod model;
mod purpose;
mod replies;
mod rotation;
mod served;
mod short_lives;
mod verify;
