//! The resolved estate: hosts, stores, identities, services and the trust edges between them. The data is made from the
//! spec and the profiles alone. Nothing here says what is on a disk.

mod access;
mod key;
mod lead_time;
mod older;
mod options;
mod path;
mod purpose;
mod store;
mod variable;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use trustmason_keystore::{Alias, Fingerprint, Password};

pub use access::{Access, Disks, DriveName, Drives};
pub use key::{KeyAt, KeyPlace};
pub use lead_time::{LeadTime, Percent};
pub use older::{AliasPrefix, OlderAlias};
pub use options::{OptionsAt, OptionsDef, OptionsSyntax, SettingDef, WantedValue};
pub use path::HostPath;
pub use purpose::{CommonName, ExtendedUsage, NeededBy, Purpose, UsageNeed};
pub use store::{
    Exported, FileStore, Keystore, KeystoreFormat, Mirror, Ownership, PairCopy, PemPair, Pkcs12Scheme, Reach, StoreDef,
    StoreKind,
};
pub use variable::PathVariable;

use crate::name::{Fqdn, IdentityId, RuleId, ServiceId, StoreId};

/// One estate with every name resolved.
///
/// [`crate::resolve`] makes it. The edges say which stores must trust which certificates:
///
/// ```
/// use trustmason_spec::{name::IdentityId, topology::{Subject, Topology}};
///
/// /// The stores that must trust an identity.
/// fn trusters(topology: &Topology, id: &IdentityId) -> Vec<String> {
///     let subject = Subject::Identity(id.clone());
///     topology.edges.iter().filter(|edge| edge.subject == subject).map(|edge| edge.store.to_string()).collect()
/// }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let text = "trustmason: 1\nestate: acme\nprofile: pcce-12.5\n\
/// #     hosts: { adsa.acme.example: { role: ads }, cvp1.acme.example: { role: cvp } }\n";
/// # let spec = trustmason_spec::parse(text, "estate.yaml")?;
/// # let profiles = trustmason_spec::profile::load(&spec, "".as_ref(), |_| Err(String::new()))?;
/// # let topology = trustmason_spec::resolve(&spec, &profiles, "".as_ref())?.topology;
///
/// // The estate has an ADS and a CVP server.
/// assert_eq!(trusters(&topology, &IdentityId::parse("cvp1.acme.example/wsm")?), ["adsa.acme.example/cacerts"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Topology {
    /// The field `estate:`.
    pub estate: String,
    /// The folder of `state:`. A relative path is joined with the spec's folder.
    pub state: PathBuf,
    /// The folder of `certificates_dir:`. A relative path is joined with the spec's folder.
    pub certificates_dir: PathBuf,
    /// The names of the profiles in use and of those they extend.
    pub profiles: Vec<String>,
    /// Hosts by name.
    pub hosts: BTreeMap<Fqdn, Host>,
    /// Stores by id.
    pub stores: BTreeMap<StoreId, StoreDef>,
    /// Identities by id.
    pub identities: BTreeMap<IdentityId, IdentityDef>,
    /// Services by id.
    pub services: BTreeMap<ServiceId, ServiceDef>,
    /// The texts that tell products about their stores, by host and name.
    pub options: Vec<OptionsDef>,
    /// Certificates that belong to no host (`certificates:`).
    pub anchors: BTreeMap<String, AnchorDef>,
    /// Certificate authorities (`authorities:`).
    pub authorities: BTreeMap<String, AuthorityDef>,
    /// The trust that the spec and the profiles want, sorted by id.
    pub edges: Vec<Edge>,
    /// Hosts that left the estate.
    pub retired: BTreeSet<Fqdn>,
    /// Certificates that are deleted wherever they are found, each with the reason.
    pub distrust: BTreeMap<Fingerprint, String>,
    /// Certificates that vendors ship as public roots. None of them counts as trustmason's own ([`crate::public_roots`]).
    pub public_roots: &'static BTreeSet<Fingerprint>,
    /// Findings that the operator accepts for a time.
    pub accept: Vec<Accept>,
    /// The field `policy:`.
    pub policy: Policy,
    /// The environment variables that hold secrets of the estate, even those that nothing uses today. Programs that
    /// trustmason starts do not get these variables.
    pub secret_variables: BTreeSet<String>,
}

