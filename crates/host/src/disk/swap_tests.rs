#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::sync::Arc;

use super::*;
use crate::disk::temporary::{MARK, left_by};
use crate::fault::{FaultInjector, InjectedFault, Meddler};
use trustmason_plan::run_id::RunId;

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
    let expected = fs::read(target).ok().map(|bytes| Digest::of(&bytes)).into();
    disk.replace(
        Replacement { target, bytes, limit: ReadLimit::Store, owner, attributes: None, expected, run: RUN },
        || Ok(()),
    )
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

/// `new` in the place of a file that is expected to hold `old`.
fn replacement(target: &Path) -> Replacement<'_> {
    Replacement {
        target,
        bytes: b"new",
        limit: ReadLimit::Store,
        owner: Owner::ours(0o600),
        attributes: None,
        expected: ExpectedTarget::File(Digest::of(b"old")),
        run: RUN,
    }
}

#[test]
fn a_failed_check_leaves_everything_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("store");
    fs::write(&target, b"old").unwrap();
    let new = replacement(&target);
    let gate = FaultInjector::where_it(InjectedFault::Device, |_, step, _| step == DiskStep::Create);
    let failed = Disk::behind(Arc::new(gate)).replace(new, || Err(Trouble::Stale));
    assert!(
        matches!(failed, Err(ReplaceError::Before(Trouble::Disk(error))) if error.to_string().contains("make file"))
    );
    let result = Disk::new().replace(new, || Err(Trouble::Stale));
    assert!(matches!(result, Err(ReplaceError::Before(Trouble::Stale))));
    assert_eq!((fs::read(&target).unwrap(), names(dir.path())), (b"old".to_vec(), vec!["store".to_owned()]));
}

/// The contents of all files in a folder.
fn contents(folder: &Path) -> Vec<Vec<u8>> {
    names(folder).iter().map(|name| fs::read(folder.join(name)).unwrap()).collect()
}

const FAULTS: [InjectedFault; 6] = [
    InjectedFault::NoSpace,
    InjectedFault::Device,
    InjectedFault::Denied,
    InjectedFault::ReadOnly,
    InjectedFault::ShortWrite,
    InjectedFault::Crash,
];

/// Runs one act with a fault at each of its steps, on a disk that supports the exchange and on one that does not.
fn campaign(least: usize, act: impl Fn(&Disk, &Path) -> Result<(), ReplaceError<DiskError>>, new: Option<&[u8]>) {
    for (fault, exchange) in FAULTS.into_iter().flat_map(|fault| [(fault, true), (fault, false)]) {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("store");
            fs::write(&target, b"old content").unwrap();
            let gate = Arc::new(FaultInjector::at(step, fault));
            let disk = if exchange { Disk::behind(gate.clone()) } else { Disk::behind(Arc::new(Plain(gate.clone()))) };
            let result = act(&disk, &target);
            let now = fs::read(&target).ok();
            let Some(struck) = gate.struck() else {
                assert!(result.is_ok() && step >= least, "{step}");
                assert_eq!(now.as_deref(), new);
                assert_eq!(names(dir.path()).len(), usize::from(new.is_some()));
                break;
            };
            match result {
                Err(ReplaceError::Before(error)) => {
                    assert_eq!(now.as_deref(), Some(b"old content".as_slice()), "{struck:?}");
                    let text = error.to_string();
                    assert!(text.starts_with("cannot ") && text.contains(std::path::MAIN_SEPARATOR), "{text}");
                }
                Err(ReplaceError::After(_)) => assert_eq!(now.as_deref(), new, "{struck:?}"),
                // On a disk that denies a second name the file is replaced without one.
                Ok(()) => {
                    assert!(struck.0 == DiskStep::Link && fault == InjectedFault::Denied, "{struck:?} passed unnoticed")
                }
                Err(ReplaceError::Overtaken) => panic!("{struck:?}: nobody was there"),
            }
            if fault != InjectedFault::Crash && struck.0 != DiskStep::Remove {
                assert_eq!(names(dir.path()).len(), usize::from(now.is_some()), "no litter after {struck:?}");
            }
        }
    }
}

/// A disk whose file system does not support the exchange.
struct Plain(Arc<FaultInjector>);

impl crate::disk::Gate for Plain {
    fn pass(&self, step: DiskStep, path: &Path) -> crate::disk::StepDecision {
        if step == DiskStep::Exchange {
            return crate::disk::StepDecision::Fail(io::ErrorKind::Unsupported.into());
        }
        self.0.pass(step, path)
    }
}

#[test]
fn at_every_step_the_target_is_old_or_new() {
    campaign(8, |disk, target| replace(disk, target, b"new"), Some(b"new"));
}

#[test]
fn at_every_step_the_target_is_there_or_gone() {
    campaign(4, |disk, target| disk.withdraw(target, Digest::of(b"old content"), RUN), None);
}

/// Another program writes the target right before the step that changes it: in place, or as a new file of that name.
fn meddled(step: DiskStep, in_place: bool, exchange: bool) -> (Result<(), ReplaceError<DiskError>>, Vec<Vec<u8>>) {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("store");
    fs::write(&target, b"old").unwrap();
    let mine = dir.path().join("theirs.tmp");
    let act = move |at: DiskStep, path: &Path| {
        if at == step && !path.to_string_lossy().contains(MARK) {
            if in_place {
                fs::write(path, b"theirs").unwrap();
            } else {
                fs::write(&mine, b"theirs").unwrap();
                fs::rename(&mine, path).unwrap();
            }
        }
    };
    let gate = Meddler::new(act);
    let disk = if exchange {
        Disk::behind(Arc::new(gate))
    } else {
        struct Both<F>(Meddler<F>);
        impl<F: Fn(DiskStep, &Path) + Send + Sync> crate::disk::Gate for Both<F> {
            fn pass(&self, step: DiskStep, path: &Path) -> crate::disk::StepDecision {
                let fate = self.0.pass(step, path);
                if step == DiskStep::Exchange {
                    crate::disk::StepDecision::Fail(io::ErrorKind::Unsupported.into())
                } else {
                    fate
                }
            }
        }
        Disk::behind(Arc::new(Both(gate)))
    };
    (disk.replace(replacement(&target), || Ok(())), contents(dir.path()))
}

