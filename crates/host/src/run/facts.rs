//! Describes what is done to which entry, without secrets: for the journal, and from there for the audit log.

use trustmason_keystore::{Alias, AliasModel, EntryId, Fingerprint, Store, StoredAlias};
use trustmason_plan::change::{Action, Change, Edit};

use super::work::RunInProgress;
use crate::record::journal::{ChangedEntryKind, Fact};

/// The facts of the changes that are about to be made; each fact is about one entry.
pub(super) fn of(work: &RunInProgress<'_>, store: &Store, changes: &[&Change]) -> Vec<Fact> {
    let known = |alias: Option<StoredAlias>| match store.format().alias_model() {
        AliasModel::Folded => alias,
        // A file name is no alias.
        AliasModel::None | AliasModel::FileName => None,
    };
    let written = |alias: &Option<Alias>| known(alias.clone().map(StoredAlias::from));
    let entry = |id: &EntryId| -> (Option<StoredAlias>, Option<Fingerprint>) {
        let entry = store.entry(*id);
        let print = entry.and_then(|e| e.certificates().first().map(|slot| slot.fingerprint()));
        (known(entry.and_then(|e| e.alias.clone())), print)
    };
    let certificates = work.resolved();
    let mut facts = Vec::new();
    for change in changes {
        let fact = |action: Action, alias: Option<StoredAlias>, to: Option<StoredAlias>, before, after| Fact {
            change: change.id,
            action,
            to: to.filter(|to| alias.as_ref() != Some(to)),
            alias,
            kind: if matches!(action, Action::Regenerate | Action::Install) {
                ChangedEntryKind::PrivateKey
            } else {
                ChangedEntryKind::TrustedCertificate
            },
            before,
            after,
            rule: change.rule.as_ref().map(ToString::to_string),
            reason: change.reason.clone(),
        };
        let new = |material| certificates.get(material).map(|certificate| certificate.fingerprint());
        match &change.edit {
            Edit::Import { alias, material } => {
                facts.push(fact(Action::Import, written(alias), None, None, new(material)));
            }
            Edit::Replace { entries, alias, material } => {
                let mut entries = entries.iter();
                let (was, before) = entries.next().map(&entry).unwrap_or_default();
                facts.push(fact(Action::Replace, was, written(alias), before, new(material)));
                // Further entries of the same alias are removed with it.
                facts.extend(entries.map(&entry).map(|(was, before)| fact(Action::Delete, was, None, before, None)));
            }
            Edit::Rename { entry: id, to } => {
                let (was, print) = entry(id);
                facts.push(fact(Action::Rename, was, Some(to.clone().into()), print, print));
            }
            Edit::Delete { entry: id, because: _ } => {
                let (was, before) = entry(id);
                facts.push(fact(Action::Delete, was, None, before, None));
            }
            Edit::InstallKey { entry: id, at, identity, issued: _ } => {
                let before = id.as_ref().and_then(|id| entry(id).1);
                let after = work.minted.get(identity).map(|certificate| certificate.fingerprint());
                facts.push(fact(change.edit.action(), known(at.stored()), None, before, after));
            }
        }
    }
    facts
}
