//! Registry hives, `SOFTWARE` and `NTUSER.DAT`, read only: the certificates of an image or a backup. A hive that is written
//! wrongly keeps Windows from starting, so none is written here.

mod cells;

use super::{element, take_in};
use crate::error::{Class, ReadError};
use crate::format::Format;
use crate::intern::Interner;
use crate::remark::Remark;
use crate::store::{EntryId, EntryKind, Place, Store};

use cells::{Hive, Key};

/// Where stores are kept (Microsoft, System Store Locations), in `SOFTWARE` or below `Software` of `NTUSER.DAT`.
const PLACES: [&[&str]; 3] = [
    &["Microsoft", "SystemCertificates"],
    &["Policies", "Microsoft", "SystemCertificates"],
    &["Microsoft", "EnterpriseCertificates"],
];

pub(super) fn open(bytes: Vec<u8>, certificates: &Interner) -> Result<Store, ReadError> {
    let mut store = Store::new(Format::WindowsHive, Vec::new(), false);
    let hive = Hive::new(&bytes)?;
    let root = hive.root()?;
    let mut stores = 0usize;
    for above in [&[][..], &["Software"]] {
        for place in PLACES {
            let path = [above, place].concat();
            let Some(parent) = descend(&hive, &root, &path)? else {
                continue;
            };
            for key in hive.below(&parent)? {
                if let Some(home) = hive.child(&key, "Certificates")? {
                    stores += 1;
                    let path = format!("{}\\{}", path.join("\\"), key.name);
                    take_store(&mut store, &hive, &home, &path, certificates)?;
                }
            }
        }
    }
    if stores == 0 {
        let cause = "this registry hive holds no certificate store";
        return Err(ReadError::new(
            Class::NotAStore,
            cause,
            "take the hive SOFTWARE of a machine or NTUSER.DAT of a user",
        ));
    }
    store.bytes = bytes;
    Ok(store)
}

fn descend<'a>(hive: &Hive<'a>, root: &Key<'a>, path: &[&str]) -> Result<Option<Key<'a>>, ReadError> {
    let mut at: Option<Key<'a>> = None;
    for name in path {
        match hive.child(at.as_ref().unwrap_or(root), name)? {
            None => return Ok(None),
            below => at = below,
        }
    }
    Ok(at)
}

fn take_store(
    store: &mut Store,
    hive: &Hive<'_>,
    home: &Key<'_>,
    path: &str,
    certificates: &Interner,
) -> Result<(), ReadError> {
    for key in hive.below(home)? {
        let entry = EntryId(store.entries.len());
        store.keys.insert(entry, path.to_owned());
        let (read, place) = match hive.binary(&key, "Blob")? {
            Some(data) => (Ok(data.bytes), Place { whole: data.range, ..Place::default() }),
            None => (Err("it has no value `Blob`".to_owned()), Place::default()),
        };
        let element = match &read {
            Ok(blob) => element::only(blob).map_err(|error| error.cause().to_owned()),
            Err(why) => Err(why.clone()),
        };
        match element {
            Ok(element) => take_in(store, &element, place, Some(&key.name), certificates),
            Err(why) => {
                store.remarks.push(Remark::UnreadCertificate { entry, alias: Some(key.name), why });
                store.push(None, None, EntryKind::Opaque("a damaged certificate".to_owned()), place);
            }
        }
    }
    Ok(())
}
