//! The known content of a store that this program cannot write: from its mirror or export, and from what a person
//! confirmed since. It only answers questions; it asks for nothing.

use std::collections::BTreeSet;

use trustmason_keystore::Fingerprint;

use crate::context::PlanContext;
use crate::ledger::{Confirmation, ConfirmationKind};
use crate::observed::{StoreFacts, trusted};
use crate::status::StoreStatus;
use crate::target::HandOffTarget;

/// Whether a certificate is in a store that this program cannot write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Present,
    Absent,
    /// The certificate was not found, but something there that cannot be read may be it.
    Unread,
    Unknown,
}

/// The known content of a store.
pub(crate) struct Known<'a> {
    /// The whole listing of the mirror or export, if one was seen.
    listing: Option<BTreeSet<Fingerprint>>,
    /// The parts of the listing that may be a certificate and cannot be read.
    pub unread: Option<String>,
    /// The confirmation of a person since then.
    pub said: Option<&'a Confirmation>,
}

impl Known<'_> {
    pub(crate) fn presence(&self, fingerprint: Fingerprint) -> Presence {
        if let Some(said) = self.said {
            if said.holds.contains(&fingerprint) {
                return Presence::Present;
            }
            if said.gone.contains(&fingerprint) || said.kind == ConfirmationKind::Observed {
                return Presence::Absent;
            }
        }
        match &self.listing {
            Some(listing) if listing.contains(&fingerprint) => Presence::Present,
            Some(_) if self.unread.is_some() => Presence::Unread,
            Some(_) => Presence::Absent,
            None => Presence::Unknown,
        }
    }
}

/// The known content of a store that people change.
pub(crate) fn known<'a>(context: &'a PlanContext<'_>, status: &StoreStatus<'_>) -> Known<'a> {
    let listing = status.facts().map(|f| {
        f.entries
            .iter()
            .filter(|e| !status.is_misplaced(e))
            .filter_map(trusted)
            .map(trustmason_keystore::CertificateSlot::fingerprint)
            .collect()
    });
    let mirror = status.facts().map(|f| f.sha256);
    let said = context
        .observed
        .ledger
        .handoffs
        .get(&HandOffTarget::Store(status.def.id.clone()))
        .and_then(|h| h.confirmed.as_ref())
        // A mirror that was taken after a confirmation counts more than the confirmation.
        .filter(|c| mirror.is_none() || c.mirror == mirror);
    Known { listing, unread: status.facts().and_then(StoreFacts::unread), said }
}
