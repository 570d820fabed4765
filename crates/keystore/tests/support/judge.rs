//! JVMs as judges of stores. The module takes the path of a store and gives the answers of the JVMs; one process of
//! each release answers all questions of a test.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::javas::{Answer, Judges, bare, file, told};
use super::read;

/// One JVM of each release, for all questions of a test.
pub struct Judge(Judges);

impl Judge {
    /// Starts the JVMs, for a test that has asked for `Jdk`.
    pub fn start() -> Self {
        Self(Judges::start())
    }

    /// The answer of each release.
    pub fn each(&mut self, fields: &[&str]) -> Vec<Answer> {
        self.0.each(fields)
    }

    /// The entries of a store by alias.
    pub fn dump(&mut self, kind: &str, path: &Path, passwords: &[&str]) -> BTreeMap<String, Value> {
        self.try_dump(kind, path, passwords).unwrap_or_else(|answer| panic!("{answer}"))
    }

    /// The entries of a store by alias, or the refusal of the JVMs. The releases must agree, except for the differences
    /// in [`explained`].
    pub fn try_dump(&mut self, kind: &str, path: &Path, passwords: &[&str]) -> Result<BTreeMap<String, Value>, String> {
        let bytes = file(&read(path));
        let mut fields = vec!["dump", kind, &bytes];
        fields.extend(passwords);
        let answers = self.0.each(&fields);
        let first = &answers[0].said;
        let same = |answer: &Answer| comparable(first, answer) == comparable(first, &answers[0]);
        assert!(answers.iter().all(same), "{}: the releases differ: {}", path.display(), told(&answers));
        let answer = first.clone();
        if answer["ok"] != true {
            return Err(answer.to_string());
        }
        let entry = |entry: &Value| (entry["alias"].as_str().unwrap().to_owned(), entry.clone());
        Ok(answer["entries"].as_array().unwrap().iter().map(entry).collect())
    }
}

/// How Java 8 answers about a key that the Java of the path names.
enum Explained {
    /// Java 8 gives the object identifier instead of a name; the key is the same.
    Unnamed,
    /// Java 8 has no provider for such keys: it leaves them closed, or as they are encoded.
    Unknown,
}

fn explained(algorithm: &Value) -> Option<Explained> {
    match algorithm.as_str()? {
        // PKCS#12 names secret keys by object identifiers for which Java 8 has no names.
        "DESede" | "HmacSHA256" => Some(Explained::Unnamed),
        // Ed25519 and Ed448 came with Java 15.
        "EdDSA" => Some(Explained::Unknown),
        _ => None,
    }
}

/// The answer of a release. For Java 8, the fields that the algorithm of a key explains are left out; the Java of the
/// path names the algorithm.
fn comparable(first: &Value, answer: &Answer) -> Value {
    let mut said = bare(&answer.said);
    let known: BTreeMap<&str, &Value> = first["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| Some((entry["alias"].as_str()?, &entry["key_algorithm"])))
        .collect();
    for entry in said["entries"].as_array_mut().into_iter().flatten() {
        let fields: &[&str] = match known.get(entry["alias"].as_str().unwrap()).and_then(|known| explained(known)) {
            Some(Explained::Unnamed) => &["key_algorithm"],
            Some(Explained::Unknown) => &["key_algorithm", "key_password", "key_sha256", "key_error"],
            None => &[],
        };
        for field in fields {
            entry.as_object_mut().unwrap().shift_remove(*field);
        }
    }
    said
}
