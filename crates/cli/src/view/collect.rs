//! The report of `collect`: the certificates that services present, next to those in `certificates_dir`. Fingerprints are
//! shown in full, because a person compares them.

use std::sync::Arc;

use jiff::Timestamp;
use trustmason_host::word::collect::Filed;
use trustmason_keystore::{Certificate, CertificateSlot, Fingerprint};
use trustmason_plan::constraints::{self, Violation};
use trustmason_plan::shell::Command;
use trustmason_plan::text::{count, day, escape};
use trustmason_spec::topology::{IdentityDef, Topology};

use super::{BAD, BOLD, DIM, GOOD, WARN, line, paint};

/// An identity that was asked for its certificate, and the result.
pub(crate) struct CollectedCertificate<'a> {
    pub(crate) def: &'a IdentityDef,
    pub(crate) port: u16,
    pub(crate) verdict: CollectVerdict,
}

/// The decision about the certificate that a service presents.
pub(crate) enum CollectVerdict {
    /// The file already holds the certificate.
    Same(Arc<Certificate>),
    /// The certificate is new, and is written if a person approves.
    New(Arc<Certificate>, Filed),
    /// The certificate is never written, for this reason.
    Refused(CertificateSlot, String),
    /// No certificate was received, for this reason.
    Unreached(String),
}

/// The number of certificates per result.
#[derive(Clone, Copy, Default)]
pub(crate) struct CollectTally {
    pub(crate) written: usize,
    pub(crate) unchanged: usize,
    pub(crate) refused: usize,
    pub(crate) unreached: usize,
    pub(crate) failed: usize,
}

impl CollectTally {
    /// Counts the verdicts before anything is written.
    pub(crate) fn of(items: &[CollectedCertificate<'_>]) -> Self {
        let mut tally = Self::default();
        for item in items {
            match &item.verdict {
                CollectVerdict::Same(_) => tally.unchanged += 1,
                CollectVerdict::New(..) => {}
                CollectVerdict::Refused(..) => tally.refused += 1,
                CollectVerdict::Unreached(_) => tally.unreached += 1,
            }
        }
        tally
    }
}

impl CollectVerdict {
    /// The fingerprint of the presented certificate.
    pub(crate) fn print(&self) -> Option<Fingerprint> {
        match self {
            Self::Same(certificate) | Self::New(certificate, _) => Some(certificate.fingerprint()),
            Self::Refused(slot, _) => Some(slot.fingerprint()),
            Self::Unreached(_) => None,
        }
    }
}

/// The report before anything is written.
pub(crate) fn found(topology: &Topology, items: &[CollectedCertificate<'_>], now: Timestamp) -> String {
    let mut out = String::new();
    line!(
        out,
        "{}: {} asked, as of {}",
        paint(BOLD, format!("Estate {}", escape(&topology.estate))),
        count(items.len(), "service"),
        day(now.as_second())
    );
    out.push('\n');
    for item in items {
        one(&mut out, item, now);
    }
    out
}

fn one(out: &mut String, item: &CollectedCertificate<'_>, now: Timestamp) {
    let head = |style, word: &str| {
        let place = format!("port {}", item.port);
        format!("{} {}  {}", paint(style, format!("{word:<11}")), paint(BOLD, &item.def.id), paint(DIM, place))
    };
    match &item.verdict {
        CollectVerdict::Same(certificate) => {
            line!(out, "{}", head(DIM, "unchanged"));
            shown(out, ' ', certificate);
            faults(out, certificate, item.def, now);
        }
        CollectVerdict::New(certificate, filed) => {
            line!(out, "{}", head(GOOD, "new"));
            for (path, holds) in filed.changes(certificate.fingerprint()) {
                line!(out, "    {}", path.display());
                if let Some(old) = holds {
                    shown(out, '-', old);
                    if old.not_before() > certificate.not_before() {
                        line!(
                            out,
                            "      {}",
                            paint(WARN, "issued later than the certificate that the service presents")
                        );
                    }
                }
            }
            shown(out, '+', certificate);
            faults(out, certificate, item.def, now);
        }
        CollectVerdict::Refused(slot, why) => {
            line!(out, "{}", head(BAD, "refused"));
            match slot {
                CertificateSlot::Parsed(certificate) => shown(out, '!', certificate),
                CertificateSlot::Unparsed(_) => line!(out, "    ! sha256 {}", slot.fingerprint()),
            }
            line!(out, "      {why}");
        }
        CollectVerdict::Unreached(why) => {
            line!(out, "{}", head(BAD, "not reached"));
            line!(out, "      {why}");
        }
    }
    out.push('\n');
}

fn shown(out: &mut String, mark: char, certificate: &Certificate) {
    let dates = format!("{} to {}", day(certificate.not_before()), day(certificate.not_after()));
    let ca = if certificate.is_ca() { ", CA" } else { "" };
    line!(out, "    {mark} {}{ca}  {dates}", escape(certificate.subject()));
    line!(out, "      sha256 {}", certificate.fingerprint());
}

/// Writes what is wrong with a certificate, so that a person knows it before approving.
fn faults(out: &mut String, certificate: &Certificate, def: &IdentityDef, now: Timestamp) {
    for fault in constraints::judge(certificate, def, now) {
        if !matches!(fault, Violation::NotNamed { .. }) {
            line!(out, "      {}", paint(WARN, fault));
        }
    }
    if let Some(why) = constraints::unwritable(certificate) {
        line!(out, "      {}", paint(WARN, why));
    }
}

/// The last line, with the next command.
pub(crate) fn ended(tally: CollectTally, spec: &str) -> String {
    let mut out = String::new();
    let CollectTally { written, unchanged, refused, unreached, failed } = tally;
    if written > 0 {
        line!(out, "To see what changes in the stores: {}", Command::here("trustmason plan").file(spec));
        out.push('\n');
    }
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    let text = format!(
        "Collect complete: {written} written, {unchanged} unchanged, {refused} refused, {unreached} not reached{failed}."
    );
    line!(out, "{}", paint(BOLD, text));
    out
}
