//! Certificate authorities: their certificates as the spec pins them, the files in their inboxes, the chains that both
//! give, and the edges that follow. It takes the topology and the facts that were observed. It trusts no root without a
//! pin.
//!
//! An edge asks for an identity. If an authority of the spec issued the certificate of that identity, or is to issue
//! it, the truster needs the authority's root and intermediates instead of the leaf (RFC 5280 §6). This is decided for
//! each identity by its present and its next certificate. An estate may therefore be half self-signed and half issued
//! by a CA.

mod reply;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::path::{self, Refused};
use trustmason_keystore::{Alias, Certificate, EntryKind, Fingerprint, SignatureCheck};
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{
    Anchor, AnchorDef, AuthorityDef, CertificateSource, Edge, IdentityDef, Issuer, KeyAt, Subject, Topology, WriteMode,
};

pub(crate) use reply::{ReplyVerdict, reply};

use crate::constraints::{self, Terms};
use crate::observed::{InboxLook, Observed, SourceLook, StoreLook};
use crate::text;
use crate::why::Why;

/// The most certificates that a chain may have. The limit also ends a circle of cross-signed authorities.
const LONGEST_CHAIN: usize = 8;

/// An authority of the spec, with the facts that were observed of it.
pub(crate) struct Authority<'a> {
    name: &'a str,
    /// The pinned root, or why the root cannot be used.
    root: Result<Arc<Certificate>, Why>,
    /// The certificates that may lie between the root and a leaf: the declared intermediates and those of the inbox.
    between: Vec<Arc<Certificate>>,
    /// The file that each certificate comes from.
    places: BTreeMap<Fingerprint, String>,
    /// The declared intermediates.
    declared: BTreeSet<Fingerprint>,
    /// The declared intermediates that the spec trusts without their constraints.
    unconstrained: BTreeSet<Fingerprint>,
    /// Why a declared intermediate cannot be used.
    trouble: Option<Why>,
    /// The content of the inbox.
    pub inbox: Option<&'a InboxLook>,
}

/// All authorities of an estate by name.
pub(crate) type Authorities<'a> = BTreeMap<&'a str, Authority<'a>>;

/// Makes the authorities from the spec and the facts that were observed.
pub(crate) fn take<'a>(topology: &'a Topology, observed: &'a Observed, now: Timestamp) -> Authorities<'a> {
    let one = |(name, def): (&'a String, &'a AuthorityDef)| {
        let inbox = observed.inboxes.get(name);
        let mut between = Vec::new();
        let mut trouble = None;
        let mut places = BTreeMap::new();
        let mut unconstrained = BTreeSet::new();
        let mut from = |certificate: &Certificate, path: &std::path::Path| {
            places.entry(certificate.fingerprint()).or_insert_with(|| path.display().to_string());
        };
        for (number, anchor) in def.intermediates.iter().enumerate() {
            let subject = AuthorityDef::intermediate(name, number);
            match pinned(observed, &subject, anchor) {
                Ok(certificate) => {
                    from(&certificate, &anchor.file);
                    if anchor.unconstrained {
                        unconstrained.insert(certificate.fingerprint());
                    }
                    between.push(certificate);
                }
                Err(why) => trouble = trouble.or(Some(why)),
            }
        }
        let declared = between.iter().map(|c| c.fingerprint()).collect();
        for file in inbox.iter().flat_map(|inbox| &inbox.files) {
            for certificate in file.certificates.iter().filter(|c| c.is_ca() && !c.is_self_issued()) {
                from(certificate, &file.path);
                between.push(Arc::clone(certificate));
            }
        }
        let root = pinned(observed, &AuthorityDef::root(name), &def.root).and_then(|root| match def.root.sha256 {
            Some(_) => able(name, root, now),
            None => Err(Why::UnpinnedRoot { authority: name.clone(), found: root.fingerprint() }),
        });
        if let Ok(root) = &root {
            from(root, &def.root.file);
        }
        (name.as_str(), Authority { name, root, between, places, declared, unconstrained, trouble, inbox })
    };
    topology.authorities.iter().map(one).collect()
}

