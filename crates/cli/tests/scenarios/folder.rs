//! The folder of a scenario as it is written: what stands in its files, and what may not. Nothing is made here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The files of a folder that every scenario has.
pub const STORY: &str = "scenario.yaml";
pub const BEFORE: &str = "before.yaml";
pub const SPEC: &str = "estate.yaml";
/// The listing of the stores after the last step.
pub const AFTER: &str = "after.txt";

/// The commands that a step may run: those that read or change the estate of the scenario.
const COMMANDS: [&str; 9] = ["ack", "apply", "check", "confirm", "drift", "explain", "plan", "rollback", "runs"];

/// A scenario as its folder says it.
#[derive(Debug)]
pub struct Scenario {
    /// What is on disk when it begins.
    pub before: Scene,
    /// What happens, in this order.
    pub steps: Vec<Step>,
    /// The goldens that are there: file names and their text.
    pub goldens: BTreeMap<String, String>,
}

/// One thing that happens.
#[derive(Debug)]
pub enum Step {
    /// Somebody runs the program with these words, and it ends with this code.
    Run { words: Vec<String>, exit: i32 },
    /// Somebody does something without the program: a person, a CA, a product.
    Meanwhile(Scene),
}

/// What is put on disk, or taken from it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scene {
    /// Certificates, by the name that other parts and the goldens call them by.
    pub certificates: BTreeMap<String, Certificate>,
    /// Stores of the spec, as `FQDN/STORE`.
    pub stores: BTreeMap<String, Contents>,
    /// Files beside the spec, by their path below its folder.
    pub files: BTreeMap<String, File>,
    /// Requests that are answered, by the path of the request.
    pub replies: BTreeMap<String, Reply>,
    /// Files and folders that are removed, before anything is put there.
    pub gone: Vec<String>,
}

/// A certificate and its key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Certificate {
    /// The common name: that of the certificate in its scenario where nothing else is said.
    pub cn: Option<String>,
    /// The DNS names: the common name where nothing else is said, and none for a CA.
    pub names: Option<Vec<String>>,
    pub from: Date,
    pub to: Date,
    /// Whether it is a CA's.
    pub ca: bool,
    /// How many CAs may stand below it.
    pub path_length: Option<u8>,
    /// The certificate that issued it; without one it signs itself.
    pub by: Option<String>,
    /// The certificate whose key it shares.
    pub key_of: Option<String>,
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
        }
    }
}

/// What a store holds. Certificates are called by their names.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contents {
    /// What the file is, where it is not what the spec declares.
    pub format: Option<Made>,
    /// Keys by their alias, each with its chain.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Trusted certificates by their alias; in a folder by the name of the file.
    pub trusts: BTreeMap<String, String>,
    /// Of a pair: the chain beside the key.
    pub pair: Vec<String>,
    /// Of an export of Windows stores: what is in `Root`, `CA` and `My`.
    pub exported: BTreeMap<String, Vec<String>>,
    /// The password it is under, where that is not the one the spec tells of.
    pub password: Option<String>,
    /// How many bytes of the file are left.
    pub cut_after: Option<usize>,
}

/// A format that a store's file can be made in.
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

/// What a file holds: exactly one of these.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    pub text: Option<String>,
    /// Certificates, one PEM block after another.
    pub certificates: Vec<String>,
    /// The private key of a certificate, as PEM.
    pub key_of: Option<String>,
    /// The text of another file of the scenario's folder.
    pub copy_of: Option<String>,
}

/// How a CA answers a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The certificate's name from now on.
    pub name: String,
    /// The CA's certificate.
    pub by: String,
    /// Where the reply is put.
    pub to: String,
    /// What is put beside it in the same file.
    #[serde(default)]
    pub with: Vec<String>,
    #[serde(default = "issued")]
    pub from: Date,
    #[serde(default = "ends")]
    pub until: Date,
    /// The DNS names, where the CA does not give those of the request.
    #[serde(default)]
    pub names: Option<Vec<String>>,
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

/// A step as it is written: `run`, or `meanwhile` with what somebody did.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    run: Option<String>,
    exit: Option<i32>,
    /// Who did what, for the reader.
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
    /// Reads a folder, and refuses one that says nothing, something unknown, or something of the world outside it.
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
    /// The file that holds what the n-th step said, counted from 0.
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

    /// Every path stays in the estate's folder, and every file is one thing.
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

/// Whether a file has the name of a golden: one that no step has any more is found when they are compared.
fn is_golden(name: &str) -> bool {
    let Some((number, command)) = name.strip_suffix(".txt").and_then(|stem| stem.split_once('-')) else { return false };
    number.parse::<usize>().is_ok() && COMMANDS.contains(&command)
}

/// The files of a folder. Neither a folder nor a link is taken for one.
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
