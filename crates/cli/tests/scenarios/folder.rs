//! Reads and checks the folder of a scenario. Nothing is made here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The names of the files that every scenario has.
pub const STORY: &str = "scenario.yaml";
pub const BEFORE: &str = "before.yaml";
pub const SPEC: &str = "estate.yaml";
/// The listing of the stores after the last step.
pub const AFTER: &str = "after.txt";

/// The commands that a step may run: those that read or change the estate of the scenario.
const COMMANDS: [&str; 9] = ["ack", "apply", "check", "confirm", "drift", "explain", "plan", "rollback", "runs"];

/// A scenario as its folder describes it.
#[derive(Debug)]
pub struct Scenario {
    /// The content of the disk at the beginning.
    pub before: Scene,
    /// The steps in their order.
    pub steps: Vec<Step>,
    /// The golden files that exist, by name with their text.
    pub goldens: BTreeMap<String, String>,
}

/// One step of a scenario.
#[derive(Debug)]
pub enum Step {
    /// Somebody runs the program with these arguments, and it ends with this exit code.
    Run { words: Vec<String>, exit: i32 },
    /// A person, a CA or a product changes something without the program.
    Meanwhile(Scene),
}

/// Things that are put on the disk or removed from it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scene {
    /// Certificates, by the name that other parts and golden files use.
    pub certificates: BTreeMap<String, Certificate>,
    /// Stores of the spec, by `FQDN/STORE`.
    pub stores: BTreeMap<String, Contents>,
    /// Files beside the spec, by their path below the spec's folder.
    pub files: BTreeMap<String, File>,
    /// Requests to answer, by the path of the request.
    pub replies: BTreeMap<String, Reply>,
    /// Files and folders to remove before anything is written.
    pub gone: Vec<String>,
}

/// A certificate and its key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Certificate {
    /// The common name. By default the certificate's name in the scenario.
    pub cn: Option<String>,
    /// The DNS names. By default the common name; none for a CA.
    pub names: Option<Vec<String>>,
    pub from: Date,
    pub to: Date,
    /// Whether the certificate is a CA's.
    pub ca: bool,
    /// The largest number of CAs below this one.
    pub path_length: Option<u8>,
    /// The name of the issuing certificate. Without it the certificate is self-signed.
    pub by: Option<String>,
    /// The certificate whose key this one uses.
    pub key_of: Option<String>,
    /// The extended key usages. By default both for a certificate that another issued, else none.
    pub usages: Option<Vec<Usage>>,
}

/// An extended key usage.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Usage {
    #[serde(rename = "serverAuth")]
    Server,
    #[serde(rename = "clientAuth")]
    Client,
}

impl Default for Certificate {
    fn default() -> Self {
        Self {
            cn: None,
            names: None,
            from: Date::constant(2025, 1, 1),
            to: Date::constant(2049, 6, 20),
            ca: false,
            path_length: None,
            by: None,
            key_of: None,
            usages: None,
        }
    }
}

/// The content of a store. Certificates are given by their names.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contents {
    /// The format of the file, if it differs from the spec's.
    pub format: Option<Made>,
    /// Private keys by alias, each with its chain.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Trusted certificates by alias, or by file name in a folder.
    pub trusts: BTreeMap<String, String>,
    /// For a pair: the chain that belongs to the key.
    pub pair: Vec<String>,
    /// For an export of Windows stores: the certificates in `Root`, `CA` and `My`.
    pub exported: BTreeMap<String, Vec<String>>,
    /// The password of the store, if it differs from the spec's.
    pub password: Option<String>,
    /// The number of bytes to which the file is cut.
    pub cut_after: Option<usize>,
}

/// A format in which a store's file can be made.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Made {
    Jks,
    Jceks,
    Pkcs12,
    Pem,
    WindowsSst,
    WindowsReg,
}

/// The content of a file. Exactly one field is set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    pub text: Option<String>,
    /// Certificates, one PEM block after another.
    pub certificates: Vec<String>,
    /// The private key of a certificate, as PEM.
    pub key_of: Option<String>,
    /// The name of another file in the scenario's folder, whose text is copied.
    pub copy_of: Option<String>,
}

/// The answer of a CA to a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The name of the new certificate.
    pub name: String,
    /// The CA's certificate.
    pub by: String,
    /// The path of the reply.
    pub to: String,
    /// Certificates that follow in the same file.
    #[serde(default)]
    pub with: Vec<String>,
    #[serde(default = "issued")]
    pub from: Date,
    #[serde(default = "ends")]
    pub until: Date,
    /// The DNS names, if the CA does not use those of the request.
    #[serde(default)]
    pub names: Option<Vec<String>>,
    /// The extended key usages, if the CA does not use those of the request.
    #[serde(default)]
    pub usages: Option<Vec<Usage>>,
}

fn issued() -> Date {
    Date::constant(2025, 7, 1)
}

fn ends() -> Date {
    Date::constant(2045, 1, 1)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStory {
    about: String,
    steps: Vec<RawStep>,
}

/// A step as it is written: `run`, or `meanwhile` with a scene.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    run: Option<String>,
    exit: Option<i32>,
    /// A sentence for the reader that says who did what.
    meanwhile: Option<String>,
    #[serde(default)]
    certificates: BTreeMap<String, Certificate>,
    #[serde(default)]
    stores: BTreeMap<String, Contents>,
    #[serde(default)]
    files: BTreeMap<String, File>,
    #[serde(default)]
    replies: BTreeMap<String, Reply>,
    #[serde(default)]
    gone: Vec<String>,
}

