//! Checks an edit before and after: that it touches no entry that must never be touched, and that the resulting bytes
//! hold what was planned, with every untouched entry bit for bit. The planner and the keystore crate promise both; here
//! both are checked on the very bytes that are about to be written.

use trustmason_keystore::{
    Alias, AliasModel, Credential, Disposition, Edits, Entry, EntryId, EntryKind, Fingerprint, Format, Image, Interner,
    KeyMatch, NewEntry, ReadError, Store, StoredAlias,
};
use trustmason_plan::change::{Action, Change, ChangeId, Edit};
use trustmason_spec::topology::KeyAt;

use crate::volume::pair;

/// Why an edit is refused: it would touch an entry that must not be touched, or the resulting bytes differ from the
/// plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A change is of an entry that is never changed.
    #[error("change {change} would {action} a {kind} entry; trustmason never does that")]
    Untouchable {
        /// The change.
        change: ChangeId,
        /// The action of the change.
        action: Action,
        /// The kind of entry.
        kind: &'static str,
    },
    /// A change names an entry that the store does not have.
    #[error("change {0} needs an entry that is not there")]
    NoEntry(ChangeId),
    /// A new key would replace something that is not the identity's key entry.
    #[error("{} is not the key entry of the plan", .at.alias().map_or_else(|| "the key".to_owned(), |alias| format!("`{alias}`")))]
    NotItsKey {
        /// Which key of the store was to be written.
        at: KeyAt,
    },
    /// The bytes do not open.
    #[error("the new content does not open again: {0}")]
    Unopened(#[source] ReadError),
    /// The bytes are a store of another format.
    #[error("the new content has another format")]
    Format,
    /// The bytes hold more or fewer entries than were planned.
    #[error("the new content has {has} entries, but {planned} were planned")]
    Count {
        /// How many entries they hold.
        has: usize,
        /// How many entries were planned.
        planned: usize,
    },
    /// The bytes do not hold an entry that was planned.
    #[error("the new content lacks {entry}")]
    Lacks {
        /// The entry, for people.
        entry: String,
    },
    /// The new key does not open with the store's password, or belongs to another certificate.
    #[error("the new key of {entry} does not open")]
    KeyUnopened {
        /// The key's entry, for people.
        entry: String,
    },
}

/// Refuses changes to entries that must never be touched.
pub(super) fn allowed(store: &Store, changes: &[&Change]) -> Result<(), ProofError> {
    for change in changes {
        let trusted: &[EntryId] = match &change.edit {
            Edit::Import { .. } => &[],
            Edit::Replace { entries, .. } => entries,
            Edit::Rename { entry, .. } | Edit::Delete { entry, .. } => std::slice::from_ref(entry),
            Edit::InstallKey { entry, at, .. } => {
                own_key(store, *entry, at)?;
                &[]
            }
        };
        for id in trusted {
            match store.entry(*id).map(|entry| &entry.kind) {
                Some(EntryKind::Trusted(_)) => {}
                Some(other) => {
                    let (change, action, kind) = (change.id, change.edit.action(), other.as_str());
                    return Err(ProofError::Untouchable { change, action, kind });
                }
                None => return Err(ProofError::NoEntry(change.id)),
            }
        }
    }
    Ok(())
}

/// Refuses a new key for an entry that is not the identity's own. It must be the private key at the identity's place,
/// or there must be nothing at that place.
fn own_key(store: &Store, entry: Option<EntryId>, at: &KeyAt) -> Result<(), ProofError> {
    let fits = match (entry.and_then(|id| store.entry(id)), at) {
        (Some(entry), at) => at.is_at(entry.alias.as_ref()) && is_key(entry),
        (None, KeyAt::Alias(alias)) => entry.is_none() && store.find(alias).is_empty(),
        (None, KeyAt::Only) => entry.is_none() && !store.entries().iter().any(is_key),
    };
    if fits { Ok(()) } else { Err(ProofError::NotItsKey { at: at.clone() }) }
}

fn is_key(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::PrivateKey { .. })
}

/// A folder's files with their contents.
pub(super) type FolderFiles = Vec<(String, Vec<u8>)>;

/// A folder's files after an image was put there.
pub(super) fn resulting(before: &[(String, Vec<u8>)], image: &[(String, Option<Vec<u8>>)]) -> FolderFiles {
    let touched = |name: &String| image.iter().any(|(n, _)| n == name);
    let mut files: FolderFiles = before.iter().filter(|(name, _)| !touched(name)).cloned().collect();
    files.extend(image.iter().filter_map(|(name, bytes)| Some((name.clone(), bytes.clone()?))));
    files.sort();
    files
}

