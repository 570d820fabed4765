//! Lists what a run must look at before it can plan. The list comes from the topology alone; nothing is opened here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use trustmason_keystore::Alias;

use crate::name::{Fqdn, IdentityId, StoreId};
use crate::topology::{
    Access, AuthorityDef, CertificateSource, Host, HostPath, KeyPlace, Mirror, OptionsDef, Reach, SecretRef, StoreDef,
    StoreKind, Subject, Topology, WriteMode,
};
use crate::windows::SystemPlace;

/// Everything that one run looks at, in a stable order.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The hosts, which say how their disks are reached.
    pub hosts: BTreeMap<Fqdn, Host>,
    /// The things to look at.
    pub looks: Vec<Look>,
}

/// One thing to look at.
#[derive(Clone, Debug)]
pub enum Look {
    /// A host: whether its root exists and holds anything.
    Host {
        /// The host.
        fqdn: Fqdn,
    },
    /// The files of a store that trustmason may write.
    Store {
        /// The store.
        store: StoreId,
        /// The kind and the paths of the files.
        kind: StoreKind,
        /// Aliases of private key entries. The look must show whether the store's password opens their keys. The only
        /// key of a store without aliases is tried in any case.
        keys: Vec<Alias>,
    },
    /// Certificate stores of a Windows system. Only those of this machine can be opened.
    System {
        /// The store.
        store: StoreId,
        /// Which system stores belong to the store.
        place: SystemPlace,
        /// Whether only people write the store. Such a store may stay unseen.
        by_hand: bool,
    },
    /// The export of a store that only people write.
    Mirror {
        /// The store.
        store: StoreId,
        /// Where the export is expected.
        path: HostPath,
        /// The password of a protected export.
        password: Option<SecretRef>,
    },
    /// A store that only people write and that has no export.
    Unseen {
        /// The store.
        store: StoreId,
    },
    /// A certificate file that was exported by hand or is named in the spec.
    Certificate {
        /// The identity, or the certificate of the spec, that the file holds.
        subject: Subject,
        /// Where the file is.
        at: CertificateAt,
    },
    /// The folder that receives an authority's replies.
    Inbox {
        /// The authority.
        authority: String,
        /// The folder.
        folder: PathBuf,
    },
    /// A file that a program would read instead of a store.
    Shadow {
        /// The store.
        store: StoreId,
        /// The file.
        path: HostPath,
    },
    /// The texts that tell a host's products about its stores.
    Options {
        /// The host.
        fqdn: Fqdn,
        /// The files.
        files: Vec<OptionsDef>,
        /// The stores that the settings are about.
        stores: BTreeMap<StoreId, StoreDef>,
    },
    /// The key that an earlier run created for an identity and did not install yet.
    Staging {
        /// The identity.
        identity: IdentityId,
        /// The password of the staging file.
        password: Option<SecretRef>,
    },
    /// The estate's ledger.
    Ledger,
}

/// Where a certificate file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateAt {
    /// A file with any of these names, in any case, in this folder.
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
    /// Lists what a topology needs: opened hosts with stores to write, stores and mirrors, certificate files, inboxes
    /// of authorities, files that shadow a store, options files, the staging of identities whose keys are created here,
    /// and the ledger. The order depends only on the topology.
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
                CertificateSource::KeyEntry(_) => return None,
                CertificateSource::Exported { names } => {
                    CertificateAt::Named { folder: topology.certificates_dir.clone(), names: names.clone() }
                }
                CertificateSource::File(file) => CertificateAt::File(file.clone()),
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
            if let (CertificateSource::KeyEntry(KeyPlace { store, .. }), WriteMode::Direct) =
                (&identity.source, identity.write)
            {
                let password = topology.stores.get(store).and_then(|store| store.password().cloned());
                looks.push(Look::Staging { identity: identity.id.clone(), password });
            }
        }
        looks.push(Look::Ledger);
        Self { hosts: topology.hosts.clone(), looks }
    }
}

/// The aliases of the private key entries that belong to identities of a store, sorted.
fn keys(topology: &Topology, id: &StoreId) -> Vec<Alias> {
    let mut keys: Vec<Alias> = topology
        .identities
        .values()
        .filter_map(|identity| match &identity.source {
            CertificateSource::KeyEntry(place) if place.store == *id => place.at.alias().cloned(),
            CertificateSource::KeyEntry(_) | CertificateSource::Exported { .. } | CertificateSource::File(_) => None,
        })
        .collect();
    keys.sort();
    keys
}
