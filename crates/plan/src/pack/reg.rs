//! The part of a pack for Windows stores: the exact commands, and a registry file that does the same in one import. It
//! runs nothing.
//!
//! Every line names its store. Without a name, `CiscoCertUtil` puts a certificate into Personal, and an intermediate in
//! `Root` would be trusted like a root. The tool refuses a certificate that is there already. Of several packs for one
//! machine, only the first therefore adds a certificate.

use trustmason_keystore::{Certificate, RegistryChange, registry_file, serialised_element, thumbprint};
use trustmason_spec::windows::{Location, SystemPlace, SystemStore};

use super::{KnownCertificates, file_name};
use crate::inline;
use crate::markdown::{self, Markdown};
use crate::outline::{Manual, ManualItem, Withdrawal};
use crate::shell::{Command, Shell};
use crate::text;

/// The name of the registry file in a pack.
pub(super) const FILE: &str = "import.reg";

/// The certificates that this pack adds to the store. A certificate of another pack is left out.
fn coming<'a>(
    manual: &'a Manual,
    certificates: &'a KnownCertificates<'a>,
) -> impl Iterator<Item = (&'a ManualItem, &'a Certificate)> {
    let items = manual.add.iter().chain(&manual.verify);
    let new = items.filter(|item| !manual.elsewhere.contains_key(&item.material));
    new.filter_map(|item| Some((item, certificates.get(&item.material)?.as_ref())))
}

fn leaving(manual: &Manual) -> impl Iterator<Item = (&Withdrawal, &Certificate)> {
    manual.remove.iter().filter_map(|item| Some((item, item.certificate.as_deref()?)))
}

/// The registry file; `None` if nothing is added and nothing is removed.
pub(super) fn file(manual: &Manual, place: &SystemPlace, certificates: &KnownCertificates<'_>) -> Option<Vec<u8>> {
    let key = |certificate: &Certificate| place.registry_key(place.store_for(certificate));
    let mut elements = Vec::new();
    for (item, certificate) in coming(manual, certificates) {
        let verify = if manual.verify.contains(item) {
            " Only if it is absent: otherwise its friendly name and limits are lost."
        } else {
            ""
        };
        let comment = format!(
            "Add {}, {}, SHA-256 {}.{verify}",
            text::escape(&item.subject),
            text::escape(certificate.subject()),
            certificate.fingerprint()
        );
        elements.push((key(certificate), certificate, serialised_element(certificate).ok()?, comment));
    }
    let adds = elements.iter().map(|(store, certificate, element, comment)| RegistryChange::Add {
        store,
        element,
        der: certificate.der(),
        comment: comment.clone(),
    });
    let gone: Vec<(String, &Certificate, String)> = leaving(manual)
        .map(|(item, certificate)| {
            let subject = text::escape(certificate.subject());
            (key(certificate), certificate, format!("Remove {subject}: {}.", text::escape(&item.why)))
        })
        .collect();
    let removes = gone.iter().map(|(store, certificate, comment)| RegistryChange::Remove {
        store,
        der: certificate.der(),
        comment: comment.clone(),
    });
    let changes: Vec<RegistryChange<'_>> = adds.chain(removes).collect();
    (!changes.is_empty()).then(|| registry_file(&changes))
}

/// The word of `CiscoCertUtil` for a store.
fn cisco(store: SystemStore) -> &'static str {
    match store {
        SystemStore::Root => "root",
        SystemStore::Ca => "ca",
        SystemStore::My => "my",
    }
}

/// Adds the commands to `STEPS.md`, as a section.
pub(super) fn commands(
    page: &mut Markdown,
    manual: &Manual,
    place: &SystemPlace,
    certificates: &KnownCertificates<'_>,
) {
    let host = || markdown::text(manual.target().host());
    let (mut cert_util, mut cisco_util) = (Vec::new(), Vec::new());
    for (item, certificate) in coming(manual, certificates) {
        let (store, name) = (place.store_for(certificate), file_name(item, certificate));
        cert_util.push(Command::new(Shell::PowerShell, "certutil -addstore -f").word(store).word(&name));
        cisco_util.push(Command::new(Shell::PowerShell, "CiscoCertUtil /install").word(&name).own(cisco(store)));
    }
    for (_, certificate) in leaving(manual) {
        let store = place.store_for(certificate);
        let print = thumbprint(certificate.der());
        cert_util.push(Command::new(Shell::PowerShell, "certutil -delstore").word(store).word(print));
    }
    let file = file(manual, place, certificates).is_some();
    if !cert_util.is_empty() || !manual.elsewhere.is_empty() {
        page.heading(2, "Commands");
    }
    if matches!(place.location, Location::LocalMachine) && !cert_util.is_empty() {
        page.paragraph(inline!["On ", host(), ", as administrator, in the folder of this pack:"]);
        page.commands(&cert_util);
        if !cisco_util.is_empty() {
            page.paragraph(
                "Or, if Cisco's tool is installed, add the certificates with it (it refuses a certificate that is there already; that does no harm):",
            );
            page.commands(&cisco_util);
        }
    }
    if file {
        let or =
            if matches!(place.location, Location::LocalMachine) { "Or do everything at once: read" } else { "Read" };
        page.paragraph(inline![
            or,
            " `import.reg`, then on ",
            host(),
            ", as administrator: `reg import import.reg`. It takes effect at once; a certificate that is there already \
             loses its friendly name and its limits.",
        ]);
    }
    for (material, other) in &manual.elsewhere {
        if let Some(certificate) = certificates.get(material) {
            let (subject, other) = (markdown::code(certificate.subject()), markdown::text(other));
            page.item(inline![subject, " is in the pack of ", other, ": it is the same system store."]);
        }
    }
}
