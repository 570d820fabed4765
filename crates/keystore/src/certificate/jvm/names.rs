//! Names as the JDK reads them: `X500Name`, `RDN`, `AVA`, `GeneralName`, `GeneralNames` and the class of each kind of
//! general name (`OtherName`, `RFC822Name`, `DNSName`, `X400Address`, `EDIPartyName`, `URIName`, `IPAddressName`,
//! `OIDName`), all of `sun.security.x509`. The module takes elements and says whether the JDK reads them. It never
//! gives the text of a name.

use super::classes::jdk_has_class;
use super::value::{
    INTEGER, OCTET_STRING, OID, Parsed, SEQUENCE, SET, StopKind, Stream, Value, doubt, refuse, require,
};
use super::{JavaRelease, uri};

/// Whether a distinguished name holds any attribute (`X500Name.isEmpty`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameContent {
    /// The name has no attribute. It may contain relative names without attributes.
    Empty,
    /// The name has at least one attribute.
    Some,
}

/// `X500Name(DerInputStream)`: a SEQUENCE of relative names. If the next element is no SEQUENCE, the JDK reads all
/// remaining elements as the relative names.
pub(super) fn directory(stream: &mut Stream<'_>) -> Parsed<NameContent> {
    let whole = Value { tag: SEQUENCE, body: stream.rest(), java: stream.java() };
    let names = match stream.sequence() {
        Ok(names) => names,
        Err(stop) if stop.kind == StopKind::Doubt => return Err(stop),
        Err(_) => whole.stream().all()?,
    };
    let mut content = NameContent::Empty;
    for name in names {
        if relative(&name)? > 0 {
            content = NameContent::Some;
        }
    }
    Ok(content)
}

/// `RDN(DerValue)`: the number of attributes in a SET. The JDK accepts an empty SET.
pub(super) fn relative(name: &Value<'_>) -> Parsed<usize> {
    require(name.tag == SET, "a relative name that is no SET")?;
    let attributes = name.stream().all()?;
    for attribute in &attributes {
        self::attribute(attribute)?;
    }
    Ok(attributes.len())
}

/// `AVA(DerValue)`: an object identifier and any value. Java 8 and newer updates of Java 17 refuse surrogates in a
/// BMPString; older updates of Java 17 load them.
fn attribute(attribute: &Value<'_>) -> Parsed<()> {
    let mut parts = attribute.sequence()?;
    let oid = parts.oid()?;
    let value = parts.next()?;
    require(parts.is_empty(), "bytes after an attribute's value")?;
    if value.tag == 0x1e {
        let surrogate = has_surrogates(value.body);
        let what = "a BMPString with a surrogate";
        match (surrogate, value.java) {
            (false, _) => Ok(()),
            (true, JavaRelease::Java8) => refuse(what),
            (true, JavaRelease::Java17) => doubt(what),
        }
        .map_err(|stop| stop.about(oid))?;
    }
    Ok(())
}

/// Whether Java decodes these bytes of UTF-16 to a pair of surrogates. A first half without its second half becomes a
/// replacement character, together with the unit that follows it.
fn has_surrogates(bytes: &[u8]) -> bool {
    let (pairs, _) = bytes.as_chunks::<2>();
    let mut units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    while let Some(unit) = units.next() {
        if (0xd800..0xdc00).contains(&unit) && units.next().is_some_and(|low| (0xdc00..0xe000).contains(&low)) {
            return true;
        }
    }
    false
}

/// `GeneralNames(DerValue)`: at least one name.
pub(super) fn general_names(value: &Value<'_>) -> Parsed<()> {
    let mut names = value.sequence()?;
    require(!names.is_empty(), "no general name")?;
    while !names.is_empty() {
        general_name(&names.next()?, NamePurpose::Name)?;
    }
    Ok(())
}

/// The purpose of a general name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamePurpose {
    /// The general name names something.
    Name,
    /// The general name constrains other names (RFC 5280 §4.2.1.10).
    Constraint,
}

