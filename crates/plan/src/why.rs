//! The reasons why something could not be judged or may not be done. The list is closed, so that code can branch on it;
//! the texts are for people only.

use std::fmt;

use trustmason_keystore::{Alias, Fingerprint};
use trustmason_spec::name::{Fqdn, IdentityId, StoreId};
use trustmason_spec::topology::PathVariable;

use crate::constraints;
use crate::finding::FindingKind;
use crate::observed::FailureClass;
use crate::run_id::RunId;
use crate::text;

/// Why a certificate is not valid at a moment, in seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfDate {
    /// The last second of the certificate is past.
    Ended(i64),
    /// The first second of the certificate is still to come.
    NotBegun(i64),
}

/// The reason of a `blocked` verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The host's disk is not there.
    Unreachable {
        /// The host.
        host: Fqdn,
        /// The defect of the host's root folder.
        detail: String,
    },
    /// The store's file is absent and may not be created.
    StoreMissing {
        /// The path where the file would be.
        path: String,
        /// The variables that this path is made with.
        variables: Vec<PathVariable>,
    },
    /// The store opened and is empty, though identities of its host belong there: an accident, not a new installation.
    StoreEmpty {
        /// The file.
        path: String,
    },
    /// The store did not open.
    StoreUnreadable {
        /// The class of failure.
        class: FailureClass,
        /// The reader's message.
        message: String,
    },
    /// It cannot be told yet what a run did to the store.
    OutcomeUnclear {
        /// The run.
        run: RunId,
        /// Why the outcome cannot be told.
        detail: String,
    },
    /// The store is the same file as another store.
    SameFile {
        /// The other store.
        other: StoreId,
        /// The file.
        path: String,
    },
    /// A certificate in the store makes a JVM refuse the whole store.
    JvmUnloadable {
        /// The alias of the entry.
        alias: String,
        /// The defect of the entry.
        detail: String,
        /// The fingerprint for the `distrust:` line that removes the entry; `None` if the entry is a key entry, which
        /// no such line removes.
        sha256: Option<Fingerprint>,
    },
    /// The certificate was not found in the store, but something there that cannot be read may be it.
    Unread {
        /// The parts that cannot be read, and why.
        what: String,
    },
    /// More deletions than are allowed.
    TooManyDeletes {
        /// The number of deletions in the plan.
        wanted: usize,
        /// The number of deletions that are allowed.
        allowed: usize,
    },
    /// No certificate of the subject was found.
    SourceMissing {
        /// The identity or certificate of the spec that is looked for.
        subject: String,
        /// The place where the certificate was looked for.
        looked: String,
        /// A file that may be meant, and what to do about it.
        near: Option<String>,
    },
    /// Several different certificates claim to be the subject's.
    SourceAmbiguous {
        /// The identity or certificate of the spec that they claim to be.
        subject: String,
        /// The files.
        files: String,
    },
    /// The subject's certificate exists and cannot be read.
    SourceUnreadable {
        /// The identity or certificate of the spec that is looked for.
        subject: String,
        /// The class of failure.
        class: FailureClass,
        /// The reader's message.
        message: String,
    },
    /// The subject's own store is blocked.
    SourceBlocked {
        /// The store.
        store: StoreId,
        /// The finding that blocks that store.
        finding: FindingKind,
    },
    /// The subject's certificate does not name its host.
    NameMismatch {
        /// The identity whose certificate it is.
        subject: String,
        /// The names on the certificate.
        carries: String,
        /// Whether a wildcard is among these names.
        wildcard: bool,
    },
    /// The subject's certificate has ended or is not valid yet, while the store holds a valid one of the subject.
    OutOfDate {
        /// The identity or certificate of the spec that the certificate belongs to.
        subject: String,
        /// Why the certificate is not valid now.
        dates: OutOfDate,
        /// The last second of the certificate in the store, in seconds since 1970-01-01T00:00:00Z.
        held_until: i64,
    },
    /// The certificate in the file does not match the pin in the spec.
    PinMismatch {
        /// The certificate's name.
        subject: String,
        /// The pin.
        pinned: Fingerprint,
        /// The fingerprint that was found.
        found: Fingerprint,
    },
    /// The alias belongs to an entry that is not ours to move.
    AliasConflict {
        /// The alias.
        alias: Alias,
        /// The entry that has the alias.
        holder: String,
        /// The advice that resolves the conflict.
        remedy: String,
    },
    /// The spec distrusts the wanted certificate.
    Distrusted {
        /// The identity or certificate of the spec that the certificate belongs to.
        subject: String,
        /// The reason in the spec.
        why: String,
    },
    /// It cannot be told whether a JVM loads the certificate.
    JvmCannotTell {
        /// The identity or certificate of the spec that the certificate belongs to.
        subject: String,
        /// The part that cannot be judged.
        detail: String,
    },
    /// A JVM would refuse the store with the certificate.
    JvmRefuses {
        /// The identity or certificate of the spec that the certificate belongs to.
        subject: String,
        /// The part of the certificate that the JVM refuses.
        detail: String,
    },
    /// The change belongs to a store outside `--host` or `--side`.
    OutsideSelection {
        /// The thing that is outside.
        what: String,
    },
    /// A new certificate would not reach a store that trusts the present one.
    TrusterBlocked {
        /// The identity.
        identity: IdentityId,
        /// The store.
        truster: StoreId,
        /// Why that store is blocked.
        finding: FindingKind,
    },
    /// A store that trusts the identity holds a later certificate of it than the identity's own store.
    Newer {
        /// The identity.
        identity: IdentityId,
        /// The store.
        truster: StoreId,
    },
    /// An authority cannot be used.
    UnknownAuthority {
        /// The defect.
        what: String,
    },
    /// An authority's root has no pin.
    UnpinnedRoot {
        /// The authority.
        authority: String,
        /// The fingerprint of the certificate in its file.
        found: Fingerprint,
    },
    /// An authority is to issue the identity's certificate. Until its reply the identity has no certificate.
    AwaitsReply {
        /// The identity that waits.
        identity: IdentityId,
        /// The authority.
        authority: String,
    },
    /// The identity's certificate comes from a CA and may not become self-signed unless the spec asks for that.
    IssuerMismatch {
        /// The identity whose certificate it is.
        identity: IdentityId,
        /// The present issuer.
        issuer: String,
    },
}

