//! What the operator means, resolved: hosts, stores, identities, services and the trust edges between them. Everything
//! here is plain data made from the spec and the profiles; nothing was looked at yet.

mod access;
mod key;
mod options;
mod path;
mod store;
mod variable;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use trustmason_keystore::{Alias, Fingerprint, Password};

pub use access::{Access, Disks, DriveName, Drives};
pub use key::{KeyAt, KeyPlace};
pub use options::{OptionsAt, OptionsDef, OptionsSyntax, SettingDef, Wanted};
pub use path::HostPath;
pub use store::{
    Exported, Files, Keystore, KeystoreFormat, Mirror, Ownership, PemPair, Pkcs12Scheme, Reach, StoreDef, StoreKind,
};
pub use variable::PathVariable;

use crate::name::{Fqdn, IdentityId, RuleId, ServiceId, StoreId};

/// One estate, every name resolved.
#[derive(Clone, Debug)]
pub struct Topology {
    /// `estate:`.
    pub estate: String,
    /// `state:`, relative paths already joined to the spec's folder.
    pub state: PathBuf,
    /// `certificates_dir:`, likewise.
    pub certificates_dir: PathBuf,
    /// Names of the profiles in use, in the order given, and those they extend.
    pub profiles: Vec<String>,
    /// Hosts by name.
    pub hosts: BTreeMap<Fqdn, Host>,
    /// Stores by id.
    pub stores: BTreeMap<StoreId, StoreDef>,
    /// Identities by id.
    pub identities: BTreeMap<IdentityId, IdentityDef>,
    /// Services by id.
    pub services: BTreeMap<ServiceId, ServiceDef>,
    /// What products are told about their stores, by host and name.
    pub options: Vec<OptionsDef>,
    /// Certificates that belong to no host (`certificates:`).
    pub anchors: BTreeMap<String, AnchorDef>,
    /// Certification authorities (`authorities:`).
    pub authorities: BTreeMap<String, AuthorityDef>,
    /// The trust that is wanted, sorted by id.
    pub edges: Vec<Edge>,
    /// Hosts that left the estate.
    pub retired: BTreeSet<Fqdn>,
    /// Certificates that are removed wherever they are found.
    pub distrust: BTreeMap<Fingerprint, String>,
    /// Certificates that vendors ship as public roots: none of them is anybody's own ([`crate::public_roots`]).
    pub public_roots: &'static BTreeSet<Fingerprint>,
    /// Findings somebody decided to live with.
    pub accept: Vec<Accept>,
    /// `policy:`.
    pub policy: Policy,
    /// The variables of the environment that hold secrets of the estate, whether or not anything asks for them today: no program that is
    /// started sees them.
    pub secret_variables: BTreeSet<String>,
}

/// One host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub fqdn: Fqdn,
    /// Its roles, as written.
    pub roles: Vec<String>,
    /// `a` or `b`.
    pub side: Option<Side>,
    /// The cluster it is a node of; a VOS host without one is a cluster of its own.
    pub cluster: Option<String>,
    /// Whether it is its cluster's publisher.
    pub publisher: bool,
    /// Free labels for `same:` rules.
    pub labels: BTreeMap<String, String>,
    /// Names it had before.
    pub formerly: BTreeSet<Fqdn>,
    /// How its disk is reached.
    pub access: Access,
    /// The profile its own rules come from.
    pub profile: String,
}

/// One of the two redundant sides of an estate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Side A.
    A,
    /// Side B.
    B,
}

/// The format a profile says a store has. What is really there is detected by magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeclaredFormat {
    /// Java keystore.
    Jks,
    /// Java Cryptography Extension keystore.
    Jceks,
    /// PKCS#12 (RFC 7292).
    Pkcs12,
    /// A PEM file.
    Pem,
    /// A folder of PEM files.
    PemDir,
    /// A certificate and a key file.
    PemPair,
    /// A Windows system store.
    Windows,
}

impl DeclaredFormat {
    /// As a spec writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jks => "jks",
            Self::Jceks => "jceks",
            Self::Pkcs12 => "pkcs12",
            Self::Pem => "pem",
            Self::PemDir => "pem-dir",
            Self::PemPair => "pem-pair",
            Self::Windows => "windows",
        }
    }
}

/// Who writes a store or an identity, as a spec says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Trustmason writes the file.
    Direct,
    /// A person does it with a pack; the place is a mirror that is only read.
    HandOff,
    /// The host is never opened (`access: none`).
    Never,
}

