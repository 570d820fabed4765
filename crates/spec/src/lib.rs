//! Reads an estate spec and role profiles (YAML) and resolves them to a [`topology::Topology`] and a [`survey::Survey`].
//!
//! ```text
//! text ─parse─▶ Spec ─load (the caller reads)─▶ profiles ─resolve─▶ Topology ─Survey::of─▶ Survey
//! ```
//!
//! The topology holds hosts, stores, identities and the trust edges between them; the survey lists what a run must read.
//! The crate never opens a file, reads the environment or asks for the time.
//!
//! # Example
//! ```
//! use std::path::Path;
//! use trustmason_spec::{parse, profile, resolve};
//!
//! # fn main() -> Result<(), trustmason_spec::Faults> {
//! let text = "
//! trustmason: 1
//! estate: acme
//! profile: pcce-12.5
//! hosts:
//!   adsa.acme.example: { role: ads }
//!   cvp1.acme.example: { role: cvp }
//! ";
//! let spec = parse(text, "estate.yaml")?;
//! // The caller reads profiles that are not built in. The spec above names none.
//! let profiles = profile::load(&spec, Path::new("/estate"), |path| Err(format!("no file {}", path.display())))?;
//! let topology = resolve(&spec, &profiles, Path::new("/estate"))?.topology;
//! assert!(topology.edges.iter().any(|edge| edge.id == "adsa.acme.example/cacerts <- cvp1.acme.example/wsm"));
//! # Ok(())
//! # }
//! ```
//!
//! # Inside
//! `tree` turns a text into nodes with their places. One table per language (`grammar`) lists the fields. The check
//! that collects every fault, the "did you mean" and the JSON Schema all read this table. `estate` and `profile` hold
//! the checked text as typed data, and `resolve` looks every name up. A fault carries the file, line and column, one
//! hint, and the line's text unless the line may hold a secret.
#![forbid(unsafe_code)]

mod estate;
pub mod fault;
mod grammar;
mod lexeme;
pub mod name;
mod parse;
mod pick;
pub mod profile;
pub mod public_roots;
mod redaction;
mod resolve;
pub mod schema;
mod semantics;
mod shape;
pub mod survey;
mod syntax;
mod template;
pub mod topology;
mod tree;
pub mod windows;

pub use estate::{ProfileRef, Spec};
pub use fault::{Fault, Faults};
pub use parse::parse;
pub use profile::LoadedProfile;
pub use resolve::{Resolved, resolve};
