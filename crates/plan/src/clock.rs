//! Judges whether this machine's clock can be right. It takes a moment and dated evidence, and gives a verdict. It
//! never reads the clock, and a plan does not depend on it: the verdict is for the commands that write to the ledger.
//!
//! A run writes its time into the ledger, creates certificates that begin now, and renews certificates that have ended.
//! With a clock that is wrong by days, it would fill an estate with certificates that nobody accepts. Three signs show
//! such a clock:
//!
//! - **behind**: the ledger records something that happened later than the clock's moment;
//! - **early**: no certificate in use is valid yet;
//! - **ahead**: every certificate in use that was valid at the newest moment with evidence has ended since, and no
//!   evidence is as new as the clock's day.
//!
//! Evidence is a moment in the ledger, the start of any certificate that was seen, the modification time of a store
//! that was read, or the time of a key in staging. A clock that is wrong by less cannot be told from a right one.
//!
//! More evidence never makes a right clock look ahead: the newest moment only gets later, and certificates that had
//! ended before that moment do not count.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::{Certificate, CertificateSlot, EntryKind, Fingerprint};
use trustmason_spec::topology::{CertificateSource, IdentityDef, KeyPlace, Subject, Topology};

use crate::days;
use crate::ledger::Moment;
use crate::observed::{Observed, ServedLook, StagedLook, StoreLook};
use crate::text;

/// The seconds by which the clocks of several machines that work on one estate may differ.
pub const TOLERANCE: i64 = 300;

/// The fewest certificates that are a sign when all have ended or none is valid yet. A single one is an ordinary
/// finding.
const FEWEST: usize = 2;

/// The evidence for and against a clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The newest moment in the ledger.
    pub remembered: Option<Moment>,
    /// The newest moment of all other evidence, in seconds since 1970.
    pub seen: Option<i64>,
    /// The certificates that identities of the spec present, and the declared certificates that its edges ask for.
    /// Declared certificates of authorities are left out: they are made to outlive the certificates that they issue.
    pub in_use: Vec<Validity>,
}

/// When a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Validity {
    /// The first second of the certificate.
    pub begins: i64,
    /// The last second of the certificate.
    pub ends: i64,
}

/// The judgement on a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClockVerdict {
    /// Nothing speaks against the clock.
    Right,
    /// The ledger records something that happened later than the clock's moment.
    Behind {
        /// The clock's moment.
        now: Timestamp,
        /// The event in the ledger, with its moment.
        newest: Moment,
    },
    /// No certificate in use is valid yet.
    Early {
        /// The clock's moment.
        now: Timestamp,
        /// How many certificates are in use.
        in_use: usize,
        /// When the first of these certificates becomes valid, in seconds since 1970.
        first: i64,
    },
    /// Every certificate in use has ended, and no evidence is as new as the clock's day.
    Ahead {
        /// The clock's moment.
        now: Timestamp,
        /// The newest moment with evidence, in seconds since 1970.
        seen: i64,
        /// How many certificates were valid at that moment.
        ended: usize,
        /// When the last of these certificates ended, in seconds since 1970.
        last: i64,
    },
}

/// Judges a clock by the evidence.
pub fn judge(now: Timestamp, evidence: &Evidence) -> ClockVerdict {
    let Evidence { remembered, seen, in_use } = evidence;
    let second = now.as_second();
    if let Some(newest) = remembered
        && days::between(second, newest.at.as_second()) > TOLERANCE
    {
        return ClockVerdict::Behind { now, newest: newest.clone() };
    }
    let first = in_use.iter().map(|one| one.begins).min();
    if let Some(first) = first.filter(|first| in_use.len() >= FEWEST && days::between(second, *first) > TOLERANCE) {
        return ClockVerdict::Early { now, in_use: in_use.len(), first };
    }
    let Some(seen) = remembered.iter().map(|moment| moment.at.as_second()).chain(*seen).max() else {
        return ClockVerdict::Right;
    };
    // There is evidence for this day, or for a later one.
    if days::between(seen, second) <= days::term(1) {
        return ClockVerdict::Right;
    }
    let valid_then: Vec<i64> = in_use.iter().map(|one| one.ends).filter(|end| *end >= seen).collect();
    match valid_then.iter().copied().max() {
        Some(last) if last < second && valid_then.len() >= FEWEST => {
            ClockVerdict::Ahead { now, seen, ended: valid_then.len(), last }
        }
        _ => ClockVerdict::Right,
    }
}

