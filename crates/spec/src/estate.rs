//! The estate spec as typed data. Values that a later fault may point to carry their place in the file. The data is not yet
//! joined with any profile.

use std::collections::BTreeMap;

use trustmason_keystore::{Fingerprint, Password};

use crate::fault::{At, SourceText, Span};
use crate::name::Fqdn;
use crate::topology::{DeclaredFormat, KeyKind, LeadTime, Pkcs12Scheme, Rotation, Side, SignatureHash, WriteMode};
use crate::windows::{Placement, SystemStore};

/// An estate spec that was read. [`crate::parse`] makes it, and [`crate::resolve`] turns it into a topology.
#[derive(Clone, Debug)]
pub struct Spec {
    pub(crate) source: SourceText,
    pub(crate) estate: String,
    pub(crate) profiles: Vec<At<ProfileRef>>,
    pub(crate) state: String,
    pub(crate) certificates_dir: String,
    pub(crate) access: AccessSpec,
    pub(crate) secrets: BTreeMap<String, At<SecretSpec>>,
    pub(crate) identity: IdentitySpec,
    pub(crate) authorities: BTreeMap<String, At<AuthoritySpec>>,
    pub(crate) hosts: Vec<HostSpec>,
    pub(crate) retired: Vec<At<Fqdn>>,
    pub(crate) distrust: Vec<At<(Fingerprint, String)>>,
    pub(crate) certificates: BTreeMap<String, At<AnchorSpec>>,
    pub(crate) trust: Vec<TrustSpec>,
    pub(crate) rules: Vec<RuleTweak>,
    pub(crate) stores: Vec<(At<String>, StoreOverride)>,
    pub(crate) services: Vec<(At<String>, ServiceOverride)>,
    pub(crate) accept: Vec<AcceptSpec>,
    pub(crate) warn_before: Option<LeadTime>,
    pub(crate) grace_days: Option<u32>,
    pub(crate) observation_max_age_days: Option<u32>,
    pub(crate) keep_runs: Option<u32>,
    pub(crate) keep_days: Option<u32>,
}

/// A reference to a profile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProfileRef {
    /// A built-in profile, by its name.
    Builtin(String),
    /// The operator's own profile, by its path as written (relative to the spec's folder).
    Path(String),
}

impl ProfileRef {
    /// Reads a reference. A text with a slash, a backslash or the ending `.yaml` or `.yml` is a path.
    pub(crate) fn read(text: &str) -> Self {
        let ending = std::path::Path::new(text).extension().is_some_and(|e| e == "yaml" || e == "yml");
        if ending || text.contains(['/', '\\']) { Self::Path(text.to_owned()) } else { Self::Builtin(text.to_owned()) }
    }

    /// The reference as written.
    pub fn text(&self) -> &str {
        match self {
            Self::Builtin(text) | Self::Path(text) => text,
        }
    }
}

/// The field `access:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AccessSpec {
    None,
    /// The host is the machine that trustmason runs on.
    Here,
    Root {
        root: Template,
        drive: Option<Template>,
    },
}

/// A template and its place. Two templates are equal if their texts are equal.
#[derive(Clone, Debug)]
pub(crate) struct Template(pub(crate) At<String>);

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.0.value == other.0.value
    }
}

impl Eq for Template {}

/// Where a secret is found. Templates are not yet filled in.
#[derive(Clone, Debug)]
pub(crate) enum SecretSpec {
    Literal(Password, /* whether it is the public default */ bool),
    Env(String),
    File(String),
    Properties {
        path: At<String>,
        key: String,
    },
    Command(Vec<String>),
    /// No place is known (profiles only). The texts say how an estate can name the place.
    Unstated(Vec<String>),
}

impl SecretSpec {
    /// Whether both name the same source. Two literals are the same only if both have the same public value; the value of
    /// a secret literal is never compared.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Env(a), Self::Env(b)) | (Self::File(a), Self::File(b)) => a == b,
            (Self::Properties { path: p, key: k }, Self::Properties { path: q, key: l }) => {
                p.value == q.value && k == l
            }
            (Self::Command(a), Self::Command(b)) | (Self::Unstated(a), Self::Unstated(b)) => a == b,
            (Self::Literal(one, true), Self::Literal(other, true)) => one.expose() == other.expose(),
            (
                Self::Literal(..)
                | Self::Env(_)
                | Self::File(_)
                | Self::Properties { .. }
                | Self::Command(_)
                | Self::Unstated(_),
                _,
            ) => false,
        }
    }
}

/// The field `identity:`. A field that is `None` is inherited.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdentitySpec {
    pub(crate) issuer: Option<At<String>>,
    pub(crate) subject: Option<Vec<(String, String)>>,
    pub(crate) key: Option<At<KeyKind>>,
    pub(crate) signature: Option<At<SignatureHash>>,
    pub(crate) validity_days: Option<At<u32>>,
    pub(crate) renew_before: Option<At<LeadTime>>,
    pub(crate) rotation: Option<At<Rotation>>,
}

impl IdentitySpec {
    /// Puts this setting over another one. Fields that are set here win.
    pub(crate) fn over(&self, below: &Self) -> Self {
        Self {
            issuer: self.issuer.clone().or_else(|| below.issuer.clone()),
            subject: self.subject.clone().or_else(|| below.subject.clone()),
            key: self.key.clone().or_else(|| below.key.clone()),
            signature: self.signature.clone().or_else(|| below.signature.clone()),
            validity_days: self.validity_days.clone().or_else(|| below.validity_days.clone()),
            renew_before: self.renew_before.clone().or_else(|| below.renew_before.clone()),
            rotation: self.rotation.clone().or_else(|| below.rotation.clone()),
        }
    }
}

