//! `collect`: fetches certificates that people otherwise export, from the services that present them. The network is
//! never trusted: a person compares the fingerprints, either now or before (`--pin`).

use std::collections::BTreeSet;
use std::sync::Arc;

use trustmason_host::converge::Reconciler;
use trustmason_host::endpoint::{AskOptions, PATIENCE};
use trustmason_host::record::approval::Approval;
use trustmason_host::record::audit::Author;
use trustmason_host::word::collect::{Fetched, Filed};
use trustmason_keystore::{CertificateSlot, Fingerprint};
use trustmason_plan::constraints;
use trustmason_plan::observed::ServedLook;
use trustmason_plan::text::{count, escape};
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::{CertificateSource, IdentityDef};

use super::apply::approve_with;
use crate::args::CollectArgs;
use crate::clock::ProcessClock;
use crate::console::{Console, account};
use crate::exit::ExitFacts;
use crate::load::{self, Estate, PlanRequest};
use crate::network::probe;
use crate::stop::Stop;
use crate::view;
use crate::view::collect::{CollectTally, CollectVerdict, CollectedCertificate};

const QUESTION: &str = "Do you want to write these certificates?";
const HOW: &str =
    "Compare each fingerprint with what the service itself shows. Only 'yes' will be accepted to approve.";

pub(crate) fn run(args: CollectArgs, console: Console) -> Result<ExitFacts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    let options = estate.options(PlanRequest { select: args.select, ..PlanRequest::default() })?;
    let reconciler = estate.reconciler(ProcessClock::read()?);
    let mut lock = reconciler.lock().map_err(Stop::because)?;
    let selected = |def: &&IdentityDef| trustmason_plan::selects(&estate.topology, &options, &def.id.host);
    let wanted: Vec<(&IdentityDef, u16, &[String])> =
        estate.topology.identities.values().filter(selected).filter_map(exported).collect();
    for def in estate.topology.identities.values().filter(selected) {
        if let CertificateSource::File(path) = &def.source {
            let path = escape(&path.display().to_string());
            console.note(&format!(
                "{} was not asked, because the spec names the file {path} for it; update that file yourself",
                def.id
            ));
        }
    }
    if wanted.is_empty() {
        console.report("Nothing to collect: no selected host has a service whose certificate is exported by hand.\n");
        return Ok(ExitFacts::FINE);
    }
    let way = AskOptions { detours: args.connect_to, timeout: args.timeout.unwrap_or(PATIENCE) };
    let asked: Vec<(IdentityId, u16)> = wanted.iter().map(|(def, port, _)| (def.id.clone(), *port)).collect();
    let mut served = probe(&reconciler, &asked, &way, console);
    let items: Vec<CollectedCertificate<'_>> = wanted
        .into_iter()
        .filter_map(|(def, port, names)| {
            let verdict = judge(&estate, &reconciler, def, names, served.remove(&def.id)?);
            Some(CollectedCertificate { def, port, verdict })
        })
        .collect();
    console.report(&view::collect::found(&estate.topology, &items, reconciler.now()));
    unused(&args.pin, &items, console);
    let new: Vec<Fetched<'_>> = items.iter().filter_map(fetched).collect();
    let mut tally = CollectTally::of(&items);
    if !new.is_empty() {
        let pins: BTreeSet<Fingerprint> = args.pin.into_iter().collect();
        let approval = approval(&new, &pins, console)?;
        let who = account();
        let author = Author { who: &who, approval };
        let outcomes = reconciler.file(&new, author, &mut lock).map_err(Stop::because)?;
        for (one, outcome) in new.iter().zip(outcomes) {
            let stands = outcome.map_err(|e| e.to_string()).and_then(|()| verify_filed(&estate, &reconciler, one));
            match stands {
                Ok(()) => tally.written += 1,
                Err(why) => {
                    console.error(&format!("{}: {why}", one.identity));
                    tally.failed += 1;
                }
            }
        }
    }
    drop(lock);
    console.report(&view::collect::ended(tally, &estate.name));
    Ok(ExitFacts { blocked: tally.refused + tally.unreached + tally.failed > 0, ..ExitFacts::FINE })
}

