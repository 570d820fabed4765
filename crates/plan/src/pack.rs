//! The pack that a person takes to a store which this program cannot write: certificates as PEM, the steps, and the
//! same as JSON for programs. It gives names and bytes; it writes no file.

mod reg;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use trustmason_keystore::Certificate;
use trustmason_spec::name::{IdentityId, ServiceId};

use crate::change::Material;
use crate::inline;
use crate::markdown::{self, Inline, Markdown};
use crate::outline::{Manual, ManualItem, ManualKind, Plan, Wait, Withdrawal};
use crate::shell::Command;
use crate::text;

/// The certificates of a plan by their materials: those that the plan knew, and those that its run has created since.
pub struct KnownCertificates<'a> {
    /// The certificates that the run created.
    pub minted: &'a BTreeMap<IdentityId, Arc<Certificate>>,
}

impl<'a> KnownCertificates<'a> {
    /// The certificate of a material, if it exists.
    pub fn get(&self, material: &'a Material) -> Option<&'a Arc<Certificate>> {
        match material {
            Material::Known(certificate) => Some(certificate),
            Material::Minted(id) => self.minted.get(id),
        }
    }
}

/// The beginning of a step at which a person must stop until a later plan says that they may go on.
pub const STOP: &str = "STOP: ";

/// The data for the last part of a pack's steps: how a person reports that the work is done.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The path of the spec in the commands.
    pub spec: String,
    /// The services whose restart is waited for after the work.
    pub acks: BTreeSet<ServiceId>,
}

impl Frame {
    /// The data for the packs of a plan.
    pub fn of(plan: &Plan) -> Self {
        let waits = plan.barriers.first().into_iter().flat_map(|barrier| &barrier.waits_for);
        let barrier = waits.filter_map(|wait| match wait {
            Wait::Restart(service) => Some(service.clone()),
            Wait::HandOff(_) | Wait::Reply(_) => None,
        });
        let pending = plan.restarts.iter().map(|restart| restart.service.clone());
        Self { spec: plan.options.spec.clone(), acks: barrier.chain(pending).collect() }
    }
}

/// The document `pack.json`.
#[derive(Debug, Serialize)]
struct PackDocument {
    format_version: &'static str,
    target: String,
    kind: ManualKind,
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

/// The files of a pack, by name. `None` if a certificate of the pack was never created.
pub fn render(manual: &Manual, certificates: &KnownCertificates<'_>, frame: &Frame) -> Option<Vec<(String, Vec<u8>)>> {
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
    files.push(("STEPS.md".to_owned(), steps(manual, certificates, frame).into_bytes()));
    let document = document(manual, certificates);
    let mut json = serde_json::to_vec_pretty(&document).ok()?;
    json.push(b'\n');
    files.push(("pack.json".to_owned(), json));
    files.sort();
    Some(files)
}

/// The names of a pack's files, as far as they are known before apply.
pub(crate) fn file_names(manual: &Manual) -> Vec<String> {
    let minted = BTreeMap::new();
    let certificates = KnownCertificates { minted: &minted };
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

/// The file name of a certificate. Two certificates of one subject are two files, also in a mirror to which they may be
/// copied.
fn file_name(item: &ManualItem, certificate: &Certificate) -> String {
    format!("{}-{}.pem", plain(&item.subject), certificate.fingerprint().short())
}

/// A subject as a file name that is valid on every system.
fn plain(subject: &str) -> String {
    subject.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' }).collect()
}

/// A certificate as PEM (RFC 7468), in lines of 64 characters.
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

/// The words for a pack's work, in its title.
fn title(manual: &Manual) -> &'static str {
    let nothing_comes = manual.add.is_empty() && manual.verify.is_empty();
    match manual.kind {
        ManualKind::Store if nothing_comes => "Remove certificates from",
        ManualKind::Store => "Add certificates to",
        ManualKind::Identity => "Make a new certificate for",
        ManualKind::Export => "Export the certificate of",
    }
}

fn steps<'m>(manual: &'m Manual, certificates: &KnownCertificates<'m>, frame: &Frame) -> String {
    let mut page = Markdown::new();
    page.heading(1, inline![title(manual), " ", markdown::text(&manual.called)]);
    if let Some(reason) = &manual.reason {
        page.paragraph(inline!["Why: ", markdown::text(reason)]);
    }
    page.paragraph(
        "All files named here are in the same folder as this page. Do the steps in this order. If a line begins with STOP, stop \
         there.",
    );
    let come = |items: &'m [ManualItem]| items.iter().map(|item| Shown::coming(item, certificates)).collect::<Vec<_>>();
    section(&mut page, "Add", &come(&manual.add));
    let verify =
        if manual.kind == ManualKind::Store { "Verify, add if absent" } else { "Certificates of the authority" };
    section(&mut page, verify, &come(&manual.verify));
    let gone: Vec<Shown<'_>> = manual.remove.iter().map(Shown::leaving).collect();
    section(&mut page, "Remove", &gone);
    if let Some(place) = &manual.system {
        reg::commands(&mut page, manual, place, certificates);
    }
    if !manual.steps.is_empty() {
        page.heading(2, "Steps");
        for (n, step) in manual.steps.iter().enumerate() {
            let number = n.saturating_add(1);
            match step.strip_prefix(STOP) {
                Some(why) => page.step(number, inline!["**STOP:** ", markdown::text(why)]),
                None => page.step(number, markdown::text(step)),
            }
        }
    }
    if !manual.restarts.is_empty() {
        page.heading(2, "Restart afterwards");
        page.paragraph("If a step above restarted the service already, do not restart it again.");
        for restart in &manual.restarts {
            let (name, host) = (markdown::text(&restart.name), markdown::text(&restart.service.host));
            page.item(inline![name, " on ", host]);
        }
    }
    page.heading(2, "When it is done");
    page.paragraph("Run this on the machine and in the folder where trustmason runs:");
    page.commands(&done(manual, frame));
    if manual.kind != ManualKind::Store {
        page.paragraph(
            "The plan finds the new certificate in the file that you saved. Until then the plan lists this task again.",
        );
    }
    page.finish()
}

