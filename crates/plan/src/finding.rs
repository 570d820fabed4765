//! The findings: everything that can be wrong in an estate, by the ids that scripts rely on, each with its severity.
//! Only kinds and data are here; other modules decide what is wrong.

use std::fmt;

use serde::{Deserialize, Serialize};
use trustmason_keystore::{Fingerprint, StoredAlias};
use trustmason_spec::name::{Fqdn, IdentityId, StoreId};

use crate::change_id::ChangeId;

/// How serious a finding is, from the least to the most serious.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Information; never counted.
    Info,
    /// Counted by `drift --strict`.
    Warning,
    /// Counted by `drift`.
    Error,
    /// Something could not be judged or done.
    Blocked,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Blocked => "blocked",
        })
    }
}

macro_rules! kinds {
    ($($severity:ident { $(#[doc = $doc:literal] $name:ident = $text:literal),+ $(,)? })+) => {
        /// The kind of a finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[schemars(rename = "Kind")]
        pub enum FindingKind {
            $($(#[doc = $doc] #[serde(rename = $text)] $name,)+)+
        }

        impl FindingKind {
            /// Every kind, grouped by severity.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)+)+];

            /// The id of the kind in output and documents.
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$name => $text,)+)+ }
            }

            /// The severity of the kind. A finding may have another one.
            pub fn severity(self) -> Severity {
                match self { $($(Self::$name => Severity::$severity,)+)+ }
            }

            /// The meaning of the kind, for people.
            pub fn meaning(self) -> &'static str {
                let doc = match self { $($(Self::$name => $doc,)+)+ };
                doc.trim()
            }
        }
    };
}

kinds! {
    Error {
        /// A wanted certificate, or an identity's key entry, is not in the store.
        Missing = "missing",
        /// The alias holds an older certificate of the subject.
        Stale = "stale",
        /// Another entry has the wanted alias, and trustmason did not place that entry.
        AliasConflict = "alias-conflict",
        /// A certificate names only hosts that left the estate.
        Retired = "retired",
        /// A certificate that the spec distrusts is in the store.
        Distrusted = "distrusted",
        /// A certificate does not name its host.
        NameMismatch = "name-mismatch",
        /// A certificate has ended.
        Expired = "expired",
        /// A certificate is not valid yet.
        NotYetValid = "not-yet-valid",
        /// A private key does not open with its store's password.
        KeyPasswordMismatch = "key-password-mismatch",
        /// Only a part of a chain is trusted.
        ChainIncomplete = "chain-incomplete",
        /// All entries that trustmason placed in a store are missing at once.
        StoreReset = "store-reset",
        /// Another file is used instead of the store.
        ShadowedStore = "shadowed-store",
        /// A setting of a product for its store is wrong.
        OptionWrong = "option-wrong",
        /// An identity has another issuer than the spec says, or would get a self-signed certificate instead of its CA's.
        IssuerMismatch = "issuer-mismatch",
        /// A rotation is pending: a person must act.
        RotationWaiting = "rotation-waiting",
        /// A hand-off is pending: a person must act.
        HandOffWaiting = "hand-off-waiting",
    }
    Warning {
        /// A certificate ends soon.
        Expiring = "expiring",
        /// The right certificate has another alias.
        WrongAlias = "wrong-alias",
        /// A wanted certificate is in a system store of Windows where it gives no trust.
        WrongStore = "wrong-store",
        /// A key is shorter than the role requires.
        WeakKey = "weak-key",
        /// A signature uses a hash the role does not allow.
        WeakSignature = "weak-signature",
        /// An extended key usage is missing.
        EkuMissing = "eku-missing",
        /// The next certificate no longer allows the identity to be a client.
        ClientAuthLost = "client-auth-lost",
        /// A public root issued a certificate, or is to issue it.
        PublicIssuer = "public-issuer",
        /// A certificate has no subject alternative name.
        SanMissing = "san-missing",
        /// A host's certificate is a CA certificate: the holder of its key can pose as any host.
        HostIsCa = "host-is-ca",
        /// Several hosts use one key.
        SharedKey = "shared-key",
        /// A private key is in a trust bundle.
        PrivateKeyInTrust = "private-key-in-trust",
        /// A JVM does not see the entry.
        JvmInvisible = "jvm-invisible",
        /// Whether a JVM loads a certificate, and with it the whole store, cannot be told.
        JvmDoubtful = "jvm-doubtful",
        /// The Java of a PKCS#12 store is too old to read the store's protection.
        JavaTooOld = "java-too-old",
        /// Properties of the store limit the trust in a certificate.
        LimitedTrust = "limited-trust",
        /// The last export or confirmation of a store is old.
        ObservationOld = "observation-old",
        /// A service was not restarted since its store changed.
        RestartPending = "restart-pending",
        /// A store holds a newer certificate of a host than the known one.
        Ahead = "ahead",
        /// A service presents another certificate than the known one.
        ServedDiffers = "served-differs",
    }
    Info {
        /// An entry is not declared; it stays.
        Unmanaged = "unmanaged",
        /// One certificate has several aliases.
        Duplicate = "duplicate",
        /// An options file could not be read.
        OptionsUnobserved = "options-unobserved",
        /// An intermediate is not imported, because stores would drop its constraints.
        IssuerWithheld = "issuer-withheld",
        /// A service could not be asked for its certificate.
        EndpointUnreachable = "endpoint-unreachable",
    }
    Blocked {
        /// The store's password is wrong.
        WrongPassword = "wrong-password",
        /// A file cannot be read or understood.
        Unreadable = "unreadable",
        /// A file is not of the format the role needs.
        WrongFormat = "wrong-format",
        /// The store's file does not exist.
        StoreMissing = "store-missing",
        /// The host's disk is not reachable.
        Unreachable = "unreachable",
        /// A subject's certificate was not found.
        SourceMissing = "source-missing",
        /// Several certificates could be a subject's.
        SourceAmbiguous = "source-ambiguous",
        /// It cannot be told yet what an interrupted run did to the store.
        OutcomeUnclear = "outcome-unclear",
        /// Two stores are the same file.
        SameFile = "same-file",
        /// The change needs a store outside the selection.
        OutsideSelection = "outside-selection",
        /// An authority's certificates are not available, or its root has no pin.
        UnknownAuthority = "unknown-authority",
        /// A CA's reply belongs to another key than the staged one.
        ReplyKeyMismatch = "reply-key-mismatch",
        /// A CA's reply does not chain to the pinned root.
        ReplyChainIncomplete = "reply-chain-incomplete",
        /// A CA's reply does not name its host.
        ReplyName = "reply-name",
        /// A CA's reply lists other names than the request.
        ReplySan = "reply-san",
        /// A CA's reply leaves out an extended key usage that the identity needs.
        ReplyEku = "reply-eku",
        /// A CA's reply has a weak key or signature, or is no server's certificate.
        ReplyWeakCrypto = "reply-weak-crypto",
        /// A CA's reply is not valid now, or outlives its issuer.
        ReplyDates = "reply-dates",
        /// A CA's reply cannot be read.
        ReplyEncoding = "reply-encoding",
        /// A certificate makes a JVM refuse the whole store.
        JvmUnloadable = "jvm-unloadable",
        /// A store would lose more entries than the spec or `--allow-deletes` allows.
        TooManyDeletes = "too-many-deletes",
    }
}

