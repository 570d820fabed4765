//! What the operator means: YAML → `Spec` → `Topology` (with its trust edges) → `Survey`, and the role profiles.

pub mod name;
pub mod survey;
pub mod topology;