/// A certificate file and its pin.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnchorSpec {
    pub(crate) file: String,
    pub(crate) sha256: Option<At<Fingerprint>>,
    /// Whether `as_anchor: unconstrained` is set.
    pub(crate) unconstrained: bool,
}

/// An entry of `authorities:`.
#[derive(Clone, Debug)]
pub(crate) struct AuthoritySpec {
    pub(crate) root: AnchorSpec,
    pub(crate) intermediates: Vec<AnchorSpec>,
    pub(crate) requests_dir: Option<String>,
    pub(crate) inbox: Option<String>,
    pub(crate) sign_with: Option<At<String>>,
}

/// An entry of `hosts:`.
#[derive(Clone, Debug)]
pub(crate) struct HostSpec {
    pub(crate) fqdn: Fqdn,
    pub(crate) place: Span,
    pub(crate) roles: Vec<At<String>>,
    pub(crate) side: Option<Side>,
    pub(crate) cluster: Option<At<String>>,
    pub(crate) publisher: Option<At<bool>>,
    pub(crate) vars: Vec<(At<String>, At<String>)>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) certificates: Vec<(At<String>, HostCertificate)>,
    pub(crate) identity: IdentitySpec,
    pub(crate) identities: Vec<(At<String>, IdentitySpec)>,
    pub(crate) profiles: Option<Vec<At<ProfileRef>>>,
    pub(crate) formerly: Vec<At<Fqdn>>,
    pub(crate) access: Option<AccessSpec>,
}

/// An entry of a host's `certificates:`.
#[derive(Clone, Debug)]
pub(crate) struct HostCertificate {
    pub(crate) file: Option<At<String>>,
    pub(crate) names: Vec<Fqdn>,
}

/// An entry of `trust:`.
#[derive(Clone, Debug)]
pub(crate) struct TrustSpec {
    pub(crate) place: Span,
    pub(crate) stores: Vec<At<String>>,
    pub(crate) certificate: Option<At<String>>,
    pub(crate) subjects: Vec<At<String>>,
    pub(crate) alias: Option<At<String>>,
    pub(crate) was: Vec<At<String>>,
    pub(crate) why: String,
}

/// An entry of `rules:`.
#[derive(Clone, Debug)]
pub(crate) struct RuleTweak {
    pub(crate) rule: At<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) same: Option<Vec<String>>,
    pub(crate) alias: Option<At<String>>,
    pub(crate) why: Option<String>,
}

/// An entry of `stores:`.
#[derive(Clone, Debug)]
pub(crate) struct StoreOverride {
    pub(crate) path: Option<At<String>>,
    pub(crate) certificate: Option<At<String>>,
    pub(crate) key: Option<At<String>>,
    pub(crate) format: Option<At<DeclaredFormat>>,
    pub(crate) password: Option<At<PasswordSpec>>,
    pub(crate) exclusive: Option<At<bool>>,
    pub(crate) create: Option<At<bool>>,
    pub(crate) scheme: Option<At<Pkcs12Scheme>>,
    pub(crate) write: Option<At<WriteMode>>,
    pub(crate) place: Option<At<PlacementSpec>>,
}

/// The field `place:` of a Windows store. For a field that is `None`, the path decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlacementSpec {
    pub(crate) root: Option<SystemStore>,
    pub(crate) intermediate: Option<SystemStore>,
    pub(crate) leaf: Option<SystemStore>,
}

impl PlacementSpec {
    /// Puts this placement over the placement that the path gives.
    pub(crate) fn over(self, below: Placement) -> Placement {
        Placement {
            root: self.root.unwrap_or(below.root),
            intermediate: self.intermediate.unwrap_or(below.intermediate),
            leaf: self.leaf.unwrap_or(below.leaf),
        }
    }
}

/// A password: a name under `secrets:`, or the source written in place.
#[derive(Clone)]
pub(crate) enum PasswordSpec {
    Named(String),
    Inline(SecretSpec),
}

impl std::fmt::Debug for PasswordSpec {
    /// Hides the name, because it may be the password itself, written in the wrong place.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(_) => f.write_str("Named(…)"),
            Self::Inline(secret) => f.debug_tuple("Inline").field(secret).finish(),
        }
    }
}

impl PasswordSpec {
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Named(a), Self::Named(b)) => a == b,
            (Self::Inline(a), Self::Inline(b)) => a.same(b),
            (Self::Named(_), Self::Inline(_)) | (Self::Inline(_), Self::Named(_)) => false,
        }
    }
}

/// An entry of `services:`.
#[derive(Clone)]
pub(crate) struct ServiceOverride {
    /// The program and its arguments. Templates are not yet filled in.
    pub(crate) restart: Option<At<Vec<At<String>>>>,
    pub(crate) timeout_seconds: Option<At<u32>>,
}

impl std::fmt::Debug for ServiceOverride {
    /// Shows nothing: an argument may be a password written by mistake. Resolving refuses it later.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceOverride(…)")
    }
}

/// An entry of `accept:`.
#[derive(Clone, Debug)]
pub(crate) struct AcceptSpec {
    pub(crate) finding: String,
    pub(crate) store: Option<At<String>>,
    pub(crate) sha256: Option<Fingerprint>,
    pub(crate) until: String,
    pub(crate) why: String,
}
