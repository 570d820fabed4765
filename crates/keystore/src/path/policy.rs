//! Certificate policies along a path (RFC 5280 §6.1.3 d to f, §6.1.4, §6.1.5). The module takes the certificates of a
//! path and adds a fault if a certificate requires a policy and none is valid along the whole path. It never gives the
//! list of valid policies.

use std::collections::BTreeSet;

use super::Member;
use super::rule::{PathRule, RuleFaults};
use crate::certificate::CertificateParts;
use crate::der::{self, DerError, DerReader};

const POLICIES: &[u8] = &[0x55, 0x1d, 32];
const MAPPINGS: &[u8] = &[0x55, 0x1d, 33];
const CONSTRAINTS: &[u8] = &[0x55, 0x1d, 36];
const INHIBIT_ANY: &[u8] = &[0x55, 0x1d, 54];
/// anyPolicy, 2.5.29.32.0.
const ANY: &[u8] = &[0x55, 0x1d, 32, 0];

/// The policy extensions of one certificate.
#[derive(Default)]
pub(super) struct PolicyFacts<'a> {
    policies: BTreeSet<&'a [u8]>,
    /// Whether a policy has qualifiers. The JDK refuses them if the extension is critical.
    is_qualified: bool,
    /// Pairs of a policy of the issuer and the policy below it that counts as the same.
    mappings: Vec<(&'a [u8], &'a [u8])>,
    require_explicit: Option<u64>,
    inhibit_mapping: Option<u64>,
    inhibit_any: Option<u64>,
}

/// Whether a certificate constrains the policies of the certificates that it issues.
pub(super) fn is_constrained(parts: &CertificateParts<'_>) -> bool {
    parts.extension(CONSTRAINTS).is_some() || parts.extension(INHIBIT_ANY).is_some()
}

/// Reads the extensions about policies.
pub(super) fn read<'a>(parts: &CertificateParts<'a>) -> Result<PolicyFacts<'a>, DerError> {
    let mut said = PolicyFacts::default();
    if let Some(value) = parts.extension(MAPPINGS) {
        let mut whole = DerReader::new(value);
        let mut list = whole.expect(der::SEQUENCE)?.inner();
        whole.end()?;
        while !list.is_empty() {
            let mut pair = list.expect(der::SEQUENCE)?.inner();
            let (above, below) = (pair.expect(der::OID)?, pair.expect(der::OID)?);
            pair.end()?;
            said.mappings.push((above.body, below.body));
        }
    }
    if let Some(value) = parts.extension(POLICIES) {
        let mut whole = DerReader::new(value);
        let list = whole.expect(der::SEQUENCE)?;
        whole.end()?;
        let mut list_left = list.inner();
        if list_left.is_empty() {
            return Err(list.bad());
        }
        while !list_left.is_empty() {
            let mut policy = list_left.expect(der::SEQUENCE)?.inner();
            let oid = policy.expect(der::OID)?;
            if !said.policies.insert(oid.body) {
                return Err(oid.bad());
            }
            said.is_qualified |= !policy.is_empty();
        }
    }
    if let Some(value) = parts.extension(CONSTRAINTS) {
        let mut whole = DerReader::new(value);
        let list = whole.expect(der::SEQUENCE)?;
        whole.end()?;
        let mut fields = list.inner();
        let explicit = fields.optional(0x80)?;
        let mapping = fields.optional(0x81)?;
        fields.end()?;
        if explicit.is_none() && mapping.is_none() {
            return Err(list.bad());
        }
        said.require_explicit = explicit.map(|number| number.small()).transpose()?;
        said.inhibit_mapping = mapping.map(|number| number.small()).transpose()?;
    }
    if let Some(value) = parts.extension(INHIBIT_ANY) {
        let mut whole = DerReader::new(value);
        said.inhibit_any = Some(whole.expect(der::INTEGER)?.small()?);
        whole.end()?;
    }
    Ok(said)
}

/// The policies that are valid so far.
enum Valid<'a> {
    Any,
    These(BTreeSet<&'a [u8]>),
}

/// Judges a path, nearest issuer first. The root's own policies do not count (RFC 5280 §6.1.1).
pub(super) fn judge(leaf: &Member<'_>, issuers: &[Member<'_>], faults: &mut RuleFaults<'_>) {
    let between = issuers.get(..issuers.len().saturating_sub(1)).unwrap_or_default();
    let mut valid = Valid::Any;
    // How many more certificates may come without a valid policy, may use anyPolicy, and may map policies.
    let (mut explicit, mut any, mut mapping) = (u64::MAX, u64::MAX, u64::MAX);
    for (certificate, parts) in between.iter().rev().chain([leaf]) {
        let is_leaf = std::ptr::eq(*certificate, leaf.0);
        let mut refuse = |what: &str| faults.add(PathRule::Policy, certificate, what);
        // `member` has reported a broken form already.
        let Ok(said) = read(parts) else { return };
        let is_critical = certificate.critical_extensions().iter().any(|oid| oid == "2.5.29.32");
        let was_none = matches!(&valid, Valid::These(these) if these.is_empty());
        if is_critical && said.is_qualified && !was_none {
            refuse("has critical policies with qualifiers, which the JDK refuses");
        }
        let is_counted = !certificate.is_self_issued();
        let takes_any = said.policies.contains(ANY) && (any > 0 || (!is_leaf && !is_counted));
        let own: BTreeSet<&[u8]> = said.policies.iter().copied().filter(|policy| *policy != ANY).collect();
        valid = match valid {
            Valid::Any if takes_any => Valid::Any,
            Valid::Any => Valid::These(own),
            Valid::These(these) if takes_any => Valid::These(these),
            Valid::These(these) => Valid::These(these.intersection(&own).copied().collect()),
        };
        let is_none = matches!(&valid, Valid::These(these) if these.is_empty());
        if explicit == 0 && is_none {
            refuse("has no policy that is valid along the whole path, but one is required");
        }
        // RFC 5280 §6.1.4 a.
        if !is_leaf && !is_none && said.mappings.iter().any(|(above, below)| *above == ANY || *below == ANY) {
            refuse("maps to or from any policy");
        }
        if let (Valid::These(these), false) = (&mut valid, is_leaf) {
            let mapped: Vec<&(&[u8], &[u8])> =
                said.mappings.iter().filter(|(above, _)| these.contains(above)).collect();
            mapped.iter().for_each(|(above, _)| {
                these.remove(above);
            });
            if mapping > 0 {
                these.extend(mapped.iter().map(|(_, below)| *below));
            }
        }
        if is_leaf || is_counted {
            explicit = explicit.saturating_sub(1);
            mapping = mapping.saturating_sub(1);
            any = any.saturating_sub(1);
        }
        explicit = match said.require_explicit {
            // RFC 5280 §6.1.5 b: in the last certificate only zero counts.
            Some(most) if !is_leaf || most == 0 => explicit.min(most),
            _ => explicit,
        };
        mapping = mapping.min(said.inhibit_mapping.unwrap_or(u64::MAX));
        any = any.min(said.inhibit_any.unwrap_or(u64::MAX));
        if is_leaf && explicit == 0 && is_none {
            refuse("has no policy that is valid along the whole path, but one is required");
        }
    }
}
