//! The listing of a scenario's end: the content of its stores by name, and the packs that wait for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use trustmason_keystore::{Credential, Entry, EntryId, EntryKind, Interner, Store};
use trustmason_spec::topology::HostPath;

use super::disk::{Disk, Known, open};
use super::names::Names;
use crate::support::{INSTALLED, file, files};

/// The bytes of every store, to find unchanged stores later.
pub fn bytes(disk: &Disk<'_>) -> BTreeMap<PathBuf, Vec<u8>> {
    let hosts = disk.path("hosts");
    if hosts.is_dir() { files(&hosts) } else { BTreeMap::new() }
}

/// Adds the changes that somebody made on disk between two moments to the kept bytes, so that only the program's writes
/// count.
pub fn overlay(
    kept: &mut BTreeMap<PathBuf, Vec<u8>>,
    before: &BTreeMap<PathBuf, Vec<u8>>,
    now: BTreeMap<PathBuf, Vec<u8>>,
) {
    kept.retain(|path, _| now.contains_key(path) || !before.contains_key(path));
    kept.extend(now.into_iter().filter(|(path, bytes)| before.get(path) != Some(bytes)));
}

/// The listing of the stores and packs.
pub fn after(disk: &mut Disk<'_>, before: &BTreeMap<PathBuf, Vec<u8>>) -> Result<String, String> {
    disk.learn_new()?;
    let now = bytes(disk);
    let mut out = String::new();
    for ((id, shown), known) in &disk.stores {
        let untouched = places(known).iter().all(|place| below(before, place) == below(&now, place));
        let untouched = if untouched { ", as it was" } else { "" };
        match open(known) {
            Ok(None) => writeln!(out, "{id}  {shown}  not there{untouched}").unwrap(),
            Ok(Some(store)) => {
                writeln!(out, "{id}  {shown}  {}{untouched}", store.format()).unwrap();
                for entry in store.entries() {
                    writeln!(out, "    {}", line(&store, entry, &disk.names)).unwrap();
                }
            }
            Err(error) => {
                let class = error.lines().next().unwrap_or_default();
                writeln!(out, "{id}  {shown}  cannot be opened{untouched}\n    {class}").unwrap();
            }
        }
        for more in beside(known).into_iter().filter(|path| path.exists()) {
            let name = more.strip_prefix(disk.dir.path()).unwrap_or(&more).display().to_string();
            writeln!(out, "    {name}: {}", held(&more, &disk.names)).unwrap();
        }
    }
    packs(&mut out, disk);
    disk.names.settle(&out)
}

/// The files of a pair other than the certificate and the key.
fn beside(known: &Known) -> Vec<PathBuf> {
    let at = |path: &HostPath| file(&known.topology, path);
    known.def.pair().into_iter().flat_map(|pair| pair.paths().skip(2)).map(at).collect()
}

fn places(known: &Known) -> Vec<PathBuf> {
    let at = |path: &HostPath| file(&known.topology, path);
    let halves = known.def.pair().into_iter().flat_map(|pair| [&pair.certificate, &pair.key]);
    known.def.path().into_iter().chain(halves).map(at).collect()
}

/// The files at a path or below it.
fn below<'a>(all: &'a BTreeMap<PathBuf, Vec<u8>>, place: &Path) -> Vec<(&'a PathBuf, &'a Vec<u8>)> {
    all.iter().filter(|(path, _)| path.starts_with(place)).collect()
}

fn line(store: &Store, entry: &Entry, names: &Names) -> String {
    let chain: Vec<String> = entry.certificates().iter().map(|slot| names.of(slot.fingerprint())).collect();
    let what = match &entry.kind {
        EntryKind::Trusted(_) => "trusts",
        EntryKind::PrivateKey { .. } => "key of",
        EntryKind::SecretKey => "a secret key",
        EntryKind::Untrusted(_) => "has beside it",
        EntryKind::Opaque(_) => "something unknown",
    };
    let alias = entry.alias.as_deref().map(|alias| format!("{alias}: ")).unwrap_or_default();
    let place = place(store, entry.id).map(|place| format!("{place}: ")).unwrap_or_default();
    let since = match entry.created_ms {
        Some(created) if created != INSTALLED => "  (placed by a run)",
        _ => "",
    };
    format!("{place}{alias}{what} {}{since}", chain.join(" < "))
}

/// The system store of an entry in an export.
fn place(store: &Store, entry: EntryId) -> Option<String> {
    store.registry_key(entry).and_then(|key| key.rsplit('\\').next()).map(str::to_owned)
}

/// The content of a file outside any store.
fn held(path: &Path, names: &Names) -> String {
    let Ok(bytes) = std::fs::read(path) else { return "nothing that can be read".to_owned() };
    match Store::open(bytes, Credential::Withheld, &Interner::new()) {
        Ok(store) => {
            let entries = store.entries().iter().map(|entry| line(&store, entry, names));
            entries.collect::<Vec<_>>().join(", ")
        }
        Err(_) => "text".to_owned(),
    }
}

/// Lists the packs in the state folder file by file. Texts for people are shown line by line.
fn packs(out: &mut String, disk: &Disk<'_>) {
    let folder = disk.path(".trustmason/handoff");
    if !folder.is_dir() {
        return;
    }
    for path in files(&folder).keys() {
        let name = path.strip_prefix(disk.dir.path()).unwrap_or(path).display();
        writeln!(out, "{name}").unwrap();
        match std::fs::read_to_string(path).ok().filter(|_| path.extension().is_some_and(|ending| ending == "md")) {
            Some(text) => text.lines().for_each(|line| writeln!(out, "    | {line}").unwrap()),
            None => writeln!(out, "    {}", held(path, &disk.names)).unwrap(),
        }
    }
}
