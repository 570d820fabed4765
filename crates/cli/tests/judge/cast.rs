//! The hosts of an estate spec, read with a plain YAML parser and without trustmason's code.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// The part of a spec that names hosts.
#[derive(Deserialize)]
struct Estate {
    hosts: BTreeMap<String, Line>,
}

#[derive(Deserialize)]
struct Line {
    role: Roles,
    #[serde(default)]
    publisher: bool,
    cluster: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Roles {
    One(String),
    Several(Vec<String>),
}

/// A host of the estate.
#[derive(Clone, Debug)]
pub struct Actor {
    pub fqdn: String,
    pub roles: Vec<String>,
    /// Whether the host is a publisher. A single node is its own publisher.
    pub publisher: bool,
}

impl Actor {
    /// The first label of the host's name.
    pub fn short(&self) -> &str {
        self.fqdn.split('.').next().unwrap()
    }

    pub fn is(&self, roles: &[&str]) -> bool {
        self.roles.iter().any(|role| roles.contains(&role.as_str()))
    }
}

/// All hosts, by name.
pub struct Cast(pub Vec<Actor>);

impl Cast {
    pub fn read(spec: &Path) -> Self {
        let text = std::fs::read_to_string(spec).unwrap_or_else(|error| panic!("{}: {error}", spec.display()));
        let estate: Estate = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", spec.display()));
        let actors = estate.hosts.into_iter().map(|(fqdn, line)| Actor {
            fqdn,
            roles: match line.role {
                Roles::One(role) => vec![role],
                Roles::Several(roles) => roles,
            },
            publisher: line.publisher || line.cluster.is_none(),
        });
        Self(actors.collect())
    }

    /// The hosts of a list of `fixtures/reference`: `FQDN role side cluster publisher` on each line.
    pub fn listed(text: &str) -> Self {
        let actors = super::lines(text).map(|line| {
            let [fqdn, role, _, cluster, publisher] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            Actor {
                fqdn: fqdn.to_owned(),
                roles: vec![role.to_owned()],
                publisher: publisher == "yes" || cluster == "-",
            }
        });
        Self(actors.collect())
    }

    pub fn get(&self, fqdn: &str) -> &Actor {
        self.0.iter().find(|actor| actor.fqdn == fqdn).unwrap_or_else(|| panic!("no host {fqdn}"))
    }

    /// The index of an actor among those of its first role.
    pub fn rank(&self, actor: &Actor) -> usize {
        let role = [actor.roles[0].as_str()];
        self.with(&role).position(|other| other.fqdn == actor.fqdn).unwrap()
    }

    pub fn with<'a>(&'a self, roles: &'a [&'a str]) -> impl Iterator<Item = &'a Actor> {
        self.0.iter().filter(|actor| actor.is(roles))
    }
}