impl Topology {
    /// The identities of a host.
    pub fn identities_of(&self, host: &Fqdn) -> impl Iterator<Item = &IdentityDef> {
        let first = IdentityId::new(host.clone(), "");
        self.identities.range(first..).map(|(_, def)| def).take_while(move |def| def.id.host == *host)
    }
}

/// One host.
#[derive(Clone, Debug)]
pub struct Host {
    /// The name of the host.
    pub fqdn: Fqdn,
    /// The roles of the host, as written.
    pub roles: Vec<String>,
    /// The side of the host: `a` or `b`.
    pub side: Option<Side>,
    /// The cluster that the host is a node of. A VOS host without one is a cluster of its own.
    pub cluster: Option<String>,
    /// Whether the host is the publisher of its cluster.
    pub publisher: bool,
    /// Labels for `same:` rules.
    pub labels: BTreeMap<String, String>,
    /// Names that the host had before.
    pub formerly: BTreeSet<Fqdn>,
    /// How this machine reaches the host's disks.
    pub access: Access,
    /// The profile whose rules apply to the host's stores.
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

/// The format that a profile declares for a store. The real format is detected from the content.
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
    /// The format as a spec writes it.
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

/// How changes reach a store or an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Trustmason writes the file.
    Direct,
    /// A person makes the change with a pack. Trustmason only reads.
    HandOff,
    /// Nobody makes changes for this host, because it is never opened (`access: none`).
    Never,
}

/// Where a secret is found. Only a literal holds its value.
#[derive(Clone, Debug)]
pub struct SecretRef {
    /// The name under `secrets:`.
    pub name: String,
    /// The profile that declares the source. `None` if the spec declares it.
    pub profile: Option<String>,
    /// The source of the value.
    pub from: SecretSource,
}

impl SecretRef {
    /// The source in words: a file, a variable, a key of a properties file, a program, or the spec or profile that
    /// contains the value. The text never has the value.
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
            (SecretSource::Unstated(_), _) => "of which nobody said where it is".to_owned(),
        }
    }
}

/// The source of a secret.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// The value itself, written in the spec or in a profile.
    Literal(Password),
    /// An environment variable.
    Env(String),
    /// The first line of a file on this machine.
    File(PathBuf),
    /// A key of a Java properties file on a host.
    Properties {
        /// The file.
        path: HostPath,
        /// The key.
        key: String,
    },
    /// The first line that a program prints. The program is run without a shell.
    Command(Vec<String>),
    /// The profile knows no place, and the spec names none. The texts are the ways to name one, for a person.
    Unstated(Vec<String>),
}

