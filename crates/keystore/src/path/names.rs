//! The names of a certificate by their kind, and which of them lie in a subtree (RFC 5280 §4.2.1.6, §4.2.1.10).

use crate::certificate::Parts;
use crate::der::{self, Der, DerError, Tlv};

pub(super) const MAIL: u8 = 0x81;
pub(super) const DNS: u8 = 0x82;
pub(super) const DIRECTORY: u8 = 0xa4;
pub(super) const URI: u8 = 0x86;
pub(super) const ADDRESS: u8 = 0x87;

/// The subject alternative name.
const ALTERNATIVE: &[u8] = &[0x55, 0x1d, 17];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const MAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
const IA5_STRING: u8 = 0x16;

/// One name.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    /// The tag of its GeneralName, which says what kind of name it is.
    pub(super) kind: u8,
    pub(super) body: &'a [u8],
}

impl Name<'_> {
    pub(super) fn is_empty_dns(&self) -> bool {
        self.kind == DNS && self.body.is_empty()
    }

    pub(super) fn is_dotted_dns(&self) -> bool {
        self.kind == DNS && self.body.first() == Some(&b'.')
    }
}

/// The names of the subject alternative name.
pub(super) fn alternative<'a>(parts: &Parts<'a>) -> Result<Vec<Name<'a>>, DerError> {
    let mut found = Vec::new();
    if let Some(value) = parts.extension(ALTERNATIVE) {
        let mut whole = Der::new(value);
        let mut names = whole.expect(der::SEQUENCE)?.inner();
        whole.end()?;
        while !names.is_empty() {
            let name = names.next()?;
            let is_kind = matches!(name.tag, 0xa0 | MAIL | DNS | 0xa3 | DIRECTORY | 0xa5 | URI | ADDRESS | 0x88);
            let is_address = name.tag != ADDRESS || matches!(name.body.len(), 4 | 16);
            if !is_kind || !is_address {
                return Err(name.bad());
            }
            found.push(Name { kind: name.tag, body: name.body });
        }
    }
    Ok(found)
}

/// Every name that constraints apply to: the subject, its mail addresses, the alternative names, and for an end entity without
/// a DNS name also its common names, which TLS clients then take for DNS names (as openssl does).
pub(super) fn all<'a>(parts: &Parts<'a>, is_leaf: bool) -> Result<Vec<Name<'a>>, DerError> {
    let mut found = alternative(parts)?;
    let has_dns = found.iter().any(|name| name.kind == DNS);
    let mut rdns = parts.subject.inner();
    if !rdns.is_empty() {
        found.push(Name { kind: DIRECTORY, body: parts.subject.raw });
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
                found.push(Name { kind: MAIL, body: value.body });
            }
            if kind.body == COMMON_NAME && is_leaf && !has_dns && looks_like_a_host(value.body) {
                found.push(Name { kind: DNS, body: value.body });
            }
        }
    }
    Ok(found)
}

fn looks_like_a_host(text: &[u8]) -> bool {
    text.contains(&b'.')
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'*'))
}

/// A subtree that is no name of its kind, or of a kind that is not processed.
pub(super) struct Unprocessed;

/// Whether a name lies in the subtree of a base of the same kind.
pub(super) fn is_within(name: Name<'_>, base: &[u8]) -> Result<bool, Unprocessed> {
    match name.kind {
        DNS => Ok(dns(name.body, base)),
        MAIL => mail(name.body, base),
        URI => uri(name.body, base),
        ADDRESS => address(name.body, base),
        DIRECTORY => directory(name.body, base).map_err(|_| Unprocessed),
        _ => Err(Unprocessed),
    }
}

/// Labels may be added at the left. A base that begins with a dot, which RFC 5280 does not know, needs one more (as openssl and
/// the JDK read it).
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

/// A mailbox, a host, or the hosts of a domain.
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

/// `.example.com`: hosts of that domain; `example.com`: that host.
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
    // Who is asked, and addresses in brackets, are read differently by different readers.
    if authority.is_empty() || authority.iter().any(|byte| matches!(byte, b'@' | b'[' | b'%')) {
        return Err(Unprocessed);
    }
    let host = authority.split(|byte| *byte == b':').next().unwrap_or_default();
    Ok(host_or_domain(host, base))
}

/// Address and mask.
fn address(name: &[u8], base: &[u8]) -> Result<bool, Unprocessed> {
    if !matches!(base.len(), 8 | 32) {
        return Err(Unprocessed);
    }
    let (network, mask) = base.split_at_checked(base.len() / 2).ok_or(Unprocessed)?;
    // Ones, then zeros.
    let ones: u32 = mask.iter().map(|byte| byte.leading_ones()).take_while(|ones| *ones > 0).sum();
    if ones != mask.iter().map(|byte| byte.count_ones()).sum::<u32>() {
        return Err(Unprocessed);
    }
    Ok(name.len() == network.len()
        && name.iter().zip(network).zip(mask).all(|((name, network), mask)| name & mask == network & mask))
}

/// The base's parts come first in the name. Both are RDNSequences with their tags.
fn directory(name: &[u8], base: &[u8]) -> Result<bool, DerError> {
    let parts = |bytes: &[u8]| -> Result<Vec<Vec<u8>>, DerError> {
        let mut rdns = Der::new(bytes).expect(der::SEQUENCE)?.inner();
        let mut parts = Vec::new();
        while !rdns.is_empty() {
            parts.push(comparable(&rdns.expect(der::SET)?)?);
        }
        Ok(parts)
    };
    Ok(parts(name)?.starts_with(&parts(base)?))
}

/// An RDN with its strings in lower case and without blanks that do not count (RFC 5280 §7.1, as openssl and the JDK compare).
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
