//! Calls that only Windows has: files that exchange names without losing their access list, folders for one user alone,
//! a program that is ended with everything it started, and the machine's certificate stores. On other systems the crate
//! is empty.
//!
//! This is the only crate with unsafe code. Each unsafe call is in a block of its own, with the reason why it is sound.
//! The public functions are safe.
//!
//! # Example
//! A private folder, and a file that takes a name only if the name is free:
//!
//! ```
//! # #[cfg(windows)]
//! # fn main() -> std::io::Result<()> {
//! use trustmason_windows::{access, file};
//!
//! # let dir = tempfile::tempdir()?;
//! let folder = dir.path().join("state");
//! access::make_private_dir(&folder)?;
//! assert!(access::read(&folder)?.starts_with("D:"), "an access list in SDDL");
//!
//! let [one, other] = ["one", "other"].map(|name| folder.join(name));
//! std::fs::write(&one, b"1")?;
//! std::fs::write(&other, b"2")?;
//! assert!(file::rename_new(&one, &other).is_err(), "the name is taken");
//! file::rename(&one, &other)?;
//! assert_eq!(std::fs::read(&other)?, b"1");
//! # Ok(())
//! # }
//! # #[cfg(not(windows))]
//! # fn main() {}
//! ```
#![cfg(windows)]

pub mod access;
pub mod file;
pub mod job;
pub mod store;
mod wide;
