//! The target of a hand-off: a store that only people fill, or an identity that only people renew. A host may have one
//! of each with the same name, so a target is never kept or compared by its name alone.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use trustmason_spec::name::{Fqdn, IdentityId, NameError, StoreId};
use trustmason_spec::topology::{Access, Topology, WriteMode};

/// The target of a hand-off. Its one spelling in files is `store:FQDN/NAME` or `identity:FQDN/NAME`. People mostly read
/// and type [`TargetName`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HandOffTarget {
    /// People change the certificates in this store.
    Store(StoreId),
    /// This identity gets a new certificate, or its certificate is exported.
    Identity(IdentityId),
}

/// The kind of a target: the word before its name, and in documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A store.
    Store,
    /// An identity.
    Identity,
}

impl TargetKind {
    /// The word for the kind.
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
    /// The name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The kind is missing, or is unknown.
    #[error("`{0}` does not say whether it is a store or an identity: write store:FQDN/NAME or identity:FQDN/NAME")]
    FindingKind(String),
    /// The text is not spelled as this program spells the target, so that two spellings could mean one target.
    #[error("`{found}` is spelled `{spelled}`")]
    Spelling {
        /// The text that was read.
        found: String,
        /// The one spelling of the target.
        spelled: String,
    },
}

impl HandOffTarget {
    /// The host of the target.
    pub fn host(&self) -> &Fqdn {
        match self {
            Self::Store(id) => &id.host,
            Self::Identity(id) => &id.host,
        }
    }

    /// The name of the target on its host. A target of the other kind may have the same name.
    pub fn name(&self) -> &str {
        match self {
            Self::Store(id) => &id.name,
            Self::Identity(id) => &id.name,
        }
    }

    /// The kind of the target.
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Store(_) => TargetKind::Store,
            Self::Identity(_) => TargetKind::Identity,
        }
    }

    /// The store, if the target is one.
    pub fn store(&self) -> Option<&StoreId> {
        match self {
            Self::Store(id) => Some(id),
            Self::Identity(_) => None,
        }
    }

    /// The identity, if the target is one.
    pub fn identity(&self) -> Option<&IdentityId> {
        match self {
            Self::Store(_) => None,
            Self::Identity(id) => Some(id),
        }
    }

    /// `FQDN/NAME`, for documents that give the kind separately.
    pub fn id(&self) -> String {
        format!("{}/{}", self.host(), self.name())
    }

    /// `store:FQDN/NAME` or `identity:FQDN/NAME`: the name in files, which people may always type too.
    pub fn full(&self) -> String {
        format!("{}:{}/{}", self.kind().as_str(), self.host(), self.name())
    }

    /// Both targets with one name.
    fn by_name(host: &Fqdn, name: &str) -> [Self; 2] {
        [Self::Store(StoreId::new(host.clone(), name)), Self::Identity(IdentityId::new(host.clone(), name))]
    }

    /// Reads what a person types: the full name, or `FQDN/NAME`, which may mean either kind.
    ///
    /// # Errors
    /// If the text is neither.
    pub fn meant_by(text: &str) -> Result<Vec<Self>, TargetError> {
        match text.split_once(':') {
            Some(("store", id)) => Ok(vec![Self::Store(StoreId::parse(id)?)]),
            Some(("identity", id)) => Ok(vec![Self::Identity(IdentityId::parse(id)?)]),
            // A colon in the name itself comes after the slash.
            Some((kind, _)) if !kind.contains('/') => Err(TargetError::FindingKind(text.to_owned())),
            Some(_) | None => {
                let StoreId { host, name } = StoreId::parse(text)?;
                Ok(Self::by_name(&host, &name).into())
            }
        }
    }

    /// Reads a text that [`Self::full`] wrote, and no other text.
    ///
    /// # Errors
    /// Why the text is no such name.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let [target] =
            <[Self; 1]>::try_from(Self::meant_by(text)?).map_err(|_| TargetError::FindingKind(text.to_owned()))?;
        let spelled = target.full();
        if spelled == text { Ok(target) } else { Err(TargetError::Spelling { found: text.to_owned(), spelled }) }
    }

    /// The target that `FQDN/STORE` or `FQDN/IDENTITY` means in a ledger or journal of version 1, which does not give
    /// the kind. `None` if the estate has both by that name, or neither.
    pub fn of_v1(text: &str, topology: &Topology) -> Option<Self> {
        let StoreId { host, name } = StoreId::parse(text).ok()?;
        let declared = Self::by_name(&host, &name).into_iter().filter(|target| target.is_declared(topology));
        let [target] = <[Self; 1]>::try_from(declared.collect::<Vec<_>>()).ok()?;
        Some(target)
    }

    /// Whether the estate declares the target.
    pub fn is_declared(&self, topology: &Topology) -> bool {
        match self {
            Self::Store(id) => topology.stores.contains_key(id),
            Self::Identity(id) => topology.identities.contains_key(id),
        }
    }

    /// Whether people may get a pack for the target.
    fn is_by_hand(&self, topology: &Topology) -> bool {
        match self {
            Self::Store(id) => topology.stores.get(id).is_some_and(|def| {
                let never_opened = topology.hosts.get(&id.host).is_some_and(|host| host.access == Access::None);
                def.is_hand_off() || never_opened
            }),
            Self::Identity(id) => topology.identities.get(id).is_some_and(|def| def.write != WriteMode::Direct),
        }
    }

    /// The name that people use for the target in this estate. It includes the kind if a store and an identity of that
    /// name may both have a pack.
    pub fn called(&self, topology: &Topology) -> TargetName {
        let both = Self::by_name(self.host(), self.name()).iter().all(|target| target.is_by_hand(topology));
        TargetName { target: self.clone(), full: both }
    }
}

impl Ord for HandOffTarget {
    /// Sorts by host and name, as people look for a target. Of two with one name the store comes first.
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

/// A target with the name that people read and type. A target itself cannot be displayed. Code that shows one must ask
/// for its name in the estate, so that no two targets look alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetName {
    target: HandOffTarget,
    full: bool,
}

impl TargetName {
    /// The target with this name.
    pub fn target(&self) -> &HandOffTarget {
        &self.target
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if self.full { self.target.full() } else { self.target.id() })
    }
}
