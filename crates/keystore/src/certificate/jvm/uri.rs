//! URIs as `sun.security.x509.URIName` reads them, which calls `java.net.URI` (RFC 2396). The module takes text and
//! says whether the JDK reads it as a URI.
//!
//! The module says "cannot tell" in three cases: the JDK would look up the host's address in the network, the host is
//! written as an IPv6 address, or the host contains escapes.

use super::JavaRelease;
use super::value::{Parsed, doubt, refuse, require};

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)
}

fn is_registry(byte: u8) -> bool {
    is_unreserved(byte) || b"$,;:@&=+".contains(&byte)
}

fn is_path(byte: u8) -> bool {
    is_unreserved(byte) || b":@&=+$,;/".contains(&byte)
}

fn is_uric(byte: u8) -> bool {
    is_unreserved(byte) || b";/?:@&=+$,[]".contains(&byte)
}

/// Requires that every character is allowed, or is a `%` with two hexadecimal digits.
fn check(text: &[u8], allowed: fn(u8) -> bool) -> Parsed<()> {
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            (byte, after) if allowed(*byte) => after,
            _ => return refuse("a URI with an illegal character"),
        };
    }
    Ok(())
}

/// The text before the first of these characters, and the text from that character on.
fn until<'a>(text: &'a [u8], ends: &[u8]) -> (&'a [u8], &'a [u8]) {
    let at = text.iter().position(|byte| ends.contains(byte)).unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or((text, &[]))
}

/// Refuses to judge characters outside ASCII, because `java.net.URI` sees replacement characters in their place.
fn ascii(text: &[u8]) -> Parsed<()> {
    if text.is_ascii() { Ok(()) } else { doubt("a URI with characters outside ASCII") }
}

/// `URIName(DerValue)`: a URI with a scheme.
pub(super) fn name(text: &[u8], java: JavaRelease) -> Parsed<()> {
    ascii(text)?;
    let (scheme, rest) = until(text, b":/?#");
    let Some((b':', rest)) = rest.split_first() else {
        return refuse("a URI without a scheme");
    };
    let letters = scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    require(letters && scheme.first().is_some_and(u8::is_ascii_alphabetic), "a URI with an impossible scheme")?;
    let (specific, fragment) = until(rest, b"#");
    if let Some((_, fragment)) = fragment.split_first() {
        check(fragment, is_uric)?;
    }
    if !specific.starts_with(b"/") {
        require(!specific.is_empty(), "a URI with nothing but a scheme")?;
        return check(specific, is_uric);
    }
    let Some(hierarchical) = specific.strip_prefix(b"//") else {
        return path(specific);
    };
    let (authority, after) = until(hierarchical, b"/?");
    require(!authority.is_empty() || !after.is_empty() || !fragment.is_empty(), "a URI without its host")?;
    self::authority(authority, java)?;
    path(after)
}

/// A path and a query.
fn path(text: &[u8]) -> Parsed<()> {
    let (path, query) = until(text, b"?");
    check(path, is_path)?;
    query.split_first().map_or(Ok(()), |(_, query)| check(query, is_uric))
}

/// The text after two slashes. The JDK takes a text that is no host for the name of a registry, and does not check it.
/// A host must be a `DNSName` or an address.
fn authority(text: &[u8], java: JavaRelease) -> Parsed<()> {
    if text.iter().any(|byte| b"%[]".contains(byte)) {
        return doubt("a URI whose host has brackets or escapes");
    }
    require(text.iter().all(|byte| is_registry(*byte)), "a URI with an illegal character in its host")?;
    let (user, host) = until(text, b"@");
    let (host, _) = until(host.split_first().map_or(user, |(_, host)| host), b":");
    let long = host.len() > 253 || host.split(|byte| *byte == b'.').any(|label| label.len() > 63);
    if host.ends_with(b".") || (long && java == JavaRelease::Java17) {
        return doubt("a URI whose host the JDK may look up in the network");
    }
    Ok(())
}

/// `URIName.nameConstraint(DerValue)`: a host, or a dot and a domain, without a scheme.
pub(super) fn constraint(text: &[u8], java: JavaRelease) -> Parsed<()> {
    ascii(text)?;
    if text.iter().any(|byte| b"#%".contains(byte)) {
        return doubt("a URI constraint with escapes or a fragment");
    }
    let host = text.strip_prefix(b".").unwrap_or(text);
    let labels = || host.split(|byte| *byte == b'.');
    require(labels().all(is_label), "a URI constraint that is no host or domain, such as one with a scheme")?;
    // Newer updates of Java 17 require more.
    let strict = host.len() <= 253 && labels().all(|label| label.len() <= 63 && !label.ends_with(b"-"));
    if strict || java == JavaRelease::Java8 {
        Ok(())
    } else {
        doubt("a URI constraint with a host that is too long or ends in -")
    }
}

/// Whether this is a valid part of a `DNSName(String)`.
fn is_label(label: &[u8]) -> bool {
    let letters = label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    letters && label.first().is_some_and(u8::is_ascii_alphanumeric)
}
