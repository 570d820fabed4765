//! What must be looked at before anything can be planned: a closed list, derived from the topology alone.

use std::path::PathBuf;

use crate::name::{Fqdn, IdentityId, StoreId};
use crate::topology::{Access, HostPath, SecretRef, StoreDef, Subject, Topology};

/// Everything one run looks at, in a stable order.
#[derive(Clone, Debug)]
pub struct Survey {
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
        /// Its root.
        root: PathBuf,
    },
    /// A store we may write.
    Store {
        /// The store.
        store: StoreDef,
        /// Aliases (lower case) of private key entries whose key must be seen to open with the store's password.
        keys: Vec<String>,
    },
    /// The mirror of a store only people write.
    Mirror {
        /// The store.
        store: StoreDef,
    },
    /// A certificate file: exported by hand, or named in the spec.
    Certificate {
        /// Whose it is.
        subject: Subject,
        /// The folder and the names it may have there (any case), or one exact file.
        at: CertificateAt,
    },
    /// A file that would be used instead of a store.
    Shadow {
        /// The store.
        store: StoreId,
        /// The file.
        path: HostPath,
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
