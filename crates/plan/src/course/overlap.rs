//! A rotation: a change of certificate without an outage, with the stage that it has reached. Plain data;
//! [`crate::overlap`] judges the stage.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::{Certificate, Fingerprint};
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::KeyPlace;

use super::Installation;
use crate::change::Material;
use crate::observed::StagedKey;
use crate::outline::Wait;
use crate::target::TargetName;
use crate::why::Why;

/// The stage of a rotation.
pub(crate) enum Stage {
    /// This run makes the next key and leaves it in staging; the trusters get its certificate. In the end the key
    /// belongs in this place.
    Begin(KeyPlace),
    /// The trusters get the next certificate.
    Extend(Next),
    /// All trusters hold the next certificate: the identity gets it.
    Install(Next, Installation),
    /// The identity has the next certificate; its service may still present the old one.
    Settle(Next),
}

/// The certificate that an identity presents next.
pub(crate) struct Next {
    /// The next certificate.
    pub certificate: Arc<Certificate>,
    /// When the key of the next certificate was made.
    pub since: Timestamp,
    /// The certificates that trusters must hold before the service presents the next certificate.
    pub anchors: Vec<Fingerprint>,
    /// Whether these are the issuers of the next certificate.
    pub by_chain: bool,
}

impl Next {
    /// A self-signed certificate from staging.
    pub(crate) fn of(look: &StagedKey) -> Self {
        Self {
            certificate: Arc::clone(&look.certificate),
            since: look.since,
            anchors: vec![look.certificate.fingerprint()],
            by_chain: false,
        }
    }
}

/// A rotation that is under way or begins with this plan.
pub(crate) struct Overlap {
    pub identity: IdentityId,
    pub stage: Stage,
    /// The certificate that the service presents, or may still present.
    pub old: Fingerprint,
    /// The old certificate, if a truster that lacks it is to get it. `None` if the old certificate no longer works, or
    /// if an authority issued it.
    pub old_wanted: Option<Arc<Certificate>>,
    /// The needs that are open before the next stage.
    pub needs: Vec<Need>,
}

/// A need of one truster, or of the identity itself, before the next stage.
pub(crate) struct Need {
    /// The edge, if the need is a truster's.
    pub edge: Option<String>,
    /// The events that people must bring about after the changes of this stage.
    pub waits: Vec<Wait>,
    /// Why the need cannot be met now.
    pub hindered: Option<Why>,
}

impl Need {
    /// The hand-off that must be confirmed before a restart of this truster's services counts. Until then the truster's
    /// store does not hold the certificate for which they restart.
    pub(crate) fn hand_off(&self) -> Option<&TargetName> {
        self.waits.iter().find_map(|wait| match wait {
            Wait::HandOff(called) => Some(called),
            Wait::Restart(_) | Wait::Reply(_) => None,
        })
    }
}

impl Overlap {
    /// The certificate that the identity presents next, or presents already; `None` while that certificate does not
    /// exist.
    pub(crate) fn next(&self) -> Option<&Next> {
        match &self.stage {
            Stage::Begin(_) => None,
            Stage::Extend(next) | Stage::Install(next, _) | Stage::Settle(next) => Some(next),
        }
    }

    /// The next certificate as trusters ask for it.
    pub(crate) fn material(&self) -> Material {
        match self.next() {
            Some(next) => Material::Known(Arc::clone(&next.certificate)),
            None => Material::Minted(self.identity.clone()),
        }
    }

    /// The certificates that trusters must hold before the service presents the next certificate: that certificate
    /// itself, or its issuers. Empty while it does not exist.
    pub(crate) fn anchors(&self) -> &[Fingerprint] {
        self.next().map_or(&[], |next| next.anchors.as_slice())
    }

    /// Whether trusters get the issuers of the next certificate instead of that certificate.
    pub(crate) fn is_by_chain(&self) -> bool {
        self.next().is_some_and(|next| next.by_chain)
    }

    /// Whether trusters still have to get the next certificate.
    pub(crate) fn is_extending(&self) -> bool {
        match &self.stage {
            Stage::Begin(_) | Stage::Extend(_) => true,
            Stage::Install(..) | Stage::Settle(_) => false,
        }
    }

    /// Whether the identity has its new certificate already.
    pub(crate) fn is_settling(&self) -> bool {
        matches!(self.stage, Stage::Settle(_))
    }

    /// Why the rotation cannot go on, if that blocks nothing else: a store or host that it needs is not selected.
    pub(crate) fn outside(&self) -> Option<&Why> {
        self.needs.iter().filter_map(|need| need.hindered.as_ref()).find(|why| why.is_of_identity_alone())
    }

    /// The events that the rotation waits for, in words.
    pub(crate) fn awaits(&self) -> Option<String> {
        let waits: BTreeSet<&Wait> = self.needs.iter().flat_map(|n| &n.waits).collect();
        let words: Vec<String> = waits.into_iter().map(ToString::to_string).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}
