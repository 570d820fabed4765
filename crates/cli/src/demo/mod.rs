//! Makes the demo's estate: twelve hosts whose keystores have the defects that installers and time cause. Keys,
//! certificates and stores are real, and the commands compute everything they print about them.
//!
//! `layout` first gives every store what the spec wants (the edges of the resolved topology), changed by the short list of
//! defects in [`defects`].

mod defects;
mod issue;
mod layout;
mod operator;

pub(crate) use layout::write;
pub(crate) use operator::carry_out;

/// The spec of the demo's estate.
pub(crate) const SPEC: &str = include_str!("../../../../specs/demo.yaml");
/// The name of the spec in the demo's folder.
pub(crate) const SPEC_NAME: &str = "estate.yaml";

/// The error of making the demo, in words.
#[derive(Debug)]
pub(crate) struct DemoError(pub(crate) String);

impl std::fmt::Display for DemoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the demo's estate could not be made: {}", self.0)
    }
}

/// Turns any error into the demo's error. `what` names the failed step.
pub(crate) fn failed<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> DemoError + '_ {
    move |error| DemoError(format!("{what}: {error}"))
}
