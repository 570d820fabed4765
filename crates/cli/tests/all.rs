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

#[macro_use]
#[path = "../../../fixtures/needs.rs"]
mod needs;
#[path = "../../../fixtures/dice.rs"]
mod dice;

#[cfg(unix)]
#[path = "support/confined.rs"]
mod confined;
#[cfg(unix)]
mod judge;
#[cfg(unix)]
#[path = "../../../fixtures/markdown.rs"]
mod markdown;
#[cfg(unix)]
#[path = "support/server.rs"]
mod server;
mod support;

mod authorities;
mod clocks;
mod collect;
mod demo;
mod docs;
mod exits;
mod goes_on;
mod hostile;
#[cfg(unix)]
mod inert;
mod judge_authority;
mod judge_documents;
mod judge_endpoints;
mod judge_estates;
mod judge_kills;
mod judge_migration;
mod judge_options;
mod judge_pkcs12;
mod judge_reference;
mod judge_rotation;
mod kinds;
mod long_plan;
mod namesakes;
#[cfg(unix)]
mod night;
mod openings;
#[cfg(unix)]
mod player;
mod restarts;
mod rotation;
mod scenarios;
mod schemas;
mod short_lives;
mod state_folder;
mod words;
