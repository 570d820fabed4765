//! Role profiles (YAML): the stores, identities and services of each kind of machine, and the rules of trust between them.
//! Built-in profiles are part of the program. The caller reads other profiles and passes their text in.
//!
//! A profile that `extends` another one inherits everything. A store, identity, service, variable, secret or rule replaces
//! the inherited one of the same name as a whole. A profile has no conditions: a variant is another role or profile.

mod catalog;
mod options;
mod read;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use catalog::{Catalog, JoinedProfile, dangling, takes_alias};
pub(crate) use options::{Expected, Options, Setting};

use crate::estate::{PlacementSpec, ProfileRef, SecretSpec, Spec};
use crate::fault::{At, Faults, SourceText, Span};
use crate::topology::{Constraints, DeclaredFormat, KeyAt, Pkcs12Scheme, Purpose, WriteMode};

/// The profiles that come with the program, by name.
const BUILTIN: [(&str, &str); 14] = [
    ("cce-common", include_str!("../../../specs/profiles/cce-common.yaml")),
    ("cce-cti", include_str!("../../../specs/profiles/cce-cti.yaml")),
    ("cce-nodes", include_str!("../../../specs/profiles/cce-nodes.yaml")),
    ("cisco-base", include_str!("../../../specs/profiles/cisco-base.yaml")),
    ("cvp-jmx", include_str!("../../../specs/profiles/cvp-jmx.yaml")),
    ("genesys", include_str!("../../../specs/profiles/genesys.yaml")),
    ("pcce-12.5", include_str!("../../../specs/profiles/pcce-12.5.yaml")),
    ("pcce-12.6", include_str!("../../../specs/profiles/pcce-12.6.yaml")),
    ("pcce-12.6.2", include_str!("../../../specs/profiles/pcce-12.6.2.yaml")),
    ("pcce-15.0", include_str!("../../../specs/profiles/pcce-15.0.yaml")),
    ("ucce-12.6", include_str!("../../../specs/profiles/ucce-12.6.yaml")),
    ("ucce-12.6.2", include_str!("../../../specs/profiles/ucce-12.6.2.yaml")),
    ("ucce-15.0", include_str!("../../../specs/profiles/ucce-15.0.yaml")),
    ("ucce-live-data", include_str!("../../../specs/profiles/ucce-live-data.yaml")),
];

/// The text of a built-in profile with its comments.
pub fn builtin(name: &str) -> Option<&'static str> {
    BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of the built-in profiles, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|(name, _)| *name)
}

/// A profile that was read, and the reference that named it.
#[derive(Clone, Debug)]
pub struct LoadedProfile {
    pub(crate) reference: ProfileRef,
    pub(crate) profile: Profile,
}

impl LoadedProfile {
    /// Reads a profile. `name` is the file's name for messages.
    ///
    /// # Errors
    /// All faults of the file.
    pub fn parse(reference: ProfileRef, text: &str, name: &str) -> Result<Self, Faults> {
        Ok(Self { reference, profile: read::read(text, name)? })
    }

    /// The profiles that this one extends, in the order written. They must be loaded too.
    pub fn extends(&self) -> impl Iterator<Item = &ProfileRef> {
        self.profile.extends.iter().map(|at| &at.value)
    }
}