/// Decodes the result of an edit and compares it with what was planned.
pub(super) fn holds(
    before: &Store,
    edits: &Edits,
    image: &Image,
    credential: Credential<'_>,
    certificates: &Interner,
) -> Result<(), ProofError> {
    let after = match image {
        Image::File(bytes) => Store::open(bytes.clone(), credential, certificates),
        Image::Directory(image) if before.format() == Format::PemPair => {
            pair::open(&resulting(before.files(), image), certificates)
        }
        Image::Directory(image) => Store::open_directory(resulting(before.files(), image), certificates),
    }
    .map_err(ProofError::Unopened)?;
    if after.format() != before.format() || after.version() != before.version() {
        return Err(ProofError::Format);
    }
    let mut wanted = wanted(before, edits);
    // A certificate that was no anchor may have become part of a new key's chain, and then is no entry of its own.
    let chained = |entry: &Entry| {
        let print = prints(entry).next();
        let keys = after.entries().iter().filter(|e| matches!(e.kind, EntryKind::PrivateKey { .. }));
        print.is_some_and(|print| keys.flat_map(prints).any(|other| other == print))
    };
    wanted.retain(
        |one| !matches!(one, ExpectedEntry::Kept(old) if matches!(old.kind, EntryKind::Untrusted(_)) && chained(old)),
    );
    if wanted.len() != after.entries().len() {
        return Err(ProofError::Count { has: after.entries().len(), planned: wanted.len() });
    }
    // The order is kept, so the search nearly always ends at the first entry.
    let mut open: Vec<&Entry> = after.entries().iter().collect();
    for one in &wanted {
        let Some(at) = open.iter().position(|entry| one.is(before, &after, entry)) else {
            return Err(ProofError::Lacks { entry: one.name() });
        };
        let entry = open.remove(at);
        if let ExpectedEntry::Key { .. } = one {
            let opens = after.try_key(entry.id, credential, certificates).is_ok_and(|found| found != KeyMatch::No);
            if !opens {
                return Err(ProofError::KeyUnopened { entry: one.name() });
            }
        }
    }
    Ok(())
}

/// An entry of the planned result.
enum ExpectedEntry<'a> {
    /// The entry as it was, bit for bit.
    Kept(&'a Entry),
    /// The entry as it was, under another alias.
    Renamed(&'a Entry, &'a Alias),
    /// A new certificate.
    Trusted { alias: Option<&'a Alias>, print: Fingerprint },
    /// A new key with its chain.
    Key { alias: Option<&'a Alias>, chain: Vec<Fingerprint> },
    /// Another key with its chain, in the entry that was there.
    Rekeyed(&'a Entry, Vec<Fingerprint>),
}

fn prints(entry: &Entry) -> impl Iterator<Item = Fingerprint> {
    entry.certificates().iter().map(trustmason_keystore::CertificateSlot::fingerprint)
}

/// Whether an entry has these certificates. A JVM completes the chains of a PKCS#12 file from all certificates in the
/// file, so in this format a chain may have grown at its end.
fn grown(after: &Store, entry: &Entry, chain: impl Iterator<Item = Fingerprint>) -> bool {
    let mut has = prints(entry);
    let mut chain = chain;
    let begins = chain.all(|print| has.next() == Some(print));
    begins && (after.format() == Format::Pkcs12 || has.next().is_none())
}

fn wanted<'a>(before: &'a Store, edits: &'a Edits) -> Vec<ExpectedEntry<'a>> {
    let old = before.entries().iter().filter_map(|entry| match edits.disposition.get(&entry.id) {
        None | Some(Disposition::Keep) => Some(ExpectedEntry::Kept(entry)),
        Some(Disposition::Rename(to)) => Some(ExpectedEntry::Renamed(entry, to)),
        Some(Disposition::Remove) => None,
        Some(Disposition::ReplaceKey { chain, .. }) => {
            Some(ExpectedEntry::Rekeyed(entry, chain.iter().map(|c| c.fingerprint()).collect()))
        }
    });
    let new = edits.add.iter().map(|entry| match entry {
        NewEntry::Trusted { alias, certificate, .. } => {
            ExpectedEntry::Trusted { alias: alias.as_ref(), print: certificate.fingerprint() }
        }
        NewEntry::PrivateKey { alias, chain, .. } => {
            ExpectedEntry::Key { alias: alias.as_ref(), chain: chain.iter().map(|c| c.fingerprint()).collect() }
        }
    });
    old.chain(new).collect()
}

impl ExpectedEntry<'_> {
    fn is(&self, before: &Store, after: &Store, entry: &Entry) -> bool {
        // The keystore crate chooses the file names.
        let folded = after.format().alias_model() == AliasModel::Folded;
        let has = entry.alias.as_ref().map(StoredAlias::fold);
        let named = |alias: Option<&Alias>| !folded || has.as_ref() == alias;
        let has_key = |chain: &[Fingerprint]| is_key(entry) && grown(after, entry, chain.iter().copied());
        match self {
            Self::Kept(old) => {
                let (was, is) = (before.raw(old.id), after.raw(entry.id));
                // The number that a JVM gives to a nameless entry of a PKCS#12 file may have been written as its name.
                let same = was.is_some() && (was == is || !before.is_named(old.id) && after.is_named(entry.id));
                same && old.alias == entry.alias
                    && old.created_ms == entry.created_ms
                    && old.kind.as_str() == entry.kind.as_str()
                    && grown(after, entry, prints(old))
            }
            Self::Renamed(old, to) => {
                named(Some(to))
                    && old.kind.as_str() == entry.kind.as_str()
                    && old.created_ms == entry.created_ms
                    && grown(after, entry, prints(old))
            }
            Self::Trusted { alias, print } => {
                named(*alias) && matches!(&entry.kind, EntryKind::Trusted(slot) if slot.fingerprint() == *print)
            }
            Self::Key { alias, chain } => named(*alias) && has_key(chain),
            Self::Rekeyed(old, chain) => named(old.alias.as_ref().map(StoredAlias::fold).as_ref()) && has_key(chain),
        }
    }

    fn name(&self) -> String {
        let quote =
            |alias: Option<&str>| format!("entry `{}`", trustmason_plan::text::escape(alias.unwrap_or_default()));
        match self {
            Self::Kept(old) => format!("{} as it was", quote(old.alias.as_deref())),
            Self::Rekeyed(old, _) => quote(old.alias.as_deref()),
            Self::Renamed(_, to) => quote(Some(to.as_str())),
            Self::Trusted { alias, .. } | Self::Key { alias, .. } => quote(alias.map(Alias::as_str)),
        }
    }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
