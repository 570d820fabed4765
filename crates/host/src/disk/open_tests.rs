#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;

fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    Regular::open(path, ReadLimit::Plan)?.read(most)
}

#[test]
fn the_bound_itself_is_within() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    fs::write(&path, b"12345").unwrap();
    assert_eq!(read(&path, 5).unwrap().as_deref(), Some(b"12345".as_slice()));
    assert_eq!(read(&path, 4).unwrap(), None);
    fs::write(&path, b"").unwrap();
    assert_eq!(read(&path, 0).unwrap().as_deref(), Some(b"".as_slice()));
}

#[test]
fn a_file_that_grew_is_read_no_further_than_the_bound() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    fs::write(&path, b"12345").unwrap();
    let regular = Regular::open(&path, ReadLimit::Plan).unwrap();
    fs::write(&path, b"123456789").unwrap();
    assert_eq!(regular.read(5).unwrap(), None);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn pipe(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    /// Runs an act that must not wait. If it waits, the test fails and does not hang.
    #[track_caller]
    fn watched<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, answer) = mpsc::channel();
        thread::spawn(move || done.send(act()));
        answer.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("it waits for ever"))
    }

    #[test]
    fn what_is_no_file_is_said_and_nobody_waits() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        pipe(&at("pipe"));
        let _socket = UnixListener::bind(at("socket")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        for (link, to) in [("to-zero", "/dev/zero"), ("to-null", "/dev/null"), ("to-pipe", "pipe")] {
            symlink(to, at(link)).unwrap();
        }
        for (name, is) in [
            ("pipe", "a pipe"),
            ("to-pipe", "a pipe"),
            ("socket", "a socket"),
            ("to-zero", "a device"),
            ("to-null", "a device"),
            ("folder", "a folder"),
        ] {
            let path = at(name);
            let errors = watched(move || {
                [read(&path, 1000).map(|_| ()), Regular::append(&path, ReadLimit::Plan, OpenOptions::new()).map(|_| ())]
            });
            for error in errors {
                let error = error.unwrap_err().to_string();
                assert!(error.starts_with(&format!("it is {is}, not a file; ")), "{name}: {error}");
            }
        }
    }

    /// A look at a pipe does not wake the program that waits at its other end.
    #[test]
    fn a_pipe_is_not_even_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        pipe(&path);
        let woken = Arc::new(AtomicBool::new(false));
        let (other, flag) = (path.clone(), Arc::clone(&woken));
        let writer = thread::spawn(move || {
            drop(OpenOptions::new().write(true).open(other).unwrap());
            flag.store(true, Ordering::SeqCst);
        });
        thread::sleep(Duration::from_millis(100));
        let looked = path.clone();
        assert!(watched(move || read(&looked, 1000)).is_err());
        thread::sleep(Duration::from_millis(100));
        assert!(!woken.load(Ordering::SeqCst), "the pipe was opened");
        drop(File::open(&path).unwrap());
        writer.join().unwrap();
    }

    /// Another program gives the path to a file and to a pipe in turn, also between the look and the opening.
    #[test]
    fn what_changes_between_look_and_opening_makes_nobody_wait() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), b"x").unwrap();
        fs::write(at("target"), b"x").unwrap();
        pipe(&at("pipe"));
        let stop = Arc::new(AtomicBool::new(false));
        let (flag, folder) = (Arc::clone(&stop), dir.path().to_owned());
        let meddler = thread::spawn(move || {
            while !flag.load(Ordering::SeqCst) {
                for one in ["pipe", "file"] {
                    fs::hard_link(folder.join(one), folder.join("next")).unwrap();
                    fs::rename(folder.join("next"), folder.join("target")).unwrap();
                    // Renaming one of two names of the same file to the other does nothing.
                    fs::remove_file(folder.join("next")).unwrap_or_default();
                }
            }
        });
        let target = at("target");
        let (files, pipes) = watched(move || {
            let (mut files, mut pipes) = (0, 0);
            while files < 2_000 || pipes < 2_000 {
                match read(&target, 1) {
                    Ok(Some(bytes)) => {
                        assert_eq!(bytes, b"x");
                        files += 1;
                    }
                    Ok(None) => panic!("a pipe was read"),
                    Err(error) => {
                        assert!(error.to_string().starts_with("it is a pipe"), "{error}");
                        pipes += 1;
                    }
                }
            }
            (files, pipes)
        });
        stop.store(true, Ordering::SeqCst);
        meddler.join().unwrap();
        assert!(files >= 2_000 && pipes >= 2_000, "{files} files, {pipes} pipes");
    }

    #[test]
    fn a_giant_is_refused_by_its_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("giant");
        File::create(&path).unwrap().set_len(1 << 42).unwrap();
        assert_eq!(watched(move || read(&path, 1 << 30)).unwrap(), None);
    }

    /// Files below `/proc` report a length that is not theirs.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_length_that_lies_is_not_believed() {
        let path = Path::new("/proc/self/status");
        assert_eq!(fs::metadata(path).unwrap().len(), 0);
        assert_eq!(read(path, 16).unwrap(), None);
        assert!(read(path, 1 << 20).unwrap().is_some_and(|bytes| bytes.len() > 16));
    }

    #[test]
    fn a_lease_is_waited_for_a_while() {
        let mut times = 0;
        let done = retry_while_open(|| {
            times += 1;
            if times < 4 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(times) }
        });
        assert_eq!(done.unwrap(), 4);
        let never = retry_while_open::<()>(|| Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(never.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