#[cfg(target_os = "linux")]
#[test]
fn who_writes_between_the_check_and_the_exchange_loses_nothing() {
    for in_place in [true, false] {
        let (result, left) = meddled(DiskStep::Exchange, in_place, true);
        match result {
            // The meddler acts again when the files are exchanged back: both versions are its own and equal.
            Err(ReplaceError::Overtaken | ReplaceError::After(_)) => {}
            other => panic!("{other:?}"),
        }
        assert!(left.iter().all(|bytes| bytes == b"theirs"), "{left:?}");
    }
}

#[test]
fn who_writes_where_files_cannot_change_names_loses_nothing_until_the_link() {
    // On Windows the second name and the new file come in one step.
    let step = if cfg!(windows) { DiskStep::Rename } else { DiskStep::Link };
    for in_place in [true, false] {
        let (result, left) = meddled(step, in_place, false);
        assert!(matches!(result, Err(ReplaceError::Overtaken)), "{result:?}");
        assert_eq!(left, [b"theirs".to_vec()]);
    }
    // Writing in place is noticed even later.
    let (result, left) = meddled(DiskStep::Rename, true, false);
    assert!(matches!(result, Err(ReplaceError::Overtaken | ReplaceError::After(_))), "{result:?}");
    assert!(left.iter().all(|bytes| bytes == b"theirs"), "{left:?}");
}

#[test]
fn who_writes_after_the_exchange_is_said() {
    let (result, left) = meddled(DiskStep::ReadBack, false, true);
    let Err(ReplaceError::After(error)) = result else { panic!("{result:?}") };
    assert!(error.to_string().contains("another program wrote it"), "{error}");
    assert_eq!(left, [b"theirs".to_vec()]);
}

#[test]
fn a_file_made_meanwhile_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("store");
    let act = |step: DiskStep, path: &Path| {
        if step == DiskStep::Rename {
            fs::write(path, b"theirs").unwrap();
        }
    };
    let result = replace(&Disk::behind(Arc::new(Meddler::new(act))), &target, b"new");
    assert!(matches!(result, Err(ReplaceError::Overtaken)), "{result:?}");
    assert_eq!(contents(dir.path()), [b"theirs".to_vec()]);
}

#[test]
fn a_file_changed_meanwhile_is_not_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("store");
    fs::write(&target, b"theirs").unwrap();
    let result = Disk::new().withdraw(&target, Digest::of(b"old"), RUN);
    assert!(matches!(result, Err(ReplaceError::Overtaken)), "{result:?}");
    assert_eq!(contents(dir.path()), [b"theirs".to_vec()]);
}

#[test]
fn litter_is_told_by_its_run() {
    let beside = temporary(Path::new("/x/my-store"), RUN);
    assert_eq!(left_by(&beside), RunId::parse(RUN).ok());
    for other in
        ["/x/.trustmason-my-store", "/x/.trustmason-", "/x/store", "/x/.trustmason-20261121T230752.089Z-0f3a9c2-x"]
    {
        assert_eq!(left_by(Path::new(other)), None, "{other}");
    }
}

#[test]
fn a_read_only_folder_is_said_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("cacerts");
    fs::write(&target, b"old").unwrap();
    let gate = FaultInjector::where_it(InjectedFault::Denied, |_, step, _| step == DiskStep::Create);
    let error = match replace(&Disk::behind(Arc::new(gate)), &target, b"new") {
        Err(ReplaceError::Before(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(error.contains("cannot make file") && error.contains("let this user write to its folder"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn access_lists_and_attributes_are_kept() {
    use std::collections::BTreeMap;

    use rustix::fs::{XattrFlags, setxattr};

    use crate::needs::{self, Need};
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("store");
    fs::write(&target, b"old").unwrap();
    fs::set_permissions(&target, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    // acl(5) as the kernel keeps it: version 2, then tag, permissions, id: rw for the owner, r for user 1234, r, mask
    // r, none.
    let mut acl = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in
        [(1u16, 6u16, u32::MAX), (2, 4, 1234), (4, 4, u32::MAX), (16, 4, u32::MAX), (32, 0, u32::MAX)]
    {
        acl.extend(tag.to_le_bytes());
        acl.extend(permissions.to_le_bytes());
        acl.extend(id.to_le_bytes());
    }
    let mut set = 0;
    for (need, name, value) in
        [(Need::Attributes, "user.origin", b"cvp".as_slice()), (Need::AccessLists, "system.posix_acl_access", &acl)]
    {
        match setxattr(&target, name, value, XattrFlags::empty()) {
            Ok(()) => set += 1,
            Err(error) => needs::left_out(need, name, &format!("{}: {error}", dir.path().display())),
        }
    }
    let before = Attributes::of(&target).unwrap();
    assert_eq!(BTreeMap::from(before.clone()).len(), set);
    replace(&Disk::new(), &target, b"new").unwrap();
    assert_eq!(Attributes::of(&target).unwrap(), before);
    assert_eq!(Owner::of(&fs::metadata(&target).unwrap()).mode, 0o640);
}