/// Loads every profile that a spec names and every profile they extend, each once. `read` gives the text of a profile that
/// is not built in, or the reason why it cannot. Its path is already joined with the spec's folder `base`.
///
/// # Errors
/// Unknown names, paths that `read` cannot fetch, and all faults of the profiles themselves.
pub fn load(
    spec: &Spec,
    base: &Path,
    mut read: impl FnMut(&Path) -> Result<String, String>,
) -> Result<Vec<LoadedProfile>, Faults> {
    let mut faults = Faults::default();
    let mut loaded: Vec<LoadedProfile> = Vec::new();
    let mut wanted: Vec<(At<ProfileRef>, SourceText)> =
        spec.profile_places().map(|at| (at.clone(), spec.source.clone())).collect();
    wanted.reverse();
    let mut seen = std::collections::BTreeSet::new();
    while let Some((at, from)) = wanted.pop() {
        if !seen.insert(at.value.clone()) {
            continue;
        }
        let fetched = match &at.value {
            ProfileRef::Builtin(name) => {
                builtin(name).map(|text| (text.to_owned(), format!("profile {name}"))).ok_or_else(|| {
                    let list = names().collect::<Vec<_>>().join(", ");
                    from.error(at.place, format!("there is no built-in profile `{name}`"))
                        .suggest(crate::fault::nearest(name, names()))
                        .hint(format!(
                            "built-in profiles: {list}; name your own profile by its path, such as ./my-profile.yaml"
                        ))
                })
            }
            ProfileRef::Path(path) => read(&join(base, path)).map(|text| (text, path.clone())).map_err(|why| {
                from.error(at.place, format!("the profile `{path}` cannot be read: {why}"))
                    .hint("a relative path starts at the spec's folder")
            }),
        };
        match fetched.map(|(text, name)| LoadedProfile::parse(at.value.clone(), &text, &name)) {
            Ok(Ok(profile)) => {
                for parent in profile.profile.extends.iter().rev() {
                    wanted.push((parent.clone(), profile.profile.source.clone()));
                }
                loaded.push(profile);
            }
            Ok(Err(found)) => faults.append(found),
            Err(fault) => faults.push(fault),
        }
    }
    faults.into_result(loaded)
}

/// Joins a path of the spec with the spec's folder. `\\server` and `C:\x` are absolute on every machine.
pub(crate) fn join(base: &Path, path: &str) -> PathBuf {
    let drive = path.as_bytes().get(1) == Some(&b':');
    if path.starts_with(r"\\") || drive {
        PathBuf::from(path)
    } else {
        base.join(path.strip_prefix("./").unwrap_or(path))
    }
}

/// A profile as typed data.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) source: SourceText,
    pub(crate) name: At<String>,
    pub(crate) extends: Vec<At<ProfileRef>>,
    /// Roles that the profile takes away from those it extends and from those it is joined with, each with the reason.
    pub(crate) removed_roles: BTreeMap<String, String>,
    /// Rules that the profile takes away from those it extends, each with the reason.
    pub(crate) removed_rules: Vec<(At<String>, String)>,
    pub(crate) needs: Vec<String>,
    pub(crate) secrets: BTreeMap<String, SecretSpec>,
    /// The beginnings of aliases that another tool gives to the entries of any rule.
    pub(crate) was: Vec<String>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) rules: BTreeMap<String, Rule>,
}

/// A role: a kind of machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Role {
    pub(crate) clustered: bool,
    pub(crate) vars: BTreeMap<String, Var>,
    pub(crate) stores: BTreeMap<String, StoreTemplate>,
    pub(crate) identities: BTreeMap<String, Identity>,
    pub(crate) services: BTreeMap<String, String>,
    /// The texts that tell the role's product about its stores.
    pub(crate) options: BTreeMap<String, Options>,
    /// The rank of the role when several services restart. Lower ranks come first.
    pub(crate) restart_order: Option<u32>,
}

/// A variable of a role.
#[derive(Clone, Debug, Default)]
pub(crate) struct Var {
    /// The meaning of the variable, for the message about a host that must set it.
    pub(crate) about: Option<String>,
    /// The value on a host that sets none.
    pub(crate) default: Option<String>,
    /// The rule by which the product derives the value from another variable.
    pub(crate) sequence: Option<Sequence>,
}

/// Compares the meaning of two variables, not the words about them.
impl PartialEq for Var {
    fn eq(&self, other: &Self) -> bool {
        let Self { about: _, default, sequence } = self;
        *default == other.default && *sequence == other.sequence
    }
}

impl Eq for Var {}

