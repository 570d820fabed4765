//! Who plays: the hosts of an estate spec, read with nothing but a YAML parser.

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

/// One host.
#[derive(Clone, Debug)]
pub struct Actor {
    pub fqdn: String,
    pub roles: Vec<String>,
    /// A node that stands alone is its own publisher.
    pub publisher: bool,
}

impl Actor {
    /// The first label.
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
