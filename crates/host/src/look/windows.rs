//! Looks at the certificate stores of the system that this runs on. They are opened for reading only, listed, and
//! reported like any export.

use std::collections::BTreeMap;

use trustmason_keystore::Format;
use trustmason_plan::observed::{HostLook, Input, InputKind, StoreFacts, StoreLook};
use trustmason_spec::name::StoreId;
use trustmason_spec::topology::Access;
use trustmason_spec::windows::SystemPlace;

use super::{FailureClass, LookContext, failed, unreachable};
use crate::live;
use crate::volume::Volumes;

/// `host` is what was found out about the store's host. It includes whether the host is this machine, if the spec says
/// so.
pub(super) fn look(
    (store, place, by_hand): (&StoreId, &SystemPlace, bool),
    volumes: Volumes<'_>,
    host: Option<&HostLook>,
    context: LookContext<'_>,
) -> (StoreLook, Option<Input>) {
    let here = volumes.access(&store.host).is_some_and(Access::is_here);
    let input = |sha256| Input { kind: InputKind::Store, path: place.to_string(), sha256 };
    if !here && by_hand {
        return (StoreLook::Unobserved, None);
    }
    if !here {
        let message = format!(
            "{place} of {host} is a store of another machine, and trustmason opens only stores of its own machine; run \
             this program on {host} with `access: this-machine`, or declare `write: hand-off` with the path of a mirror (.sst, .reg or a folder of PEM \
             files) under `stores:`",
            host = store.host
        );
        return (failed(FailureClass::Unreadable, message), None);
    }
    if let Some(HostLook::Unreachable(why)) = host {
        return (unreachable(&store.host, why), None);
    }
    // For a store that only people write, nothing has checked yet whether the host is this machine.
    let stores = context.state.system();
    if let Err(why) = live::is_called(stores, store.host.as_str()) {
        return (unreachable(&store.host, &why.to_string()), None);
    }
    match live::list(stores, place, context.certificates) {
        Ok(listing) => {
            let sha256 = listing.digest();
            let facts = StoreFacts {
                path: place.to_string(),
                file: None,
                sha256,
                format: Format::WindowsSst,
                entries: listing.store.entries().to_vec(),
                system_entries: listing.system_entries,
                keys: BTreeMap::new(),
                remarks: listing.store.remarks().to_vec(),
                needs_java_8u301: None,
                modified: None,
                written: None,
            };
            (StoreLook::Readable(Box::new(facts)), Some(input(Some(sha256))))
        }
        Err(error) => {
            let message = format!("{}: {error}", store.host);
            (failed(FailureClass::Unreadable, message), Some(input(None)))
        }
    }
}