impl Why {
    /// Whether this reason blocks the identity alone. Other reasons block a store, or the edges to the identity, which
    /// report them.
    pub(crate) fn is_of_identity_alone(&self) -> bool {
        match self {
            Self::AliasConflict { .. } | Self::OutsideSelection { .. } => true,
            Self::Unreachable { .. }
            | Self::StoreMissing { .. }
            | Self::StoreEmpty { .. }
            | Self::StoreUnreadable { .. }
            | Self::OutcomeUnclear { .. }
            | Self::SameFile { .. }
            | Self::JvmUnloadable { .. }
            | Self::Unread { .. }
            | Self::TooManyDeletes { .. }
            | Self::SourceMissing { .. }
            | Self::SourceAmbiguous { .. }
            | Self::SourceUnreadable { .. }
            | Self::SourceBlocked { .. }
            | Self::NameMismatch { .. }
            | Self::OutOfDate { .. }
            | Self::PinMismatch { .. }
            | Self::Distrusted { .. }
            | Self::JvmCannotTell { .. }
            | Self::JvmRefuses { .. }
            | Self::TrusterBlocked { .. }
            | Self::Newer { .. }
            | Self::UnknownAuthority { .. }
            | Self::UnpinnedRoot { .. }
            | Self::AwaitsReply { .. }
            | Self::IssuerMismatch { .. } => false,
        }
    }

