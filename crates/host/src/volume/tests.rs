#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;

use super::*;

const HOST: &str = "cvp1.acme.example";

/// Hosts, each with a folder for its disks.
pub(crate) fn hosts(roots: &[(&str, &Path)]) -> BTreeMap<Fqdn, Host> {
    let host = |name: &str, root: &Path| Host {
        fqdn: Fqdn::parse(name).unwrap(),
        roles: Vec::new(),
        side: None,
        cluster: None,
        publisher: false,
        labels: BTreeMap::new(),
        formerly: BTreeSet::new(),
        access: Access::Root(Disks::below(root)),
        profile: "test".to_owned(),
    };
    roots.iter().map(|(name, root)| (Fqdn::parse(name).unwrap(), host(name, root))).collect()
}

pub(crate) fn path(host: &str, shown: &str) -> HostPath {
    HostPath::parse(&Fqdn::parse(host).unwrap(), shown).unwrap()
}

fn resolve(root: &Path, shown: &str) -> Result<Located, VolumeError> {
    follow(root, &path(HOST, shown))
}

fn follow(root: &Path, path: &HostPath) -> Result<Located, VolumeError> {
    Volumes::among(&hosts(&[(HOST, root)])).find(path)
}

/// Resolves a path with these names, which are not checked when the path is made.
fn below(root: &Path, folder: &str, names: &[&str]) -> Result<Located, VolumeError> {
    follow(root, &names.iter().fold(path(HOST, folder), |at, name| at.child(name)))
}

#[test]
fn blanks_and_unicode_resolve_whatever_their_case() {
    let dir = tempfile::tempdir().unwrap();
    let folder = ["c", "Program Files (x86)", "ÜBER dir"].iter().fold(dir.path().to_owned(), |at, step| at.join(step));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("CaCerts"), b"x").unwrap();
    let found = resolve(dir.path(), r"C:\program files (X86)\über DIR\cacerts").unwrap();
    assert_eq!(found, Located::Found(folder.join("CaCerts")));
}

#[test]
fn a_path_is_looked_for_on_the_disks_of_its_own_host() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    fs::create_dir_all(one.join("C")).unwrap();
    fs::create_dir_all(&other).unwrap();
    fs::write(one.join("C/store"), b"x").unwrap();
    fs::write(other.join("unrelated"), b"x").unwrap();
    let hosts = hosts(&[("a.acme.example", &one), ("b.acme.example", &other)]);
    let volumes = Volumes::among(&hosts);
    assert_eq!(volumes.find(&path("a.acme.example", r"C:\store")).unwrap(), Located::Found(one.join("C/store")));
    let absent = Located::Absent { path: other.join("C/store"), parent: false };
    assert_eq!(volumes.find(&path("b.acme.example", r"C:\store")).unwrap(), absent);
    let unknown = volumes.find(&path("c.acme.example", r"C:\store"));
    assert!(matches!(unknown, Err(VolumeError::Unreachable { .. })), "{unknown:?}");
}

#[test]
fn on_disks_that_are_away_nothing_is_absent() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("host");
    for made in [false, true] {
        if made {
            fs::create_dir(&root).unwrap();
        }
        let found = resolve(&root, r"C:\store");
        let Err(VolumeError::Unreachable { host, cause }) = found else { panic!("{found:?}") };
        assert_eq!(host.as_str(), HOST);
        assert_eq!(matches!(cause, Away::Empty(_)), made, "{cause}");
        assert!(cause.to_string().contains(if made { "is empty" } else { "does not exist" }), "{cause}");
    }
    fs::write(root.join("other"), b"x").unwrap();
    assert_eq!(resolve(&root, r"C:\store").unwrap(), Located::Absent { path: root.join("C/store"), parent: false });
}

#[test]
fn drives_are_folders_that_the_spec_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut hosts = hosts(&[(HOST, dir.path())]);
    let own = Access::Root(Disks { root: dir.path().to_owned(), drives: Drives::Own });
    hosts.get_mut(&Fqdn::parse(HOST).unwrap()).unwrap().access = own;
    let spelled = Volumes::among(&hosts).spelled(&path(HOST, r"c:\store")).unwrap();
    let expected = if cfg!(windows) { PathBuf::from(r"C:\store") } else { dir.path().join("C:").join("store") };
    assert_eq!(spelled, expected);
}

#[cfg(unix)]
#[test]
fn the_exact_name_wins_over_its_twin() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("C")).unwrap();
    fs::write(dir.path().join("C/cacerts"), b"a").unwrap();
    fs::write(dir.path().join("C/CACERTS"), b"b").unwrap();
    let found = resolve(dir.path(), r"C:\CACERTS").unwrap();
    assert_eq!(found, Located::Found(dir.path().join("C/CACERTS")));
}

#[cfg(unix)]
#[test]
fn two_other_spellings_are_an_error_that_names_both() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("C")).unwrap();
    fs::write(dir.path().join("C/cacerts"), b"a").unwrap();
    fs::write(dir.path().join("C/CACERTS"), b"b").unwrap();
    let error = resolve(dir.path(), r"C:\CaCerts").unwrap_err().to_string();
    assert!(error.contains("/cacerts") && error.contains("/CACERTS"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_unix_path_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("CACERTS"), b"b").unwrap();
    let found = resolve(dir.path(), "/cacerts").unwrap();
    assert_eq!(found, Located::Absent { path: dir.path().join("cacerts"), parent: true });
}