/// Where a secret is found. Never its value, except the one public default.
#[derive(Clone, Debug)]
pub struct SecretRef {
    /// The name it has under `secrets:`.
    pub name: String,
    /// The profile that says the way; `None` where the spec does.
    pub profile: Option<String>,
    /// The way to it.
    pub from: SecretSource,
}

impl SecretRef {
    /// Where the value comes from, for people: a file, a variable, a key of a properties file, the spec or the profile that has
    /// it written in it. Never the value.
    pub fn origin(&self) -> String {
        match (&self.from, &self.profile) {
            (SecretSource::Literal(password), _) if password.expose().is_empty() => "declared `empty: true`".to_owned(),
            (SecretSource::Literal(_), Some(profile)) => format!("written in the profile {profile}"),
            (SecretSource::Literal(_), None) => "written in the spec".to_owned(),
            (SecretSource::Env(name), _) => format!("from the environment variable {name}"),
            (SecretSource::File(path), _) => format!("from the file {}", path.display()),
            (SecretSource::Properties { path, key }, _) => format!("from {key} in {}", path.shown),
            (SecretSource::Command(argv), _) => {
                format!("printed by {}", argv.first().map_or("a program", String::as_str))
            }
        }
    }
}

/// The way to a secret.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// Written in the spec.
    Literal(Password),
    /// An environment variable.
    Env(String),
    /// The first line of a file of this machine.
    File(PathBuf),
    /// A key of a Java properties file on a host.
    Properties {
        /// The file.
        path: HostPath,
        /// The key.
        key: String,
    },
    /// The first line a program prints; no shell, ten seconds.
    Command(Vec<String>),
}

/// A certificate identity: what a host's service presents.
#[derive(Clone, Debug)]
pub struct IdentityDef {
    /// Its id.
    pub id: IdentityId,
    /// Where its certificate is found.
    pub source: Source,
    /// How it is changed: by us in its store, or by a person.
    pub write: Write,
    /// What the role demands of it.
    pub constraints: Constraints,
    /// Subject attributes beside the CN, as (short name, value), most specific first (OU, O, L, ST, C).
    pub subject: Vec<(String, String)>,
    /// Who signs it.
    pub issuer: Issuer,
    /// Whether `issuer:` was written on this host or identity itself.
    pub issuer_explicit: bool,
    /// How long a new one is valid, in days.
    pub validity_days: u32,
    /// How long before its end it is made anew, in days.
    pub renew_before_days: u32,
    /// Make before break, or at once.
    pub rotation: Rotation,
    /// Names beside the FQDN it may and should carry (`names:`).
    pub names: Vec<Fqdn>,
    /// Services restarted when it changes.
    pub restart: Vec<ServiceId>,
    /// TCP port it is served at.
    pub served_at: Option<u16>,
    /// The profile rule id, `pcce-12.5/cvp.wsm`.
    pub rule: RuleId,
    /// The document that names it.
    pub source_document: String,
    /// What a person does to export it (hand-off identities), one step a line.
    pub export_steps: Vec<String>,
    /// What a person does to make it anew (hand-off identities), one step a line.
    pub renew_steps: Vec<String>,
    /// What a person does to have it issued by a CA (hand-off identities), one step a line.
    pub request_steps: Vec<String>,
    /// What a person does with the CA's reply once all who trust the identity know that CA, one step a line.
    pub install_steps: Vec<String>,
    /// The key a new one gets: the spec's, which satisfies the constraints.
    pub key: KeyKind,
    /// The hash a new one is signed with, likewise.
    pub signature: SignatureHash,
}

/// Where an identity's certificate is found. There is exactly one authoritative place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The private key entry of the subject's own store.
    KeyEntry(KeyPlace),
    /// A file exported by hand into `certificates_dir`, under one of these names (any case).
    Exported {
        /// The names.
        names: Vec<String>,
    },
    /// A file the spec names.
    File(PathBuf),
}

/// What a role demands of an identity's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Constraints {
    /// Key kind and least size, `rsa-2048`; `None` leaves it open.
    pub key: Option<KeyKind>,
    /// Signature hashes allowed (`sha256`); empty leaves it open.
    pub signature: Vec<SignatureHash>,
    /// Extended key usages that must be there if any is: `serverAuth`, `clientAuth`.
    pub eku: Vec<String>,
    /// Whether the FQDN must stand in the CN (document 003 L71), beside the SAN rule of every identity.
    pub cn_is_fqdn: bool,
}

