//! Name constraints along a path (RFC 5280 §4.2.1.10, §6.1.3 b and c). The module takes the certificates of a path and
//! adds a fault for each name that an issuer does not allow. It never looks anything up.

use super::Member;
use super::names::{self, GeneralName};
use super::rule::{PathRule, RuleFaults};
use crate::certificate::CertificateParts;
use crate::der::{self, DerError, DerReader};

/// The object identifier of name constraints.
pub(super) const OID: &[u8] = &[0x55, 0x1d, 30];

/// The number of comparisons after which a path is refused. No honest path needs as many, but a hostile certificate
/// could have any number of names and subtrees.
const MOST_COMPARISONS: usize = 250_000;

/// The subtrees in the name constraints of one issuer.
pub(super) struct Subtrees<'a> {
    permitted: Vec<GeneralName<'a>>,
    excluded: Vec<GeneralName<'a>>,
}

impl Subtrees<'_> {
    /// Whether one of the subtrees is of another kind than DNS name or IP address.
    pub(super) fn has_other_than_hosts(&self) -> bool {
        self.permitted.iter().chain(&self.excluded).any(|base| !matches!(base.kind, names::DNS | names::ADDRESS))
    }
}

/// Reads the name constraints of an issuer, if it has any.
///
/// # Errors
/// The broken rule, and what is wrong: the form of the constraints is broken, or is one that this crate does not
/// process.
pub(super) fn read<'a>(parts: &CertificateParts<'a>) -> Result<Option<Subtrees<'a>>, (PathRule, String)> {
    let Some(value) = parts.extension(OID) else { return Ok(None) };
    let broken = |error: DerError| (PathRule::Form, format!("has name constraints with {}", error.fault.what()));
    let mut whole = DerReader::new(value);
    let mut fields = whole.expect(der::SEQUENCE).map_err(broken)?.inner();
    whole.end().map_err(broken)?;
    let mut lists = [Vec::new(), Vec::new()];
    for (list, tag) in lists.iter_mut().zip([0xa0, 0xa1]) {
        let Some(subtrees) = fields.optional(tag).map_err(broken)? else { continue };
        let mut subtrees = subtrees.inner();
        while !subtrees.is_empty() {
            let mut subtree = subtrees.expect(der::SEQUENCE).map_err(broken)?.inner();
            let base = subtree.next().map_err(broken)?;
            if !subtree.is_empty() {
                return Err((PathRule::NameConstraintsForm, "has name constraints with a distance".to_owned()));
            }
            list.push(GeneralName { kind: base.tag, body: base.body });
        }
    }
    fields.end().map_err(broken)?;
    let [permitted, excluded] = lists;
    Ok(Some(Subtrees { permitted, excluded }))
}

/// Judges the names in a path by the constraints of its issuers, nearest issuer first.
pub(super) fn judge(leaf: &Member<'_>, issuers: &[Member<'_>], faults: &mut RuleFaults<'_>) {
    let mut left = MOST_COMPARISONS;
    for (place, (issuer, parts)) in issuers.iter().enumerate() {
        // `member` has reported a broken form already.
        let Ok(Some(subtrees)) = read(parts) else { continue };
        // The JDK does not read the constraints of the root. In those of another issuer, an empty DNS name makes it
        // fail with an exception.
        let is_root = place + 1 == issuers.len();
        if !is_root && subtrees.permitted.iter().chain(&subtrees.excluded).any(GeneralName::is_empty_dns) {
            faults.add(PathRule::NameConstraintsForm, issuer, "has name constraints with an empty DNS name");
        }
        // Java 8 reads such a name as one that no host has.
        if !is_root && subtrees.permitted.iter().any(GeneralName::is_dotted_dns) {
            faults.add(PathRule::NameConstraintsForm, issuer, "permits a DNS name that begins with a dot");
        }
        let below = issuers.iter().take(place).rev().filter(|(subject, _)| !subject.is_self_issued());
        for ((subject, own), is_leaf) in below.map(|member| (member, false)).chain([(leaf, true)]) {
            if let Err((rule, what)) = within(&subtrees, own, is_leaf, &mut left) {
                faults.add(rule, subject, format!("{what} {}", issuer.subject()));
            }
        }
    }
}

/// Whether an issuer allows all names of a certificate. The text of the error precedes the issuer's name.
fn within(
    subtrees: &Subtrees<'_>,
    parts: &CertificateParts<'_>,
    is_leaf: bool,
    left: &mut usize,
) -> Result<(), (PathRule, &'static str)> {
    let unreadable = (PathRule::NameConstraints, "has a name that cannot be read by the name constraints of");
    for name in names::all(parts, is_leaf).map_err(|_| unreadable)? {
        if lies_in(name, &subtrees.permitted, left)? == Some(false) {
            return Err((PathRule::NameConstraints, "has a name outside the permitted subtrees of"));
        }
        if lies_in(name, &subtrees.excluded, left)? == Some(true) {
            return Err((PathRule::NameConstraints, "has a name in an excluded subtree of"));
        }
    }
    Ok(())
}

/// Whether a name lies in one of the subtrees of its kind; `None` if there is no subtree of its kind.
fn lies_in(
    name: GeneralName<'_>,
    list: &[GeneralName<'_>],
    left: &mut usize,
) -> Result<Option<bool>, (PathRule, &'static str)> {
    let mut found = None;
    for base in list.iter().filter(|base| base.kind == name.kind) {
        *left =
            left.checked_sub(1).ok_or((PathRule::NameConstraints, "has too many names for the name constraints of"))?;
        let is_within = names::is_within(name, base.body).map_err(|names::Unprocessed| {
            (PathRule::NameConstraintsForm, "has a name that cannot be compared with the name constraints of")
        })?;
        found = Some(found == Some(true) || is_within);
    }
    Ok(found)
}
