//! Entries of Windows system stores. A certificate in the wrong system store gives no trust, and a certificate that
//! others manage is not ours to remove. It gives findings, and changes no store.

use std::collections::BTreeMap;

use trustmason_keystore::{Entry, Fingerprint};
use trustmason_spec::name::Fqdn;
use trustmason_spec::topology::Reach;
use trustmason_spec::windows::CertificateKind;

use crate::change::Material;
use crate::context::PlanContext;
use crate::finding::{Finding, FindingKind};
use crate::observed::{ManagedBy, SystemStoreEntry, certificate, trusted};
use crate::outline::Manual;
use crate::status::StoreStatus;
use crate::target::TargetName;

impl StoreStatus<'_> {
    fn system_entry(&self, entry: &Entry) -> Option<&SystemStoreEntry> {
        self.facts()?.system_entries.get(&entry.id)
    }

    /// Whether an entry is in a system store where Windows does not look for it: a root in `CA`, an intermediate in
    /// `My`.
    pub(crate) fn is_misplaced(&self, entry: &Entry) -> bool {
        let (Some(system_entry), Some(place), Some(certificate)) =
            (self.system_entry(entry), self.def.system(), certificate(entry))
        else {
            return false;
        };
        place.store_for(certificate) != system_entry.store
    }

    /// Why an entry cannot be removed, if something other than the machine's administrators manages it.
    pub(crate) fn kept_by(&self, entry: &Entry) -> Option<String> {
        match &self.system_entry(entry)?.managed_by {
            ManagedBy::Machine => None,
            ManagedBy::Key => Some("the machine has a private key for it, and trustmason never removes such a certificate; if it must go, remove it by hand".to_owned()),
            ManagedBy::Other(by) => Some(format!("{by} would add it again; remove it there")),
        }
    }
}

/// The findings on the entries of system stores: wanted certificates in the wrong system store, limits of wanted
/// certificates, and certificates that should be deleted and cannot.
pub(crate) fn findings(
    context: &PlanContext<'_>,
    status: &StoreStatus<'_>,
    wanted: &BTreeMap<Fingerprint, String>,
) -> Vec<Finding> {
    let mut out = Vec::new();
    let Some(facts) = status.facts().filter(|facts| !facts.system_entries.is_empty()) else { return out };
    let id = &status.def.id;
    for entry in &facts.entries {
        let Some(slot) = trusted(entry) else { continue };
        let print = slot.fingerprint();
        if let (Some(subject), true) = (wanted.get(&print), status.is_misplaced(entry))
            && let (Some(system_entry), Some(place), Some(certificate)) =
                (status.system_entry(entry), status.def.system(), slot.certificate())
        {
            let (is, should) = (system_entry.store, place.store_for(certificate));
            let message = format!(
                "the certificate of {subject} is in {is}, where it gives no trust, but belongs in {should}; to remove the \
                 wrong copy: certutil -delstore {is} {}",
                trustmason_keystore::thumbprint(slot.der())
            );
            out.push(Finding::of_store(FindingKind::WrongStore, id, message).at(None, Some(print)));
        }
        if matches!(status.def.reach, Reach::System { .. }) && wanted.contains_key(&print) {
            let limits = facts.remarks.iter().filter(|remark| remark.entry() == Some(entry.id));
            let limits = limits.filter_map(|remark| crate::lint::remark(remark, &facts.entries));
            let limits = limits.filter(|(kind, ..)| *kind == FindingKind::LimitedTrust);
            out.extend(limits.map(|(kind, _, message)| Finding::of_store(kind, id, message).at(None, Some(print))));
        }
        let Some(kept) = status.kept_by(entry) else { continue };
        let leaves = match context.topology.distrust.get(&print) {
            Some(why) => Some((FindingKind::Distrusted, why.clone())),
            None => slot.certificate().filter(|c| context.is_retired(c)).map(|c| {
                (
                    FindingKind::Retired,
                    format!("it names only {}, which left the estate", crate::constraints::carries(c)),
                )
            }),
        };
        if let Some((kind, why)) = leaves {
            out.push(Finding::of_store(kind, id, format!("{why}; {kept}")).at(None, Some(print)));
        }
    }
    out
}

/// Two stores of one machine may be one store of its system. If both want a certificate, only the first pack adds it.
pub(crate) fn once_per_machine(manual: &mut [Manual]) {
    let mut brought: BTreeMap<(Fqdn, String, Material), TargetName> = BTreeMap::new();
    for work in manual {
        let Some(place) = work.system.clone() else { continue };
        for item in work.add.iter().chain(&work.verify) {
            // The kind of a certificate that this run creates is not known yet. It is a server's own, and belongs where
            // those belong.
            let store = match &item.material {
                Material::Known(certificate) => place.store_for(certificate),
                Material::Minted(_) => place.store_of(CertificateKind::Root),
            };
            let key = (work.target().host().clone(), place.path(store).to_lowercase(), item.material.clone());
            let first = brought.entry(key).or_insert_with(|| work.called.clone());
            if *first != work.called {
                work.elsewhere.insert(item.material.clone(), first.clone());
            }
        }
    }
}