/// The text of the verdict, without advice. A right clock gives no text.
impl fmt::Display for ClockVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => Ok(()),
            Self::Behind { now, newest } => {
                let span = text::span(days::between(now.as_second(), newest.at.as_second()));
                let (now, then) = (text::time(now.as_second()), text::time(newest.at.as_second()));
                write!(f, "the clock of this machine says {now}, which is {span} before {then}, when {}", newest.what)
            }
            Self::Early { now, in_use, first } => {
                let span = text::span(days::between(now.as_second(), *first));
                let (now, first) = (text::time(now.as_second()), text::time(*first));
                write!(
                    f,
                    "the clock of this machine says {now}; by this clock none of the {in_use} certificates in use is valid \
                     yet; the first one begins {span} later, at {first}"
                )
            }
            Self::Ahead { now, seen, ended, last } => {
                let span = text::span(days::between(*seen, now.as_second()));
                let (now, then) = (text::time(now.as_second()), text::time(*seen));
                write!(
                    f,
                    "the clock of this machine says {now}, which is {span} after the newest date found here, {then}; by \
                     this clock all {ended} certificates that were valid then have ended, the last one on {}",
                    text::day(*last)
                )
            }
        }
    }
}

impl Evidence {
    /// Gathers the evidence from the observed facts and the ledger.
    pub fn of(topology: &Topology, observed: &Observed) -> Self {
        let begins = certificates(observed).map(|certificate| certificate.not_before());
        let files = observed.stores.values().filter_map(|look| match look {
            StoreLook::Readable(facts) => facts.modified,
            StoreLook::Absent { .. } | StoreLook::Unreadable(_) | StoreLook::Unobserved => None,
        });
        let staged = observed.staging.values().filter_map(StagedLook::key).map(|look| look.since.as_second());
        let validity = |one: &Certificate| Validity { begins: one.not_before(), ends: one.not_after() };
        let in_use: BTreeMap<Fingerprint, Validity> =
            in_use(topology, observed).map(|one| (one.fingerprint(), validity(one))).collect();
        Self {
            remembered: observed.ledger.newest(),
            seen: begins.chain(files).chain(staged).max(),
            in_use: in_use.into_values().collect(),
        }
    }
}

/// The certificates that identities present, and the declared certificates that edges ask for, without declared CAs.
fn in_use<'a>(topology: &'a Topology, observed: &'a Observed) -> impl Iterator<Item = &'a Arc<Certificate>> {
    let presented = topology.identities.values().flat_map(|def| presented(def, observed));
    let asked: BTreeSet<&Subject> = topology.edges.iter().map(|edge| &edge.subject).collect();
    let declared = asked.into_iter().filter(|subject| matches!(subject, Subject::Certificate(_)));
    let declared = declared.filter_map(|subject| observed.source(subject));
    presented.chain(declared.filter(|certificate| !certificate.is_ca()))
}

/// The certificates that an identity presents, if they were seen: in its store or file, and by its service.
fn presented<'a>(def: &'a IdentityDef, observed: &'a Observed) -> impl Iterator<Item = &'a Arc<Certificate>> {
    let kept = match &def.source {
        CertificateSource::KeyEntry(place) => key_entry(observed, place),
        CertificateSource::Exported { .. } | CertificateSource::File(_) => {
            observed.source(&Subject::Identity(def.id.clone()))
        }
    };
    let served = observed.served.get(&def.id).and_then(|look| match look {
        ServedLook::Presented(slot) => slot.certificate(),
        ServedLook::Unreachable(_) => None,
    });
    kept.into_iter().chain(served)
}

/// The certificate of a key. If several entries have the alias, the last one counts.
fn key_entry<'a>(observed: &'a Observed, place: &KeyPlace) -> Option<&'a Arc<Certificate>> {
    let StoreLook::Readable(facts) = observed.stores.get(&place.store)? else { return None };
    let mut named = facts.entries.iter().rev().filter(|entry| place.at.is_at(entry.alias.as_ref()));
    named.find_map(|entry| match &entry.kind {
        EntryKind::PrivateKey { chain } => chain.first()?.certificate(),
        EntryKind::Trusted(_) | EntryKind::SecretKey | EntryKind::Untrusted(_) | EntryKind::Opaque(_) => None,
    })
}

/// Every certificate that was seen.
fn certificates(observed: &Observed) -> impl Iterator<Item = &Arc<Certificate>> {
    let stores = observed.stores.values().filter_map(|look| match look {
        StoreLook::Readable(facts) => Some(&facts.entries),
        StoreLook::Absent { .. } | StoreLook::Unreadable(_) | StoreLook::Unobserved => None,
    });
    let held = stores.flatten().flat_map(|entry| entry.certificates()).filter_map(CertificateSlot::certificate);
    let files = observed.sources.keys().filter_map(|subject| observed.source(subject));
    let replies = observed.inboxes.values().flat_map(|inbox| &inbox.files).flat_map(|file| &file.certificates);
    let staged = observed.staging.values().filter_map(StagedLook::key).map(|look| &look.certificate);
    let served = observed.served.values().filter_map(|look| match look {
        ServedLook::Presented(slot) => slot.certificate(),
        ServedLook::Unreachable(_) => None,
    });
    held.chain(files).chain(replies).chain(staged).chain(served)
}
