//! Every integration test of the crate except `windows.rs`, in one program. Each test program links the whole product, so
//! one program saves time. `windows.rs` is a program of its own because it also runs under Wine.
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

#[path = "../../../fixtures/extent.rs"]
mod extent;

mod estates;
mod hostile;
mod invalid;
mod language;
mod profiles;
mod reference;
mod schema;