/// A certificate identity: the certificate that a host's service presents.
#[derive(Clone, Debug)]
pub struct IdentityDef {
    /// The id of the identity.
    pub id: IdentityId,
    /// Where the certificate is found.
    pub source: CertificateSource,
    /// How the certificate is changed: by trustmason in its store, or by a person.
    pub write: WriteMode,
    /// The demands of the role on the certificate.
    pub constraints: Constraints,
    /// The usages that the certificate must allow if it limits its use: those of every rule because of which a store
    /// trusts the identity, sorted, then those of `constraints`.
    pub needs: Vec<UsageNeed>,
    /// Subject attributes beside the CN, as (short name, value), most specific first (OU, O, L, ST, C).
    pub subject: Vec<(String, String)>,
    /// The issuer that the certificate should have.
    pub issuer: Issuer,
    /// Whether `issuer:` is set on this host or on the identity itself.
    pub issuer_explicit: bool,
    /// The validity of a new certificate in days.
    pub validity_days: u32,
    /// How long before its end the certificate is replaced.
    pub renew_before: LeadTime,
    /// How the certificate is replaced.
    pub rotation: Rotation,
    /// Names beside the FQDN that the certificate may and should carry (`names:`).
    pub names: Vec<Fqdn>,
    /// Services to restart when the certificate changes.
    pub restart: Vec<ServiceId>,
    /// The TCP port at which the certificate is presented.
    pub served_at: Option<u16>,
    /// The id of the identity in its profile: `pcce-12.5/cvp.wsm`.
    pub rule: RuleId,
    /// The document that describes the identity.
    pub source_document: String,
    /// Steps for a person who exports the certificate (hand-off identities), one per line.
    pub export_steps: Vec<String>,
    /// Steps for a person who makes a new self-signed certificate (hand-off identities), one per line.
    pub renew_steps: Vec<String>,
    /// Steps for a person who requests the certificate from a CA (hand-off identities), one per line.
    pub request_steps: Vec<String>,
    /// Steps for a person who installs the CA's reply, after every truster trusts that CA. One per line.
    pub install_steps: Vec<String>,
    /// The kind of a new key: the spec's, else the role's, else RSA with 2048 bits. If trustmason creates the key,
    /// resolving has checked that the role accepts it.
    pub key: KeyKind,
    /// The signature hash of a new certificate: the spec's, else the role's first, else SHA-256. The hash is checked as
    /// the key is.
    pub signature: SignatureHash,
}

/// Where an identity's certificate is found. Each identity has exactly one such place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// A private key entry in the store of the identity's own host.
    KeyEntry(KeyPlace),
    /// A file exported by hand into `certificates_dir`, with one of these names in any case.
    Exported {
        /// The names.
        names: Vec<String>,
    },
    /// A file the spec names.
    File(PathBuf),
}

/// The demands of a role on an identity's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Constraints {
    /// The kind and least size of the key: `rsa-2048`. `None` allows any key.
    pub key: Option<KeyKind>,
    /// The allowed signature hashes (`sha256`). An empty list allows any hash.
    pub signature: Vec<SignatureHash>,
    /// Extended key usages that the certificate needs if it has any, whatever trusts it.
    pub eku: Vec<ExtendedUsage>,
    /// Whether the CN must contain the FQDN (document 003 L71). The rule about the SAN applies to every identity.
    pub cn_is_fqdn: bool,
    /// Common names that are right beside the FQDN. Empty if `cn_is_fqdn`.
    pub common_names: Vec<CommonName>,
    /// The document that makes these demands. `None` if it is the identity's own.
    pub source: Option<String>,
}

/// A key kind with its size in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// RSA with this many bits.
    Rsa(u32),
    /// An elliptic curve of this many bits.
    Ec(u32),
}

/// The hash of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignatureHash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// The issuer of an identity's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// The identity's own key signs the certificate.
    SelfSigned,
    /// An authority that the spec declares, by its name.
    Authority(String),
}

/// How an identity's certificate is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// In phases: new trust first, then the new certificate, then the old trust is deleted.
    Staged,
    /// In one run.
    Immediate,
}

/// A service that a person or a command restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDef {
    /// The id of the service.
    pub id: ServiceId,
    /// The name people know it by.
    pub name: String,
    /// The restart rank of the service's host. Of services restarted together, those with lower ranks come first.
    pub rank: u32,
    /// The command that restarts the service without a person.
    pub restart: Option<RestartCommand>,
}

/// A command that restarts a service. The command must return when the service works again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartCommand {
    /// The program and its arguments; no shell reads them.
    pub argv: Vec<String>,
    /// The time limit in seconds.
    pub timeout_seconds: u32,
}

/// A certificate that belongs to no host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorDef {
    /// The certificate file.
    pub file: PathBuf,
    /// The fingerprint that the certificate must have.
    pub sha256: Option<Fingerprint>,
    /// Whether an intermediate is trusted as an anchor although a JVM then ignores its constraints
    /// (`as_anchor: unconstrained`).
    pub unconstrained: bool,
}

