//! Suggests files that may have been meant where a certificate's file is missing: one whose name Windows, a browser or
//! a person altered, one whose certificate names the host, one in the certificates folder instead of beside the spec.
//! They are only reported, never used: the file's name alone says whose certificate it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use trustmason_keystore::Interner;
use trustmason_spec::name::Fqdn;
use trustmason_spec::survey::{CertificateAt, Look, Survey};

use super::certificate;
use crate::disk;

/// Extensions of certificate files.
const EXTENSIONS: [&str; 7] = ["cer", "crt", "cert", "pem", "der", "p7b", "txt"];
/// How many files of a folder are opened to see which host they name.
const MOST_OPENED: usize = 200;

/// The known facts about the certificate files of an estate.
#[derive(Clone, Default)]
pub(super) struct SimilarFiles<'a> {
    /// The host whose certificate is missing.
    host: Option<&'a Fqdn>,
    /// The folders of exported certificates.
    folders: BTreeSet<&'a Path>,
    /// Every name that is looked for in the folders, in lower case. A file of such a name belongs to an identity and is
    /// never suggested.
    wanted: BTreeSet<String>,
}

impl<'a> SimilarFiles<'a> {
    pub(super) fn of(survey: &'a Survey) -> Self {
        let mut near = Self::default();
        for look in &survey.looks {
            if let Look::Certificate { at: CertificateAt::Named { folder, names }, .. } = look {
                near.folders.insert(folder);
                near.wanted.extend(names.iter().map(|name| name.to_lowercase()));
            }
        }
        near
    }

    /// The same, for the certificate of one host, or of no host.
    pub(super) fn of_host(&self, host: Option<&'a Fqdn>) -> Self {
        Self { host, ..self.clone() }
    }

    /// A near miss for names in a folder.
    pub(super) fn to_names(&self, folder: &Path, names: &[String], certificates: &Interner) -> Option<String> {
        let free = self.files(folder);
        let first = names.first()?;
        for path in &free {
            let name = path.file_name()?.to_str()?;
            if let Some(meant) = names.iter().find(|wanted| is_variant(name, wanted)) {
                return Some(format!("{} is there; if it is the right file, rename it to {meant}", path.display()));
            }
        }
        let host = self.host?;
        let named = free.iter().take(MOST_OPENED).find(|path| {
            let read = certificate::read(path, certificates).1;
            read.is_ok_and(|read| read.names_host(host.as_str()))
        })?;
        Some(format!(
            "{} names this host; if the service presents that certificate, rename the file to {first}",
            named.display()
        ))
    }

    /// A near miss for one exact file.
    pub(super) fn to_file(&self, wanted: &Path) -> Option<String> {
        let name = wanted.file_name()?.to_str()?;
        let elsewhere = self.folders.iter().map(|folder| folder.join(name)).find(|path| is_file(path));
        if let Some(path) = elsewhere.filter(|path| path != wanted) {
            return Some(format!("{} is there; if it is the right file, write that path in the spec", path.display()));
        }
        let found = certificate::found(wanted.parent()?, |item| {
            item.name().to_str().is_some_and(|there| is_variant(there, name) || there.eq_ignore_ascii_case(name))
        });
        let path = found.ok()?.into_iter().next()?;
        Some(format!("{} is there; if it is the right file, rename it or write its path in the spec", path.display()))
    }

    /// The files of a folder that look like certificate files and whose names are not looked for.
    fn files(&self, folder: &Path) -> Vec<PathBuf> {
        let fits = |name: &str| {
            let lower = name.to_lowercase();
            let extension = lower.rsplit_once('.').is_some_and(|(_, last)| EXTENSIONS.contains(&last));
            extension && !self.wanted.contains(&lower)
        };
        certificate::found(folder, |item| item.name().to_str().is_some_and(fits)).unwrap_or_default()
    }
}

fn is_file(path: &Path) -> bool {
    matches!(disk::facts_if_there(path), Ok(Some(facts)) if facts.is_file())
}

/// Whether a name is a variant of the wanted one: with another extension or a second one, or numbered like a download
/// or a copy.
fn is_variant(name: &str, wanted: &str) -> bool {
    !name.eq_ignore_ascii_case(wanted) && stem(name) == stem(wanted)
}

/// A name in lower case, without the extensions of certificates and without the marks of a copy: ` (1)`, `- Copy`.
fn stem(name: &str) -> String {
    let mut rest = name.to_lowercase();
    loop {
        let before = rest.len();
        if let Some((head, last)) = rest.rsplit_once('.')
            && EXTENSIONS.contains(&last.trim())
        {
            rest = head.to_owned();
        }
        rest = rest.trim_end().trim_end_matches("- copy").trim_end().to_owned();
        if let Some(head) = rest.strip_suffix(')').and_then(|head| {
            let digits = head.trim_end_matches(|c: char| c.is_ascii_digit());
            digits.strip_suffix('(').filter(|_| digits.len() < head.len())
        }) {
            rest = head.trim_end().to_owned();
        }
        if rest.len() == before {
            return rest;
        }
    }
}
