//! What is known of the content of a store that nobody here can write: from its mirror or export, and from what a person said since.

use std::collections::BTreeSet;

use trustmason_keystore::Fingerprint;

use crate::ground::Ground;
use crate::ledger::{Confirmation, ConfirmationKind};
use crate::observed::{StoreFacts, trusted};
use crate::status::StoreStatus;
use crate::target::HandOffTarget;

/// Whether a certificate is in a store nobody here can write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Present,
    Absent,
    /// It was not found, and something there that cannot be read may be it.
    Unread,
    Unknown,
}

/// What is known of a store's content.
pub(crate) struct Known<'a> {
    /// The mirror's or export's whole listing, if one was seen.
    listing: Option<BTreeSet<Fingerprint>>,
    /// What in it may be a certificate and cannot be read.
    pub unread: Option<String>,
    /// What a person said since.
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

/// What is known of the content of a store that a person changes.
pub(crate) fn known<'a>(ground: &'a Ground<'_>, status: &StoreStatus<'_>) -> Known<'a> {
    let listing = status.facts().map(|f| {
        f.entries
            .iter()
            .filter(|e| !status.is_misplaced(e))
            .filter_map(trusted)
            .map(trustmason_keystore::CertificateSlot::fingerprint)
            .collect()
    });
    let mirror = status.facts().map(|f| f.sha256);
    let said = ground
        .observed
        .ledger
        .handoffs
        .get(&HandOffTarget::Store(status.def.id.clone()))
        .and_then(|h| h.confirmed.as_ref())
        // A mirror taken after a person's word counts more than the word.
        .filter(|c| mirror.is_none() || c.mirror == mirror);
    Known { listing, unread: status.facts().and_then(StoreFacts::unread), said }
}
