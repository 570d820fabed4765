//! The entries of one store, each with its place in the file. Every format fills this list when it reads and goes
//! through it when it writes. Only the format knows what a place is; this module never looks into one.

use std::collections::HashMap;

use crate::alias::{StoredAlias, fold_alias};
use crate::entry::{Entry, EntryId, EntryKind};
use crate::format::Format;
use crate::remark::Remark;

/// The entries of a store and the remarks on them, without the places.
pub(crate) struct Listed {
    entries: Vec<Entry>,
    remarks: Vec<Remark>,
}

impl Listed {
    /// No entry and no remark.
    pub(crate) const fn nothing() -> Self {
        Self { entries: Vec::new(), remarks: Vec::new() }
    }

    /// All entries, in the file's order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The remarks on the entries.
    pub(crate) fn remarks(&self) -> &[Remark] {
        &self.remarks
    }
}

/// The entries of a store with their places, and the remarks on them.
pub(crate) struct Entries<P> {
    listed: Listed,
    /// One place for each entry, in the same order.
    places: Vec<P>,
}

impl<P> Entries<P> {
    pub(crate) fn new() -> Self {
        Self { listed: Listed::nothing(), places: Vec::new() }
    }

    /// The position of the entry that is pushed next.
    pub(crate) fn next_id(&self) -> EntryId {
        EntryId(self.listed.entries.len())
    }

    pub(crate) fn push(
        &mut self,
        alias: Option<StoredAlias>,
        created_ms: Option<i64>,
        kind: EntryKind,
        place: P,
    ) -> EntryId {
        let id = self.next_id();
        self.listed.entries.push(Entry { id, alias, created_ms, kind });
        self.places.push(place);
        id
    }

    pub(crate) fn remark(&mut self, remark: Remark) {
        self.listed.remarks.push(remark);
    }

    /// The entries and remarks without the places.
    pub(crate) fn listed(&self) -> &Listed {
        &self.listed
    }

    pub(crate) fn list(&self) -> &[Entry] {
        self.listed.entries()
    }

    pub(crate) fn remarks(&self) -> &[Remark] {
        self.listed.remarks()
    }

    pub(crate) fn get(&self, id: EntryId) -> Option<&Entry> {
        self.listed.entries.get(id.0)
    }

    /// The place of the entry at this position.
    pub(crate) fn place(&self, id: EntryId) -> Option<&P> {
        self.places.get(id.0)
    }

    /// All entries with their places, in the file's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Entry, &P)> {
        self.listed.entries.iter().zip(&self.places)
    }

    /// Adds remarks on duplicate aliases, aliases that differ in case only, and aliases that a JVM cannot look up.
    pub(crate) fn remark_ambiguous_names(&mut self, format: Format) {
        let mut seen: HashMap<_, (EntryId, &str)> = HashMap::with_capacity(self.listed.entries.len());
        let mut remarks = Vec::new();
        // The JDK's PKCS#12 provider folds aliases when it loads them; JKS and JCEKS fold them only for a lookup.
        let folds = format == Format::Pkcs12;
        for entry in self.listed.entries.iter().filter(|entry| entry.takes_alias(format)) {
            let Some(exact) = entry.alias.as_deref() else {
                continue;
            };
            let folded = fold_alias(exact);
            let alias = || exact.to_owned();
            if folded != exact && !folds {
                remarks.push(Remark::UpperCaseAlias { entry: entry.id, alias: alias() });
            }
            if let Some((earlier, other)) = seen.insert(folded, (entry.id, exact)) {
                remarks.push(if other == exact {
                    Remark::DuplicateAlias { entry: entry.id, earlier, alias: alias() }
                } else {
                    Remark::AliasCaseCollision { entry: entry.id, earlier, alias: alias() }
                });
            }
        }
        self.listed.remarks.append(&mut remarks);
    }
}

impl<P> Default for Entries<P> {
    fn default() -> Self {
        Self::new()
    }
}
