//! How a comparison treats entries of Windows system stores ([`crate::system_entry`]).

use trustmason_keystore::Entry;

use super::Comparison;
use crate::observed::trusted;
use crate::system_entry;

impl Comparison<'_> {
    /// Whether an entry is in a system store where it gives no trust.
    pub(super) fn is_misplaced(&self, entry: &Entry) -> bool {
        self.status.is_misplaced(entry)
    }

    /// Whether an entry cannot be removed: something would restore it, or the machine has a private key for it.
    pub(super) fn is_kept(&self, entry: &Entry) -> bool {
        self.status.kept_by(entry).is_some()
    }

    /// Whether an entry stays whatever is decided otherwise. An entry in the wrong system store looks to the ledger
    /// like one in the right store. It is therefore deleted only if its certificate is deleted from every store.
    pub(super) fn is_out_of_reach(&self, entry: &Entry) -> bool {
        let leaves = trusted(entry).is_some_and(|slot| {
            self.context.topology.distrust.contains_key(&slot.fingerprint())
                || slot.certificate().is_some_and(|c| self.settlement.gone_for_good(c).is_some())
        });
        self.is_kept(entry) || (self.is_misplaced(entry) && !leaves)
    }

    /// Reports entries in the wrong system store, and entries that should be deleted and cannot.
    pub(super) fn system_findings(&mut self) {
        let wanted = self
            .wanted_edges
            .iter()
            .filter_map(|edge| edge.settled.known().map(|print| (print, edge.edge.subject.to_string())));
        let found = system_entry::findings(self.context, self.status, &wanted.collect());
        self.out.findings.extend(found);
    }
}
