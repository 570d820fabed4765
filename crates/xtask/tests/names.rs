//! Checks names and doc comments: each type has a name of its own in the whole workspace, and a doc comment names its
//! subject. The sources of all crates are read with `syn`; tests beside the code are read too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod sources;

use std::collections::BTreeMap;

use sources::{shown, sources};
use syn::visit::{self, Visit};

/// The types that a file defines, with whether each is compiled under a condition.
#[derive(Default)]
struct Types(Vec<(String, bool)>);

impl Types {
    fn of(text: &str) -> Self {
        let mut types = Self::default();
        types.visit_file(&syn::parse_file(text).unwrap());
        types
    }

    fn add(&mut self, name: &syn::Ident, attributes: &[syn::Attribute]) {
        self.0.push((name.to_string(), attributes.iter().any(|attribute| attribute.path().is_ident("cfg"))));
    }
}

impl<'ast> Visit<'ast> for Types {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add(&item.ident, &item.attrs);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add(&item.ident, &item.attrs);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.add(&item.ident, &item.attrs);
        visit::visit_item_union(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add(&item.ident, &item.attrs);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        // A module's own `Result` is what the standard library does, too.
        if item.ident != "Result" {
            self.add(&item.ident, &item.attrs);
        }
        visit::visit_item_type(self, item);
    }
}

/// The names that several types of these files have, each with the files. One file may define a type for each system.
fn shared_names(files: &[(String, String)]) -> Vec<String> {
    let mut homes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (file, text) in files {
        for (name, conditional) in Types::of(text).0 {
            let homes = homes.entry(name).or_default();
            if !(conditional && homes.contains(&file.as_str())) {
                homes.push(file);
            }
        }
    }
    let shared = homes.into_iter().filter(|(_, files)| files.len() > 1);
    shared.map(|(name, files)| format!("{name}: {}", files.join(", "))).collect()
}

#[test]
fn each_type_has_a_name_of_its_own() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let both =
        [file("a.rs", "struct Kind; type Result = ();"), file("b.rs", "mod inner { enum Kind {} } type Result = ();")];
    assert_eq!(shared_names(&both), ["Kind: a.rs, b.rs"]);
    let systems = [file("a.rs", "#[cfg(unix)] struct Group; #[cfg(windows)] struct Group;")];
    assert!(shared_names(&systems).is_empty());

    let files: Vec<_> = sources().iter().map(|path| (shown(path), std::fs::read_to_string(path).unwrap())).collect();
    let shared = shared_names(&files);
    assert!(shared.is_empty(), "one word, one meaning: name each after the thing that it holds\n{}", shared.join("\n"));
}

/// Words that refer to something named elsewhere.
const PRONOUNS: &str = "it its they them their theirs this that these those he his whose who why when where how what which likewise nobody's";

/// Whether a doc comment consists of pronouns only, such as "Whose." or "What it is.".
fn is_pronoun(comment: &str) -> bool {
    let words: Vec<String> = comment.trim_end_matches('.').split(' ').map(str::to_lowercase).collect();
    let pronoun = |word: &String| PRONOUNS.split(' ').any(|known| known == word);
    let filler = |word: &String| pronoun(word) || ["is", "are", "was", "were"].contains(&word.as_str());
    words.first().is_some_and(pronoun) && words.iter().all(filler)
}

/// Whether a doc comment begins with a clause in the place of a noun, such as "What a rollback would do.".
fn is_clause(comment: &str) -> bool {
    ["What ", "Who ", "Whose "].iter().any(|word| comment.starts_with(word))
}

#[test]
fn every_doc_comment_names_its_subject() {
    assert!(["Whose.", "It.", "What it is."].into_iter().all(is_pronoun));
    assert!(is_clause("What a rollback would do.") && !is_clause("The effect of a rollback."));
    assert!(!["Its name.", "When its key was made.", "The moment."].into_iter().any(is_pronoun));
    let mut refused = Vec::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        let is_doc = |line: Option<&&str>| line.is_some_and(|line| line.starts_with("///") || line.starts_with("//!"));
        for (at, said) in lines.iter().enumerate() {
            let Some(comment) = said.strip_prefix("/// ").or_else(|| said.strip_prefix("//! ")) else { continue };
            let first = !is_doc(at.checked_sub(1).and_then(|before| lines.get(before)));
            let alone = first && !is_doc(lines.get(at + 1));
            if (alone && is_pronoun(comment)) || (first && is_clause(comment)) {
                refused.push(format!("{}:{}: {said}", shown(&path), at + 1));
            }
        }
    }
    assert!(refused.is_empty(), "a stranger has to look elsewhere for what is meant:\n{}", refused.join("\n"));
}
