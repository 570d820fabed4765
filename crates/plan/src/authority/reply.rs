//! Judges a CA's reply. It takes the files of an inbox and the staged key, and gives the certificate with its issuers,
//! or one finding for each guard that fails. It never uses a reply that fails a guard.
//!
//! `keytool -importcert` checks the first two guards at once. A reply that fails one of the others is found only when a
//! peer refuses the service.
//!
//! | guard | what it requires |
//! |---|---|
//! | `reply-key-mismatch` | the certificate has the key that waits in staging |
//! | `reply-chain-incomplete` | the certificate chains to the authority's pinned root |
//! | `reply-name` | the certificate names its host |
//! | `reply-san` | the certificate has exactly the names that the request asked for: VOS refuses anything else |
//! | `reply-eku` | if the certificate limits its use, it allows what the identity needs as a server, a client or both |
//! | `reply-weak-crypto` | no SHA-1, no short key, no CA's certificate, no critical extension that peers do not know |
//! | `reply-dates` | the certificate is valid now and not due for renewal, and its issuers do not end before it |
//! | `reply-encoding` | the file can be read as certificates |

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::path::{PathRule, Refused, TlsUse};
use trustmason_keystore::{Certificate, Fingerprint, KeyAlgorithm};
use trustmason_spec::topology::{ExtendedUsage, IdentityDef, Topology};

use super::Authority;
use crate::constraints::{self, Violation};
use crate::finding::FindingKind;
use crate::mint;
use crate::observed::{InboxFile, Observed, StagedKey};
use crate::text;

/// Extensions that may be critical in a server's certificate: key usage and basic constraints (RFC 5280 §4.2.1.3,
/// §4.2.1.9). Other critical extensions break handshakes with VOS nodes.
const MAY_BE_CRITICAL: [&str; 2] = ["2.5.29.15", "2.5.29.19"];

/// The judgement on an inbox for one identity.
pub(crate) enum ReplyVerdict {
    /// There is no reply yet.
    Nothing,
    /// The reply may be used.
    Good {
        /// The certificate.
        leaf: Arc<Certificate>,
        /// The issuers of the certificate, the nearest first.
        issuers: Vec<Arc<Certificate>>,
        /// The issuers that trusters need: the trust anchors.
        anchors: Vec<Arc<Certificate>>,
        /// The file of the reply.
        place: String,
    },
    /// The reply may not be used; one finding for each guard.
    Bad(Vec<(FindingKind, String, Option<Fingerprint>)>),
}

/// Judges the reply of an authority to the request for an identity's staged key. `current` is the identity's present
/// certificate.
pub(crate) fn reply(
    topology: &Topology,
    observed: &Observed,
    authority: &Authority<'_>,
    def: &IdentityDef,
    staged: &StagedKey,
    current: Option<&Certificate>,
    now: Timestamp,
) -> ReplyVerdict {
    // In a lab the authority may sign at once, and the staged certificate is the reply. While a reply is awaited, the
    // staged certificate is self-signed, whatever issuer name it has.
    let made = Some(&staged.certificate).filter(|c| !c.is_self_issued() && authority.chain(c).is_some());
    if let Some(made) = made {
        let place = staged.path.display().to_string();
        return match authority.path(made, tls_use(def), now) {
            Some(Ok(issuers)) => good(authority, made, issuers, place),
            Some(Err(refused)) => {
                let what = format!("{place}: {}", no_path(authority, made, &refused));
                ReplyVerdict::Bad(vec![(kind_of(refused.rule), what, Some(made.fingerprint()))])
            }
            None => ReplyVerdict::Nothing,
        };
    }
    let spent = |c: &Certificate| {
        let print = c.fingerprint();
        current.is_some_and(|current| current.fingerprint() == print || current.spki_der() == c.spki_der())
            || observed.ledger.predecessors.contains_key(&print)
            || topology.distrust.contains_key(&print)
            || is_of_another(topology, observed, def, c)
    };
    judge(authority, def, staged, &spent, now)
}

