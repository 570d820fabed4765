//! The names in a certificate by their kind, and whether a name lies in a subtree (RFC 5280 §4.2.1.6, §4.2.1.10). The
//! module takes the parts of a certificate and gives its names. It never decides which issuer's constraints apply.

use crate::certificate::CertificateParts;
use crate::der::{self, DerError, DerReader, Tlv};

pub(super) const MAIL: u8 = 0x81;
pub(super) const DNS: u8 = 0x82;
pub(super) const DIRECTORY: u8 = 0xa4;
pub(super) const URI: u8 = 0x86;
pub(super) const ADDRESS: u8 = 0x87;

/// The object identifier of the subject alternative name.
const ALTERNATIVE: &[u8] = &[0x55, 0x1d, 17];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const MAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
const IA5_STRING: u8 = 0x16;

/// A name in a certificate, or the base of a subtree.
#[derive(Clone, Copy)]
pub(super) struct GeneralName<'a> {
    /// The tag of the GeneralName, which determines the kind of the name.
    pub(super) kind: u8,
    pub(super) body: &'a [u8],
}

impl GeneralName<'_> {
    pub(super) fn is_empty_dns(&self) -> bool {
        self.kind == DNS && self.body.is_empty()
    }

    pub(super) fn is_dotted_dns(&self) -> bool {
        self.kind == DNS && self.body.first() == Some(&b'.')
    }
}

/// The names in the subject alternative name.
pub(super) fn alternative<'a>(parts: &CertificateParts<'a>) -> Result<Vec<GeneralName<'a>>, DerError> {
    let mut found = Vec::new();
    if let Some(value) = parts.extension(ALTERNATIVE) {
        let mut whole = DerReader::new(value);
        let mut names = whole.expect(der::SEQUENCE)?.inner();
        whole.end()?;
        while !names.is_empty() {
            let name = names.next()?;
            let is_kind = matches!(name.tag, 0xa0 | MAIL | DNS | 0xa3 | DIRECTORY | 0xa5 | URI | ADDRESS | 0x88);
            let is_address = name.tag != ADDRESS || matches!(name.body.len(), 4 | 16);
            if !is_kind || !is_address {
                return Err(name.bad());
            }
            found.push(GeneralName { kind: name.tag, body: name.body });
        }
    }
    Ok(found)
}

/// Every name to which constraints apply: the subject, its mail addresses and the alternative names. For an end entity
/// without a DNS name, its common names are added as DNS names, because TLS clients use them so (as openssl does).
pub(super) fn all<'a>(parts: &CertificateParts<'a>, is_leaf: bool) -> Result<Vec<GeneralName<'a>>, DerError> {
    let mut found = alternative(parts)?;
    let has_dns = found.iter().any(|name| name.kind == DNS);
    let mut rdns = parts.subject.inner();
    if !rdns.is_empty() {
        found.push(GeneralName { kind: DIRECTORY, body: parts.subject.raw });
    }
    while !rdns.is_empty() {
        let mut attributes = rdns.expect(der::SET)?.inner();
        while !attributes.is_empty() {
            let mut attribute = attributes.expect(der::SEQUENCE)?.inner();
            let kind = attribute.expect(der::OID)?;
            let value = attribute.next()?;
            if kind.body == MAIL_ADDRESS {
                if value.tag != IA5_STRING {
                    return Err(value.bad());
                }
                found.push(GeneralName { kind: MAIL, body: value.body });
            }
            if kind.body == COMMON_NAME && is_leaf && !has_dns && looks_like_a_host(value.body) {
                found.push(GeneralName { kind: DNS, body: value.body });
            }
        }
    }
    Ok(found)
}

fn looks_like_a_host(text: &[u8]) -> bool {
    text.contains(&b'.')
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'*'))
}

/// A name that is not valid for its kind, or a subtree of a kind that is not processed.
pub(super) struct Unprocessed;

/// Whether a name lies in the subtree of a base of the same kind.
pub(super) fn is_within(name: GeneralName<'_>, base: &[u8]) -> Result<bool, Unprocessed> {
    match name.kind {
        DNS => Ok(dns(name.body, base)),
        MAIL => mail(name.body, base),
        URI => uri(name.body, base),
        ADDRESS => address(name.body, base),
        DIRECTORY => directory(name.body, base).map_err(|_| Unprocessed),
        _ => Err(Unprocessed),
    }
}