impl Scenario {
    /// Reads a folder. Refuses a folder that lacks a description or a run, has unknown content, or names paths outside
    /// the estate.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let mut files = texts(folder)?;
        let story: RawStory = yaml(STORY, &take(&mut files, STORY)?)?;
        let before: Scene = yaml(BEFORE, &take(&mut files, BEFORE)?)?;
        drop(take(&mut files, SPEC)?);
        if story.about.trim().is_empty() {
            return Err(format!("{STORY}: `about` says in a sentence what happens"));
        }
        if !before.replies.is_empty() || !before.gone.is_empty() {
            return Err(format!("{BEFORE}: nothing is answered or removed before the first step"));
        }
        before.check().map_err(|e| format!("{BEFORE}: {e}"))?;
        let mut steps = Vec::new();
        for (n, raw) in story.steps.into_iter().enumerate() {
            let step = raw.understood().map_err(|e| format!("{STORY}: step {}: {e}", n + 1))?;
            steps.push(step);
        }
        if !steps.iter().any(|step| matches!(step, Step::Run { .. })) {
            return Err(format!("{STORY}: no step runs the program"));
        }
        let scenes = steps.iter().filter_map(|step| match step {
            Step::Meanwhile(scene) => Some(scene),
            Step::Run { .. } => None,
        });
        let copied: BTreeSet<&str> = [&before].into_iter().chain(scenes).flat_map(Scene::copied).collect();
        for name in &copied {
            if files.remove(*name).is_none() && *name != SPEC {
                return Err(format!("copy_of: the folder has no {name}"));
            }
        }
        let goldens: BTreeSet<String> =
            steps.iter().enumerate().filter_map(|(n, step)| step.golden(n)).chain([AFTER.to_owned()]).collect();
        if let Some(stray) = files.keys().find(|name| !goldens.contains(*name) && !is_golden(name)) {
            return Err(format!("{stray} is no part of the scenario: no step and no `copy_of` names it"));
        }
        Ok(Self { before, steps, goldens: files })
    }
}

impl RawStep {
    fn understood(self) -> Result<Step, String> {
        let Self { run, exit, meanwhile, certificates, stores, files, replies, gone } = self;
        let scene = Scene { certificates, stores, files, replies, gone };
        match (run, meanwhile) {
            (Some(line), None) if scene.is_empty() => {
                let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
                let command = words.first().map(String::as_str).unwrap_or_default();
                if !COMMANDS.contains(&command) {
                    return Err(format!("`{line}` runs none of the commands {}", COMMANDS.join(", ")));
                }
                if let Some(word) = words.iter().find(|word| climbs(word)) {
                    return Err(format!("`{word}` leads out of the scenario's estate"));
                }
                Ok(Step::Run { words, exit: exit.unwrap_or(0) })
            }
            (None, Some(_)) if exit.is_none() && !scene.is_empty() => {
                scene.check()?;
                Ok(Step::Meanwhile(scene))
            }
            _ => Err("a step is either `run` with `exit`, or `meanwhile` with what somebody did".to_owned()),
        }
    }
}

impl Step {
    /// The name of the golden file for the output of the n-th step, counted from 0.
    pub fn golden(&self, n: usize) -> Option<String> {
        match self {
            Self::Run { words, .. } => Some(format!("{}-{}.txt", n + 1, words[0])),
            Self::Meanwhile(_) => None,
        }
    }
}

impl Scene {
    fn is_empty(&self) -> bool {
        let Self { certificates, stores, files, replies, gone } = self;
        certificates.is_empty() && stores.is_empty() && files.is_empty() && replies.is_empty() && gone.is_empty()
    }

    fn copied(&self) -> impl Iterator<Item = &str> {
        self.files.values().filter_map(|file| file.copy_of.as_deref())
    }

    /// Checks that every path stays in the estate's folder, and that every file has one content.
    fn check(&self) -> Result<(), String> {
        let replies = self.replies.iter().flat_map(|(request, reply)| [request, &reply.to]);
        for path in self.files.keys().chain(replies).chain(&self.gone) {
            if climbs(path) {
                return Err(format!("`{path}` leads out of the scenario's estate"));
            }
        }
        for (path, file) in &self.files {
            let said =
                [file.text.is_some(), !file.certificates.is_empty(), file.key_of.is_some(), file.copy_of.is_some()];
            if said.into_iter().filter(|one| *one).count() != 1 {
                return Err(format!("{path}: a file is one of `text`, `certificates`, `key_of` and `copy_of`"));
            }
        }
        Ok(())
    }
}

/// Whether a word is a path that is not below the folder it starts from.
fn climbs(word: &str) -> bool {
    let path = Path::new(word);
    word.is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Whether a file has the name of a golden file. A golden file without a step is then found when files are compared.
fn is_golden(name: &str) -> bool {
    let Some((number, command)) = name.strip_suffix(".txt").and_then(|stem| stem.split_once('-')) else { return false };
    number.parse::<usize>().is_ok() && COMMANDS.contains(&command)
}

/// The files of a folder. A subfolder or a link is refused.
fn texts(folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let listed = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files = BTreeMap::new();
    for item in listed {
        let item = item.map_err(|e| e.to_string())?;
        let name = item.file_name().to_string_lossy().into_owned();
        if !item.file_type().map_err(|e| e.to_string())?.is_file() {
            return Err(format!("{name} is no file"));
        }
        let text = std::fs::read_to_string(item.path()).map_err(|e| format!("{name}: {e}"))?;
        files.insert(name, text);
    }
    Ok(files)
}

fn take(files: &mut BTreeMap<String, String>, name: &str) -> Result<String, String> {
    files.remove(name).ok_or_else(|| format!("the folder has no {name}"))
}

fn yaml<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, String> {
    serde_yaml::from_str(text).map_err(|e| format!("{name}: {e}"))
}
