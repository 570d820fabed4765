//! A CA's reply and the eight guards it passes before anything is done with it. `keytool -importcert` finds the first two at
//! once; the others are found only when a peer refuses the service.
//!
//! | guard | what it asks |
//! |---|---|
//! | `reply-key-mismatch` | its key is the one that waits in staging |
//! | `reply-chain-incomplete` | it chains to the authority's pinned root |
//! | `reply-name` | it names its host |
//! | `reply-san` | it names exactly what the request asked for: VOS refuses anything else |
//! | `reply-eku` | if it limits its use, the server's and the client's side are both allowed |
//! | `reply-weak-crypto` | no SHA-1, no short key, no CA's certificate, no critical extension that peers do not know |
//! | `reply-dates` | it is valid now, and its issuers are as long as it is |
//! | `reply-encoding` | the file can be read as certificates at all |

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::{Certificate, Fingerprint, KeyAlgorithm};
use trustmason_spec::topology::IdentityDef;

use super::Authority;
use crate::constraints::{self, Fault};
use crate::finding::Kind;
use crate::mint;
use crate::observed::{InboxFile, StagedKey};
use crate::text;

/// Extensions that may be critical in a server's certificate: key usage and basic constraints (RFC 5280 §4.2.1.3, §4.2.1.9).
/// Others break handshakes with VOS nodes.
const MAY_BE_CRITICAL: [&str; 2] = ["2.5.29.15", "2.5.29.19"];

/// What was found in an inbox for one identity.
pub(crate) enum Judged {
    /// Nothing yet.
    Nothing,
    /// It may be used.
    Good {
        /// The certificate.
        leaf: Arc<Certificate>,
        /// Who issued it, nearest first.
        issuers: Vec<Arc<Certificate>>,
        /// The file.
        place: String,
    },
    /// It may not; one finding for each guard.
    Bad(Vec<(Kind, String, Option<Fingerprint>)>),
}

/// Judges what lies in an authority's inbox for the key an identity has in staging. `spent` are certificates it has or had.
pub(crate) fn judge(
    authority: &Authority<'_>,
    def: &IdentityDef,
    staged: &StagedKey,
    spent: &dyn Fn(&Certificate) -> bool,
    now: Timestamp,
) -> Judged {
    let files: &[InboxFile] = authority.inbox.map_or(&[], |inbox| &inbox.files);
    let ours = |c: &Certificate| c.spki_der() == staged.certificate.spki_der();
    let all: Vec<(&InboxFile, &Arc<Certificate>)> =
        files.iter().flat_map(|file| file.certificates.iter().map(move |c| (file, c))).collect();
    // The latest counts: who sends one request twice gets two.
    let latest = all.iter().filter(|(_, c)| ours(c)).max_by_key(|(_, c)| (c.not_before(), c.fingerprint()));
    if let Some((file, leaf)) = latest {
        let place = file.path.display().to_string();
        let faults = faults(authority, def, leaf, now);
        return match authority.chain(leaf).filter(|_| faults.is_empty()) {
            Some(issuers) => Judged::Good { leaf: Arc::clone(leaf), issuers, place },
            None => {
                let print = Some(leaf.fingerprint());
                Judged::Bad(faults.into_iter().map(|(kind, what)| (kind, format!("{place}: {what}"), print)).collect())
            }
        };
    }
    let mut bad = Vec::new();
    for (file, other) in all.iter().filter(|(_, c)| !c.is_ca() && constraints::names(c, def) && !spent(c)) {
        let what = format!(
            "{}: its key is not the one that waits in staging; was another request sent since? Send the present one to its \
             authority",
            file.path.display()
        );
        bad.push((Kind::ReplyKeyMismatch, what, Some(other.fingerprint())));
    }
    // A file called after the identity that holds no certificate is a reply gone wrong.
    let called = |file: &InboxFile| {
        let name = file.path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        name.contains(def.id.host.as_str()) && name.contains(def.id.name.as_str())
    };
    for file in files.iter().filter(|file| file.certificates.is_empty() && called(file)) {
        if let Some(failure) = &file.failure {
            bad.push((Kind::ReplyEncoding, failure.message.clone(), None));
        }
    }
    if bad.is_empty() { Judged::Nothing } else { Judged::Bad(bad) }
}

