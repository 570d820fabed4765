//! Ledgers of the version before. Everything in them is taken over but for what that version could not tell apart: a hand-off
//! under a name that a store and an identity share belongs to one of the two, and nobody knows to which, so that both packs are
//! made anew and confirmed again.

use serde_json::Value;
use trustmason_plan::ledger::Ledger;
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::topology::Topology;

/// Reads a ledger of version 1.
///
/// # Errors
/// What in it no program of that version writes.
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
