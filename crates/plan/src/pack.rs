//! The pack a person takes to a store we cannot write: certificates as PEM, the steps, and the same for programs.

mod reg;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use trustmason_keystore::{Certificate, Fingerprint};
use trustmason_spec::name::IdentityId;

use crate::change::{Manual, ManualItem, ManualKind, Material};
use crate::text;

/// Certificates by what a plan calls them: those it knew, and those its run has made since.
pub struct Resolved<'a> {
    /// The plan's own.
    pub known: &'a BTreeMap<Fingerprint, Arc<Certificate>>,
    /// Made by the run.
    pub minted: &'a BTreeMap<IdentityId, Arc<Certificate>>,
}

impl Resolved<'_> {
    /// The certificate of a material, if it is there.
    pub fn get(&self, material: &Material) -> Option<&Arc<Certificate>> {
        match material {
            Material::Known(f) => self.known.get(f),
            Material::Minted(id) => self.minted.get(id),
        }
    }
}

/// `pack.json`.
#[derive(Debug, Serialize)]
struct PackDocument {
    format_version: &'static str,
    target: String,
    kind: &'static str,
    add: Vec<ItemDocument>,
    verify: Vec<ItemDocument>,
    remove: Vec<ItemDocument>,
    steps: Vec<String>,
    restarts: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ItemDocument {
    file: Option<String>,
    subject: String,
    sha256: Option<String>,
    why: String,
    rule: Option<String>,
}

/// The files of a pack, by name. An empty answer means that a certificate it needs was never made.
pub fn render(manual: &Manual, certificates: &Resolved<'_>) -> Option<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for item in manual.add.iter().chain(&manual.verify) {
        let certificate = certificates.get(&item.material)?;
        let name = file_name(item, certificate);
        if !files.iter().any(|(n, _)| *n == name) {
            files.push((name, pem(certificate).into_bytes()));
        }
    }
    if let Some(bytes) = manual.system.as_ref().and_then(|place| reg::file(manual, place, certificates)) {
        files.push((reg::FILE.to_owned(), bytes));
    }
    files.push(("STEPS.md".to_owned(), steps(manual, certificates).into_bytes()));
    let document = document(manual, certificates);
    let mut json = serde_json::to_vec_pretty(&document).ok()?;
    json.push(b'\n');
    files.push(("pack.json".to_owned(), json));
    files.sort();
    Some(files)
}

/// The names a pack's files will have, as far as they are known before apply.
pub(crate) fn file_names(manual: &Manual, known: &BTreeMap<Fingerprint, Arc<Certificate>>) -> Vec<String> {
    let minted = BTreeMap::new();
    let certificates = Resolved { known, minted: &minted };
    let items = manual.add.iter().chain(&manual.verify);
    let mut names: Vec<String> =
        items.filter_map(|item| Some(file_name(item, certificates.get(&item.material)?))).collect();
    names.sort();
    names.dedup();
    let registry = manual.system.as_ref().and_then(|place| reg::file(manual, place, &certificates));
    names.extend(registry.map(|_| reg::FILE.to_owned()));
    names.push("STEPS.md".to_owned());
    names.push("pack.json".to_owned());
    names
}

/// Two certificates of one subject are two files, in the pack and in the mirror they may be copied to.
fn file_name(item: &ManualItem, certificate: &Certificate) -> String {
    format!("{}-{}.pem", plain(&item.subject), certificate.fingerprint().short())
}

/// A subject as a file name on any system.
fn plain(subject: &str) -> String {
    subject.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' }).collect()
}

/// A certificate as PEM (RFC 7468), lines of 64.
pub fn pem(certificate: &Certificate) -> String {
    let body = STANDARD.encode(certificate.der());
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in body.as_bytes().chunks(64) {
        out.extend(line.iter().map(|b| char::from(*b)));
        out.push('\n');
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

fn steps(manual: &Manual, certificates: &Resolved<'_>) -> String {
    let mut out = String::new();
    let title = match manual.kind {
        ManualKind::Store => "Bring certificates into",
        ManualKind::Identity => "Make a new certificate for",
        ManualKind::Export => "Export the certificate of",
    };
    // Writing to a String cannot fail.
    let _infallible = writeln!(out, "# {title} {}\n", manual.called);
    section(&mut out, "Add", &manual.add, true, certificates);
    section(&mut out, "Verify, add if absent", &manual.verify, true, certificates);
    section(&mut out, "Remove", &manual.remove, false, certificates);
    if let Some(place) = &manual.system {
        reg::commands(&mut out, manual, place, certificates);
    }
    if !manual.steps.is_empty() {
        out.push_str("## Steps\n\n");
        for (i, step) in manual.steps.iter().enumerate() {
            let _infallible = writeln!(out, "{}. {step}", i + 1);
        }
        out.push('\n');
    }
    if !manual.restarts.is_empty() {
        out.push_str("## Restart afterwards\n\n");
        for restart in &manual.restarts {
            let _infallible = writeln!(out, "- {} on {}", restart.name, restart.service.host);
        }
        out.push('\n');
    }
    if manual.kind == ManualKind::Store {
        let _infallible = writeln!(out, "## When it is done\n\n    trustmason confirm {}", manual.called);
    }
    out
}

fn section(out: &mut String, title: &str, items: &[ManualItem], with_file: bool, certificates: &Resolved<'_>) {
    if items.is_empty() {
        return;
    }
    let _infallible = writeln!(out, "## {title}\n");
    for item in items {
        let _infallible = match certificates.get(&item.material) {
            Some(c) => writeln!(
                out,
                "- {}{}\n  subject `{}`, ends {}\n  SHA-256 `{}`\n  for: {}",
                // The file of that name is the one to add.
                if with_file { format!("`{}`: ", file_name(item, c)) } else { String::new() },
                item.subject,
                text::escape(c.subject()),
                text::day(c.not_after()),
                c.fingerprint(),
                item.why
            ),
            None => writeln!(out, "- {} ({})", item.subject, item.why),
        };
    }
    out.push('\n');
}

fn document(manual: &Manual, certificates: &Resolved<'_>) -> PackDocument {
    let items = |items: &[ManualItem], with_file: bool| {
        items
            .iter()
            .map(|i| {
                let certificate = certificates.get(&i.material);
                ItemDocument {
                    file: certificate.filter(|_| with_file).map(|c| file_name(i, c)),
                    subject: i.subject.clone(),
                    sha256: match &i.material {
                        Material::Known(f) => Some(f.to_string()),
                        Material::Minted(_) => certificate.map(|c| c.fingerprint().to_string()),
                    },
                    why: i.why.clone(),
                    rule: i.rule.as_ref().map(ToString::to_string),
                }
            })
            .collect()
    };
    PackDocument {
        format_version: "1.0",
        target: manual.target().id(),
        kind: crate::wire::manual_word(manual.kind),
        add: items(&manual.add, true),
        verify: items(&manual.verify, true),
        remove: items(&manual.remove, false),
        steps: manual.steps.clone(),
        restarts: manual.restarts.iter().map(|r| r.service.to_string()).collect(),
    }
}