    /// The kind of finding for this reason.
    pub fn finding(&self) -> FindingKind {
        match self {
            Self::Unreachable { .. } => FindingKind::Unreachable,
            Self::StoreMissing { .. } | Self::StoreEmpty { .. } => FindingKind::StoreMissing,
            Self::OutcomeUnclear { .. } => FindingKind::OutcomeUnclear,
            Self::StoreUnreadable { class, .. } | Self::SourceUnreadable { class, .. } => class_kind(*class),
            Self::Unread { .. } => FindingKind::Unreadable,
            Self::JvmCannotTell { .. } => FindingKind::JvmDoubtful,
            Self::SameFile { .. } => FindingKind::SameFile,
            Self::JvmUnloadable { .. } | Self::JvmRefuses { .. } => FindingKind::JvmUnloadable,
            Self::TooManyDeletes { .. } => FindingKind::TooManyDeletes,
            Self::SourceMissing { .. } => FindingKind::SourceMissing,
            Self::SourceAmbiguous { .. } | Self::PinMismatch { .. } => FindingKind::SourceAmbiguous,
            Self::SourceBlocked { finding, .. } | Self::TrusterBlocked { finding, .. } => *finding,
            Self::Newer { .. } => FindingKind::Ahead,
            Self::NameMismatch { .. } => FindingKind::NameMismatch,
            Self::OutOfDate { dates: OutOfDate::Ended(_), .. } => FindingKind::Expired,
            Self::OutOfDate { dates: OutOfDate::NotBegun(_), .. } => FindingKind::NotYetValid,
            Self::AliasConflict { .. } => FindingKind::AliasConflict,
            Self::Distrusted { .. } => FindingKind::Distrusted,
            Self::OutsideSelection { .. } => FindingKind::OutsideSelection,
            Self::UnknownAuthority { .. } | Self::UnpinnedRoot { .. } => FindingKind::UnknownAuthority,
            Self::AwaitsReply { .. } => FindingKind::RotationWaiting,
            Self::IssuerMismatch { .. } => FindingKind::IssuerMismatch,
        }
    }
}

