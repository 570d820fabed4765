//! What a path of a host is made with, beside the text of the profile or the spec.

/// A variable of a host that a path is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathVariable {
    /// Its name under `vars:`.
    pub name: String,
    /// The value it has on the host.
    pub value: String,
    /// Whether the spec says it; otherwise it is the default of the role's profile.
    pub in_spec: bool,
}
