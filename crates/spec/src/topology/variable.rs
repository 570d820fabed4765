//! A variable of a host that is used in a path, with its value and its origin.

/// A variable of a host that is used in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathVariable {
    /// The name of the variable under `vars:`.
    pub name: String,
    /// The value of the variable on the host.
    pub value: String,
    /// Whether the spec sets the value. Otherwise the value is the default of the role's profile.
    pub in_spec: bool,
}
