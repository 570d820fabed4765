//! What the operator means: YAML → `Spec` → `Topology` (with its trust edges) → `Survey`, and the role profiles.
//!
//! ```text
//! text ─parse─▶ Spec ─load (the caller reads)─▶ profiles ─resolve─▶ Topology ─Survey::of─▶ Survey
//! ```
//!
//! Everything here is pure: no file, no environment, no clock. A text becomes a tree of nodes that know their place
//! (`tree`); one table per language (`grammar`) says which fields there are, and drives the check that collects every
//! fault, the "did you mean", and the JSON Schema; what fits the table becomes typed data (`estate`, `profile`), and
//! resolving looks every name up. Faults carry file, line, column, the line itself unless it may hold a secret, and one
//! thing to try.
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
