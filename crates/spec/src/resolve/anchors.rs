//! Resolves certificates that belong to no host (`certificates:`), authorities, and the patterns of `accept:`. Reports
//! fingerprints that are both wanted and distrusted. Opens no certificate file.

use std::collections::BTreeMap;

use globset::Glob;

use super::Resolver;
use super::hosts::ResolvedHost;
use crate::estate::AnchorSpec;
use crate::profile::join;
use crate::topology::{AnchorDef, AuthorityDef};

/// All anchors and all authorities, by name.
pub(crate) fn anchors(
    work: &mut Resolver<'_>,
    machines: &[ResolvedHost<'_>],
) -> (BTreeMap<String, AnchorDef>, BTreeMap<String, AuthorityDef>) {
    let spec = work.spec;
    wanted_and_gone(work);
    needs(work, machines);
    for at in spec.accept.iter().filter_map(|one| one.store.as_ref()) {
        if let Err(error) = Glob::new(&at.value) {
            let message = format!("`{}` is not a usable pattern: {}", at.value, error.kind());
            work.faults.push(spec.source.error(at.place, message).hint("write it like '*/cacerts'"));
        }
    }
    let base = work.base;
    let anchor = |one: &AnchorSpec| AnchorDef {
        file: join(base, &one.file),
        sha256: one.sha256.as_ref().map(|at| at.value),
        unconstrained: one.unconstrained,
    };
    let anchors = spec.certificates.iter().map(|(name, at)| (name.clone(), anchor(&at.value))).collect();
    let mut authorities = BTreeMap::new();
    for (name, at) in &spec.authorities {
        if let Some(key) = &at.value.sign_with {
            let message =
                format!("the key of the authority `{name}` is on this machine and signs every request of a plan");
            work.warnings.push(
                spec.source
                    .warning(key.place, message)
                    .hint("`sign_with` is meant for labs; use `requests_dir` and `inbox`"),
            );
        }
        let def = AuthorityDef {
            root: anchor(&at.value.root),
            intermediates: at.value.intermediates.iter().map(anchor).collect(),
            requests_dir: at.value.requests_dir.as_deref().map(|path| join(base, path)),
            inbox: at.value.inbox.as_deref().map(|path| join(base, path)),
            sign_with: at.value.sign_with.as_ref().map(|path| join(base, &path.value)),
        };
        authorities.insert(name.clone(), def);
    }
    (anchors, authorities)
}

/// Reports a fingerprint that is both wanted and distrusted.
fn wanted_and_gone(work: &mut Resolver<'_>) {
    let spec = work.spec;
    let own = spec.certificates.iter().map(|(name, at)| (format!("certificate `{name}`"), &at.value));
    let roots = spec.authorities.iter().flat_map(|(name, at)| {
        let all = std::iter::once(&at.value.root).chain(&at.value.intermediates);
        all.map(move |one| (format!("authority `{name}`"), one))
    });
    let pins: Vec<_> = own.chain(roots).filter_map(|(what, one)| one.sha256.as_ref().map(|at| (what, at))).collect();
    for gone in &spec.distrust {
        for (what, pin) in pins.iter().filter(|(_, pin)| pin.value == gone.value.0) {
            let message =
                format!("this fingerprint is distrusted here, but wanted on line {} ({what})", pin.place.line);
            work.faults.push(spec.source.error(gone.place, message).hint("remove it from one of the two places"));
        }
    }
}

/// Reports certificates that the profiles in use need and the estate does not declare.
fn needs(work: &mut Resolver<'_>, machines: &[ResolvedHost<'_>]) {
    let spec = work.spec;
    let mut asked = BTreeMap::new();
    for machine in machines {
        for name in &machine.effective.needs {
            asked.entry(name.as_str()).or_insert(machine);
        }
    }
    for (name, machine) in asked {
        if !spec.certificates.contains_key(name) {
            let message =
                format!("the profile {} of {} needs a certificate `{name}`", machine.host.profile, machine.host.fqdn);
            let fault = spec.source.error(machine.spec.place, message);
            work.faults.push(fault.hint(format!("add `{name}: {{ file: … }}` under `certificates:`")));
        }
    }
}
