//! What must be looked at before anything can be planned: a closed list, derived from the topology alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use trustmason_keystore::Alias;

use crate::name::{Fqdn, IdentityId, StoreId};
use crate::topology::{
    Access, AuthorityDef, Host, HostPath, KeyPlace, Mirror, OptionsDef, Reach, SecretRef, Source, StoreDef, StoreKind,
    Subject, Topology, Write,
};
use crate::windows::SystemPlace;

/// Everything one run looks at, in a stable order.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The hosts: how each one's disks are reached.
    pub hosts: BTreeMap<Fqdn, Host>,
    /// The items.
    pub looks: Vec<Look>,
}

/// One thing to look at.
#[derive(Clone, Debug)]
pub enum Look {
    /// Whether a host's root is there and holds anything.
    Host {
        /// The host.
        fqdn: Fqdn,
    },
    /// The files of a store we may write.
    Store {
        /// The store.
        store: StoreId,
        /// What they are and where.
        kind: StoreKind,
        /// Aliases of private key entries whose key must be seen to open with the store's password. The one key of a store
        /// without aliases is tried anyway.
        keys: Vec<Alias>,
    },
    /// A store of the system itself; no other machine's than this one's can be opened.
    System {
        /// The store.
        store: StoreId,
        /// Which of the system's stores it is.
        place: SystemPlace,
        /// Whether only people write it, so that it need not be seen.
        by_hand: bool,
    },
    /// What is exported of a store only people write.
    Mirror {
        /// The store.
        store: StoreId,
        /// Where an export is expected.
        path: HostPath,
        /// The password of an export that has one.
        password: Option<SecretRef>,
    },
    /// A store only people write, of which nothing is exported.
    Unseen {
        /// The store.
        store: StoreId,
    },
    /// A certificate file: exported by hand, or named in the spec.
    Certificate {
        /// The identity, authority or person whose certificate the file holds.
        subject: Subject,
        /// The folder and the names it may have there (any case), or one exact file.
        at: CertificateAt,
    },
    /// The folder in which an authority's replies are dropped.
    Inbox {
        /// The authority.
        authority: String,
        /// The folder.
        folder: PathBuf,
    },
    /// A file that would be used instead of a store.
    Shadow {
        /// The store.
        store: StoreId,
        /// The file.
        path: HostPath,
    },
    /// What a host's products are told about its stores.
    Options {
        /// The host.
        fqdn: Fqdn,
        /// The files.
        files: Vec<OptionsDef>,
        /// The stores their settings bind.
        stores: BTreeMap<StoreId, StoreDef>,
    },
    /// Keys minted by an earlier run and not installed yet.
    Staging {
        /// The identity.
        identity: IdentityId,
        /// The password its staging file has.
        password: Option<SecretRef>,
    },
    /// The estate's ledger.
    Ledger,
}

/// Where a certificate file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateAt {
    /// Any of these names, in any case, in this folder.
    Named {
        /// The folder.
        folder: PathBuf,
        /// The names.
        names: Vec<String>,
    },
    /// Exactly this file.
    File(PathBuf),
}

impl Survey {
    /// What a topology needs looked at: each opened host with a store of its own to write, each store or mirror with the
    /// files that would shadow it, each certificate that lies in a file, the staging of each identity made here, and the
    /// ledger. Sorted by kind and name, so that the same topology gives the same list.
    pub fn of(topology: &Topology) -> Self {
        let mut looks = Vec::new();
        for host in topology.hosts.values() {
            let written = topology.stores.values().any(|s| s.id.host == host.fqdn && !s.is_hand_off());
            if written && host.access != Access::None {
                looks.push(Look::Host { fqdn: host.fqdn.clone() });
            }
        }
        for def in topology.stores.values() {
            let store = def.id.clone();
            looks.push(match &def.reach {
                Reach::Direct(files) => {
                    let keys = keys(topology, &store);
                    Look::Store { store, kind: files.kind.clone(), keys }
                }
                Reach::System { place, by_hand } => Look::System { store, place: place.clone(), by_hand: *by_hand },
                Reach::Mirror(Mirror::Export { path, password, .. }) => {
                    Look::Mirror { store, path: path.clone(), password: password.clone() }
                }
                Reach::Mirror(Mirror::Pair(_)) => Look::Unseen { store },
            });
        }
        looks.extend(topology.identities.values().filter_map(|identity| {
            let at = match &identity.source {
                Source::KeyEntry(_) => return None,
                Source::Exported { names } => {
                    CertificateAt::Named { folder: topology.certificates_dir.clone(), names: names.clone() }
                }
                Source::File(file) => CertificateAt::File(file.clone()),
            };
            Some(Look::Certificate { subject: Subject::Identity(identity.id.clone()), at })
        }));
        looks.extend(topology.anchors.iter().map(|(name, anchor)| Look::Certificate {
            subject: Subject::Certificate(name.clone()),
            at: CertificateAt::File(anchor.file.clone()),
        }));
        for (name, authority) in &topology.authorities {
            let intermediates = authority.intermediates.iter().enumerate();
            let all = intermediates.map(|(place, one)| (AuthorityDef::intermediate(name, place), one));
            for (subject, anchor) in std::iter::once((AuthorityDef::root(name), &authority.root)).chain(all) {
                let at = CertificateAt::File(anchor.file.clone());
                looks.push(Look::Certificate { subject: Subject::Certificate(subject), at });
            }
            let inbox = authority.inbox.iter();
            looks.extend(inbox.map(|folder| Look::Inbox { authority: name.clone(), folder: folder.clone() }));
        }
        for store in topology.stores.values().filter(|store| !store.is_hand_off()) {
            let shadows = store.shadows.iter();
            looks.extend(shadows.map(|path| Look::Shadow { store: store.id.clone(), path: path.clone() }));
        }
        for fqdn in topology.hosts.keys() {
            let files: Vec<OptionsDef> = topology.options.iter().filter(|one| one.host == *fqdn).cloned().collect();
            if !files.is_empty() {
                let bound = files.iter().flat_map(|file| &file.settings).map(|setting| &setting.store);
                let stores = bound.filter_map(|id| Some((id.clone(), topology.stores.get(id)?.clone()))).collect();
                looks.push(Look::Options { fqdn: fqdn.clone(), files, stores });
            }
        }
        for identity in topology.identities.values() {
            if let (Source::KeyEntry(KeyPlace { store, .. }), Write::Direct) = (&identity.source, identity.write) {
                let password = topology.stores.get(store).and_then(|store| store.password().cloned());
                looks.push(Look::Staging { identity: identity.id.clone(), password });
            }
        }
        looks.push(Look::Ledger);
        Self { hosts: topology.hosts.clone(), looks }
    }
}

/// The aliases of the private key entries that identities have in a store, sorted.
fn keys(topology: &Topology, id: &StoreId) -> Vec<Alias> {
    let mut keys: Vec<Alias> = topology
        .identities
        .values()
        .filter_map(|identity| match &identity.source {
            Source::KeyEntry(place) if place.store == *id => place.at.alias().cloned(),
            Source::KeyEntry(_) | Source::Exported { .. } | Source::File(_) => None,
        })
        .collect();
    keys.sort();
    keys
}
