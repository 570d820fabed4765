//! Every integration test of the crate, in one program: each test program links the whole product, and to link it once
//! takes a fraction of the time. `mutants.rs` is a program of its own, because its allocator measures.
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
#[path = "../../../fixtures/extent.rs"]
mod extent;

mod chains {
    pub(crate) mod certificate;
    pub(crate) mod chain;
    pub(crate) mod shapes;
}
mod support;

mod corpus;
mod fixtures;
mod judge_chains;
mod judge_pairs;
mod keytool;
#[path = "loads/main.rs"]
mod loads;
mod matrix;
mod oracle;
mod pkcs12;