/// A certificate authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityDef {
    /// The root certificate.
    pub root: AnchorDef,
    /// The intermediate certificates, from the top down.
    pub intermediates: Vec<AnchorDef>,
    /// The folder for certificate requests.
    pub requests_dir: Option<PathBuf>,
    /// The folder that receives replies.
    pub inbox: Option<PathBuf>,
    /// The private key with which trustmason signs at once (labs only).
    pub sign_with: Option<PathBuf>,
}

impl AuthorityDef {
    /// The name of an authority's root in surveys and edges. No certificate under `certificates:` can have this name.
    pub fn root(authority: &str) -> String {
        format!("{authority}/root")
    }

    /// The name of a declared intermediate in surveys and edges, by its place in the list.
    pub fn intermediate(authority: &str, place: usize) -> String {
        format!("{authority}/intermediate-{}", place + 1)
    }
}

/// One wanted trust relation: a store must trust a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The unique and stable id `STORE <- SUBJECT`. Edges are sorted by it.
    pub id: String,
    /// The store that trusts.
    pub store: StoreId,
    /// The subject that the store trusts.
    pub subject: Subject,
    /// Which certificate of the subject must be in the store.
    pub anchor: Anchor,
    /// The alias of the certificate in the store. `None` if the store has no aliases.
    pub alias: Option<Alias>,
    /// Other aliases under which the certificate may be found. An entry there gets the edge's alias.
    pub was: Vec<OlderAlias>,
    /// The rule that wants the edge.
    pub rule: RuleId,
    /// The purpose of the trust.
    pub why: String,
    /// The document behind the rule.
    pub source: String,
}

impl Edge {
    /// How the aliases of another tool begin, if this alias begins so.
    #[must_use]
    pub fn trace(&self, alias: &Alias) -> Option<&OlderAlias> {
        self.was.iter().find(|old| old.begins(alias))
    }
}

/// The subject of an edge: the identity or certificate that a store trusts.
///
/// ```
/// use trustmason_spec::{name::IdentityId, topology::{AuthorityDef, Subject}};
///
/// # fn main() -> Result<(), trustmason_spec::name::NameError> {
/// let service = Subject::Identity(IdentityId::parse("cvp1.acme.example/wsm")?);
/// let root = Subject::Certificate(AuthorityDef::root("corp-ca"));
/// // The text of a subject is the right side of an edge's id.
/// assert_eq!(service.to_string(), "cvp1.acme.example/wsm");
/// assert_eq!(root.to_string(), "certificate corp-ca/root");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An identity of a host.
    Identity(IdentityId),
    /// A certificate of the spec that belongs to no host, by its name.
    Certificate(String),
}

/// Which certificate of a subject must be in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The planner decides: the certificates of the declared authority that issued the identity, else the identity's own.
    ByIssuer,
    /// The subject's own certificate.
    Leaf,
    /// A certificate of the chain that issued identities. The planner makes such edges from [`Anchor::ByIssuer`].
    Chain,
}

/// A finding that the operator accepts for a time.
#[derive(Clone, Debug)]
pub struct Accept {
    /// The id of the finding: `expired`.
    pub finding: String,
    /// A glob over store ids. `None` matches every store.
    pub store: Option<String>,
    /// A certificate. `None` matches every certificate.
    pub sha256: Option<Fingerprint>,
    /// The last day of the acceptance: `YYYY-MM-DD`.
    pub until: String,
    /// The reason for accepting, as the spec words it.
    pub why: String,
}

/// Limits for the whole estate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long before its end a certificate is `expiring`.
    pub warn_before: LeadTime,
    /// Days for which a wait, such as a pending restart, is information. A longer wait is an error.
    pub grace_days: u32,
    /// Days after which a mirror or a claim is `observation-old`.
    pub observation_max_age_days: u32,
    /// Number of the newest runs that keep their backups at any age.
    pub keep_runs: u32,
    /// Days for which older runs keep their backups.
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
