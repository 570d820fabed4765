//! Acts as the operator of a hand-off: reads the pack that `apply` wrote and changes the mirror as the pack's steps say.

use std::path::Path;

use serde::Deserialize;
use trustmason_host::disk::{self, ReadLimit};
use trustmason_keystore::Fingerprint;
use trustmason_keystore::{Interner, Store};
use trustmason_spec::name::StoreId;
use trustmason_spec::topology::{StoreDef, Topology};

use super::layout::place;
use super::{DemoError, failed};

#[derive(Deserialize)]
struct HandOffPack {
    add: Vec<HandOffItem>,
    remove: Vec<HandOffItem>,
}

#[derive(Deserialize)]
struct HandOffItem {
    file: Option<String>,
    sha256: Option<String>,
}

/// Carries out the pack for one store. Gives the numbers of certificates added and removed.
pub(crate) fn carry_out(topology: &Topology, target: &StoreId, folder: &Path) -> Result<(usize, usize), DemoError> {
    let text = disk::read(&folder.join("pack.json"), ReadLimit::Plan).map_err(failed("a pack"))?;
    let pack: HandOffPack = serde_json::from_slice(&text).map_err(failed("a pack"))?;
    let Some(mirror) = topology.stores.get(target).filter(|def| def.is_hand_off()).and_then(StoreDef::folder) else {
        return Err(DemoError(format!("{target} has no mirror")));
    };
    let mirror = place(topology, mirror)?;
    let mut gone = 0;
    for text in pack.remove.iter().filter_map(|i| i.sha256.as_ref()) {
        let item: Fingerprint = text.parse().map_err(failed("a pack"))?;
        for entry in disk::items(&mirror).map_err(failed("a mirror"))? {
            let file = entry.map_err(failed("a mirror"))?.path();
            if holds(&file, item)? {
                fs_err::remove_file(&file).map_err(failed("a mirror"))?;
                gone += 1;
            }
        }
    }
    let mut come = 0;
    for name in pack.add.iter().filter_map(|i| i.file.as_ref()) {
        let bytes = disk::read(&folder.join(name), ReadLimit::Certificate).map_err(failed("a pack"))?;
        fs_err::write(mirror.join(name), bytes).map_err(failed("a mirror"))?;
        come += 1;
    }
    Ok((come, gone))
}

fn holds(file: &Path, wanted: Fingerprint) -> Result<bool, DemoError> {
    let bytes = disk::read(file, ReadLimit::Store).map_err(failed("a mirror"))?;
    let store = Store::open(bytes, trustmason_keystore::Credential::Withheld, &Interner::new());
    Ok(store.is_ok_and(|s| s.entries().iter().flat_map(|e| e.certificates()).any(|c| c.fingerprint() == wanted)))
}