/// A key kind with its size in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// RSA with this many bits.
    Rsa(u32),
    /// An elliptic curve of this many bits.
    Ec(u32),
}

/// A signature's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignatureHash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Who signs an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Its own key.
    SelfSigned,
    /// An authority of the spec.
    Authority(String),
}

/// How an identity is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// New trust first, then the identity, then the old trust leaves.
    Staged,
    /// All in one run.
    Immediate,
}

/// A service that is restarted by a person or a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDef {
    /// Its id.
    pub id: ServiceId,
    /// The name people know it by.
    pub name: String,
    /// How its host's role ranks among those of the profile: of services restarted together, lower ones come first.
    pub rank: u32,
    /// How to restart it without a person.
    pub restart: Option<RestartCommand>,
}

/// A command that restarts a service and returns when it works again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartCommand {
    /// The program and its arguments; no shell reads them.
    pub argv: Vec<String>,
    /// How long it may take, in seconds.
    pub timeout_seconds: u32,
}

/// A certificate that belongs to no host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorDef {
    /// The file.
    pub file: PathBuf,
    /// Its pin.
    pub sha256: Option<Fingerprint>,
    /// Whether an intermediate is trusted as an anchor though a JVM then drops its constraints (`as_anchor: unconstrained`).
    pub unconstrained: bool,
}

/// A certification authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityDef {
    /// Its root.
    pub root: AnchorDef,
    /// Its intermediates, top down.
    pub intermediates: Vec<AnchorDef>,
    /// Where requests are put.
    pub requests_dir: Option<PathBuf>,
    /// Where replies are dropped.
    pub inbox: Option<PathBuf>,
    /// The key that signs at once (labs only).
    pub sign_with: Option<PathBuf>,
}

impl AuthorityDef {
    /// What a survey and edges call the root of the authority of this name. No certificate of the spec can be called so.
    pub fn root(authority: &str) -> String {
        format!("{authority}/root")
    }

    /// The same of a declared intermediate, by its place in the list.
    pub fn intermediate(authority: &str, place: usize) -> String {
        format!("{authority}/intermediate-{}", place + 1)
    }
}

/// One wish: this store trusts that subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// `STORE <- SUBJECT`, unique and stable, the sort key.
    pub id: String,
    /// The store that trusts.
    pub store: StoreId,
    /// Whom it trusts.
    pub subject: Subject,
    /// What of the subject must be in the store.
    pub anchor: Anchor,
    /// The alias it has there; `None` where the store knows none.
    pub alias: Option<Alias>,
    /// Aliases it had by older documents.
    pub was: Vec<Alias>,
    /// The rule that wants it.
    pub rule: RuleId,
    /// What it is for.
    pub why: String,
    /// The document.
    pub source: String,
}

/// Whom an edge trusts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An identity of a host.
    Identity(IdentityId),
    /// A certificate of the spec, by its name.
    Certificate(String),
}

/// What of a subject must be in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Follows the subject's issuer: the leaf when self-signed or unmanaged, else the chain.
    ByIssuer,
    /// The certificate itself.
    Leaf,
    /// The issuing chain.
    Chain,
}

/// A finding somebody decided to live with.
#[derive(Clone, Debug)]
pub struct Accept {
    /// The finding's id, `expired`.
    pub finding: String,
    /// A glob over store ids; `None` is any.
    pub store: Option<String>,
    /// A certificate; `None` is any.
    pub sha256: Option<Fingerprint>,
    /// Until the end of this day, `YYYY-MM-DD`.
    pub until: String,
    /// The reason for accepting, as the spec words it.
    pub why: String,
}

/// Estate-wide limits, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Certificates that end within this are `expiring`.
    pub warn_before_days: u32,
    /// How long a wait is information before it is an error.
    pub patience_days: u32,
    /// How old a mirror or a claim may be before it is `observation-old`.
    pub observation_max_age_days: u32,
    /// The newest so many runs keep their backups whatever their age.
    pub keep_runs: u32,
    /// How long older ones keep them.
    pub keep_days: u32,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Identity(id) => write!(f, "{id}"),
            Self::Certificate(name) => write!(f, "certificate {name}"),
        }
    }
}

impl std::fmt::Display for KeyKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "rsa-{bits}"),
            Self::Ec(bits) => write!(f, "ec-{bits}"),
        }
    }
}

impl std::fmt::Display for SignatureHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        })
    }
}
