//! The order in which stores are written: first the stores in which an identity changes (a store before those that
//! trust its identity), then all others. Two identity stores may each need the other's new certificate. Both
//! certificates exist before the first store is written, so the circle may be cut anywhere, and is always cut at the
//! same place.

use std::collections::{BTreeMap, BTreeSet};

use trustmason_plan::change::{Change, ChangeId, Edit};
use trustmason_spec::name::StoreId;

/// Stores that do not wait for each other, with their changes.
pub(super) type Level<'a> = Vec<(StoreId, Vec<&'a Change>)>;

/// The stores with changes, in levels that are written one after the other. The stores of one level may be written in
/// any order, or at once.
pub(super) fn levels(changes: &[Change]) -> Vec<Level<'_>> {
    let home: BTreeMap<ChangeId, &StoreId> = changes.iter().map(|c| (c.id, &c.store)).collect();
    let mut of: BTreeMap<&StoreId, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        of.entry(&change.store).or_default().push(change);
    }
    let makes = |changes: &[&Change]| changes.iter().any(|c| matches!(c.edit, Edit::InstallKey { .. }));
    let waits_for = |id: &StoreId, changes: &[&Change], open: &BTreeSet<&StoreId>| {
        let needed = changes.iter().flat_map(|c| &c.depends_on).filter_map(|d| home.get(d).copied());
        needed.filter(|other| *other != id).any(|other| open.contains(other))
    };
    let (first, rest): (Vec<_>, Vec<_>) = of.into_iter().partition(|(_, changes)| makes(changes));
    let mut order = Vec::new();
    for group in [first, rest] {
        let mut left: BTreeMap<&StoreId, Vec<&Change>> = group.into_iter().collect();
        while !left.is_empty() {
            let open: BTreeSet<&StoreId> = left.keys().copied().collect();
            let free = left.iter().filter(|(id, changes)| !waits_for(id, changes, &open)).map(|(id, _)| *id);
            let mut next: Vec<&StoreId> = free.collect();
            if next.is_empty() {
                next.extend(open.first());
            }
            let entries = next.into_iter().filter_map(|id| left.remove_entry(id));
            order.push(entries.map(|(id, changes)| (id.clone(), changes)).collect());
        }
    }
    order
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use trustmason_plan::change::{EntryAfter, Issued, Material, Phase};
    use trustmason_plan::finding::FindingKind;
    use trustmason_spec::name::IdentityId;
    use trustmason_spec::topology::KeyAt;

    use super::*;

    fn change(id: u32, store: &str, makes: bool, depends_on: &[u32]) -> Change {
        let store = StoreId::parse(store).unwrap();
        let action = if makes {
            Edit::InstallKey {
                entry: None,
                at: KeyAt::Alias("a".into()),
                identity: IdentityId::new(store.host.clone(), "wsm".to_owned()),
                issued: Issued::Minted,
            }
        } else {
            let identity = IdentityId::new(store.host.clone(), "iis".to_owned());
            Edit::Import { alias: Some("b".into()), material: Material::Minted(identity) }
        };
        Change {
            id: ChangeId(id),
            phase: Phase::Extend,
            store,
            alias: None,
            edit: action,
            finding: FindingKind::Missing,
            reason: String::new(),
            rule: None,
            source: None,
            before: None,
            after: EntryAfter::Gone,
            from: None,
            depends_on: depends_on.iter().map(|d| ChangeId(*d)).collect(),
        }
    }

    fn names(changes: &[Change]) -> Vec<String> {
        levels(changes)
            .into_iter()
            .map(|level| level.iter().map(|(id, _)| id.host.host()).collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn identities_come_before_those_who_trust_them() {
        let changes = [
            change(1, "ads.x.example/cacerts", false, &[4]),
            change(2, "cvp1.x.example/keystore", true, &[]),
            change(3, "cvp1.x.example/keystore", false, &[4]),
            change(4, "cvp2.x.example/keystore", true, &[]),
            change(5, "abc.x.example/cacerts", false, &[]),
        ];
        assert_eq!(names(&changes), ["cvp2", "cvp1", "abc ads"]);
    }

    #[test]
    fn a_circle_is_cut_at_the_first_name() {
        let changes = [
            change(1, "b.x.example/keystore", true, &[3]),
            change(2, "c.x.example/keystore", true, &[1]),
            change(3, "a.x.example/keystore", true, &[2]),
        ];
        assert_eq!(names(&changes), ["a", "b", "c"]);
    }
}
