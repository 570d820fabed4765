//! Makes estates to measure: many boxes with one store each, and hubs whose certificates the boxes trust. The JKS
//! stores are written byte by byte, so they do not depend on the code that is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha1::{Digest as _, Sha1};
use trustmason_keystore::{Credential, EntryKind, Interner, Password, Store};

use crate::process::{self, Failure};

/// The public default password of every Java trust store.
pub(crate) const PASSWORD: &str = "changeit";

/// A profile with only what a benchmark needs.
const PROFILE: &str = r"trustmason-profile: 1
name: bench
secrets: { store: { literal: changeit } }
roles:
  box:
    stores:
      cacerts: { path: /cacerts, format: jks, password: store, vendor_entries: true }
  keys:
    stores:
      keystore: { path: /keystore, format: jceks, password: store }
    identities:
      wsm: { store: keystore, alias: wsm_certificate, source: bench }
      vxml: { store: keystore, alias: vxml_certificate, source: bench }
      callserver: { store: keystore, alias: callserver_certificate, source: bench }
  hub:
    identities:
      iis: { write: hand-off, exported_as: ['{fqdn}.pem'], source: bench }
rules:
  B1: { truster: box/cacerts, subject: hub/iis, alias: '{fqdn}', why: benchmark, source: bench }
";

/// An estate on disk, for measuring.
pub(crate) struct BenchEstate {
    pub(crate) folder: PathBuf,
    pub(crate) spec: PathBuf,
}

impl BenchEstate {
    /// Writes a spec with this many hosts of each role. Boxes get folders. Hubs are never opened.
    pub(crate) fn new(folder: &Path, boxes: usize, keys: usize, hubs: usize) -> Result<Self, Failure> {
        fs::create_dir_all(folder.join("certs"))?;
        fs::write(folder.join("bench.yaml"), PROFILE)?;
        let mut text = String::from(
            "trustmason: 1\nestate: bench\nprofile: ./bench.yaml\nstate: ./.trustmason\n\
             access: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\n\
             identity: { subject: { O: Bench, C: US } }\nhosts:\n",
        );
        for (role, number) in [("box", boxes), ("keys", keys)] {
            for i in 0..number {
                text.push_str(&format!("  {}: {{ role: {role} }}\n", name(role, i)));
                fs::create_dir_all(folder.join("hosts").join(name(role, i)))?;
            }
        }
        for i in 0..hubs {
            text.push_str(&format!("  {}: {{ role: hub, access: none }}\n", name("hub", i)));
        }
        let spec = folder.join("estate.yaml");
        fs::write(&spec, text)?;
        Ok(Self { folder: folder.to_path_buf(), spec })
    }

    /// The path of a host's store.
    pub(crate) fn store(&self, role: &str, number: usize) -> PathBuf {
        let file = if role == "box" { "cacerts" } else { "keystore" };
        self.folder.join("hosts").join(name(role, number)).join(file)
    }

    /// Makes the hubs' certificates and writes them as exports.
    pub(crate) fn export_hubs(&self, hubs: usize) -> Result<Vec<Vec<u8>>, Failure> {
        let key = rcgen::KeyPair::generate()?;
        let mut made = Vec::new();
        for i in 0..hubs {
            let mut parameters = rcgen::CertificateParams::new(vec![name("hub", i)])?;
            parameters.distinguished_name.push(rcgen::DnType::CommonName, name("hub", i));
            let certificate = parameters.self_signed(&key)?;
            fs::write(self.folder.join("certs").join(format!("{}.pem", name("hub", i))), certificate.pem())?;
            made.push(certificate.der().to_vec());
        }
        Ok(made)
    }
}

/// A host's name.
pub(crate) fn name(role: &str, number: usize) -> String {
    format!("{role}{number}.bench.example")
}

