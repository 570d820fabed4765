//! Role profiles: what a kind of machine has (stores, identities, services) and who must trust whom (rules), as YAML.
//! The built-in ones are part of the program; one's own are read by the caller, who hands the text in.
//!
//! A profile that `extends` another takes over everything of it; a store, identity, service, variable, secret or rule of
//! the same name replaces the inherited one as a whole. There are no conditionals: variants are roles or profiles.

mod catalog;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use catalog::{Catalog, Effective, dangling, takes_alias};

use crate::estate::{ProfileRef, SecretSpec, Spec};
use crate::fault::{At, Faults, Place, Source};
use crate::topology::{Constraints, DeclaredFormat, Write};
use crate::tree::Node;
use crate::{grammar, lexeme, parse, pick, shape, tree};

/// The profiles that come with the program, by name.
const BUILTIN: [(&str, &str); 2] = [
    (
        "pcce-12.5",
        include_str!("../../../specs/profiles/pcce-12.5.yaml"),
    ),
    (
        "pcce-12.6",
        include_str!("../../../specs/profiles/pcce-12.6.yaml"),
    ),
];

/// The text of a built-in profile, comments and all.
pub fn builtin(name: &str) -> Option<&'static str> {
    BUILTIN
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// The names of the built-in profiles, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|(name, _)| *name)
}

/// A profile that was read, and how it was asked for.
#[derive(Clone, Debug)]
pub struct LoadedProfile {
    pub(crate) reference: ProfileRef,
    pub(crate) profile: Profile,
}

impl LoadedProfile {
    /// Reads a profile. `name` is the file's name for messages.
    ///
    /// # Errors
    /// All faults of the file in one go.
    pub fn parse(reference: ProfileRef, text: &str, name: &str) -> Result<Self, Faults> {
        Ok(Self {
            reference,
            profile: read(text, name)?,
        })
    }

    /// The profile this one is made from, which must be loaded as well.
    pub fn extends(&self) -> Option<&ProfileRef> {
        self.profile.extends.as_ref().map(|at| &at.value)
    }
}

/// Loads every profile a spec wants and those they extend, each once. `read` fetches the text of a profile of one's own
/// (its path is joined with the spec's folder `base` already) and says in words why it cannot.
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
    let mut wanted: Vec<(At<ProfileRef>, Source)> = spec
        .profile_places()
        .map(|at| (at.clone(), spec.source.clone()))
        .collect();
    wanted.reverse();
    let mut seen = std::collections::BTreeSet::new();
    while let Some((at, from)) = wanted.pop() {
        if !seen.insert(at.value.clone()) {
            continue;
        }
        let fetched = match &at.value {
            ProfileRef::Builtin(name) => builtin(name).map(|text| (text.to_owned(), format!("profile {name}"))).ok_or_else(|| {
                let list = names().collect::<Vec<_>>().join(", ");
                from.error(at.place, format!("there is no built-in profile `{name}`"))
                    .suggest(crate::fault::nearest(name, names()))
                    .hint(format!("built-in profiles: {list}; one's own is named by its path, such as ./my-profile.yaml"))
            }),
            ProfileRef::Path(path) => read(&join(base, path)).map(|text| (text, path.clone())).map_err(|why| {
                from.error(at.place, format!("the profile `{path}` cannot be read: {why}"))
                    .hint("a relative path starts at the spec's folder")
            }),
        };
        match fetched.map(|(text, name)| LoadedProfile::parse(at.value.clone(), &text, &name)) {
            Ok(Ok(profile)) => {
                if let Some(parent) = &profile.profile.extends {
                    wanted.push((parent.clone(), profile.profile.source.clone()));
                }
                loaded.push(profile);
            }
            Ok(Err(found)) => faults.append(found),
            Err(fault) => faults.push(fault),
        }
    }
    faults.or(loaded)
}

/// A path of the spec, from the spec's folder. `\\server` and `C:\x` are absolute on every machine.
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
    pub(crate) source: Source,
    pub(crate) name: At<String>,
    pub(crate) extends: Option<At<ProfileRef>>,
    pub(crate) needs: Vec<String>,
    pub(crate) secrets: BTreeMap<String, SecretSpec>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) rules: BTreeMap<String, Rule>,
}

