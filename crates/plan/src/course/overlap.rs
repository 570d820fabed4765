//! A change of certificate that breaks nothing, as far as it has come ([`crate::overlap`] judges how far that is).

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
use crate::target::Called;
use crate::why::Why;

/// How far a change of certificate is.
pub(crate) enum Stage {
    /// This run makes the next key, which goes to staging and in the end to this place; trusters learn its certificate.
    Begin(KeyPlace),
    /// Trusters learn the next certificate.
    Extend(Next),
    /// They all know it: the identity takes it.
    Install(Next, Installation),
    /// The identity has it; its service may still present the old one.
    Settle(Next),
}

/// The certificate an identity presents next.
pub(crate) struct Next {
    /// The next certificate.
    pub certificate: Arc<Certificate>,
    /// When its key was made.
    pub since: Timestamp,
    /// What trusters must trust before it is presented.
    pub anchors: Vec<Fingerprint>,
    /// Whether these are its issuers.
    pub by_chain: bool,
}

impl Next {
    /// A self-signed one from staging.
    pub(crate) fn of(look: &StagedKey) -> Self {
        Self {
            certificate: Arc::clone(&look.certificate),
            since: look.since,
            anchors: vec![look.certificate.fingerprint()],
            by_chain: false,
        }
    }
}

/// A change of certificate under way, or one that begins with this plan.
pub(crate) struct Overlap {
    pub identity: IdentityId,
    pub stage: Stage,
    /// What the service presents, or may still present.
    pub old: Fingerprint,
    /// The old one, if a truster that lacks it is to get it: where it still works there.
    pub old_wanted: Option<Arc<Certificate>>,
    /// What is missing before the next stage.
    pub needs: Vec<Need>,
}

/// What one truster (or the identity itself) still lacks.
pub(crate) struct Need {
    /// The edge, where it is a truster's.
    pub edge: Option<String>,
    /// What a person must do after the stage's changes.
    pub waits: Vec<Wait>,
    /// Why nothing can be done about it now.
    pub hindered: Option<Why>,
}

impl Need {
    /// The hand-off that must be confirmed before a restart of this truster's services counts: until then its store does not hold
    /// what they are restarted for.
    pub(crate) fn hand_off(&self) -> Option<&Called> {
        self.waits.iter().find_map(|wait| match wait {
            Wait::HandOff(called) => Some(called),
            Wait::Restart(_) | Wait::Reply(_) => None,
        })
    }
}

impl Overlap {
    /// What it presents next, or already; nothing while that is not made.
    pub(crate) fn next(&self) -> Option<&Next> {
        match &self.stage {
            Stage::Begin(_) => None,
            Stage::Extend(next) | Stage::Install(next, _) | Stage::Settle(next) => Some(next),
        }
    }

    /// The same as what trusters ask for.
    pub(crate) fn material(&self) -> Material {
        match self.next() {
            Some(next) => Material::Known(Arc::clone(&next.certificate)),
            None => Material::Minted(self.identity.clone()),
        }
    }

    /// What trusters must trust before it is presented: the certificate itself, or who issued it. Nothing while it is not made.
    pub(crate) fn anchors(&self) -> &[Fingerprint] {
        self.next().map_or(&[], |next| next.anchors.as_slice())
    }

    /// Whether trusters learn who issued the next one instead of itself.
    pub(crate) fn is_by_chain(&self) -> bool {
        self.next().is_some_and(|next| next.by_chain)
    }

    /// Whether trusters still learn of the next one.
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

    /// Why it cannot go on, where that blocks nothing else: somebody it needs was not asked for.
    pub(crate) fn outside(&self) -> Option<&Why> {
        self.needs.iter().filter_map(|need| need.hindered.as_ref()).find(|why| why.is_of_identity_alone())
    }

    /// What it waits for, in words.
    pub(crate) fn awaits(&self) -> Option<String> {
        let waits: BTreeSet<&Wait> = self.needs.iter().flat_map(|n| &n.waits).collect();
        let words: Vec<String> = waits.into_iter().map(ToString::to_string).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}