/// This many root certificates: those that the JDK ships, then the same ones with other signature bytes.
pub(crate) fn roots(number: usize) -> Result<Vec<Vec<u8>>, Failure> {
    let path = java_home()?.join("lib/security/cacerts");
    let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let folder = tempfile::tempdir()?;
    let bytes = if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
        bytes
    } else {
        let converted = folder.path().join("cacerts.jks");
        let mut convert = Command::new("keytool");
        convert.args(["-importkeystore", "-noprompt", "-srckeystore"]).arg(&path);
        convert.args(["-srcstorepass", PASSWORD, "-deststorepass", PASSWORD, "-deststoretype", "JKS", "-destkeystore"]);
        process::output(convert.arg(&converted))?;
        fs::read(converted)?
    };
    let password = Password::new(PASSWORD);
    let store = Store::open(bytes, Credential::Password(&password), &Interner::default())
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let shipped: Vec<Vec<u8>> = store
        .entries()
        .iter()
        .filter(|entry| matches!(entry.kind, EntryKind::Trusted(_)))
        .flat_map(|entry| entry.certificates())
        .filter_map(|slot| slot.certificate().map(|certificate| certificate.der().to_vec()))
        .collect();
    if shipped.is_empty() {
        return Err(format!("{} holds no certificates", path.display()).into());
    }
    let more = shipped.iter().cycle().zip(1..).map(|(der, i)| marked(der, i));
    Ok(shipped.iter().cloned().chain(more).take(number).collect())
}

/// The certificate with other bytes at the end of its signature: another fingerprint at the same cost.
pub(crate) fn marked(der: &[u8], mark: u64) -> Vec<u8> {
    let mut other = der.to_vec();
    let start = other.len().saturating_sub(8);
    for (byte, mark) in other.iter_mut().skip(start).zip(mark.to_be_bytes()) {
        *byte ^= mark;
    }
    other
}

/// A JKS, version 2, of trusted certificates, as `sun.security.provider.JavaKeyStore` writes it.
pub(crate) fn jks<'a>(entries: impl ExactSizeIterator<Item = (String, &'a [u8])>, created_ms: u64) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(0xfeed_feed_u32.to_be_bytes());
    body.extend(2_u32.to_be_bytes());
    body.extend(length(entries.len()).to_be_bytes());
    for (alias, der) in entries {
        body.extend(2_u32.to_be_bytes());
        text(&mut body, &alias);
        body.extend(created_ms.to_be_bytes());
        text(&mut body, "X.509");
        body.extend(length(der.len()).to_be_bytes());
        body.extend(der);
    }
    let mut digest = Sha1::new();
    digest.update(PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>());
    digest.update(b"Mighty Aphrodite");
    digest.update(&body);
    body.extend(digest.finalize());
    body
}

fn text(body: &mut Vec<u8>, text: &str) {
    body.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    body.extend(text.as_bytes());
}

fn length(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Makes a JCEKS with the three keys of a CVP server, using keytool. Their SAN names every host of the estate.
pub(crate) fn jceks(path: &Path, hosts: usize) -> Result<(), Failure> {
    let names: Vec<String> = (0..hosts).map(|i| format!("dns:{}", name("keys", i))).collect();
    for alias in ["wsm_certificate", "vxml_certificate", "callserver_certificate"] {
        let mut keytool = Command::new("keytool");
        keytool.args([
            "-genkeypair",
            "-storetype",
            "JCEKS",
            "-storepass",
            PASSWORD,
            "-keypass",
            PASSWORD,
            "-alias",
            alias,
        ]);
        keytool.args(["-keyalg", "RSA", "-keysize", "2048", "-validity", "1825", "-dname"]);
        keytool
            .arg(format!("CN={}, O=Bench, C=US", name("keys", 0)))
            .arg("-ext")
            .arg(format!("san={}", names.join(",")));
        process::output(keytool.arg("-keystore").arg(path))?;
    }
    Ok(())
}

/// The folder of the JDK that keytool belongs to.
fn java_home() -> Result<PathBuf, Failure> {
    let output = Command::new("java").args(["-XshowSettings:properties", "-version"]).output()?;
    let settings = String::from_utf8_lossy(&output.stderr).into_owned();
    let home = settings.lines().find_map(|line| line.trim().strip_prefix("java.home = "));
    home.map(PathBuf::from).ok_or_else(|| "`java -XshowSettings:properties` names no java.home".into())
}