/// What speaks against a certificate whose key is ours.
fn faults(authority: &Authority<'_>, def: &IdentityDef, leaf: &Certificate, now: Timestamp) -> Vec<(Kind, String)> {
    let mut faults = Vec::new();
    let issuers = authority.chain(leaf);
    if issuers.is_none() {
        let issuer = text::escape(leaf.issuer());
        let why = if authority.is_named_by(leaf) {
            format!(
                "it says that {issuer} issued it, and no certificate of that name here signed it with a chain to the root"
            )
        } else {
            format!(
                "the certificate of its issuer {issuer} is missing; put it into the inbox or under `intermediates:`"
            )
        };
        faults.push((Kind::ReplyChainIncomplete, format!("no chain leads from it to the pinned root: {why}")));
    }
    let issuers = issuers.unwrap_or_default();
    let judged = constraints::judge(leaf, def, now);
    faults.extend(names(def, leaf, now));
    if let Some(usages) = leaf.extended_key_usage() {
        let allows = |usage: &str| usages.iter().any(|u| u == usage || u == "anyExtendedKeyUsage");
        let missing: Vec<&str> = ["serverAuth", "clientAuth"].into_iter().filter(|usage| !allows(usage)).collect();
        if !missing.is_empty() {
            let what = format!(
                "its extended key usage leaves out {}; ask for a template with client and server authentication",
                missing.join(" and ")
            );
            faults.push((Kind::ReplyEku, what));
        }
    }
    faults.extend(weak(leaf, &issuers, &judged).into_iter().map(|what| (Kind::ReplyWeakCrypto, what)));
    faults.extend(dates(leaf, &issuers, &judged, now).into_iter().map(|what| (Kind::ReplyDates, what)));
    faults
}

fn names(def: &IdentityDef, leaf: &Certificate, now: Timestamp) -> Option<(Kind, String)> {
    if !constraints::names(leaf, def) {
        let what = format!("it names {}, must name {}", constraints::carries(leaf), def.id.host);
        return Some((Kind::ReplyName, what));
    }
    let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<BTreeSet<String>>();
    let (asked, got) = (lower(&mint::order(def, now).names), lower(leaf.dns_names()));
    let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
    (asked != got).then(|| {
        let got = if got.is_empty() { "nothing".to_owned() } else { text::escape(&list(got)) };
        let what = format!("its subject alternative name lists {got}, the request asked for {}", list(asked));
        (Kind::ReplySan, what)
    })
}

fn weak(leaf: &Certificate, issuers: &[Arc<Certificate>], judged: &[Fault]) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    if leaf.is_ca() {
        faults.push("it is a CA's certificate (basic constraints), not a server's".to_owned());
    }
    // The root is trusted by its pin, not by its own signature.
    let between = issuers.iter().take(issuers.len().saturating_sub(1)).map(|c| &**c);
    for certificate in std::iter::once(leaf).chain(between) {
        let (name, key) = (text::escape(certificate.subject()), certificate.public_key());
        if certificate.signature().is_weak() {
            faults.push(format!("{name} is signed with {}", certificate.signature().name));
        }
        if key.algorithm == KeyAlgorithm::Rsa && key.bits < 2048 {
            faults.push(format!("the key of {name} is {key}"));
        }
    }
    let role = judged.iter().filter(|fault| matches!(fault, Fault::Key { .. } | Fault::Signature { .. }));
    faults.extend(role.map(ToString::to_string));
    let critical = leaf.critical_extensions().iter().filter(|oid| !MAY_BE_CRITICAL.contains(&oid.as_str()));
    faults
        .extend(critical.map(|oid| format!("its extension {oid} is critical, which breaks handshakes with VOS nodes")));
    faults.extend(leaf.jvm_refusal().map(|why| format!("a JVM refuses it: {why}")));
    faults.extend(leaf.jvm_doubt().map(|why| format!("whether a JVM loads it cannot be told: {why}")));
    faults
}

fn dates(leaf: &Certificate, issuers: &[Arc<Certificate>], judged: &[Fault], now: Timestamp) -> Vec<String> {
    let wrong = judged
        .iter()
        .filter(|fault| matches!(fault, Fault::Expired { .. } | Fault::NotYetValid { .. } | Fault::RenewDue { .. }));
    let mut faults: Vec<String> = wrong.map(ToString::to_string).collect();
    for issuer in issuers {
        let (name, end) = (text::escape(issuer.subject()), issuer.not_after());
        if end < now.as_second() {
            faults.push(format!("its issuer {name} expired on {}", text::day(end)));
        } else if end < leaf.not_after() {
            let days = (text::day(end), text::day(leaf.not_after()));
            faults.push(format!("its issuer {name} ends on {}, before it does on {}", days.0, days.1));
        }
    }
    faults
}