/// Accepts a root that can issue certificates, or could until the root ended.
fn able(authority: &str, root: Arc<Certificate>, now: Timestamp) -> Result<Arc<Certificate>, Why> {
    if let Some(from) = constraints::dates(&root, Terms::default(), now).begins {
        let from = text::time(from);
        let what = format!(
            "the root of {authority} is not valid before {from}; no service accepts certificates below it until then"
        );
        return Err(Why::UnknownAuthority { what });
    }
    match path::judge_root(&root, root.not_before()) {
        Ok(()) => Ok(root),
        Err(refused) => Err(Why::UnknownAuthority { what: format!("the root of {authority}: {}", said(&refused)) }),
    }
}

/// Why an authority can issue nothing, judged by its root alone. `None` if the root has no defect, or if the root has a
/// pin and its file is missing.
pub fn root_fault(name: &str, def: &AuthorityDef, look: &SourceLook, now: Timestamp) -> Option<String> {
    let certificate = match look {
        SourceLook::Missing { .. } if def.root.sha256.is_none() => {
            return Some(format!(
                "the root of {name} has no pin; add `sha256:` next to `file:` (openssl x509 -noout -fingerprint -sha256 -in {} \
                 prints it), and compare it with what the CA publishes",
                def.root.file.display()
            ));
        }
        SourceLook::Missing { .. } => return None,
        SourceLook::Found { certificate, .. } => certificate,
        SourceLook::Unreadable(failure) => return Some(format!("authority {name}: {}", failure.message)),
        SourceLook::Ambiguous { paths } => {
            let files: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            return Some(format!("authority {name}: {} hold different certificates", files.join(", ")));
        }
    };
    if let Some(pin) = def.root.sha256.filter(|pin| *pin != certificate.fingerprint()) {
        let why = Why::PinMismatch {
            subject: format!("certificate {}", AuthorityDef::root(name)),
            pinned: pin,
            found: certificate.fingerprint(),
        };
        return Some(why.to_string());
    }
    let file = def.root.file.display();
    if def.root.sha256.is_none() {
        let authority = name.to_owned();
        return Some(Why::UnpinnedRoot { authority, found: certificate.fingerprint() }.to_string());
    }
    let what = match able(name, Arc::clone(certificate), now) {
        Err(why) => why.to_string(),
        Ok(root) if constraints::dates(&root, Terms::default(), now).is_past() => {
            format!(
                "the root of {name} ended on {}; no service accepts certificates below it",
                text::day(root.not_after())
            )
        }
        Ok(_) => return None,
    };
    Some(format!("{what} ({file}); declare the root that the certificate authority uses now"))
}

/// The text of a refusal, for people.
pub(crate) fn said(refused: &Refused) -> String {
    text::escape(&refused.to_string())
}

/// The certificate in a file of the spec, if it matches the pin. Without a pin every certificate matches.
fn pinned(observed: &Observed, subject: &str, anchor: &AnchorDef) -> Result<Arc<Certificate>, Why> {
    let certificate = match observed.sources.get(&Subject::Certificate(subject.to_owned())) {
        Some(SourceLook::Found { certificate, .. }) => Arc::clone(certificate),
        Some(SourceLook::Unreadable(failure)) => {
            return Err(Why::UnknownAuthority { what: failure.message.clone() });
        }
        Some(SourceLook::Missing { .. } | SourceLook::Ambiguous { .. }) | None => {
            let what = format!("{} does not exist, or does not hold exactly one certificate", anchor.file.display());
            return Err(Why::UnknownAuthority { what });
        }
    };
    match anchor.sha256 {
        Some(pin) if pin != certificate.fingerprint() => Err(Why::PinMismatch {
            subject: format!("certificate {subject}"),
            pinned: pin,
            found: certificate.fingerprint(),
        }),
        _ => Ok(certificate),
    }
}