/// Whether a certificate has the present or the staged key of another identity of the same host. Such a certificate
/// answers that identity's request.
fn is_of_another(topology: &Topology, observed: &Observed, def: &IdentityDef, certificate: &Certificate) -> bool {
    topology.identities_of(&def.id.host).filter(|other| other.id != def.id).any(|other| {
        let staged = observed.staged(&other.id).map(|look| &look.certificate);
        let keys = super::present(observed, other).into_iter().chain(staged);
        keys.map(|c| c.spki_der()).any(|key| key == certificate.spki_der())
    })
}

/// A reply that passed every guard, with its issuers.
fn good(
    authority: &Authority<'_>,
    leaf: &Arc<Certificate>,
    issuers: Vec<Arc<Certificate>>,
    place: String,
) -> ReplyVerdict {
    let anchors = authority.anchors_among(&issuers);
    ReplyVerdict::Good { leaf: Arc::clone(leaf), issuers, anchors, place }
}

/// Judges the files in an authority's inbox for an identity's staged key. `spent` tells the certificates that the
/// identity or another one of its host has, that somebody had before, or that the spec distrusts.
fn judge(
    authority: &Authority<'_>,
    def: &IdentityDef,
    staged: &StagedKey,
    spent: &dyn Fn(&Certificate) -> bool,
    now: Timestamp,
) -> ReplyVerdict {
    let files: &[InboxFile] = authority.inbox.map_or(&[], |inbox| &inbox.files);
    let ours = |c: &Certificate| c.spki_der() == staged.certificate.spki_der();
    let all: Vec<(&InboxFile, &Arc<Certificate>)> =
        files.iter().flat_map(|file| file.certificates.iter().map(move |c| (file, c))).collect();
    let mut own: Vec<&(&InboxFile, &Arc<Certificate>)> = all.iter().filter(|(_, c)| ours(c)).collect();
    own.sort_by_key(|(_, c)| std::cmp::Reverse((c.not_before(), c.fingerprint())));
    // The latest certificate that passes counts. If none passes, the latest one is reported.
    let mut latest: Option<ReplyVerdict> = None;
    for (file, leaf) in own {
        let place = file.path.display().to_string();
        match judge_one(authority, def, leaf, now) {
            Ok(issuers) => return good(authority, leaf, issuers, place),
            Err(faults) if latest.is_none() => {
                let print = Some(leaf.fingerprint());
                let said = faults.into_iter().map(|(kind, what)| (kind, format!("{place}: {what}"), print));
                latest = Some(ReplyVerdict::Bad(said.collect()));
            }
            Err(_) => {}
        }
    }
    if let Some(bad) = latest {
        return bad;
    }
    let mut bad = Vec::new();
    for (file, other) in all.iter().filter(|(_, c)| !c.is_ca() && constraints::identifies(c, def) && !spent(c)) {
        let what = format!(
            "{}: it belongs to another key than the key in staging; perhaps it answers an older request. Send the present \
             request to the certificate authority",
            file.path.display()
        );
        bad.push((FindingKind::ReplyKeyMismatch, what, Some(other.fingerprint())));
    }
    // A file named after the identity that holds no certificate is a broken reply.
    let called = |file: &InboxFile| {
        let name = file.path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        name.contains(def.id.host.as_str()) && name.contains(def.id.name.as_str())
    };
    for file in files.iter().filter(|file| file.certificates.is_empty() && called(file)) {
        if let Some(failure) = &file.failure {
            bad.push((FindingKind::ReplyEncoding, failure.message.clone(), None));
        }
    }
    if bad.is_empty() { ReplyVerdict::Nothing } else { ReplyVerdict::Bad(bad) }
}