/// Whether the name is the base, or the base with labels added on the left. A base that begins with a dot, which RFC
/// 5280 does not know, needs at least one more label (as openssl and the JDK read it).
fn dns(name: &[u8], base: &[u8]) -> bool {
    if base.is_empty() {
        return true;
    }
    let Some((left, right)) = name.len().checked_sub(base.len()).and_then(|at| name.split_at_checked(at)) else {
        return false;
    };
    let ends_label = if base.starts_with(b".") { !left.is_empty() } else { left.is_empty() || left.ends_with(b".") };
    right.eq_ignore_ascii_case(base) && ends_label
}

/// Compares a mail address with a base that is a mailbox, a host, or a domain with all its hosts.
fn mail(name: &[u8], base: &[u8]) -> Result<bool, Unprocessed> {
    let split = |text: &[u8]| text.iter().rposition(|byte| *byte == b'@');
    let at = split(name).ok_or(Unprocessed)?;
    let (local, host) = (name.get(..at).unwrap_or_default(), name.get(at + 1..).unwrap_or_default());
    match split(base) {
        Some(at) => {
            let (wanted, of) = (base.get(..at).unwrap_or_default(), base.get(at + 1..).unwrap_or_default());
            Ok(local == wanted && host.eq_ignore_ascii_case(of))
        }
        None => Ok(host_or_domain(host, base)),
    }
}

/// `.example.com` matches all hosts of that domain; `example.com` matches only that host.
fn host_or_domain(host: &[u8], base: &[u8]) -> bool {
    if !base.starts_with(b".") {
        return host.eq_ignore_ascii_case(base);
    }
    host.len()
        .checked_sub(base.len())
        .filter(|at| *at > 0)
        .and_then(|at| host.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(base))
}

fn uri(name: &[u8], base: &[u8]) -> Result<bool, Unprocessed> {
    let begin = name.windows(3).position(|three| three == b"://").ok_or(Unprocessed)? + 3;
    let rest = name.get(begin..).unwrap_or_default();
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    // Different readers read user names and addresses in brackets in different ways.
    if authority.is_empty() || authority.iter().any(|byte| matches!(byte, b'@' | b'[' | b'%')) {
        return Err(Unprocessed);
    }
    let host = authority.split(|byte| *byte == b':').next().unwrap_or_default();
    Ok(host_or_domain(host, base))
}

/// Compares an address with a network and its mask.
fn address(name: &[u8], base: &[u8]) -> Result<bool, Unprocessed> {
    if !matches!(base.len(), 8 | 32) {
        return Err(Unprocessed);
    }
    let (network, mask) = base.split_at_checked(base.len() / 2).ok_or(Unprocessed)?;
    // The mask must be ones, then zeros.
    let ones: u32 = mask.iter().map(|byte| byte.leading_ones()).take_while(|ones| *ones > 0).sum();
    if ones != mask.iter().map(|byte| byte.count_ones()).sum::<u32>() {
        return Err(Unprocessed);
    }
    Ok(name.len() == network.len()
        && name.iter().zip(network).zip(mask).all(|((name, network), mask)| name & mask == network & mask))
}

/// Whether the name begins with the parts of the base. Both are RDNSequences with their tags.
fn directory(name: &[u8], base: &[u8]) -> Result<bool, DerError> {
    let parts = |bytes: &[u8]| -> Result<Vec<Vec<u8>>, DerError> {
        let mut rdns = DerReader::new(bytes).expect(der::SEQUENCE)?.inner();
        let mut parts = Vec::new();
        while !rdns.is_empty() {
            parts.push(comparable(&rdns.expect(der::SET)?)?);
        }
        Ok(parts)
    };
    Ok(parts(name)?.starts_with(&parts(base)?))
}

/// An RDN in a form for comparison: strings in lower case, without the blanks that do not count (RFC 5280 §7.1, as
/// openssl and the JDK compare).
fn comparable(rdn: &Tlv<'_>) -> Result<Vec<u8>, DerError> {
    let mut all = Vec::new();
    let mut attributes = rdn.inner();
    while !attributes.is_empty() {
        let mut attribute = attributes.expect(der::SEQUENCE)?.inner();
        let kind = attribute.expect(der::OID)?;
        let value = attribute.next()?;
        let mut one = kind.raw.to_vec();
        match value.tag {
            // UTF8String, PrintableString, IA5String
            0x0c | 0x13 | 0x16 => {
                one.push(0);
                let words = value.body.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
                for word in words {
                    one.extend(word.to_ascii_lowercase());
                    one.push(b' ');
                }
            }
            _ => one.extend(value.raw),
        }
        all.push(one);
    }
    all.sort();
    Ok(all.concat())
}
