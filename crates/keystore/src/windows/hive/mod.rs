//! Registry hives, `SOFTWARE` and `NTUSER.DAT`: the certificates of an image or a backup. The module takes the bytes of
//! a hive and gives a store. It never writes a hive, because a damaged hive keeps Windows from starting.

mod cells;

use super::element;
use super::store::{RegistryKey, WindowsFileKind, WindowsPlace, WindowsStore, take_in};
use crate::entries::Entries;
use crate::entry::EntryKind;
use crate::error::{ErrorClass, ReadError};
use crate::intern::Interner;
use crate::remark::Remark;

use cells::{Hive, HiveKey};

/// The keys that contain stores (Microsoft, System Store Locations), in `SOFTWARE` or below `Software` of `NTUSER.DAT`.
const PLACES: [&[&str]; 3] = [
    &["Microsoft", "SystemCertificates"],
    &["Policies", "Microsoft", "SystemCertificates"],
    &["Microsoft", "EnterpriseCertificates"],
];

pub(super) fn open(bytes: Vec<u8>, certificates: &Interner) -> Result<WindowsStore, ReadError> {
    let mut entries = Entries::new();
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
                    take_store(&mut entries, &hive, &home, &path, certificates)?;
                }
            }
        }
    }
    if stores == 0 {
        let cause = "this registry hive holds no certificate store";
        return Err(ReadError::new(
            ErrorClass::NotAStore,
            cause,
            "take the hive SOFTWARE of a machine or NTUSER.DAT of a user",
        ));
    }
    Ok(WindowsStore { kind: WindowsFileKind::Hive, bytes, entries })
}

fn descend<'a>(hive: &Hive<'a>, root: &HiveKey<'a>, path: &[&str]) -> Result<Option<HiveKey<'a>>, ReadError> {
    let mut at: Option<HiveKey<'a>> = None;
    for name in path {
        match hive.child(at.as_ref().unwrap_or(root), name)? {
            None => return Ok(None),
            below => at = below,
        }
    }
    Ok(at)
}

fn take_store(
    entries: &mut Entries<WindowsPlace>,
    hive: &Hive<'_>,
    home: &HiveKey<'_>,
    path: &str,
    certificates: &Interner,
) -> Result<(), ReadError> {
    for key in hive.below(home)? {
        let at = RegistryKey { store: path, name: &key.name };
        let blob = hive.binary(&key, "Blob")?;
        let (why, whole) = match &blob {
            Some(data) => match element::only(&data.bytes) {
                Ok(element) => {
                    take_in(entries, &element, data.range.clone(), Some(at), certificates);
                    continue;
                }
                Err(error) => (error.cause().to_owned(), Some(data.range.clone())),
            },
            None => ("it has no value `Blob`".to_owned(), None),
        };
        let entry = entries.next_id();
        entries.remark(Remark::UnreadCertificate { entry, alias: Some(key.name), why });
        let place = WindowsPlace { whole, label: None, store_key: Some(path.to_owned()) };
        entries.push(None, None, EntryKind::Opaque("a damaged certificate".to_owned()), place);
    }
    Ok(())
}