#[test]
fn absence_says_whether_the_folder_is_there_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("C").join("Conf");
    fs::create_dir_all(&conf).unwrap();
    let near = resolve(dir.path(), r"C:\conf\store").unwrap();
    assert_eq!(near, Located::Absent { path: conf.join("store"), parent: true });
    let far = resolve(dir.path(), r"C:\conf\security\store").unwrap();
    assert_eq!(far, Located::Absent { path: conf.join("security").join("store"), parent: false });
    assert_eq!(fs::read_dir(conf).unwrap().count(), 0);
}

#[test]
fn names_that_windows_takes_for_something_else_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("other"), b"x").unwrap();
    for step in ["NUL", "con", "Aux.jks", "com1", "LPT9.pem", "COM\u{b9}", "conf.", "conf ", "CONOUT$"] {
        let error = below(dir.path(), r"C:\conf", &[step, "x"]).unwrap_err();
        assert!(matches!(error, VolumeError::Refused(PathError::Reserved { .. })), "{step}: {error}");
    }
    for step in ["nuls", "com", "com10", "lpt", "console", ".keystore", "auxiliary.jks"] {
        assert!(below(dir.path(), r"C:\conf", &[step]).is_ok(), "{step}");
    }
    let elsewhere = resolve(dir.path(), "/nul");
    assert_eq!(elsewhere.is_ok(), cfg!(unix), "elsewhere it is a name as any other: {elsewhere:?}");
}

#[cfg(windows)]
#[test]
fn a_drive_of_this_machine_is_not_below_the_root() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("Store"), b"x").unwrap();
    let shown = dir.path().join("Store");
    let mut hosts = hosts(&[(HOST, dir.path())]);
    let own = Access::Root(Disks { root: dir.path().to_owned(), drives: Drives::Own });
    hosts.get_mut(&Fqdn::parse(HOST).unwrap()).unwrap().access = own;
    let volumes = Volumes::among(&hosts);
    assert_eq!(volumes.find(&path(HOST, shown.to_str().unwrap())).unwrap(), Located::Found(shown));
    for step in ["x:y", "Store:stream", r"a\b", "C:"] {
        let error = below(dir.path(), r"C:\conf", &[step]).unwrap_err();
        assert!(matches!(error, VolumeError::Refused(PathError::Step { .. })), "{error}");
    }
    let error = resolve(dir.path(), "/C:/Store").unwrap_err();
    assert!(matches!(error, VolumeError::Refused(PathError::Step { .. })), "no step is a drive: {error}");
}

#[cfg(windows)]
#[test]
fn an_administrative_share_is_reached_by_its_name() {
    let share = Path::new(r"\\cvp1.acme.example").join("C$").join("Cisco");
    assert_eq!(share, Path::new(r"\\cvp1.acme.example\C$\Cisco"));
    assert_eq!(plain(PathBuf::from(r"\\?\UNC\cvp1\C$\x")), Path::new(r"\\cvp1\C$\x"));
    assert_eq!(plain(PathBuf::from(r"\\?\C:\x")), Path::new(r"C:\x"));
    for kept in [r"\\?\Volume{0}\x", r"\\?\C:\nul", r"C:\x"] {
        assert_eq!(plain(PathBuf::from(kept)), Path::new(kept));
    }
}

#[test]
fn steps_cannot_climb() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("other"), b"x").unwrap();
    for step in ["..", ".", "", "a/b"] {
        for steps in [[step, "x"], ["absent", step]] {
            let error = below(dir.path(), r"C:\conf", &steps).unwrap_err();
            assert!(matches!(error, VolumeError::Refused(PathError::Step { .. })), "{error}");
        }
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_to_the_real_file() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(dir.path()).unwrap();
    fs::create_dir(root.join("real")).unwrap();
    fs::write(root.join("real/store"), b"x").unwrap();
    symlink("real/store", root.join("link")).unwrap();
    symlink("gone", root.join("dangling")).unwrap();
    assert_eq!(resolve(&root, "/link").unwrap(), Located::Found(root.join("real/store")));
    let dangling = resolve(&root, "/dangling");
    assert!(matches!(dangling, Err(VolumeError::Refused(PathError::Dangling { .. }))), "{dangling:?}");
}

#[test]
fn a_file_in_the_place_of_a_folder_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("conf"), b"x").unwrap();
    for shown in ["/conf/store", "/conf/security/store"] {
        let result = resolve(dir.path(), shown);
        assert!(matches!(result, Err(VolumeError::Refused(PathError::Disk(_)))), "{result:?}");
    }
}

#[test]
fn a_disk_that_ceased_to_answer_is_no_disk_that_refuses() {
    use std::io;
    let host = Fqdn::parse(HOST).unwrap();
    let fault = |kind: io::ErrorKind| {
        VolumeError::of(&host, PathError::Disk(DiskError::new("examine", Path::new("/x"), kind.into())))
    };
    for kind in [io::ErrorKind::StaleNetworkFileHandle, io::ErrorKind::TimedOut, io::ErrorKind::NotConnected] {
        let error = fault(kind);
        assert!(matches!(error, VolumeError::Unreachable { cause: Away::Lost(_), .. }), "{error:?}");
    }
    for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::NotADirectory, io::ErrorKind::NotFound] {
        assert!(matches!(fault(kind), VolumeError::Refused(_)), "{kind:?}");
    }
    assert!(matches!(fault(io::ErrorKind::Unsupported), VolumeError::Unsupported(_)));
}