/// The issuers of a certificate with the staged key, the nearest first; otherwise every fault of the certificate.
fn judge_one(
    authority: &Authority<'_>,
    def: &IdentityDef,
    leaf: &Certificate,
    now: Timestamp,
) -> Result<Vec<Arc<Certificate>>, Vec<(FindingKind, String)>> {
    let judged = constraints::judge(leaf, def, now);
    let mut faults: Vec<(FindingKind, String)> = names(def, leaf, &judged, now).into_iter().collect();
    faults.extend(unfit(def, leaf).into_iter().map(|what| (FindingKind::ReplyEku, what)));
    faults.extend(weak(leaf, &judged).into_iter().map(|what| (FindingKind::ReplyWeakCrypto, what)));
    let dates = judged.iter().filter(|fault| fault.is_of_dates());
    faults.extend(dates.map(|fault| (FindingKind::ReplyDates, ill_dated(authority, fault))));
    // The path is judged last, because its signatures cost most. Its refusal is not reported if the certificate has a
    // fault of the same kind.
    let issuers = match authority.path(leaf, tls_use(def), now) {
        Some(Ok(issuers)) => issuers,
        Some(Err(refused)) => {
            if !faults.iter().any(|(kind, _)| *kind == kind_of(refused.rule)) {
                faults.push((kind_of(refused.rule), no_path(authority, leaf, &refused)));
            }
            return Err(faults);
        }
        None => Vec::new(),
    };
    faults.extend(outlived(leaf, &issuers).into_iter().map(|what| (FindingKind::ReplyDates, what)));
    if faults.is_empty() { Ok(issuers) } else { Err(faults) }
}

/// The kind of finding that a refused path gives.
fn kind_of(rule: PathRule) -> FindingKind {
    match rule {
        PathRule::Algorithm
        | PathRule::Key
        | PathRule::EndEntityIsCa
        | PathRule::DigitalSignature
        | PathRule::CriticalExtension => FindingKind::ReplyWeakCrypto,
        PathRule::NotYetValid | PathRule::Ended => FindingKind::ReplyDates,
        PathRule::Purpose => FindingKind::ReplyEku,
        PathRule::Issuer
        | PathRule::Length
        | PathRule::KeyIdentifier
        | PathRule::Signature
        | PathRule::Form
        | PathRule::BasicConstraints
        | PathRule::PathLength
        | PathRule::KeyCertSign
        | PathRule::NameConstraints
        | PathRule::NameConstraintsForm
        | PathRule::Policy
        | PathRule::SecondOpinion => FindingKind::ReplyChainIncomplete,
    }
}

fn no_path(authority: &Authority<'_>, leaf: &Certificate, refused: &Refused) -> String {
    let is_leaf = refused.fingerprint == leaf.fingerprint();
    let advice = match refused.rule {
        PathRule::Issuer if is_leaf && !authority.is_named_by(leaf) => {
            let issuer = text::escape(leaf.issuer());
            return format!(
                "no chain leads from it to the pinned root: the certificate of its issuer {issuer} is missing; put it into the \
                 inbox or under `intermediates:`"
            );
        }
        PathRule::Signature if is_leaf => {
            let issuer = text::escape(leaf.issuer());
            return format!(
                "no chain leads from it to the pinned root: it names the issuer {issuer}, but no certificate of that name \
                 here signed it and leads to the root"
            );
        }
        _ => super::said(refused),
    };
    format!("no chain that validators accept leads from it to the pinned root: {advice}")
}

fn names(def: &IdentityDef, leaf: &Certificate, judged: &[Violation], now: Timestamp) -> Option<(FindingKind, String)> {
    if !constraints::names(leaf, def) {
        let what = format!("it names {}, but must name {}", constraints::carries(leaf), def.id.host);
        return Some((FindingKind::ReplyName, what));
    }
    if let Some(fault) =
        judged.iter().find(|fault| matches!(fault, Violation::CnNotFqdn { .. } | Violation::NotNamed { .. }))
    {
        return Some((FindingKind::ReplyName, fault.to_string()));
    }
    let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<BTreeSet<String>>();
    let (asked, got) = (lower(&mint::order(def, now).names), lower(leaf.dns_names()));
    let prescribed = |cn: &str| def.constraints.common_names.iter().any(|name| name.text.eq_ignore_ascii_case(cn));
    if let Some(cn) = leaf.common_name().filter(|cn| !asked.contains(&cn.to_lowercase()) && !prescribed(cn)) {
        let what = format!("its CN is {}, but the request asked for {}", text::escape(cn), def.id.host);
        return Some((FindingKind::ReplyName, what));
    }
    let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
    if leaf.other_alternative_names() > 0 {
        let count = text::count(leaf.other_alternative_names(), "name");
        let what = format!(
            "its subject alternative name has {count} of other kinds than DNS (addresses, URIs, mail), but the request asked for {}",
            list(asked)
        );
        return Some((FindingKind::ReplySan, what));
    }
    (asked != got).then(|| {
        let got = if got.is_empty() { "nothing".to_owned() } else { text::escape(&list(got)) };
        let what = format!("its subject alternative name lists {got}, but the request asked for {}", list(asked));
        (FindingKind::ReplySan, what)
    })
}

