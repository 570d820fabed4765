//! The machine's own certificate stores are planned, written, found in sync and rolled back. A person imports a pack too.

use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use trustmason_keystore::{Credential, Interner, Store, thumbprint};

use crate::SETTLED;
use crate::support::{Said, command, pem, put, said};

const PROFILE: &str = r"trustmason-profile: 1
name: web
roles:
  web:
    about: 'a server'
    stores:
      windows-root: { path: 'windows://LocalMachine/Root', format: windows, steps: ['Import the pack.'] }
";

/// An estate whose only host is this machine. The estate trusts the root and the intermediate of an authority made for
/// this test.
struct Here {
    dir: tempfile::TempDir,
    host: String,
    spec: String,
}

fn authority(mark: &str) -> [Vec<u8>; 2] {
    let params = |name: String| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let key = KeyPair::generate().unwrap();
    let root = params(format!("{mark} root"));
    let top = root.self_signed(&key).unwrap().der().to_vec();
    let issuer = Issuer::new(root, key);
    let middle = params(format!("{mark} issuing")).signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    [top, middle.der().to_vec()]
}

impl Here {
    fn new(mark: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let [root, issuing] = authority(mark);
        put(&dir.path().join("web.yaml"), PROFILE.as_bytes());
        put(&dir.path().join("root.pem"), pem(&root).as_bytes());
        put(&dir.path().join("issuing.pem"), pem(&issuing).as_bytes());
        let host = format!("{}.acme.example", std::env::var("COMPUTERNAME").unwrap().to_lowercase());
        let spec = format!(
            "trustmason: 1\nestate: here\nprofile: ./web.yaml\nhosts:\n  {host}: {{ role: web, access: this-machine }}\n\
             certificates:\n  root: {{ file: root.pem }}\n  issuing: {{ file: issuing.pem }}\ntrust:\n\
             \x20 - {{ store: web/windows-root, certificate: root, why: a test }}\n\
             \x20 - {{ store: web/windows-root, certificate: issuing, why: a test }}\n{more}"
        );
        let here = Self { dir, host, spec };
        here.write("");
        here
    }

    fn write(&self, more: &str) {
        put(&self.path().join("estate.yaml"), format!("{}{more}", self.spec).as_bytes());
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn run(&self, args: &[&str]) -> Said {
        said(command(self.path()).args(args))
    }
}

/// Whether the registry has a certificate in one of the machine's stores.
fn holds(store: &str, file: &Path) -> bool {
    let store_of = Store::open(std::fs::read(file).unwrap(), Credential::Withheld, &Interner::new()).unwrap();
    let der = store_of.entries()[0].certificates()[0].der();
    let key = format!(r"HKLM\SOFTWARE\Microsoft\SystemCertificates\{store}\Certificates\{}", thumbprint(der));
    Command::new("reg").args(["query", &key]).output().unwrap().status.success()
}

#[test]
fn a_store_of_this_machine_is_planned_written_and_taken_back() {
    let here = Here::new("trustmason live", "");
    let (root, issuing) = (here.path().join("root.pem"), here.path().join("issuing.pem"));
    let _ = here.run(&["plan", "--detailed-exitcode"]).code(2).out_has("windows://LocalMachine/Root");
    let done = here.run(&["apply", "--auto-approve"]).code(0);
    assert!(done.out.contains("2 imported"), "{done:?}");
    assert_eq!(here.run(&["plan", "--detailed-exitcode"]).code(0).last_line(), SETTLED);
    assert!(holds("Root", &root) && holds("CA", &issuing));
    assert!(!holds("CA", &root) && !holds("Root", &issuing));
    // Nothing is imported twice, and nothing is written without a change.
    let again = here.run(&["apply", "--auto-approve"]).code(0);
    assert!(again.out.contains("No changes."), "{again:?}");
    let _ = here.run(&["rollback", "--auto-approve"]).code(0).out_has("Rollback complete: 1 store restored.");
    assert!(!holds("Root", &root) && !holds("CA", &issuing));
    let _ = here.run(&["plan", "--detailed-exitcode"]).code(2);
}

#[test]
fn a_pack_is_imported_by_a_person_and_seen_in_the_live_store() {
    let here = Here::new("trustmason pack", "");
    here.write(&format!("stores:\n  {}/windows-root: {{ write: hand-off }}\n", here.host));
    let _ = here.run(&["apply", "--auto-approve"]).code(5);
    let pack = here.path().join(".trustmason/handoff").join(&here.host).join("windows-root");
    let steps = std::fs::read_to_string(pack.join("STEPS.md")).unwrap();
    assert!(steps.contains("certutil -addstore -f CA") && steps.contains("certutil -addstore -f Root"), "{steps}");
    let imported = Command::new("reg").arg("import").arg(pack.join("import.reg")).output().unwrap();
    assert!(imported.status.success(), "{imported:?}");
    assert_eq!(here.run(&["plan", "--detailed-exitcode"]).code(0).last_line(), SETTLED);
    // Trustmason deletes the certificates again: it may write the store now, and the spec distrusts them.
    here.write("");
    let print = |name: &str| {
        let listed = here.run(&["list", name, "--format", "json"]).code(0).json();
        listed["entries"][0]["certificates"][0]["sha256"].as_str().unwrap().to_owned()
    };
    let (root, issuing) = (print("root.pem"), print("issuing.pem"));
    let spec = here.spec.split("certificates:").next().unwrap();
    let distrust =
        format!("distrust:\n  - {{ sha256: '{root}', why: a test }}\n  - {{ sha256: '{issuing}', why: a test }}\n");
    put(&here.path().join("estate.yaml"), format!("{spec}{distrust}").as_bytes());
    let done = here.run(&["apply", "--auto-approve"]).code(0);
    assert!(done.out.contains("2 deleted"), "{done:?}");
    assert!(!holds("Root", &here.path().join("root.pem")));
}

#[test]
fn a_name_that_is_not_this_machines_is_refused() {
    let here = Here::new("trustmason other", "");
    let spec = here.spec.replace(&here.host, "ads1.acme.example");
    put(&here.path().join("estate.yaml"), spec.as_bytes());
    let _ = here.run(&["drift"]).code(4).out_has("access: this-machine");
}