/// A number that follows from another variable that counts from 1: `first + step * (of - 1)`.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) of: At<String>,
    pub(crate) first: u32,
    pub(crate) step: u32,
}

/// Compares the numbers and the variable's name, not the place where the sequence was written.
impl PartialEq for Sequence {
    fn eq(&self, other: &Self) -> bool {
        let Self { of, first, step } = self;
        of.value == other.of.value && *first == other.first && *step == other.step
    }
}

impl Eq for Sequence {}

/// The profile and the place where a definition was written.
#[derive(Clone, Debug)]
pub(crate) struct DefinedAt {
    /// The name of the profile.
    pub(crate) profile: String,
    pub(crate) place: Span,
}

/// A store of a role.
#[derive(Clone, Debug)]
pub(crate) struct StoreTemplate {
    pub(crate) origin: DefinedAt,
    pub(crate) spot: Spot,
    pub(crate) format: DeclaredFormat,
    pub(crate) password: Option<String>,
    pub(crate) write: WriteMode,
    pub(crate) create: bool,
    pub(crate) scheme: Pkcs12Scheme,
    pub(crate) placement: PlacementSpec,
    pub(crate) vendor_entries: bool,
    pub(crate) shadows: Vec<String>,
    pub(crate) restart: Vec<String>,
    pub(crate) steps: Vec<String>,
    pub(crate) removal_steps: Vec<String>,
}

/// The path or paths of a store, with templates not yet filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    Path(String),
    Pair { certificate: String, key: String, previous: Option<String>, copies: Vec<CopySpot> },
}

/// The files of a copy of a pair, with templates not yet filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopySpot {
    pub(crate) certificate: String,
    pub(crate) key: Option<String>,
}

/// An identity of a role.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) origin: DefinedAt,
    /// The name of the identity's store, and which key of the store it is.
    pub(crate) entry: Option<(String, KeyAt)>,
    pub(crate) exported_as: Vec<String>,
    pub(crate) served_at: Option<u16>,
    /// The demands on the certificate, without the common names.
    pub(crate) constraints: Constraints,
    /// The templates of `common_names`.
    pub(crate) common_names: Vec<At<String>>,
    pub(crate) restart: Vec<String>,
    /// The services to restart if the identity signs its own certificate. `None`: the same as `restart`.
    pub(crate) restart_self_signed: Option<Vec<String>>,
    pub(crate) export_steps: Vec<String>,
    pub(crate) renew_steps: Vec<String>,
    pub(crate) request_steps: Vec<String>,
    pub(crate) install_steps: Vec<String>,
    pub(crate) source: String,
}

/// A rule: which stores must trust which identities.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) origin: DefinedAt,
    pub(crate) id: String,
    pub(crate) truster: Vec<At<String>>,
    pub(crate) subject: Vec<At<String>>,
    /// Names of certificates without a host. The rule holds for those that the estate declares.
    pub(crate) certificates: Vec<String>,
    pub(crate) publisher: Option<bool>,
    pub(crate) own: bool,
    pub(crate) purpose: Purpose,
    pub(crate) same: Vec<String>,
    pub(crate) alias: Option<At<String>>,
    pub(crate) was: Vec<String>,
    pub(crate) why: String,
    pub(crate) source: String,
}

impl Spec {
    /// The profiles that this spec names, each once, in the order written. [`LoadedProfile::extends`] gives those they
    /// extend.
    pub fn wanted_profiles(&self) -> Vec<ProfileRef> {
        let mut wanted = Vec::new();
        for at in self.profile_places() {
            if !wanted.contains(&at.value) {
                wanted.push(at.value.clone());
            }
        }
        wanted
    }

    fn profile_places(&self) -> impl Iterator<Item = &At<ProfileRef>> {
        let hosts = self.hosts.iter().filter_map(|host| host.profiles.as_ref()).flatten();
        self.profiles.iter().chain(hosts)
    }
}
