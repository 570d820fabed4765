//! Judgement: what is wanted against what was seen. Everything here is pure: the clock is passed in, files were read by
//! somebody else, and the same arguments give the same plan, byte for byte.
//!
//! [`plan`] is the one entrance. It *settles* each subject (which certificate do edges to it ask for), then compares each
//! store with the edges that end in it, then puts the pieces together; [`verify()`] holds the whole
//! against itself. [`wire`] is the plan as JSON, [`pack`] the folder a person takes to a store nobody here can write.
#![forbid(unsafe_code)]

mod assemble;
mod authority;
mod by_name;
pub mod change;
mod change_id;
pub mod clock;
pub mod constraints;
mod counts;
mod course;
pub mod days;
mod diff;
pub mod finding;
mod ground;
pub mod handoff;
mod index;
mod java;
pub mod ledger;
pub mod lint;
pub mod markdown;
pub mod memory;
pub mod mint;
mod notice;
pub mod observed;
pub mod options;
pub mod outline;
mod overlap;
pub mod pack;
mod presence;
mod restart;
pub mod run_id;
mod served;
mod settle;
pub mod shell;
pub mod site;
mod status;
mod system_entry;
pub mod target;
pub mod text;
pub mod undo;
mod verify;
pub mod waits;
mod why;
pub mod wire;
pub mod work;

pub use assemble::plan;
pub use authority::{root_fault, widened};
pub use notice::notice;
pub use status::selects;
pub use verify::{Defect, verify};
pub use why::Why;
