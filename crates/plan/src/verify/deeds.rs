//! Checks each change against what the plan says of it, and against what the edges of its store hold.

use std::collections::{BTreeMap, BTreeSet};

use trustmason_keystore::{Alias, EntryId, StoredAlias};
use trustmason_spec::name::StoreId;

use super::Verifier;
use crate::change::{After, Change, Deed, DeleteReason, Material};
use crate::finding::Kind;
use crate::outline::EdgeVerdict;

/// Whether a deletion for this reason repairs a finding.
fn mends(because: DeleteReason, finding: Kind) -> bool {
    match because {
        // The last phase of a rotation also deletes predecessors.
        DeleteReason::Predecessor => matches!(finding, Kind::Stale | Kind::RotationWaiting),
        DeleteReason::NoLongerWanted => finding == Kind::Stale,
        DeleteReason::Retired => finding == Kind::Retired,
        DeleteReason::Distrust => finding == Kind::Distrusted,
        DeleteReason::Exclusive => finding == Kind::Unmanaged,
    }
}

/// The entries that a change removes or overwrites.
fn touched(deed: &Deed) -> Vec<EntryId> {
    match deed {
        Deed::Import { .. } => Vec::new(),
        Deed::Replace { entries, .. } => entries.clone(),
        Deed::Rename { entry, .. } | Deed::Delete { entry, .. } => vec![*entry],
        Deed::InstallKey { entry, .. } => entry.iter().copied().collect(),
    }
}

/// The alias that a change gives to an entry that had another one, or to a new entry.
fn given(deed: &Deed) -> Option<&Alias> {
    match deed {
        Deed::Import { alias, .. } => alias.as_ref(),
        Deed::Rename { to, .. } => Some(to),
        Deed::InstallKey { entry: None, at, .. } => at.alias(),
        Deed::Replace { .. } | Deed::Delete { .. } | Deed::InstallKey { entry: Some(_), .. } => None,
    }
}

/// Whether the state that a change announces is what the change writes.
fn leaves(change: &Change) -> bool {
    match (&change.deed, &change.after) {
        (
            Deed::Import { material: Material::Known(certificate), .. }
            | Deed::Replace { material: Material::Known(certificate), .. },
            After::Known(view),
        ) => view.sha256 == certificate.fingerprint(),
        (
            Deed::Import { material: Material::Minted(_), .. } | Deed::Replace { material: Material::Minted(_), .. },
            After::Minted { .. },
        )
        | (Deed::InstallKey { .. }, After::Known(_) | After::Minted { .. })
        | (Deed::Delete { .. }, After::Gone) => true,
        (Deed::Rename { to, .. }, After::Alias(after)) => to == after,
        _ => false,
    }
}

impl Verifier<'_> {
    /// Checks that each change leaves what it announces, that each entry is in one change, and that each new alias is
    /// given once.
    pub(super) fn deeds(&mut self) {
        let plan = self.plan;
        let mut entries: BTreeSet<(&StoreId, EntryId)> = BTreeSet::new();
        let mut aliases: BTreeSet<(&StoreId, &Alias)> = BTreeSet::new();
        for change in &plan.changes {
            let place = format!("change {}", change.id);
            if !leaves(change) {
                self.contradiction(&place, "what stands there afterwards is not what it puts there");
            }
            for entry in touched(&change.deed) {
                if !entries.insert((&change.store, entry)) {
                    self.contradiction(&place, "another change is about the same entry");
                }
            }
            if given(&change.deed).is_some_and(|alias| !aliases.insert((&change.store, alias))) {
                self.contradiction(&place, "another change gives the same alias");
            }
            if let Deed::Replace { entries, .. } = &change.deed
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
            let Deed::Delete { because, .. } = &change.deed else { continue };
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
