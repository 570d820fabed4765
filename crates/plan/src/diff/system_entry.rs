//! What a comparison heeds of the system stores of Windows ([`crate::system_entry`]).

use trustmason_keystore::Entry;

use super::Comparison;
use crate::observed::trusted;
use crate::system_entry;

impl Comparison<'_> {
    /// Whether an entry stands where it gives no trust.
    pub(super) fn is_misplaced(&self, entry: &Entry) -> bool {
        self.status.is_misplaced(entry)
    }

    /// Whether somebody keeps an entry who would bring it back, or it is somebody's identity.
    pub(super) fn is_kept(&self, entry: &Entry) -> bool {
        self.status.kept_by(entry).is_some()
    }

    /// Whether an entry stays whatever becomes of the rest. One in the wrong system store is told from the right one by
    /// nothing the ledger knows, so that it leaves only where it would leave from anywhere.
    pub(super) fn is_out_of_reach(&self, entry: &Entry) -> bool {
        let leaves = trusted(entry).is_some_and(|slot| {
            self.ground.topology.distrust.contains_key(&slot.fingerprint())
                || slot.certificate().is_some_and(|c| self.settlement.gone_for_good(c).is_some())
        });
        self.is_kept(entry) || (self.is_misplaced(entry) && !leaves)
    }

    /// Says what is wrong with where entries stand.
    pub(super) fn shelved(&mut self) {
        let wanted = self
            .wishes
            .iter()
            .filter_map(|wish| wish.settled.known().map(|print| (print, wish.edge.subject.to_string())));
        let found = system_entry::findings(self.ground, self.status, &wanted.collect());
        self.out.findings.extend(found);
    }
}
