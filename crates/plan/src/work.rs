//! Turns the changes of one store into edits of its bytes. It decides nothing: the plan decides, and this says the same
//! in the words of the keystore crate. It writes no file.

use std::collections::BTreeMap;
use std::sync::Arc;

use trustmason_keystore::{Certificate, Disposition, Edits, NewEntry, NewKey};
use trustmason_spec::name::IdentityId;

use crate::change::{Change, ChangeId, Edit, Material};
use crate::pack::KnownCertificates;

/// A key and chain made for an identity, ready to be written into its store.
#[derive(Clone, Debug)]
pub struct NewIdentity {
    /// The key.
    pub key: NewKey,
    /// The chain of the key, the leaf first.
    pub chain: Vec<Arc<Certificate>>,
}

/// The error for a change whose certificate does not exist, because its creation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("change {change} needs a certificate that was not made")]
pub struct NotMade {
    /// The change.
    pub change: ChangeId,
}

/// The edits for these changes of one store. `created_ms` is the creation date of every new entry, in milliseconds
/// since 1970.
pub fn edits<'a>(
    changes: impl IntoIterator<Item = &'a Change>,
    certificates: &KnownCertificates<'_>,
    identities: &BTreeMap<IdentityId, NewIdentity>,
    created_ms: i64,
) -> Result<Edits, NotMade> {
    let mut edits = Edits::default();
    for change in changes {
        let missing = NotMade { change: change.id };
        let known = |material: &Material| certificates.get(material).map(Arc::clone).ok_or(missing.clone());
        match &change.edit {
            Edit::Import { alias, material } => {
                edits.add.push(NewEntry::Trusted { alias: alias.clone(), certificate: known(material)?, created_ms });
            }
            Edit::Replace { entries, alias, material } => {
                for entry in entries {
                    edits.disposition.insert(*entry, Disposition::Remove);
                }
                edits.add.push(NewEntry::Trusted { alias: alias.clone(), certificate: known(material)?, created_ms });
            }
            Edit::Rename { entry, to } => {
                edits.disposition.insert(*entry, Disposition::Rename(to.clone()));
            }
            Edit::Delete { entry, because: _ } => {
                edits.disposition.insert(*entry, Disposition::Remove);
            }
            Edit::InstallKey { entry, at, identity, issued: _ } => {
                let NewIdentity { key, chain } = identities.get(identity).cloned().ok_or(missing)?;
                match entry {
                    Some(entry) => {
                        edits.disposition.insert(*entry, Disposition::ReplaceKey { key, chain, created_ms });
                    }
                    None => edits.add.push(NewEntry::PrivateKey { alias: at.alias().cloned(), key, chain, created_ms }),
                }
            }
        }
    }
    Ok(edits)
}