/// The kind of finding for a failed read.
pub(crate) fn class_kind(class: FailureClass) -> FindingKind {
    match class {
        FailureClass::WrongPassword => FindingKind::WrongPassword,
        FailureClass::WrongFormat => FindingKind::WrongFormat,
        FailureClass::Unreadable => FindingKind::Unreadable,
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { host, detail } => {
                write!(f, "{host} cannot be reached: {detail}; mount its disk or correct `access:`")
            }
            Self::StoreMissing { path, variables } => {
                write!(f, "{path} does not exist, and trustmason does not create it; ")?;
                for PathVariable { name, value, in_spec } in variables {
                    let by = if *in_spec { "by the spec" } else { "by the profile, because the spec does not set it" };
                    write!(
                        f,
                        "`{name}` is `{}` {by}; if that is wrong, correct it under `vars:`; ",
                        text::escape(value)
                    )?;
                }
                f.write_str("check the path and the product's installation")
            }
            Self::OutcomeUnclear { run, detail } => write!(
                f,
                "cannot tell yet what run {run} did there, so every change is assumed done: {detail}; make the \
                 store readable and run again"
            ),
            Self::StoreEmpty { path } => write!(
                f,
                "{path} is empty, although the keys of its host belong there; this looks like an accident, not like \
                 a new installation; restore it, or make the first key with keytool"
            ),
            Self::StoreUnreadable { message, .. } | Self::SourceUnreadable { message, .. } => f.write_str(message),
            Self::SameFile { other, path } => {
                write!(f, "{path} is also the file of {other}; give the two stores different paths in `stores:`")
            }
            Self::JvmUnloadable { alias, detail, sha256 } => {
                write!(f, "a JVM refuses the whole store because of entry `{alias}` ({detail}); ")?;
                match sha256 {
                    Some(print) => {
                        write!(f, "to have that entry removed, add `distrust: [{{ sha256: '{print}', why: … }}]`")
                    }
                    None => f.write_str(
                        "that entry is not a trusted certificate, so `distrust:` cannot remove it; restore the store from a good \
                         copy",
                    ),
                }
            }
            Self::Unread { what } => {
                write!(f, "cannot tell whether the certificate is there, so it is not imported a second time: {what}")
            }
            Self::TooManyDeletes { wanted, allowed } => write!(
                f,
                "{wanted} entries would be deleted, more than the limit of {allowed}; check them, then repeat with \
                 --allow-deletes {wanted}"
            ),
            Self::SourceMissing { subject, looked, near: None } => {
                write!(f, "no certificate of {subject} was found: {looked}; export it there")
            }
            Self::SourceMissing { subject, looked, near: Some(near) } => {
                write!(f, "no certificate of {subject} was found: {looked}, but {near}")
            }
            Self::SourceAmbiguous { subject, files } => write!(
                f,
                "these files hold different certificates for {subject}: {files}; keep only the certificate that its service presents"
            ),
            Self::SourceBlocked { store, finding } => {
                write!(f, "the identity's own store {store} is blocked ({finding}); repair that store first")
            }
            Self::NameMismatch { subject, carries, wildcard: true } => write!(
                f,
                "the certificate of {subject} names {carries}; {}; have a certificate issued that lists the FQDN itself",
                constraints::OF_WILDCARDS
            ),
            Self::NameMismatch { subject, carries, wildcard: false } => write!(
                f,
                "the certificate of {subject} names {carries}; make a new one that names the FQDN, or list the other \
                 name under `names:`"
            ),
            Self::OutOfDate { subject, dates, held_until } => {
                write!(f, "the known certificate of {subject} ")?;
                match dates {
                    OutOfDate::Ended(at) => write!(f, "ended on {}", text::day(*at))?,
                    OutOfDate::NotBegun(from) => write!(f, "is not valid before {}", text::time(*from))?,
                }
                let until = text::day(*held_until);
                write!(
                    f,
                    "; the store trusts another one, valid until {until}, and that one stays; export the certificate again"
                )
            }
            Self::PinMismatch { subject, pinned, found } => write!(
                f,
                "{subject} is pinned to {pinned}, but the file holds {found}; put the right file there, or correct the pin"
            ),
            Self::AliasConflict { alias, holder, remedy } => {
                write!(f, "the alias `{alias}` belongs to {holder}, which trustmason does not change; {remedy}")
            }
            Self::Distrusted { subject, why } => {
                write!(f, "the certificate of {subject} is distrusted ({why}); its owner needs a new one")
            }
            Self::JvmCannotTell { subject, detail } => write!(
                f,
                "cannot tell whether a JVM loads the certificate of {subject}, so it is not written: {detail}; have a new one issued"
            ),
            Self::JvmRefuses { subject, detail } => {
                write!(f, "a JVM would refuse the whole store because of the certificate of {subject}: {detail}")
            }
            Self::OutsideSelection { what } => {
                write!(f, "{what} is outside the selection; select more with --host or --side")
            }
            Self::TrusterBlocked { identity, truster, finding } => write!(
                f,
                "{truster} trusts {identity} but is blocked ({finding}), so it could not get the new certificate; \
                 repair that store first"
            ),
            Self::Newer { identity, truster } => write!(
                f,
                "{truster} holds a later certificate of {identity} than the own store of {identity}; perhaps that store was restored from \
                 an old copy. Restore the later key, or remove the later certificate with `distrust:`"
            ),
            Self::UnknownAuthority { what } => write!(f, "the authority cannot be used: {what}"),
            Self::UnpinnedRoot { authority, found } => write!(
                f,
                "the root of {authority} has no pin; if its file is right, write under `authorities:` \
                 `{authority}: {{ root: {{ file: …, sha256: '{found}' }} }}`"
            ),
            Self::AwaitsReply { identity, authority } => {
                write!(f, "{identity} has no certificate until {authority} replies to its request")
            }
            Self::IssuerMismatch { identity, issuer } => write!(
                f,
                "{identity} has a certificate issued by {issuer}; a self-signed one replaces it only if \
                 `issuer: self-signed` is written on that host or identity"
            ),
        }
    }
}
