//! How a run was approved, as the journal and the audit log record it.

use serde::{Deserialize, Serialize};

/// How a run was approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approval {
    /// A person was asked and said yes.
    Asked,
    /// No person was asked (`--auto-approve`).
    Auto,
    /// A plan that was saved before was named (`--plan`).
    SavedPlan,
    /// Every fingerprint was named (`--pin`).
    Pinned,
}
