#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::record::approval::Approval;
use crate::record::audit;
use crate::state::State;

fn certificate(name: &str) -> Arc<Certificate> {
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    Arc::new(Certificate::parse(made.der()).unwrap())
}

struct Room {
    dir: tempfile::TempDir,
    names: Vec<String>,
    identity: IdentityId,
}

impl Room {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            names: vec!["ADSadsa.cer".to_owned(), "ICMadsa.cer".to_owned()],
            identity: IdentityId::parse("adsa.acme.example/iis").unwrap(),
        }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("certs")
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::create_dir_all(self.folder()).unwrap();
        std::fs::write(self.folder().join(name), bytes).unwrap();
    }

    fn filed(&self) -> Result<Filed, String> {
        Filed::of(&self.folder(), &self.names, &Interner::new())
    }

    fn file(&self, filed: &Filed, certificate: &Arc<Certificate>) -> Result<(), DiskError> {
        let mut lock = Lock::take(&self.state()).unwrap();
        let one = Fetched { identity: &self.identity, presented_at: "port 443".to_owned(), certificate, filed };
        let author = Author { who: "anna", approval: Approval::Pinned };
        let done = file(&[one], &self.folder(), author, Timestamp::UNIX_EPOCH, &Disk::new(), &mut lock);
        done.unwrap().remove(0)
    }

    fn state(&self) -> State {
        State::at(self.dir.path().join("state"))
    }
}

#[test]
fn the_first_name_is_made_where_there_is_none() {
    let room = Room::new();
    let new = certificate("adsa.acme.example");
    let filed = room.filed().unwrap();
    assert!(!filed.holds(new.fingerprint()));
    room.file(&filed, &new).unwrap();
    assert!(room.filed().unwrap().holds(new.fingerprint()));
    let names: Vec<_> = std::fs::read_dir(room.folder()).unwrap().map(|item| item.unwrap().file_name()).collect();
    assert_eq!(names, ["ADSadsa.cer"]);
    let lines = audit::read(&room.state()).unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!((lines[0].event, lines[0].before, lines[0].after), (AuditEvent::Collect, None, Some(new.fingerprint())));
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let mut room = Room::new();
    for name in ["../adsa.cer", "/etc/adsa.cer", "..", "", "C:adsa.cer", "..\\adsa.cer"] {
        room.names = vec![name.to_owned()];
        assert!(room.filed().unwrap_err().contains("correct `exported_as`"), "{name}");
    }
}

#[test]
fn every_file_that_counts_gets_it() {
    let room = Room::new();
    let (one, two, new) = (certificate("a.example"), certificate("b.example"), certificate("c.example"));
    // DER under one name, PEM under the other, in another case: such folders occur in practice.
    room.put("adsadsa.CER", one.der());
    room.put("ICMadsa.cer", trustmason_plan::pack::pem(&two).as_bytes());
    let filed = room.filed().unwrap();
    assert_eq!(filed.changes(new.fingerprint()).count(), 2);
    assert_eq!(filed.changes(one.fingerprint()).count(), 1);
    room.file(&filed, &new).unwrap();
    assert!(room.filed().unwrap().holds(new.fingerprint()));
    assert_eq!(std::fs::read_dir(room.folder()).unwrap().count(), 2);
    assert_eq!(audit::read(&room.state()).unwrap()[0].before, Some(two.fingerprint()));
}

#[test]
fn what_cannot_be_used_or_came_meanwhile_stays() {
    let room = Room::new();
    room.put("ADSadsa.cer", b"notes of last summer");
    assert!(room.filed().unwrap_err().contains("move it away"));
    let (old, new) = (certificate("a.example"), certificate("b.example"));
    room.put("ADSadsa.cer", old.der());
    let filed = room.filed().unwrap();
    let theirs = certificate("c.example");
    room.put("ADSadsa.cer", theirs.der());
    assert!(room.file(&filed, &new).is_err());
    assert!(room.filed().unwrap().holds(theirs.fingerprint()));
    assert!(audit::read(&room.state()).unwrap().is_empty());
}
