#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use super::*;
use crate::fault::{Fault, Faulty};

const RUN: &str = "20261121T230752.089Z-0f3a9c21";

#[derive(Debug)]
enum Trouble {
    Disk(DiskError),
    Stale,
}

impl From<DiskError> for Trouble {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|i| i.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn replace(disk: &Disk, target: &Path, bytes: &[u8]) -> Result<(), ReplaceError<DiskError>> {
    let owner = fs::metadata(target).map_or(Owner::ours(0o640), |m| Owner::of(&m));
    disk.replace(Replacement { target, bytes, owner, run: RUN }, || Ok(()))
}

#[cfg(unix)]
#[test]
fn mode_and_owner_are_kept() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("store");
    fs::write(&target, b"old").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    // Only the superuser can give a file away; the mode is checked in any case.
    let given = std::os::unix::fs::chown(&target, Some(12345), Some(23456)).is_ok();
    replace(&Disk::new(), &target, b"new").unwrap();
    let now = fs::metadata(&target).unwrap();
    assert_eq!(now.mode() & 0o7777, 0o640);
    if given {
        assert_eq!((now.uid(), now.gid()), (12345, 23456));
    }
    assert_eq!((fs::read(&target).unwrap(), names(dir.path())), (b"new".to_vec(), vec!["store".to_owned()]));
}

#[test]
fn a_failed_check_leaves_everything_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("store");
    fs::write(&target, b"old").unwrap();
    let new = Replacement { target: &target, bytes: b"new", owner: Owner::ours(0o600), run: RUN };
    let gate = Faulty::where_it(Fault::Device, |_, step, _| step == Step::Create);
    let failed = Disk::behind(Arc::new(gate)).replace(new, || Err(Trouble::Stale));
    assert!(
        matches!(failed, Err(ReplaceError::Before(Trouble::Disk(error))) if error.to_string().contains("make file"))
    );
    let result = Disk::new().replace(new, || Err(Trouble::Stale));
    assert!(matches!(result, Err(ReplaceError::Before(Trouble::Stale))));
    assert_eq!((fs::read(&target).unwrap(), names(dir.path())), (b"old".to_vec(), vec!["store".to_owned()]));
}

#[test]
fn at_every_step_the_target_is_old_or_new() {
    for fault in [Fault::NoSpace, Fault::Device, Fault::Denied, Fault::ReadOnly, Fault::ShortWrite, Fault::Crash] {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("store");
            fs::write(&target, b"old content").unwrap();
            let gate = Arc::new(Faulty::at(step, fault));
            let result = replace(&Disk::behind(gate.clone()), &target, b"new");
            let now = fs::read(&target).unwrap();
            let Some(struck) = gate.struck() else {
                assert!(result.is_ok() && step >= 5, "{step}");
                break;
            };
            match result {
                Err(ReplaceError::Before(error)) => {
                    assert_eq!(now, b"old content", "{struck:?}");
                    let text = error.to_string();
                    assert!(text.starts_with("cannot ") && text.contains("/"), "{text}");
                }
                Err(ReplaceError::After(_)) => assert_eq!(now, b"new", "{struck:?}"),
                Ok(()) => panic!("{struck:?} passed unnoticed"),
            }
            if fault != Fault::Crash {
                assert_eq!(names(dir.path()), ["store"], "no litter after {struck:?}");
            }
        }
    }
}

#[test]
fn litter_is_told_by_its_run() {
    let beside = temporary(Path::new("/x/my-store"), RUN);
    assert_eq!(left_by(&beside), Some(RUN));
    for other in
        ["/x/.trustmason-my-store", "/x/.trustmason-", "/x/store", "/x/.trustmason-20261121T230752.089Z-0f3a9c2-x"]
    {
        assert_eq!(left_by(Path::new(other)), None, "{other}");
    }
}

#[test]
fn what_is_there_already_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Arc::new(Faulty::never());
    let disk = Disk::behind(gate.clone());
    let path = dir.path().join("ledger.json");
    assert!(disk.keep(&path, b"x", RUN).unwrap());
    let taken = gate.taken();
    assert!(!disk.keep(&path, b"x", RUN).unwrap());
    assert_eq!(gate.taken(), taken);
}

#[test]
fn folders_are_made_for_us_alone() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b/c");
    Disk::new().make_dir(&deep).unwrap();
    Disk::new().make_dir(&deep).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for folder in [&deep, deep.parent().unwrap()] {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o7777, 0o700);
        }
    }
    fs::write(dir.path().join("file"), b"").unwrap();
    let error = Disk::new().make_dir(&dir.path().join("file/x")).unwrap_err().to_string();
    assert!(error.contains("/file/x"), "{error}");
}

#[test]
fn a_folder_is_read_without_our_own_litter() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b.pem", "a.pem"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    fs::create_dir(dir.path().join("sub")).unwrap();
    let clean = folder_digest(&read_folder(dir.path()).unwrap());
    fs::write(temporary(&dir.path().join("a.pem"), RUN), b"x").unwrap();
    let files = read_folder(dir.path()).unwrap();
    assert_eq!(files.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), ["a.pem", "b.pem"]);
    assert_eq!(folder_digest(&files), clean);
    fs::rename(dir.path().join("a.pem"), dir.path().join("c.pem")).unwrap();
    assert_ne!(folder_digest(&read_folder(dir.path()).unwrap()), clean);
}

#[test]
fn a_read_only_folder_is_said_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("cacerts");
    fs::write(&target, b"old").unwrap();
    let gate = Faulty::where_it(Fault::Denied, |_, step, _| step == Step::Create);
    let error = match replace(&Disk::behind(Arc::new(gate)), &target, b"new") {
        Err(ReplaceError::Before(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(error.contains("cannot make file") && error.contains("let this user write to its folder"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn access_lists_and_attributes_are_kept() {
    use rustix::fs::{XattrFlags, setxattr};
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("store");
    fs::write(&target, b"old").unwrap();
    fs::set_permissions(&target, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    // acl(5) as the kernel keeps it: version 2, then tag, permissions, id: rw for the owner, r for user 1234, r, mask r, none.
    let mut acl = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in
        [(1u16, 6u16, u32::MAX), (2, 4, 1234), (4, 4, u32::MAX), (16, 4, u32::MAX), (32, 0, u32::MAX)]
    {
        acl.extend(tag.to_le_bytes());
        acl.extend(permissions.to_le_bytes());
        acl.extend(id.to_le_bytes());
    }
    let mut set = 0;
    for (name, value) in [("user.origin", b"cvp".as_slice()), ("system.posix_acl_access", &acl)] {
        match setxattr(&target, name, value, XattrFlags::empty()) {
            Ok(()) => set += 1,
            Err(error) => eprintln!("{name} cannot be set in {}: {error}", dir.path().display()),
        }
    }
    let before = attributes(&target).unwrap();
    assert_eq!(before.len(), set);
    replace(&Disk::new(), &target, b"new").unwrap();
    assert_eq!(attributes(&target).unwrap(), before);
    assert_eq!(Owner::of(&fs::metadata(&target).unwrap()).mode, 0o640);
}