/// An identity that a service presents and that is exported into `certificates_dir`, with its port and file names.
fn exported(def: &IdentityDef) -> Option<(&IdentityDef, u16, &[String])> {
    match (&def.source, def.served_at) {
        (CertificateSource::Exported { names }, Some(port)) => Some((def, port, names)),
        (CertificateSource::Exported { .. } | CertificateSource::KeyEntry { .. } | CertificateSource::File(_), _) => {
            None
        }
    }
}

fn judge(
    estate: &Estate,
    reconciler: &Reconciler<'_>,
    def: &IdentityDef,
    names: &[String],
    look: ServedLook,
) -> CollectVerdict {
    let slot = match look {
        ServedLook::Presented(slot) => slot,
        ServedLook::Unreachable(why) => return CollectVerdict::Unreached(why),
    };
    let certificate = match &slot {
        CertificateSlot::Parsed(certificate) => Arc::clone(certificate),
        CertificateSlot::Unparsed(bytes) => {
            let why = format!("it cannot be used: {}", bytes.reason());
            return CollectVerdict::Refused(slot, why);
        }
    };
    let print = certificate.fingerprint();
    if let Some(why) = estate.topology.distrust.get(&print) {
        return CollectVerdict::Refused(slot, format!("it is distrusted: {}", escape(why)));
    }
    if !constraints::names(&certificate, def) {
        let carries = constraints::carries(&certificate);
        let why = format!(
            "it names {carries}, but must name {}; if the other name is right, add it under `names:` in the spec",
            def.id.host
        );
        return CollectVerdict::Refused(slot, why);
    }
    match Filed::of(&estate.topology.certificates_dir, names, reconciler.certificates()) {
        Ok(filed) if filed.holds(print) => CollectVerdict::Same(certificate),
        Ok(filed) => CollectVerdict::New(certificate, filed),
        Err(why) => CollectVerdict::Refused(slot, why),
    }
}

fn fetched<'a>(item: &'a CollectedCertificate<'_>) -> Option<Fetched<'a>> {
    match &item.verdict {
        CollectVerdict::New(certificate, filed) => Some(Fetched {
            identity: &item.def.id,
            presented_at: format!("{}:{}", item.def.id.host, item.port),
            certificate,
            filed,
        }),
        CollectVerdict::Same(_) | CollectVerdict::Refused(..) | CollectVerdict::Unreached(_) => None,
    }
}

/// Asks whether all new certificates may be written, and says who allowed it.
fn approval(new: &[Fetched<'_>], pins: &BTreeSet<Fingerprint>, console: Console) -> Result<Approval, Stop> {
    let open: Vec<&Fetched<'_>> = new.iter().filter(|one| !pins.contains(&one.certificate.fingerprint())).collect();
    if open.is_empty() {
        return Ok(Approval::Pinned);
    }
    let pins: Vec<String> =
        open.iter().map(|one| format!("\n  --pin {}  {}", one.certificate.fingerprint(), one.identity)).collect();
    let nobody = format!(
        "nobody can compare, because stdin is not a terminal, and {} not pinned; nothing was written. Compare each fingerprint \
         with the one that the service itself shows, then add its --pin:{}",
        if open.len() == 1 {
            "1 certificate is".to_owned()
        } else {
            format!("{} are", count(open.len(), "certificate"))
        },
        pins.concat()
    );
    approve_with(console, QUESTION, HOW, &nobody)?;
    Ok(Approval::Asked)
}

/// Checks that the next plan will find the written certificate.
fn verify_filed(estate: &Estate, reconciler: &Reconciler<'_>, one: &Fetched<'_>) -> Result<(), String> {
    let def = estate.topology.identities.get(one.identity);
    let Some((_, _, names)) = def.and_then(exported) else { return Ok(()) };
    let filed = Filed::of(&estate.topology.certificates_dir, names, reconciler.certificates())?;
    if filed.holds(one.certificate.fingerprint()) {
        return Ok(());
    }
    Err("it was written, but its file holds another certificate too now; collect again".to_owned())
}

/// Warns about pins that match no certificate. Such a pin is a typing error, or the service presents another certificate.
fn unused(pins: &[Fingerprint], items: &[CollectedCertificate<'_>], console: Console) {
    let served: BTreeSet<Fingerprint> = items.iter().filter_map(|item| item.verdict.print()).collect();
    for pin in pins.iter().filter(|pin| !served.contains(pin)) {
        console.warn(&format!("--pin {pin}: no service presented this certificate"));
    }
}