/// `GeneralName(DerValue, boolean)`.
pub(super) fn general_name(name: &Value<'_>, purpose: NamePurpose) -> Parsed<()> {
    let primitive = |what| require(name.is_primitive_context(name.tag & 0x1f), what);
    let constructed = |what| require(name.is_constructed_context(name.tag & 0x1f), what);
    match name.tag & 0x1f {
        0 => {
            constructed("an other name that is not constructed")?;
            let mut parts = name.stream();
            let oid = parts.oid()?;
            parts.next()?;
            // The JDK has a class for an extension of this type and tries to make an object of that class, which always
            // fails.
            require(!jdk_has_class(oid), "an other name of an extension's type").map_err(|stop| stop.about(oid))
        }
        1 => {
            primitive("a mail address that is constructed")?;
            mail(name.body)
        }
        2 => primitive("a DNS name that is constructed"),
        3 => {
            constructed("an X.400 address that is not constructed")?;
            require(name.java != JavaRelease::Java8, "an X.400 address")
        }
        4 => {
            constructed("a directory name that is not constructed")?;
            directory(&mut name.stream()).map(|_| ())
        }
        5 => {
            constructed("an EDI party name that is not constructed")?;
            edi_party(name)
        }
        6 => {
            primitive("a URI that is constructed")?;
            match purpose {
                NamePurpose::Name => uri::name(name.body, name.java),
                NamePurpose::Constraint => uri::constraint(name.body, name.java),
            }
        }
        7 => {
            primitive("an IP address that is constructed")?;
            address(name.tagged(OCTET_STRING).octets()?, name.java)
        }
        8 => {
            primitive("a registered identifier that is constructed")?;
            name.tagged(OID).oid().map(|_| ())
        }
        _ => refuse("a general name of an unknown kind"),
    }
}

/// `RFC822Name.parseName`.
fn mail(text: &[u8]) -> Parsed<()> {
    let domain = match text.iter().position(|byte| *byte == b'@') {
        Some(at) => text.get(at + 1..).unwrap_or_default(),
        None => text,
    };
    require(!matches!(domain, [] | [b'.']), "a mail address without a domain")
}

/// `IPAddressName(byte[])`: an address, or an address and a mask. Newer updates of Java 17 turn a mapped IPv4 address
/// with a mask into one of version 4; then the mask must begin with 96 ones.
fn address(bytes: &[u8], java: JavaRelease) -> Parsed<()> {
    require(matches!(bytes.len(), 4 | 8 | 16 | 32), "an IP address of another length than 4, 8, 16 or 32 bytes")?;
    if java == JavaRelease::Java17
        && let Some((address, mask)) = bytes.split_at_checked(16)
        && address.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff])
        && !mask.is_empty()
        && !mask.starts_with(&[0xff; 12])
    {
        return doubt("a mapped IPv4 address with a mask of another kind");
    }
    Ok(())
}

/// `EDIPartyName(DerValue)`: one or two elements. Each may be an assigner or a party.
fn edi_party(name: &Value<'_>) -> Parsed<()> {
    let parts = name.stream().all()?;
    require(matches!(parts.len(), 1 | 2), "an EDI party name of other than one or two parts")?;
    let (mut assigner, mut party) = (false, false);
    for part in parts {
        for (number, seen) in [(0, &mut assigner), (1, &mut party)] {
            if part.is_primitive_context(number) {
                require(!*seen, "an EDI party name with one part twice")?;
                let text = part.stream().next()?;
                // `getAsString` gives nothing for a value that is no string; such a part counts as absent.
                *seen = is_string(&text);
            }
        }
    }
    Ok(())
}

/// Whether `DerValue.getAsString` knows the type of the value.
fn is_string(value: &Value<'_>) -> bool {
    match value.tag {
        0x0c | 0x13 | 0x14 | 0x16 | 0x1b | 0x1e => true,
        0x1c => value.java == JavaRelease::Java17,
        _ => false,
    }
}

/// `GeneralSubtree(DerValue)`.
fn subtree(value: &Value<'_>) -> Parsed<()> {
    let mut parts = value.sequence()?;
    general_name(&parts.next()?, NamePurpose::Constraint)?;
    while !parts.is_empty() {
        let part = parts.next()?;
        require(part.is_primitive_context(0) || part.is_primitive_context(1), "an unknown part of a subtree")?;
        part.tagged(INTEGER).integer()?;
    }
    Ok(())
}

/// `GeneralSubtrees(DerValue)`, under any tag.
pub(super) fn subtrees(value: &Value<'_>) -> Parsed<()> {
    let mut trees = value.stream();
    while !trees.is_empty() {
        subtree(&trees.next()?)?;
    }
    Ok(())
}
