//! Checks each change against what the plan says of it, and against what the edges of its store hold.

use std::collections::{BTreeMap, BTreeSet};

use trustmason_keystore::{Alias, EntryId, StoredAlias};
use trustmason_spec::name::StoreId;

use super::Verifier;
use crate::change::{Change, DeleteReason, Edit, EntryAfter, Material};
use crate::finding::FindingKind;
use crate::outline::EdgeVerdict;

/// Whether a deletion for this reason repairs a finding.
fn mends(because: DeleteReason, finding: FindingKind) -> bool {
    match because {
        // The last phase of a rotation also deletes predecessors.
        DeleteReason::Predecessor => matches!(finding, FindingKind::Stale | FindingKind::RotationWaiting),
        DeleteReason::NoLongerWanted => finding == FindingKind::Stale,
        DeleteReason::Retired => finding == FindingKind::Retired,
        DeleteReason::Distrust => finding == FindingKind::Distrusted,
        DeleteReason::Exclusive => finding == FindingKind::Unmanaged,
    }
}

/// The entries that a change removes or overwrites.
fn touched(edit: &Edit) -> Vec<EntryId> {
    match edit {
        Edit::Import { .. } => Vec::new(),
        Edit::Replace { entries, .. } => entries.clone(),
        Edit::Rename { entry, .. } | Edit::Delete { entry, .. } => vec![*entry],
        Edit::InstallKey { entry, .. } => entry.iter().copied().collect(),
    }
}

/// The alias that a change gives to an entry that had another one, or to a new entry.
fn given(edit: &Edit) -> Option<&Alias> {
    match edit {
        Edit::Import { alias, .. } => alias.as_ref(),
        Edit::Rename { to, .. } => Some(to),
        Edit::InstallKey { entry: None, at, .. } => at.alias(),
        Edit::Replace { .. } | Edit::Delete { .. } | Edit::InstallKey { entry: Some(_), .. } => None,
    }
}

/// Whether the state that a change announces is what the change writes.
fn leaves(change: &Change) -> bool {
    match (&change.edit, &change.after) {
        (
            Edit::Import { material: Material::Known(certificate), .. }
            | Edit::Replace { material: Material::Known(certificate), .. },
            EntryAfter::Known(view),
        ) => view.sha256 == certificate.fingerprint(),
        (
            Edit::Import { material: Material::Minted(_), .. } | Edit::Replace { material: Material::Minted(_), .. },
            EntryAfter::Minted { .. },
        )
        | (Edit::InstallKey { .. }, EntryAfter::Known(_) | EntryAfter::Minted { .. })
        | (Edit::Delete { .. }, EntryAfter::Gone) => true,
        (Edit::Rename { to, .. }, EntryAfter::Alias(after)) => to == after,
        _ => false,
    }
}

impl Verifier<'_> {
    /// Checks that each change leaves what it announces, that each entry is in one change, and that each new alias is
    /// given once.
    pub(super) fn edits(&mut self) {
        let plan = self.plan;
        let mut entries: BTreeSet<(&StoreId, EntryId)> = BTreeSet::new();
        let mut aliases: BTreeSet<(&StoreId, &Alias)> = BTreeSet::new();
        for change in &plan.changes {
            let place = format!("change {}", change.id);
            if !leaves(change) {
                self.contradiction(&place, "what stands there afterwards is not what it puts there");
            }
            for entry in touched(&change.edit) {
                if !entries.insert((&change.store, entry)) {
                    self.contradiction(&place, "another change is about the same entry");
                }
            }
            if given(&change.edit).is_some_and(|alias| !aliases.insert((&change.store, alias))) {
                self.contradiction(&place, "another change gives the same alias");
            }
            if let Edit::Replace { entries, .. } = &change.edit
                && entries.is_empty()
            {
                self.contradiction(&place, "it replaces nothing");
            }
        }
    }

    /// Checks that each deletion has a fitting reason and a known certificate, and that no edge holds the deleted
    /// entry.
    pub(super) fn removals(&mut self) {
        let plan = self.plan;
        let mut held = BTreeMap::new();
        for edge in plan.edges.iter().filter(|edge| matches!(edge.verdict, EdgeVerdict::Held)) {
            if let (Some(alias), Some(sha256)) = (&edge.alias, edge.sha256) {
                held.insert((&edge.store, alias.clone(), sha256), &edge.id);
            }
        }
        for change in &plan.changes {
            let Edit::Delete { because, .. } = &change.edit else { continue };
            let place = format!("change {}", change.id);
            if !mends(*because, change.finding) {
                self.contradiction(
                    &place,
                    format!("{} is no reason to delete what is {}", because.as_str(), change.finding),
                );
            }
            let Some(before) = &change.before else {
                self.contradiction(&place, "nobody can say which certificate it deletes");
                continue;
            };
            let alias = change.alias.as_ref().map(StoredAlias::fold);
            let wanted = alias.and_then(|alias| held.get(&(&change.store, alias, before.sha256)));
            if let Some(edge) = wanted {
                self.contradiction(&place, format!("it deletes what edge {edge} holds"));
            }
        }
    }
}
