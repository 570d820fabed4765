//! The machine: the only crate that opens, reads, writes, starts or waits for anything.
//!
//! [`converge::Reconciler`] is the way in: it has what a run of one estate needs, and decides how a run goes on.
//! [`look::look`] turns a survey into plain facts and never fails as a whole. [`run::run`] does what a plan says, store by
//! store, and decides nothing. Every write of both goes through [`disk::Disk`], so that each step of it can be made to fail.
//! [`restart::restart`] runs the command that restarts a service. [`secret::Secrets`] is where a reference becomes a
//! password; passwords and keys live here and in the keystore crate, on the stack of the call that needs them, and in no
//! error, journal or ledger.
#![forbid(unsafe_code)]

#[cfg(test)]
#[macro_use]
#[path = "../../../fixtures/needs.rs"]
mod needs;

pub mod clock;
pub mod converge;
pub mod disk;
pub mod endpoint;
mod fan;
pub mod fault;
pub mod live;
pub mod look;
mod machine;
pub mod mint;
mod process;
pub mod record;
pub mod restart;
pub mod rollback;
pub mod run;
pub mod secret;
pub mod state;
pub mod volume;
pub mod word;
