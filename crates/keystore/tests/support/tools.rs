//! openssl and NSS as judges of PKCS#12 files. The module takes the path of a file, and gives what these programs show
//! of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How often openssl shows each bag. The text of a bag has its attributes, names and content, in PEM.
pub type Bags = BTreeMap<String, usize>;

/// The bags that openssl shows of a file, or its error message.
pub fn openssl(path: &Path, password: &str) -> Result<Bags, String> {
    let output = Command::new("openssl")
        .args(["pkcs12", "-nodes", "-legacy", "-passin", "env:MATRIX_PASSWORD", "-in"])
        .arg(path)
        .env("MATRIX_PASSWORD", password)
        .output()
        .expect("openssl starts");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let mut bags = Bags::new();
    let mut bag = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if line.starts_with("Bag Attributes") && !bag.is_empty() {
            *bags.entry(std::mem::take(&mut bag)).or_default() += 1;
        }
        bag.push_str(line);
        bag.push('\n');
    }
    if !bag.is_empty() {
        *bags.entry(bag).or_default() += 1;
    }
    Ok(bags)
}

/// The bags of `these` that `those` does not have.
pub fn without(these: &Bags, those: &Bags) -> Vec<String> {
    let missing = |(bag, count): (&String, &usize)| {
        std::iter::repeat_n(bag.clone(), count.saturating_sub(those.get(bag).copied().unwrap_or(0)))
    };
    these.iter().flat_map(missing).collect()
}

/// The bags without their friendly names.
pub fn nameless(bags: &Bags) -> Bags {
    let mut out = Bags::new();
    for (bag, count) in bags {
        let lines: Vec<&str> = bag.lines().filter(|line| !line.starts_with("    friendlyName: ")).collect();
        *out.entry(lines.join("\n")).or_default() += count;
    }
    out
}

/// How many certificates openssl finds in a PEM file. In a DER file it reads only the first.
pub fn openssl_count(path: &Path, der: bool) -> Option<usize> {
    let mut command = Command::new("openssl");
    if der {
        command.args(["x509", "-inform", "DER", "-noout", "-in"]);
    } else {
        command.args(["storeutl", "-noout", "-certs"]);
    }
    let output = command.arg(path).output().expect("openssl is needed here");
    if !output.status.success() {
        return None;
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if der { Some(1) } else { said.lines().find_map(|line| line.strip_prefix("Total found: ")?.parse().ok()) }
}

/// NSS with an empty database.
pub struct Nss {
    folder: PathBuf,
}

impl Nss {
    /// Creates the database in `folder`.
    pub fn start(folder: &Path) -> Self {
        let database = format!("sql:{}", folder.display());
        let made = Command::new("certutil").args(["-N", "-d", &database, "--empty-password"]).status();
        let made = made.expect("certutil starts");
        assert!(made.success(), "certutil -N");
        Self { folder: folder.to_owned() }
    }

    /// Whether `pk12util -l` accepts the file.
    pub fn accepts(&self, path: &Path, password: &str) -> bool {
        let secret = self.folder.join("password");
        std::fs::write(&secret, password).unwrap();
        let status = Command::new("pk12util")
            .arg("-l")
            .arg(path)
            .arg("-w")
            .arg(&secret)
            .args(["-d", &format!("sql:{}", self.folder.display())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.expect("pk12util").success()
    }
}