impl Authority<'_> {
    /// The name of this authority in the spec.
    pub(crate) fn name(&self) -> &str {
        self.name
    }

    /// Why this authority cannot be used, if there is a reason.
    pub(crate) fn fault(&self) -> Option<&Why> {
        self.root.as_ref().err().or(self.trouble.as_ref())
    }

    /// The issuers of a certificate, the nearest first and the pinned root last. `None` if this authority did not issue
    /// the certificate, or its root cannot be used.
    pub(crate) fn chain(&self, leaf: &Certificate) -> Option<Vec<Arc<Certificate>>> {
        let root = self.root.as_ref().ok()?;
        let mut chain: Vec<Arc<Certificate>> = Vec::new();
        while chain.len() < LONGEST_CHAIN {
            let last = chain.last().map_or(leaf, |c| &**c);
            if issued(root, last) {
                chain.push(Arc::clone(root));
                return Some(chain);
            }
            let next = self.between.iter().find(|c| issued(c, last) && !chain.contains(*c))?;
            chain.push(Arc::clone(next));
        }
        None
    }

    /// The path by which validators accept a certificate of this authority, the nearest issuer first and the pinned
    /// root last. `None` if the root cannot be used.
    pub(crate) fn path(&self, leaf: &Certificate, now: Timestamp) -> Option<Result<Vec<Arc<Certificate>>, Refused>> {
        let root = self.root.as_ref().ok()?;
        Some(path::validate(leaf, &self.between, root, now.as_second()).map(path::CertificationPath::into_issuers))
    }

    /// The issuers of a certificate that become trust anchors: the root, and the intermediates that lose no constraint
    /// as a trust anchor. If no validator would accept the path at any moment, only the root.
    fn anchors(&self, leaf: &Certificate, chain: &[Arc<Certificate>], now: Timestamp) -> Vec<Arc<Certificate>> {
        // The certificate that a service presents may have ended. The path is judged at a moment when that certificate
        // was valid.
        let at = now.as_second().min(leaf.not_after().saturating_sub(1)).max(leaf.not_before());
        let is_sound = self.root.as_ref().is_ok_and(|root| match path::validate(leaf, chain, root, at) {
            Ok(_) => true,
            Err(refused) => refused.rule.is_of_time(),
        });
        if is_sound { self.anchors_among(chain) } else { chain.iter().filter(|c| self.is_root(c)).cloned().collect() }
    }

    /// The issuers on an accepted path that become trust anchors: the root, and the intermediates that may be one.
    fn anchors_among(&self, issuers: &[Arc<Certificate>]) -> Vec<Arc<Certificate>> {
        issuers.iter().filter(|c| self.is_root(c) || self.is_free(c)).cloned().collect()
    }

    /// Whether an intermediate may be a trust anchor: it has no constraint that a JVM would drop, or the spec allows it
    /// all the same.
    fn is_free(&self, intermediate: &Certificate) -> bool {
        self.unconstrained.contains(&intermediate.fingerprint())
            || path::constraints_lost_as_anchor(intermediate).is_empty()
    }

    /// The declared intermediates that are no trust anchors, each with the constraints that it would lose as one.
    pub(crate) fn withheld(&self) -> impl Iterator<Item = (&Arc<Certificate>, Vec<&'static str>)> {
        let declared = self.between.iter().filter(|c| self.declared.contains(&c.fingerprint()) && !self.is_free(c));
        declared.map(|c| (c, path::constraints_lost_as_anchor(c)))
    }

    /// Whether a certificate names this authority's root or a known intermediate as its issuer. The chain need not be
    /// complete.
    pub(crate) fn is_named_by(&self, leaf: &Certificate) -> bool {
        let known = self.root.iter().chain(&self.between);
        known.into_iter().any(|c| c.subject_der() == leaf.issuer_der())
    }

    /// The root and the declared intermediates that are trust anchors, the root first.
    pub(crate) fn trust_anchors(&self) -> impl Iterator<Item = &Arc<Certificate>> {
        let declared = self.between.iter().filter(|c| self.declared.contains(&c.fingerprint()) && self.is_free(c));
        self.root.iter().chain(declared)
    }

    /// Every certificate of this authority, with its name in edges.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = (String, &Arc<Certificate>)> {
        let unique: BTreeMap<String, &Arc<Certificate>> =
            self.root.iter().chain(&self.between).map(|c| (self.subject(c), c)).collect();
        unique.into_iter()
    }

    /// The file that a certificate of this authority comes from.
    pub(crate) fn place(&self, certificate: &Certificate) -> String {
        self.places.get(&certificate.fingerprint()).cloned().unwrap_or_default()
    }

    /// Whether a certificate is the pinned root.
    pub(crate) fn is_root(&self, certificate: &Certificate) -> bool {
        self.root.as_ref().is_ok_and(|root| root.fingerprint() == certificate.fingerprint())
    }

    /// The name that edges have for a certificate of this authority.
    fn subject(&self, certificate: &Certificate) -> String {
        if self.is_root(certificate) {
            return AuthorityDef::root(self.name);
        }
        format!("{}/{}", self.name, short(certificate))
    }

    /// The alias of a certificate of this authority in stores that have aliases.
    fn alias(&self, certificate: &Certificate) -> Alias {
        let end = if self.is_root(certificate) { "root".to_owned() } else { short(certificate) };
        format!("{}-{end}", self.name).into()
    }
}