/// A kind of machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Role {
    pub(crate) clustered: bool,
    pub(crate) vars: BTreeMap<String, Option<String>>,
    pub(crate) stores: BTreeMap<String, Store>,
    pub(crate) identities: BTreeMap<String, Identity>,
    pub(crate) services: BTreeMap<String, String>,
}

/// Where a definition was written.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The profile's name.
    pub(crate) profile: String,
    pub(crate) place: Place,
}

/// A store of a role.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) origin: Origin,
    pub(crate) spot: Spot,
    pub(crate) format: DeclaredFormat,
    pub(crate) password: Option<String>,
    pub(crate) write: Write,
    pub(crate) create: bool,
    pub(crate) vendor_entries: bool,
    pub(crate) shadows: Vec<String>,
    pub(crate) restart: Vec<String>,
    pub(crate) steps: Vec<String>,
}

/// Where a store is, templates not filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    Path(String),
    Pair { certificate: String, key: String },
}

/// An identity of a role.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) origin: Origin,
    /// Store and alias of its key entry.
    pub(crate) entry: Option<(String, String)>,
    pub(crate) exported_as: Vec<String>,
    pub(crate) served_at: Option<u16>,
    pub(crate) constraints: Constraints,
    pub(crate) restart: Vec<String>,
    pub(crate) export_steps: Vec<String>,
    pub(crate) renew_steps: Vec<String>,
    pub(crate) source: String,
}

/// Who trusts whom.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) origin: Origin,
    pub(crate) id: String,
    pub(crate) truster: Vec<At<String>>,
    pub(crate) subject: Vec<At<String>>,
    pub(crate) publisher: Option<bool>,
    pub(crate) own: bool,
    pub(crate) same: Vec<String>,
    pub(crate) alias: Option<At<String>>,
    pub(crate) was: Vec<String>,
    pub(crate) why: String,
    pub(crate) source: String,
}

fn read(text: &str, name: &str) -> Result<Profile, Faults> {
    let source = Source::new(name, text);
    let root = tree::read(&source)?;
    let mut faults = shape::check(&source, &root, &grammar::PROFILE);
    faults.append(parse::secrets(&source, &root));
    let name = root
        .spot_of("name")
        .unwrap_or_else(|| At::new(String::new(), root.place));
    let mut roles = BTreeMap::new();
    for (key, node) in root.pairs_of("roles") {
        roles.insert(key.value, role(&source, &name.value, node, &mut faults));
    }
    let rules = root
        .pairs_of("rules")
        .into_iter()
        .map(|(key, node)| (key.value.clone(), rule(&name.value, &key, node)));
    let profile = Profile {
        extends: root.read_of("extends", |text| Some(ProfileRef::read(text))),
        needs: root
            .get("needs")
            .map(|needs| needs.texts_of("certificates"))
            .unwrap_or_default(),
        secrets: root
            .pairs_of("secrets")
            .into_iter()
            .filter_map(|(k, v)| Some((k.value, pick::secret(v)?)))
            .collect(),
        roles,
        rules: rules.collect(),
        name,
        source,
    };
    faults.or(profile)
}

fn role(source: &Source, profile: &str, node: &Node, faults: &mut Faults) -> Role {
    let mut role = Role {
        clustered: node.flag_of("cluster").is_some_and(|at| at.value),
        vars: node
            .pairs_of("vars")
            .into_iter()
            .map(|(k, v)| (k.value, v.text_of("default")))
            .collect(),
        services: node
            .pairs_of("services")
            .into_iter()
            .filter_map(|(k, v)| Some((k.value, v.text_of("name")?)))
            .collect(),
        ..Role::default()
    };
    for (key, node) in node.pairs_of("stores") {
        let origin = Origin {
            profile: profile.to_owned(),
            place: key.place,
        };
        match store(origin, node) {
            Ok(store) => drop(role.stores.insert(key.value, store)),
            Err(why) => {
                let fault = source.error(key.place, format!("the store `{}` {why}", key.value));
                faults.push(
                    fault.hint("give `path`, or for format pem-pair `certificate` and `key`"),
                );
            }
        }
    }
    for (key, node) in node.pairs_of("identities") {
        let origin = Origin {
            profile: profile.to_owned(),
            place: key.place,
        };
        match identity(origin, node) {
            Ok(identity) => drop(role.identities.insert(key.value, identity)),
            Err(why) => {
                let fault = source.error(key.place, format!("the identity `{}` {why}", key.value));
                faults.push(
                    fault.hint("give `store` and `alias`, or `write: hand-off` and `exported_as`"),
                );
            }
        }
    }
    role
}

