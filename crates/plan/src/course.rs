//! The course of an identity: what this plan does with its certificate. An identity has exactly one course; the key to
//! make, what the identity waits for, and its public state are all read from the course. Nothing here decides which
//! course an identity takes.

mod overlap;

use std::sync::Arc;

use trustmason_keystore::{Certificate, EntryId, Fingerprint};
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::KeyPlace;

use crate::change::{CertificateOrigin, Material};
use crate::finding::{Finding, FindingKind, Severity};
use crate::outline::{IdentityState, Mint, Obstacle};
use crate::why::Why;

pub(crate) use overlap::{Need, Next, Overlap, Stage};

/// A subject, with the certificate that was settled for it.
pub(crate) struct Settled {
    /// The certificate that edges to the subject ask for, or why there is none.
    pub asked: Result<Asked, Why>,
    /// The certificate that the subject has now, if it was seen.
    pub present: Option<Arc<Certificate>>,
    pub course: Course,
    pub findings: Vec<Finding>,
}

/// The certificate that edges to a subject ask for.
pub(crate) struct Asked {
    pub material: Material,
    /// The origin of a known certificate, if it is reported.
    pub from: Option<CertificateOrigin>,
}

/// The course of an identity in this plan.
pub(crate) enum Course {
    /// Nothing is known of the identity's certificate.
    Unknown,
    /// The identity's certificate stays as it is.
    Rest,
    /// This run puts a new key in the identity's entry at once; no truster gets the certificate before.
    Renew(Installation),
    /// The identity's certificate changes by a rotation, without an outage.
    Rotate(Box<Overlap>),
    /// This run makes a key, and a request for the identity's authority.
    Request(CertificateRequest),
    /// The identity's request is at its authority.
    AtAuthority {
        /// The authority.
        name: String,
        /// Why the authority's replies so far may not be used, or cannot be read.
        obstacle: Option<Obstacle>,
    },
    /// The authority's reply may be used, but the identity's store cannot take the certificate now.
    Replied,
    /// A person must renew the identity's certificate.
    ByHand {
        /// The fault of the present certificate, as a kind of finding.
        finding: FindingKind,
        /// The same, as text for people.
        why: String,
    },
    /// The identity needs a new certificate and cannot get one now, or it cannot be told whether one is needed.
    Stuck {
        /// The obstacle, if neither [`Settled::asked`] nor a finding of its store reports it.
        obstacle: Option<Obstacle>,
    },
}

/// A key and a request that this run makes.
pub(crate) struct CertificateRequest {
    /// The authority that the request is for.
    pub authority: String,
    /// The place where the key belongs in the end.
    pub place: KeyPlace,
}

/// A key that this run puts in an identity's entry.
pub(crate) struct Installation {
    pub place: KeyPlace,
    /// The entry that holds the key now.
    pub entry: Option<EntryId>,
    /// The finding that the new key repairs.
    pub finding: FindingKind,
    pub severity: Severity,
    pub reason: String,
    pub key: KeyOrigin,
}

/// The origin of a new key and its certificate.
pub(crate) enum KeyOrigin {
    /// This run makes both.
    Made,
    /// An earlier run left both in staging.
    Staged(Arc<Certificate>),
    /// An earlier run left the key in staging, and its authority issued the certificate.
    Replied {
        /// The certificate.
        leaf: Arc<Certificate>,
        /// The issuers of the certificate, the nearest first.
        issuers: Vec<Arc<Certificate>>,
        /// The file of the reply.
        from: CertificateOrigin,
    },
}

impl KeyOrigin {
    /// The certificate, if it exists already.
    pub(crate) fn certificate(&self) -> Option<&Arc<Certificate>> {
        match self {
            Self::Made => None,
            Self::Staged(certificate) | Self::Replied { leaf: certificate, .. } => Some(certificate),
        }
    }

    /// The issuers of the certificate, the nearest first; empty if it is self-signed.
    pub(crate) fn issuers(&self) -> &[Arc<Certificate>] {
        match self {
            Self::Made | Self::Staged(_) => &[],
            Self::Replied { issuers, .. } => issuers,
        }
    }
}

impl Course {
    /// The state of the identity, as plans show it.
    pub(crate) fn state(&self) -> IdentityState {
        match self {
            Self::Unknown => IdentityState::Unknown,
            Self::Rest => IdentityState::Active,
            Self::Renew(installation) => match installation.key {
                KeyOrigin::Made => IdentityState::RenewDue,
                KeyOrigin::Staged(_) => IdentityState::Minted,
                KeyOrigin::Replied { .. } => IdentityState::Validated,
            },
            Self::Rotate(overlap) => match &overlap.stage {
                Stage::Begin(_) => IdentityState::RenewDue,
                Stage::Extend(next) | Stage::Install(next, _) if next.by_chain => IdentityState::Validated,
                Stage::Extend(_) | Stage::Install(..) => IdentityState::Minted,
                Stage::Settle(_) => IdentityState::Active,
            },
            Self::Request(_) => IdentityState::CsrPending,
            Self::AtAuthority { .. } => IdentityState::AtCa,
            Self::Replied => IdentityState::Validated,
            Self::ByHand { .. } | Self::Stuck { .. } => IdentityState::RenewDue,
        }
    }

