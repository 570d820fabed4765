//! The demo's estate: twelve hosts whose keystores look as installers and years leave them. Everything is really made,
//! keys, certificates and stores; nothing that the commands print about it is canned.
//!
//! First every store is laid out as the spec wants it (the edges of the resolved topology say how), then a short list of
//! [`sins`] is committed on it.

mod forge;
mod layout;
mod person;
mod sins;

pub(crate) use layout::write;
pub(crate) use person::carry_out;

/// The spec of the demo's estate.
pub(crate) const SPEC: &str = include_str!("../../../../specs/demo.yaml");
/// Its name in the demo's folder.
pub(crate) const SPEC_NAME: &str = "estate.yaml";

/// What can go wrong in making a demo, in words.
#[derive(Debug)]
pub(crate) struct DemoError(pub(crate) String);

impl std::fmt::Display for DemoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the demo's estate could not be made: {}", self.0)
    }
}

/// Any error as the demo's own, with what was being done.
pub(crate) fn failed<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> DemoError + '_ {
    move |error| DemoError(format!("{what}: {error}"))
}
