//! Checks that modules have no circles: of two modules in one folder at most one uses the other, directly or through
//! others. The source is read with `syn`: every `use`, and every path that begins with `crate`, `self`, `super` or a
//! module. A re-exported name counts for the module that defines it. Code for tests only does not count. A module may
//! use the modules inside it and the module around it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, UseTree};

/// Each crate of the workspace, by its folder, with its first file.
const CRATES: &[(&str, &str)] = &[
    ("keystore", "lib.rs"),
    ("spec", "lib.rs"),
    ("plan", "lib.rs"),
    ("host", "lib.rs"),
    ("windows", "lib.rs"),
    ("cli", "main.rs"),
    ("xtask", "main.rs"),
];

/// The path of a module below its crate, empty for the crate itself.
type Module = Vec<String>;

/// The names that a module uses and defines.
#[derive(Default)]
struct Room {
    /// The paths that the module uses, as written, each with the module that contains it (an inline module may be deeper).
    paths: Vec<(Module, Vec<String>)>,
    /// The names that the module re-exports, with their paths.
    exports: BTreeMap<String, Vec<String>>,
    /// The modules of which it re-exports everything.
    globs: Vec<Vec<String>>,
    /// The names of its own items.
    items: BTreeSet<String>,
}

/// The modules of a crate.
#[derive(Default)]
struct Crate {
    rooms: BTreeMap<Module, Room>,
}

impl Crate {
    fn read(first: &Path) -> Self {
        let mut all = Self::default();
        all.enter(first, Vec::new(), first.parent().unwrap());
        all
    }

    /// Reads a file that is a module, and the modules declared in it.
    fn enter(&mut self, file: &Path, module: Module, folder: &Path) {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.rooms.entry(module.clone()).or_default();
        let mut reader = Reader { all: self, file, folder: folder.to_owned(), module: module.clone(), room: module };
        reader.visit_file(&parsed);
    }

    fn is_room(&self, module: &[String]) -> bool {
        self.rooms.contains_key(module)
    }

    /// The module that a path leads to. `None` if the path leaves the crate.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<Module> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (from.to_vec(), &path[1..]),
            "super" => (from.to_vec(), path),
            first => {
                let mut child = from.to_vec();
                child.push(first.to_owned());
                if !self.is_room(&child) {
                    return None;
                }
                (from.to_vec(), path)
            }
        };
        while let Some((step, others)) = rest.split_first() {
            if step == "super" {
                at.pop();
                rest = others;
                continue;
            }
            at.push(step.clone());
            if self.is_room(&at) {
                rest = others;
                continue;
            }
            at.pop();
            let room = self.rooms.get(&at)?;
            if room.items.contains(step) || depth == 0 {
                break;
            }
            if let Some(export) = room.exports.get(step) {
                let defined = self.resolve(&at, export, depth - 1);
                return defined.or(Some(at));
            }
            let glob = room.globs.iter().filter_map(|glob| self.resolve(&at, glob, depth - 1)).find(|module| {
                self.rooms.get(module).is_some_and(|room| room.items.contains(step) || room.exports.contains_key(step))
            });
            return Some(glob.unwrap_or(at));
        }
        while !self.is_room(&at) {
            at.pop();
        }
        Some(at)
    }

    /// Which modules use which, folder by folder.
    fn arrows(&self) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
        let mut arrows: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (module, room) in &self.rooms {
            for (from, path) in &room.paths {
                let Some(to) = self.resolve(from, path, 8) else { continue };
                let shared = module.iter().zip(&to).take_while(|(one, other)| one == other).count();
                if let (Some(here), Some(there)) = (module.get(shared), to.get(shared)) {
                    let known = arrows.entry(module[..shared].to_vec()).or_default().entry(here.clone()).or_default();
                    known.insert(there.clone());
                }
            }
        }
        arrows
    }
}

/// Reads one file into its room.
struct Reader<'a> {
    all: &'a mut Crate,
    file: &'a Path,
    /// The folder with the files of modules declared here.
    folder: PathBuf,
    /// The module being read. Inside an inline module it is deeper than the room.
    module: Module,
    room: Module,
}