    /// The rotation that is under way, if there is one.
    pub(crate) fn overlap(&self) -> Option<&Overlap> {
        match self {
            Self::Rotate(overlap) => Some(overlap),
            Self::Unknown
            | Self::Rest
            | Self::Renew(_)
            | Self::Request(_)
            | Self::AtAuthority { .. }
            | Self::Replied
            | Self::ByHand { .. }
            | Self::Stuck { .. } => None,
        }
    }

    /// The key that this run puts in the identity's entry.
    pub(crate) fn installation(&self) -> Option<&Installation> {
        match self {
            Self::Renew(installation) => Some(installation),
            Self::Rotate(overlap) => match &overlap.stage {
                Stage::Install(_, installation) => Some(installation),
                Stage::Begin(_) | Stage::Extend(_) | Stage::Settle(_) => None,
            },
            Self::Unknown
            | Self::Rest
            | Self::Request(_)
            | Self::AtAuthority { .. }
            | Self::Replied
            | Self::ByHand { .. }
            | Self::Stuck { .. } => None,
        }
    }

    /// The event that the identity waits for, in words.
    pub(crate) fn awaits(&self) -> Option<String> {
        match self {
            Self::Rotate(overlap) => overlap.awaits(),
            Self::AtAuthority { name, .. } => Some(format!("the reply of {name}")),
            Self::ByHand { why, .. } => Some(format!("a person: {why}")),
            Self::Unknown | Self::Rest | Self::Renew(_) | Self::Request(_) | Self::Replied | Self::Stuck { .. } => None,
        }
    }
}

impl Settled {
    /// A subject whose certificate cannot be told.
    pub(crate) fn unknown(why: Why) -> Self {
        Self { asked: Err(why), present: None, course: Course::Unknown, findings: Vec::new() }
    }

    /// The certificate that edges to the subject ask for, if it exists already.
    pub(crate) fn known(&self) -> Option<Fingerprint> {
        self.asked.as_ref().ok()?.material.known()
    }

    /// Every certificate that is known to be the subject's, now or next, and the issuers of a certificate that is
    /// installed.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &Arc<Certificate>> {
        let installation = self.course.installation();
        let issued =
            installation.into_iter().flat_map(|one| one.key.certificate().into_iter().chain(one.key.issuers()));
        let next = self.course.overlap().and_then(Overlap::next).map(|next| &next.certificate);
        self.present.iter().chain(issued).chain(next)
    }

    /// The origin of the certificate that edges ask for.
    pub(crate) fn from(&self) -> Option<&CertificateOrigin> {
        self.asked.as_ref().ok()?.from.as_ref()
    }

    /// Whether this run puts a new key in the subject's entry.
    pub(crate) fn is_renewed(&self) -> bool {
        self.course.installation().is_some()
    }

    /// The key that this run makes or installs for the subject.
    pub(crate) fn mint(&self, identity: &IdentityId) -> Option<Mint> {
        let replaces = self.present.as_ref().map(|c| c.fingerprint());
        let mint = |place: &KeyPlace, staged| Mint {
            identity: identity.clone(),
            place: place.clone(),
            resumed: None,
            issuers: Vec::new(),
            request: None,
            replaces,
            staged,
        };
        let install = |installation: &Installation, staged| Mint {
            resumed: installation.key.certificate().cloned(),
            issuers: installation.key.issuers().to_vec(),
            ..mint(&installation.place, staged)
        };
        match &self.course {
            Course::Renew(installation) => Some(install(installation, false)),
            Course::Rotate(overlap) => match &overlap.stage {
                // If trusters get the certificate first, its key goes to staging and no further.
                Stage::Begin(place) => Some(mint(place, true)),
                Stage::Install(_, installation) => Some(install(installation, true)),
                Stage::Extend(_) | Stage::Settle(_) => None,
            },
            Course::Request(request) => {
                Some(Mint { request: Some(request.authority.clone()), ..mint(&request.place, true) })
            }
            Course::Unknown
            | Course::Rest
            | Course::AtAuthority { .. }
            | Course::Replied
            | Course::ByHand { .. }
            | Course::Stuck { .. } => None,
        }
    }
}
