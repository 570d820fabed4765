//! Converts ledgers of the previous layout. Everything is kept except what that layout left ambiguous. If a store and
//! an identity have the same name, a hand-off of that name belongs to one of them and the ledger does not say to which.
//! Both packs are then written and confirmed again.

use serde_json::Value;
use trustmason_plan::ledger::Ledger;
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::topology::Topology;

/// Reads a ledger of version 1.
///
/// # Errors
/// Names the field or value that no program of that version writes.
pub(super) fn from_version_1(bytes: &[u8], topology: &Topology) -> Result<Ledger, String> {
    let mut document: serde_json::Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    document.insert("version".to_owned(), super::VERSION.into());
    for field in ["perhaps"] {
        if document.contains_key(field) {
            return Err(format!("version 1 has no `{field}`"));
        }
    }
    if let Some(Value::Object(handoffs)) = document.get_mut("handoffs") {
        let named = std::mem::take(handoffs).into_iter();
        let told = named.filter_map(|(name, handoff)| Some((HandOffTarget::of_v1(&name, topology)?.full(), handoff)));
        handoffs.extend(told);
    }
    serde_json::from_value(document.into()).map_err(|error| error.to_string())
}
