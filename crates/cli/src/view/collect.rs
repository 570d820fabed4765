//! What services present, beside what lies in `certificates_dir`; fingerprints in full, for they are to be compared.

use std::sync::Arc;

use jiff::Timestamp;
use trustmason_host::word::collect::Filed;
use trustmason_keystore::{Certificate, CertificateSlot, Fingerprint};
use trustmason_plan::constraints::{self, Fault};
use trustmason_plan::shell::Command;
use trustmason_plan::text::{count, day, escape};
use trustmason_spec::topology::{IdentityDef, Topology};

use super::{BAD, BOLD, DIM, GOOD, WARN, line, paint};

/// A certificate that a service presents, and what becomes of it.
pub(crate) struct Item<'a> {
    pub(crate) def: &'a IdentityDef,
    pub(crate) port: u16,
    pub(crate) verdict: Verdict,
}

/// What becomes of it.
pub(crate) enum Verdict {
    /// The file holds it already.
    Same(Arc<Certificate>),
    /// It may be written, if a person says so.
    New(Arc<Certificate>, Filed),
    /// It is not written, whatever a person says; why.
    Refused(CertificateSlot, String),
    /// There is none; why.
    Unreached(String),
}

/// How many of each there are.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) written: usize,
    pub(crate) unchanged: usize,
    pub(crate) refused: usize,
    pub(crate) unreached: usize,
    pub(crate) failed: usize,
}

impl Tally {
    /// Counts what becomes of them before anything is written.
    pub(crate) fn of(items: &[Item<'_>]) -> Self {
        let mut tally = Self::default();
        for item in items {
            match &item.verdict {
                Verdict::Same(_) => tally.unchanged += 1,
                Verdict::New(..) => {}
                Verdict::Refused(..) => tally.refused += 1,
                Verdict::Unreached(_) => tally.unreached += 1,
            }
        }
        tally
    }
}

impl Verdict {
    /// The fingerprint of what is presented.
    pub(crate) fn print(&self) -> Option<Fingerprint> {
        match self {
            Self::Same(certificate) | Self::New(certificate, _) => Some(certificate.fingerprint()),
            Self::Refused(slot, _) => Some(slot.fingerprint()),
            Self::Unreached(_) => None,
        }
    }
}

/// What was found.
pub(crate) fn found(topology: &Topology, items: &[Item<'_>], now: Timestamp) -> String {
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

fn one(out: &mut String, item: &Item<'_>, now: Timestamp) {
    let head = |style, word: &str| {
        let place = format!("port {}", item.port);
        format!("{} {}  {}", paint(style, format!("{word:<11}")), paint(BOLD, &item.def.id), paint(DIM, place))
    };
    match &item.verdict {
        Verdict::Same(certificate) => {
            line!(out, "{}", head(DIM, "unchanged"));
            shown(out, ' ', certificate);
            faults(out, certificate, item.def, now);
        }
        Verdict::New(certificate, filed) => {
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
        Verdict::Refused(slot, why) => {
            line!(out, "{}", head(BAD, "refused"));
            match slot {
                CertificateSlot::Parsed(certificate) => shown(out, '!', certificate),
                CertificateSlot::Unparsed(_) => line!(out, "    ! sha256 {}", slot.fingerprint()),
            }
            line!(out, "      {why}");
        }
        Verdict::Unreached(why) => {
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

/// What is wrong with it, for a person to know before saying yes.
fn faults(out: &mut String, certificate: &Certificate, def: &IdentityDef, now: Timestamp) {
    for fault in constraints::judge(certificate, def, now) {
        if !matches!(fault, Fault::NotNamed { .. }) {
            line!(out, "      {}", paint(WARN, fault));
        }
    }
    if let Some(why) = constraints::unwritable(certificate) {
        line!(out, "      {}", paint(WARN, why));
    }
}

/// How it ended.
pub(crate) fn ended(tally: Tally, spec: &str) -> String {
    let mut out = String::new();
    let Tally { written, unchanged, refused, unreached, failed } = tally;
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