impl FindingKind {
    /// Whether the finding is about an authority or an authority's reply.
    pub fn is_of_authority(self) -> bool {
        matches!(
            self,
            Self::UnknownAuthority
                | Self::ReplyKeyMismatch
                | Self::ReplyChainIncomplete
                | Self::ReplyName
                | Self::ReplySan
                | Self::ReplyEku
                | Self::ReplyWeakCrypto
                | Self::ReplyDates
                | Self::ReplyEncoding
        )
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One finding: something that is wrong, or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The severity of this finding.
    pub severity: Severity,
    /// The kind of the finding.
    pub kind: FindingKind,
    /// The host that the finding is about.
    pub host: Option<Fqdn>,
    /// The store, if the finding is about one.
    pub store: Option<StoreId>,
    /// The identity, if the finding is about one.
    pub identity: Option<IdentityId>,
    /// The alias as stored.
    pub alias: Option<StoredAlias>,
    /// The fingerprint of the certificate.
    pub sha256: Option<Fingerprint>,
    /// Whether the spec accepts the finding for now.
    pub accepted: bool,
    /// The change that repairs the finding, if there is one.
    pub change: Option<ChangeId>,
    /// The text for people.
    pub message: String,
}

impl Finding {
    /// A finding about the estate as a whole.
    pub(crate) fn new(kind: FindingKind, message: impl Into<String>) -> Self {
        Self {
            severity: kind.severity(),
            kind,
            host: None,
            store: None,
            identity: None,
            alias: None,
            sha256: None,
            accepted: false,
            change: None,
            message: message.into(),
        }
    }

    /// A finding about a store.
    pub(crate) fn of_store(kind: FindingKind, store: &StoreId, message: impl Into<String>) -> Self {
        Self { host: Some(store.host.clone()), store: Some(store.clone()), ..Self::new(kind, message) }
    }

    /// A finding about an identity.
    pub(crate) fn of_identity(kind: FindingKind, identity: &IdentityId, message: impl Into<String>) -> Self {
        Self { host: Some(identity.host.clone()), identity: Some(identity.clone()), ..Self::new(kind, message) }
    }

    /// A finding about a whole host.
    pub(crate) fn of_host(kind: FindingKind, host: &Fqdn, message: impl Into<String>) -> Self {
        Self { host: Some(host.clone()), ..Self::new(kind, message) }
    }

    pub(crate) fn at(mut self, alias: Option<StoredAlias>, sha256: Option<Fingerprint>) -> Self {
        self.alias = alias;
        self.sha256 = sha256;
        self
    }

    pub(crate) fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Whether the finding counts: the spec does not accept it.
    pub fn counts(&self) -> bool {
        !self.accepted
    }
}