/// The sides of TLS that an identity's certificate is for. An identity that nothing is known of presents it as a server.
fn tls_use(def: &IdentityDef) -> TlsUse {
    let needs = |usage| def.needs.iter().any(|need| need.usage == usage);
    match (needs(ExtendedUsage::ServerAuth), needs(ExtendedUsage::ClientAuth)) {
        (_, false) => TlsUse::Server,
        (false, true) => TlsUse::Client,
        (true, true) => TlsUse::Both,
    }
}

/// One line for each usage that the identity needs and the certificate does not list. `anyExtendedKeyUsage` is not
/// enough: openssl and webpki do not accept it.
fn unfit(def: &IdentityDef, leaf: &Certificate) -> Vec<String> {
    let Some(listed) = leaf.extended_key_usage() else { return Vec::new() };
    let missing = [ExtendedUsage::ServerAuth, ExtendedUsage::ClientAuth].into_iter();
    let missing = missing.filter(|usage| !listed.iter().any(|listed| listed == usage.as_str()));
    let said = missing.filter_map(|usage| {
        let advice = match usage {
            ExtendedUsage::ServerAuth => "ask for a template with server authentication",
            ExtendedUsage::ClientAuth => {
                "ask a private CA, or ask for a template with client and server authentication; no public CA issues \
                 client authentication from 2027-03-15 on"
            }
        };
        Some(format!("{}; {advice}", constraints::eku_missing(def, usage)?))
    });
    said.collect()
}

fn weak(leaf: &Certificate, judged: &[Violation]) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    if let Some(by) = leaf.taken_for_ca_by() {
        faults.push(format!("the certificate {by}; it must be a server's"));
    }
    let (name, key) = (text::escape(leaf.subject()), leaf.public_key());
    if leaf.signature().is_weak() {
        faults.push(format!("{name} is signed with {}", leaf.signature().name));
    }
    if key.algorithm == KeyAlgorithm::Rsa && key.bits < 2048 {
        faults.push(format!("the key of {name} is {key}"));
    }
    let role = judged.iter().filter(|fault| matches!(fault, Violation::Key { .. } | Violation::Signature { .. }));
    faults.extend(role.map(ToString::to_string));
    let critical = leaf.critical_extensions().iter().filter(|oid| !MAY_BE_CRITICAL.contains(&oid.as_str()));
    faults
        .extend(critical.map(|oid| format!("its extension {oid} is critical, which breaks handshakes with VOS nodes")));
    faults.extend(constraints::unwritable(leaf));
    faults
}

/// A fault of a reply's dates. If no reply with this lifetime could ever do, the spec or the authority must change.
fn ill_dated(authority: &Authority<'_>, fault: &Violation) -> String {
    match fault {
        Violation::RenewDue { rule, .. } if rule.is_whole_life() => format!(
            "{name} issued it for {}, but its `renew_before` is {}, so it would be due from its first day; write \
             `renew_before` as a share of the lifetime, such as 33%, or ask {name} for a longer lifetime",
            rule.lifetime(),
            rule.before(),
            name = authority.name,
        ),
        _ => fault.to_string(),
    }
}

/// One line for each issuer that ends before the certificate does.
fn outlived(leaf: &Certificate, issuers: &[Arc<Certificate>]) -> Vec<String> {
    let shorter = issuers.iter().filter(|issuer| issuer.not_after() < leaf.not_after());
    let said = shorter.map(|issuer| {
        let days = (text::day(issuer.not_after()), text::day(leaf.not_after()));
        format!("its issuer {} ends on {}, before it does on {}", text::escape(issuer.subject()), days.0, days.1)
    });
    said.collect()
}