/// The commands by which a person reports the work, in their order. The certificates must be known to be in the store
/// before a restart counts.
fn done(manual: &Manual, frame: &Frame) -> Vec<Command> {
    if manual.kind != ManualKind::Store {
        return vec![Command::here("trustmason plan").file(&frame.spec)];
    }
    let confirm = Command::here("trustmason confirm").file(&frame.spec).word(&manual.called);
    let restarts = manual.restarts.iter().filter(|restart| frame.acks.contains(&restart.service));
    let acks = restarts.map(|restart| Command::here("trustmason ack").file(&frame.spec).word(&restart.service));
    std::iter::once(confirm).chain(acks).collect()
}

/// A certificate as the steps of a pack show it.
struct Shown<'a> {
    subject: &'a str,
    why: &'a str,
    certificate: Option<&'a Certificate>,
    /// The file of the pack that holds the certificate.
    file: Option<String>,
}

impl<'a> Shown<'a> {
    fn coming(item: &'a ManualItem, certificates: &KnownCertificates<'a>) -> Self {
        let certificate = certificates.get(&item.material).map(Arc::as_ref);
        let file = certificate.map(|certificate| file_name(item, certificate));
        Self { subject: &item.subject, why: &item.why, certificate, file }
    }

    fn leaving(item: &'a Withdrawal) -> Self {
        Self { subject: &item.subject, why: &item.why, certificate: item.certificate.as_deref(), file: None }
    }
}

fn section(page: &mut Markdown, title: &'static str, items: &[Shown<'_>]) {
    if items.is_empty() {
        return;
    }
    page.heading(2, title);
    for item in items {
        let subject = markdown::text(item.subject);
        let Some(certificate) = item.certificate else {
            page.item(inline![subject, ": ", markdown::text(item.why)]);
            continue;
        };
        // The name tells which file of the pack to add.
        let file = item.file.as_ref().map_or_else(Inline::default, |file| inline![markdown::code(file), ": "]);
        page.item(inline![file, subject]);
        let ends = markdown::text(text::day(certificate.not_after()));
        page.sub_item(inline!["subject ", markdown::code(certificate.subject()), ", ends ", ends]);
        page.sub_item(inline!["SHA-256 ", markdown::code(certificate.fingerprint())]);
        page.sub_item(inline!["for: ", markdown::text(item.why)]);
    }
}

fn document(manual: &Manual, certificates: &KnownCertificates<'_>) -> PackDocument {
    let come = |items: &[ManualItem]| {
        let document = |item: &ManualItem| {
            let certificate = certificates.get(&item.material);
            ItemDocument {
                file: certificate.map(|c| file_name(item, c)),
                subject: item.subject.clone(),
                sha256: certificate.map(|c| c.fingerprint().to_string()),
                why: item.why.clone(),
                rule: item.rule.as_ref().map(ToString::to_string),
            }
        };
        items.iter().map(document).collect()
    };
    let gone = |item: &Withdrawal| ItemDocument {
        file: None,
        subject: item.subject.clone(),
        sha256: Some(item.sha256.to_string()),
        why: item.why.clone(),
        rule: None,
    };
    PackDocument {
        format_version: "1.0",
        target: manual.target().id(),
        kind: manual.kind,
        add: come(&manual.add),
        verify: come(&manual.verify),
        remove: manual.remove.iter().map(gone).collect(),
        steps: manual.steps.clone(),
        restarts: manual.restarts.iter().map(|r| r.service.to_string()).collect(),
    }
}