fn store(origin: Origin, node: &Node) -> Result<Store, &'static str> {
    let format = node
        .read_of("format", pick::format)
        .map_or(DeclaredFormat::Jks, |at| at.value);
    let spot = match (
        node.text_of("path"),
        node.text_of("certificate"),
        node.text_of("key"),
        format,
    ) {
        (None, Some(certificate), Some(key), DeclaredFormat::PemPair) => {
            Spot::Pair { certificate, key }
        }
        (Some(_), _, _, DeclaredFormat::PemPair) => return Err("is a pair and has one `path`"),
        (Some(path), None, None, _) => Spot::Path(path),
        (None, _, _, DeclaredFormat::PemPair) => {
            return Err("is a pair and lacks `certificate` or `key`");
        }
        (Some(_), _, _, _) => return Err("has `certificate` or `key` beside its `path`"),
        (None, _, _, _) => return Err("has no `path`"),
    };
    Ok(Store {
        origin,
        spot,
        format,
        password: node.text_of("password"),
        write: write(node),
        create: node.flag_of("create").is_some_and(|at| at.value),
        vendor_entries: node.flag_of("vendor_entries").is_some_and(|at| at.value),
        shadows: node.texts_of("shadows"),
        restart: node.texts_of("restart"),
        steps: node.texts_of("steps"),
    })
}

fn write(node: &Node) -> Write {
    if node.text_of("write").as_deref() == Some("hand-off") {
        Write::HandOff
    } else {
        Write::Direct
    }
}

fn identity(origin: Origin, node: &Node) -> Result<Identity, &'static str> {
    let entry = match (node.text_of("store"), node.text_of("alias"), write(node)) {
        (Some(store), Some(alias), Write::Direct) => Some((store, alias.to_lowercase())),
        (None, None, Write::HandOff) if node.get("exported_as").is_some() => None,
        (None, None, Write::HandOff) => return Err("is made by people and lacks `exported_as`"),
        (_, _, Write::HandOff) => {
            return Err("is made by people and names a `store` or an `alias`");
        }
        (_, _, Write::Direct | Write::Never) => {
            return Err("lacks the `store` or the `alias` of its key entry");
        }
    };
    let constraints = node.get("constraints").map(|c| Constraints {
        key: c.read_of("key", pick::key_kind).map(|at| at.value),
        signature: c
            .texts_of("signature")
            .iter()
            .filter_map(|t| pick::hash(t))
            .collect(),
        eku: c.texts_of("eku"),
        cn_is_fqdn: c.flag_of("cn_is_fqdn").is_some_and(|at| at.value),
    });
    Ok(Identity {
        origin,
        entry,
        exported_as: node.texts_of("exported_as"),
        served_at: node.read_of("served_at", lexeme::port).map(|at| at.value),
        constraints: constraints.unwrap_or_default(),
        restart: node.texts_of("restart"),
        export_steps: node.texts_of("export_steps"),
        renew_steps: node.texts_of("renew_steps"),
        source: node.text_of("source").unwrap_or_default(),
    })
}

fn rule(profile: &str, key: &At<String>, node: &Node) -> Rule {
    Rule {
        origin: Origin {
            profile: profile.to_owned(),
            place: key.place,
        },
        id: key.value.clone(),
        truster: node.spots_of("truster"),
        subject: node.spots_of("subject"),
        publisher: node
            .get("where")
            .and_then(|w| w.flag_of("publisher"))
            .map(|at| at.value),
        own: node.flag_of("self").is_some_and(|at| at.value),
        same: node.texts_of("same"),
        alias: node.spot_of("alias"),
        was: node.texts_of("was"),
        why: node.text_of("why").unwrap_or_default(),
        source: node.text_of("source").unwrap_or_default(),
    }
}

impl Spec {
    /// The profiles this spec names, each once, in the order written. What they extend is asked of [`LoadedProfile`].
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
        let hosts = self
            .hosts
            .iter()
            .filter_map(|host| host.profiles.as_ref())
            .flatten();
        self.profiles.iter().chain(hosts)
    }
}
