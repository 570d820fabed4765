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

    pub fn with<'a>(&'a self, roles: &'a [&'a str]) -> impl Iterator<Item = &'a Actor> {
        self.0.iter().filter(|actor| actor.is(roles))
    }
}
