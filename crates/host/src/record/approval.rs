//! How a run was approved: journal and audit log say it.

use serde::{Deserialize, Serialize};

/// How a run was approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approval {
    /// Asked, and said yes.
    Asked,
    /// Nobody was asked (`--auto-approve`).
    Auto,
    /// A plan was saved before and named (`--plan`).
    SavedPlan,
    /// Every fingerprint was named (`--pin`).
    Pinned,
}