impl Reader<'_> {
    fn room(&mut self) -> &mut Room {
        self.all.rooms.entry(self.room.clone()).or_default()
    }

    fn note(&mut self, path: Vec<String>) {
        let module = self.module.clone();
        self.room().paths.push((module, path));
    }

    fn take(&mut self, tree: &UseTree, before: &[String], exported: bool) {
        match tree {
            UseTree::Path(path) => {
                let mut before = before.to_vec();
                before.push(path.ident.to_string());
                self.take(&path.tree, &before, exported);
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.take(tree, before, exported)),
            UseTree::Glob(_) => {
                self.note(before.to_vec());
                if exported {
                    self.room().globs.push(before.to_vec());
                }
            }
            UseTree::Name(name) => self.named(&name.ident.to_string(), name.ident.to_string(), before, exported),
            UseTree::Rename(name) => self.named(&name.ident.to_string(), name.rename.to_string(), before, exported),
        }
    }

    fn named(&mut self, name: &str, called: String, before: &[String], exported: bool) {
        let mut path = before.to_vec();
        if name != "self" {
            path.push(name.to_owned());
        }
        self.note(path.clone());
        if exported {
            self.room().exports.insert(called, path);
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = match &attribute.meta {
            syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string(),
            _ => return attribute.path().is_ident("test"),
        };
        text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "test") && !text.contains("not")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        if self.module == self.room
            && let Some(name) = name(item)
        {
            self.room().items.insert(name);
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let ident = item.ident.to_string();
        let inside = |module: &Module| module.iter().cloned().chain([ident.clone()]).collect::<Module>();
        let Some((_, items)) = &item.content else {
            let set = item.attrs.iter().find_map(|attribute| match &attribute.meta {
                syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                    syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            });
            let (flat, deep) = (self.folder.join(format!("{ident}.rs")), self.folder.join(&ident).join("mod.rs"));
            let file = match set {
                Some(path) => self.file.parent().unwrap().join(path),
                None if flat.is_file() => flat,
                None => deep,
            };
            let folder =
                if file.ends_with("mod.rs") { file.parent().unwrap().to_owned() } else { file.with_extension("") };
            let module = inside(&self.module);
            self.all.enter(&file, module, &folder);
            return;
        };
        let module = inside(&self.module);
        let outer = std::mem::replace(&mut self.module, module);
        items.iter().for_each(|item| self.visit_item(item));
        self.module = outer;
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let exported = !matches!(item.vis, syn::Visibility::Inherited);
        self.take(&item.tree, &[], exported);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.note(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    /// Reads the paths in a macro from its text, because macros are not parsed.
    fn visit_macro(&mut self, call: &'ast Macro) {
        let text = call.tokens.to_string().replace(" :: ", "::");
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        for word in words.filter(|word| word.starts_with("crate::") || word.starts_with("super::")) {
            self.note(word.split("::").filter(|step| !step.is_empty()).map(str::to_owned).collect());
        }
        visit::visit_macro(self, call);
    }
}

/// The circles of a graph: every set of two or more modules that all use each other, directly or through others.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<Vec<String>> {
    let reach = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = arrows.get(from).into_iter().flatten().collect();
        while let Some(one) = next.pop() {
            if seen.insert(one.clone()) {
                next.extend(arrows.get(one).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = arrows.keys().map(|one| (one, reach(one))).collect();
    let knows = |one: &String, other: &String| reached.get(one).is_some_and(|seen| seen.contains(other));
    let circle = |one: &&String| -> Vec<String> {
        arrows.keys().filter(|other| *other == *one || (knows(one, other) && knows(other, one))).cloned().collect()
    };
    arrows.keys().map(|one| circle(&one)).filter(|circle| circle.len() > 1).collect()
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name).join("src")
}

#[test]
fn modules_side_by_side_know_one_another_one_way() {
    let mut found = BTreeMap::new();
    for (name, first) in CRATES {
        let read = Crate::read(&source(name).join(first));
        assert!(read.rooms.len() > 1, "{name} has no modules");
        for (folder, arrows) in read.arrows() {
            for circle in circles(&arrows) {
                let place = [vec![(*name).to_owned()], folder.clone()].concat().join("::");
                let told = circle.iter().map(|one| {
                    let known: Vec<&str> =
                        arrows[one].iter().filter(|to| circle.contains(to)).map(String::as_str).collect();
                    format!("  {one} knows {}", known.join(", "))
                });
                found.insert(format!("{place}: {}", circle.join(" ")), told.collect::<Vec<_>>().join("\n"));
            }
        }
    }
    let told: Vec<String> = found.iter().map(|(name, told)| format!("{name}\n{told}")).collect();
    assert!(told.is_empty(), "circles:\n{}", told.join("\n"));
}

/// The reader finds a circle in every form.
#[test]
fn a_circle_is_found_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a; mod b; mod c; mod d; mod e; pub use c::Third; #[cfg(test)] mod tests;");
    write("tests.rs", "use crate::a::First;");
    for (one, other, is_circle) in [
        ("use crate::b::Second; pub struct First;", "use crate::a::First; pub struct Second;", true),
        ("pub struct First(crate::b::Second);", "use super::a; pub struct Second(a::First);", true),
        ("fn f() { assert!(matches!(1, crate::b::SECOND)) } pub struct First;", "use super::{a::First};", true),
        ("use crate::b::Second;", "#[cfg(test)] mod tests { use crate::a::First; } pub struct Second;", false),
        ("use crate::b::Second;", "use std::a::First; pub struct Second;", false),
    ] {
        write("a.rs", one);
        write("b.rs", other);
        // A circle through a name that the crate re-exports.
        write("c.rs", "use crate::d::Fourth; pub struct Third;");
        write("d.rs", "pub struct Fourth;");
        write("e/mod.rs", "mod f; use f::Sixth; pub struct Fifth;");
        write("e/f.rs", "use super::Fifth; use crate::c::Third; pub struct Sixth;");
        let read = Crate::read(&folder.path().join("lib.rs"));
        let found: Vec<Vec<String>> = read.arrows().values().flat_map(circles).collect();
        let expected: Vec<Vec<String>> =
            if is_circle { vec![vec!["a".to_owned(), "b".to_owned()]] } else { Vec::new() };
        assert_eq!(found, expected, "{one} / {other}");
        write("d.rs", "use crate::Third; pub struct Fourth;");
        let read = Crate::read(&folder.path().join("lib.rs"));
        let found: BTreeSet<Vec<String>> = read.arrows().values().flat_map(circles).collect();
        assert!(found.contains(&vec!["c".to_owned(), "d".to_owned()]), "{found:?}");
    }
}
