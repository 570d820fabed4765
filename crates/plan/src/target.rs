//! What a hand-off is for: a store that only people fill, or an identity that only people make. A host may have one of each by
//! the same name, so a target is never kept or compared as a name alone.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use trustmason_spec::name::{Fqdn, IdentityId, NameError, StoreId};
use trustmason_spec::topology::{Access, Topology, Write};

/// What a hand-off is for. Its one spelling in files is `store:FQDN/NAME` or `identity:FQDN/NAME`; people mostly read and type
/// [`Called`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HandOffTarget {
    /// Certificates are brought into this store.
    Store(StoreId),
    /// This identity gets a new certificate, or its certificate is exported.
    Identity(IdentityId),
}

/// Of which kind a target is; the word in front of its name, and in documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A store.
    Store,
    /// An identity.
    Identity,
}

impl TargetKind {
    /// The public word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Identity => "identity",
        }
    }
}

/// Why a text names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The kind is missing, or there is no such kind.
    #[error("`{0}` does not say whether it is a store or an identity: write store:FQDN/NAME or identity:FQDN/NAME")]
    Kind(String),
    /// It is not spelled as this program spells it, so that two spellings could stand for one target.
    #[error("`{found}` is spelled `{spelled}`")]
    Spelling {
        /// What was read.
        found: String,
        /// The one spelling of it.
        spelled: String,
    },
}

impl HandOffTarget {
    /// The host it is on.
    pub fn host(&self) -> &Fqdn {
        match self {
            Self::Store(id) => &id.host,
            Self::Identity(id) => &id.host,
        }
    }

    /// Its name within that host. Something of the other kind may have the same.
    pub fn name(&self) -> &str {
        match self {
            Self::Store(id) => &id.name,
            Self::Identity(id) => &id.name,
        }
    }

    /// Its kind.
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Store(_) => TargetKind::Store,
            Self::Identity(_) => TargetKind::Identity,
        }
    }

    /// The store it is, if it is one.
    pub fn store(&self) -> Option<&StoreId> {
        match self {
            Self::Store(id) => Some(id),
            Self::Identity(_) => None,
        }
    }

    /// The identity it is, if it is one.
    pub fn identity(&self) -> Option<&IdentityId> {
        match self {
            Self::Store(_) => None,
            Self::Identity(id) => Some(id),
        }
    }

    /// `FQDN/NAME`, for documents that say its kind beside it.
    pub fn id(&self) -> String {
        format!("{}/{}", self.host(), self.name())
    }

    /// `store:FQDN/NAME` or `identity:FQDN/NAME`: its name in files, and one that people may always type.
    pub fn full(&self) -> String {
        format!("{}:{}/{}", self.kind().as_str(), self.host(), self.name())
    }

    /// Both targets that go by one name.
    fn by_name(host: &Fqdn, name: &str) -> [Self; 2] {
        [Self::Store(StoreId::new(host.clone(), name)), Self::Identity(IdentityId::new(host.clone(), name))]
    }

    /// Reads what a person types: the full name, or `FQDN/NAME`, which may mean either kind.
    ///
    /// # Errors
    /// That it is neither.
    pub fn meant_by(text: &str) -> Result<Vec<Self>, TargetError> {
        match text.split_once(':') {
            Some(("store", id)) => Ok(vec![Self::Store(StoreId::parse(id)?)]),
            Some(("identity", id)) => Ok(vec![Self::Identity(IdentityId::parse(id)?)]),
            // A colon of the name itself comes after the slash.
            Some((kind, _)) if !kind.contains('/') => Err(TargetError::Kind(text.to_owned())),
            Some(_) | None => {
                let StoreId { host, name } = StoreId::parse(text)?;
                Ok(Self::by_name(&host, &name).into())
            }
        }
    }

    /// Reads what [`Self::full`] wrote, and nothing else.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let [target] = <[Self; 1]>::try_from(Self::meant_by(text)?).map_err(|_| TargetError::Kind(text.to_owned()))?;
        let spelled = target.full();
        if spelled == text { Ok(target) } else { Err(TargetError::Spelling { found: text.to_owned(), spelled }) }
    }

    /// What `FQDN/STORE` or `FQDN/IDENTITY` of a ledger or journal of version 1 stood for, which did not say of which kind it
    /// was. `None` where the estate has both by that name, or neither.
    pub fn of_v1(text: &str, topology: &Topology) -> Option<Self> {
        let StoreId { host, name } = StoreId::parse(text).ok()?;
        let declared = Self::by_name(&host, &name).into_iter().filter(|target| target.is_declared(topology));
        let [target] = <[Self; 1]>::try_from(declared.collect::<Vec<_>>()).ok()?;
        Some(target)
    }

    /// Whether the estate has it.
    pub fn is_declared(&self, topology: &Topology) -> bool {
        match self {
            Self::Store(id) => topology.stores.contains_key(id),
            Self::Identity(id) => topology.identities.contains_key(id),
        }
    }

    /// Whether people may get a pack for it.
    fn is_by_hand(&self, topology: &Topology) -> bool {
        match self {
            Self::Store(id) => topology.stores.get(id).is_some_and(|def| {
                let never_opened = topology.hosts.get(&id.host).is_some_and(|host| host.access == Access::None);
                def.is_hand_off() || never_opened
            }),
            Self::Identity(id) => topology.identities.get(id).is_some_and(|def| def.write != Write::Direct),
        }
    }

    /// What people call it in this estate: its name, with its kind in front where both by that name may have a pack.
    pub fn called(&self, topology: &Topology) -> Called {
        let both = Self::by_name(self.host(), self.name()).iter().all(|target| target.is_by_hand(topology));
        Called { target: self.clone(), full: both }
    }
}

impl Ord for HandOffTarget {
    /// By host and name, as people look for it; of two by one name the store comes first.
    fn cmp(&self, other: &Self) -> Ordering {
        (self.host(), self.name(), self.kind()).cmp(&(other.host(), other.name(), other.kind()))
    }
}

impl PartialOrd for HandOffTarget {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for HandOffTarget {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.full())
    }
}

impl<'de> Deserialize<'de> for HandOffTarget {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A target by the name people read and type. A target itself has none: who shows one has to ask what it is called in the
/// estate, so that no two are shown alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Called {
    target: HandOffTarget,
    full: bool,
}

impl Called {
    /// What is called so.
    pub fn target(&self) -> &HandOffTarget {
        &self.target
    }
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if self.full { self.target.full() } else { self.target.id() })
    }
}
