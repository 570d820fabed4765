//! What only Windows can do, and only through its own calls: files that change names without losing who may use them, folders
//! for one user alone, a program ended with all it started, and the machine's certificate stores.
//!
//! The one crate with unsafe code: each call into the system stands in a block of its own, with the reason why it is sound, and
//! nothing of it shows outside. On other systems the crate is empty.
#![cfg(windows)]

pub mod access;
pub mod file;
pub mod job;
pub mod store;
mod wide;