fn short(certificate: &Certificate) -> String {
    certificate.fingerprint().to_string().chars().take(8).collect()
}

/// Whether `issuer` issued a certificate: `issuer` is a CA, the certificate names it, and its key verifies the
/// signature.
fn issued(issuer: &Certificate, certificate: &Certificate) -> bool {
    issuer.is_ca()
        && issuer.subject_der() == certificate.issuer_der()
        && certificate.verify_signed_by(issuer) == SignatureCheck::Valid
}

/// Whether any authority cannot be used. Then the issuer of a certificate may be unknown.
pub(crate) fn is_any_at_fault(authorities: &Authorities<'_>) -> bool {
    authorities.values().any(|authority| authority.fault().is_some())
}

/// The constraints that an intermediate would lose as a trust anchor. `None` if it may be one, or if no authority has
/// it.
pub(crate) fn lost_as_anchor(authorities: &Authorities<'_>, print: Fingerprint) -> Option<Vec<&'static str>> {
    authorities.values().find_map(|authority| {
        let one = authority.between.iter().find(|c| c.fingerprint() == print && !authority.is_free(c))?;
        Some(path::constraints_lost_as_anchor(one))
    })
}

/// The authority that issued a certificate, and the chain to its root.
pub(crate) fn issuer_of<'g, 'a>(
    authorities: &'g Authorities<'a>,
    leaf: &Certificate,
) -> Option<(&'g Authority<'a>, Vec<Arc<Certificate>>)> {
    if leaf.is_self_issued() {
        return None;
    }
    authorities.values().find_map(|authority| Some((authority, authority.chain(leaf)?)))
}

/// The trust anchors that a truster must hold for a leaf that an authority issued. Empty if none issued it.
pub(crate) fn anchors_of(authorities: &Authorities<'_>, leaf: &Certificate, now: Timestamp) -> Vec<Fingerprint> {
    let issued = issuer_of(authorities, leaf);
    let anchors = issued.map(|(authority, chain)| authority.anchors(leaf, &chain, now)).unwrap_or_default();
    anchors.iter().map(|anchor| anchor.fingerprint()).collect()
}

/// The certificate that an identity has now, if it was seen.
pub(crate) fn present<'o>(observed: &'o Observed, def: &IdentityDef) -> Option<&'o Arc<Certificate>> {
    match &def.source {
        CertificateSource::KeyEntry(place) => {
            let StoreLook::Readable(facts) = observed.stores.get(&place.store)? else { return None };
            let KeyAt::Alias(alias) = &place.at else { return facts.only_key()?.1.first()?.certificate() };
            let entry = facts.entries.iter().rev().find(|entry| entry.is_spelled(alias))?;
            match &entry.kind {
                EntryKind::PrivateKey { chain } => chain.first()?.certificate(),
                _ => None,
            }
        }
        CertificateSource::Exported { .. } | CertificateSource::File(_) => {
            observed.source(&Subject::Identity(def.id.clone()))
        }
    }
}

/// The topology that a plan is judged by: an edge to an identity that an authority issued becomes edges to the issuers.
/// `None` if no authority is declared; then the topology stays as it is written.
pub fn widened(topology: &Topology, observed: &Observed, now: Timestamp) -> Option<Topology> {
    widen(topology, observed, &take(topology, observed, now), now)
}

/// The certificates that trusters need for one identity.
#[derive(Default)]
struct ChainNeed {
    leaf: bool,
    /// The aliases of the authorities' certificates, by their names in edges.
    chain: BTreeMap<String, Alias>,
}

