//! What a written store means to the ledger: entries placed, moved and gone, certificates replaced, services to restart.

use trustmason_keystore::{AliasModel, EntryId, Format, Store, fold_alias};
use trustmason_plan::change::{Change, Deed, Material};
use trustmason_plan::ledger::{Placed, Predecessor};

use super::work::Work;
use crate::journal::Memory;

/// The key an entry has in the ledger: its alias, or its fingerprint where the store has no aliases.
fn key(format: Format, alias: Option<&str>, print: trustmason_keystore::Fingerprint) -> String {
    match (format.alias_model(), alias) {
        (AliasModel::Folded, Some(alias)) => fold_alias(alias).into_owned(),
        (AliasModel::Folded | AliasModel::None | AliasModel::FileName, _) => print.to_string(),
    }
}

/// Takes it from the changes that are about to be made.
pub(super) fn of(work: &Work<'_>, store: &Store, changes: &[&Change]) -> Memory {
    let format = store.format();
    let mut memory = Memory::default();
    let key_of = |id: &EntryId| {
        let entry = store.entry(*id)?;
        let print = entry.certificates().first()?.fingerprint();
        Some(key(format, entry.alias.as_deref(), print))
    };
    for change in changes {
        let rule = change.rule.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut place = |alias: &Option<String>, material: &Material| {
            if let Some(certificate) = work.resolved().get(material) {
                let sha256 = certificate.fingerprint();
                let placed = Placed { sha256, rule: rule.clone(), run: work.run.clone(), at: work.now };
                memory.placed.insert(key(format, alias.as_deref(), sha256), placed);
            }
        };
        match &change.deed {
            Deed::Import { alias, material } => place(alias, material),
            Deed::Replace { entries, alias, material } => {
                place(alias, material);
                memory.gone.extend(entries.iter().filter_map(key_of));
            }
            Deed::Rename { entry, to } => {
                memory.moved.extend(key_of(entry).map(|from| (from, fold_alias(to).into_owned())));
            }
            Deed::Delete { entry, because: _ } => memory.gone.extend(key_of(entry)),
            Deed::Regenerate { identity, .. } => {
                let mint = work.plan.mints.get(identity);
                let old = mint.and_then(|mint| mint.replaces);
                let new = work.staged.get(identity).and_then(|staged| staged.as_ref().ok());
                if let (Some(old), Some(new)) = (old, new) {
                    let predecessor = Predecessor {
                        identity: identity.clone(),
                        replaced_by: new.certificate.fingerprint(),
                        run: work.run.clone(),
                        at: work.now,
                        staged: mint.is_some_and(|mint| mint.staged),
                    };
                    memory.predecessors.insert(old, predecessor);
                }
            }
        }
    }
    let made = |id| changes.iter().any(|change| change.id == id);
    let restarts = work.plan.restarts.iter().filter(|restart| restart.because.iter().any(|id| made(*id)));
    memory.restarts = restarts.map(|restart| restart.service.clone()).collect();
    memory
}