/// The topology with the edges to issuers. `None` if no authority is declared.
pub(crate) fn widen(
    topology: &Topology,
    observed: &Observed,
    authorities: &Authorities<'_>,
    now: Timestamp,
) -> Option<Topology> {
    if authorities.is_empty() {
        return None;
    }
    let needs: BTreeMap<&IdentityId, ChainNeed> =
        topology.identities.values().map(|def| (&def.id, need(topology, observed, authorities, def, now))).collect();
    let mut wide = topology.clone();
    // Sorted, so that the order of the list does not decide which edge gives an issuer its rule.
    wide.edges.sort_by(|a, b| a.id.cmp(&b.id));
    let mut added: BTreeMap<(StoreId, String), (Edge, BTreeSet<IdentityId>)> = BTreeMap::new();
    wide.edges.retain(|edge| {
        let (Subject::Identity(id), Anchor::ByIssuer) = (&edge.subject, edge.anchor) else { return true };
        let Some(need) = needs.get(id) else { return true };
        for (subject, alias) in &need.chain {
            let slot = (edge.store.clone(), subject.clone());
            let chain = || Edge {
                id: format!("{} <- certificate {subject}", edge.store),
                store: edge.store.clone(),
                subject: Subject::Certificate(subject.clone()),
                anchor: Anchor::Chain,
                alias: edge.alias.as_ref().map(|_| alias.clone()),
                was: Vec::new(),
                rule: edge.rule.clone(),
                why: edge.why.clone(),
                source: edge.source.clone(),
            };
            added.entry(slot).or_insert_with(|| (chain(), BTreeSet::new())).1.insert(id.clone());
        }
        need.leaf
    });
    wide.edges.extend(added.into_values().map(|(edge, ids)| {
        let first = ids.first().map(ToString::to_string).unwrap_or_default();
        let more = if ids.len() > 1 { format!(" and {} more", ids.len().saturating_sub(1)) } else { String::new() };
        Edge { why: format!("it signed the certificate of {first}{more}; {}", edge.why), ..edge }
    }));
    wide.edges.sort_by(|a, b| a.id.cmp(&b.id));
    Some(wide)
}

fn need(
    topology: &Topology,
    observed: &Observed,
    authorities: &Authorities<'_>,
    def: &IdentityDef,
    now: Timestamp,
) -> ChainNeed {
    let mut need = ChainNeed::default();
    let present = present(observed, def);
    let vouched = present.and_then(|leaf| issuer_of(authorities, leaf));
    let mut take = |authority: &Authority<'_>, certificates: &[Arc<Certificate>]| {
        for certificate in certificates {
            need.chain.insert(authority.subject(certificate), authority.alias(certificate));
        }
    };
    if let (Some((authority, chain)), Some(leaf)) = (&vouched, present) {
        take(authority, &authority.anchors(leaf, chain, now));
    }
    if let Issuer::Authority(name) = &def.issuer
        && let Some(authority) = authorities.get(name.as_str()).filter(|authority| authority.fault().is_none())
    {
        let anchors: Vec<_> = authority.trust_anchors().cloned().collect();
        take(authority, &anchors);
        if let Some(staged) = observed.staged(&def.id) {
            // Only a reply that passed every guard adds trust. Certificates that lie beside a refused reply become no
            // trust anchors.
            let current = present.map(Arc::as_ref);
            if let ReplyVerdict::Good { anchors, .. } = reply(topology, observed, authority, def, staged, current, now)
            {
                take(authority, &anchors);
            }
        }
    }
    // It is unknown whether an authority that cannot be used issued this certificate. Nothing is imported for it, and
    // nothing is deleted.
    if vouched.is_none() && is_any_at_fault(authorities) && present.is_some_and(|leaf| !leaf.is_self_issued()) {
        return need;
    }
    // A leaf that no authority issued is trusted itself. A leaf that is to become self-signed is trusted before its
    // service presents it.
    let back = def.issuer == Issuer::SelfSigned && def.issuer_explicit && def.write == WriteMode::Direct;
    let to_come = matches!(def.issuer, Issuer::Authority(_)) && present.is_none();
    need.leaf = vouched.is_none() && !to_come || back;
    need
}
