//! Extensions as the JDK reads them: `sun.security.x509.CertificateExtensions`, `Extension`, `OIDMap` and the class
//! that `OIDMap` names for each object identifier. The module takes the value of an extension and says whether the
//! JDK's class reads it.
//!
//! If such a class refuses a critical extension, the whole certificate fails. If it refuses one that is not critical,
//! the JDK keeps the extension as `UnparseableExtension` and goes on.

use super::JavaRelease;
use super::classes::ExtensionClass;
use super::names::{NamePurpose, general_name, general_names, relative, subtrees};
use super::time;
use super::value::{BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, Parsed, SEQUENCE, SET, Stream, Value, refuse, require};

impl ExtensionClass {
    /// Reads the bytes of the extension's OCTET STRING as the constructor of the class does.
    pub(super) fn read(self, critical: bool, bytes: &[u8], java: JavaRelease) -> Parsed<()> {
        let whole = || Value::whole(bytes, java);
        match self {
            Self::SubjectKeyIdentifier => whole()?.octets().map(|_| ()),
            Self::KeyUsage => key_usage(bytes, java),
            Self::PrivateKeyUsage => private_key_usage(bytes, java),
            Self::SubjectAlternativeName | Self::IssuerAlternativeName | Self::CertificateIssuer => {
                general_names(&whole()?)
            }
            Self::BasicConstraints => basic_constraints(whole()?.sequence()?),
            Self::CrlNumber | Self::DeltaCrlIndicator => whole()?.big_integer().map(|_| ()),
            Self::CrlReasonCode => whole()?.enumerated().map(|_| ()),
            Self::IssuingDistributionPoint => issuing_distribution_point(whole()?.sequence()?),
            Self::NameConstraints => name_constraints(whole()?.sequence()?),
            Self::CrlDistributionPoints | Self::FreshestCrl => each(whole()?.sequence()?, distribution_point),
            Self::CertificatePolicies => each(whole()?.sequence()?, policy_information),
            Self::PolicyMappings => each(whole()?.sequence()?, policy_map),
            Self::AuthorityKeyIdentifier => authority_key_identifier(whole()?.sequence()?),
            Self::PolicyConstraints => policy_constraints(whole()?.sequence()?),
            Self::ExtendedKeyUsage => each(whole()?.sequence()?, |usage| usage.oid().map(|_| ())),
            Self::InhibitAnyPolicy => {
                require(critical, "an inhibit any policy that is not critical")?;
                require(whole()?.integer()? >= -1, "a number below -1")
            }
            Self::AuthorityInfoAccess | Self::SubjectInfoAccess => each(whole()?.sequence()?, access_description),
            Self::NetscapeCertType => whole()?.bits().map(|_| ()),
            Self::OcspNoCheck => Ok(()),
        }
    }
}

fn each<'a>(mut values: Stream<'a>, read: fn(&Value<'a>) -> Parsed<()>) -> Parsed<()> {
    while !values.is_empty() {
        read(&values.next()?)?;
    }
    Ok(())
}

/// `KeyUsageExtension`: a BIT STRING, or a BIT STRING in an OCTET STRING.
fn key_usage(bytes: &[u8], java: JavaRelease) -> Parsed<()> {
    require(!bytes.is_empty(), "an empty key usage")?;
    let inner = match bytes.first() {
        Some(&OCTET_STRING) => Value::whole(bytes, java)?.octets()?,
        _ => bytes,
    };
    Value::whole(inner, java)?.bits().map(|_| ())
}

/// `PrivateKeyUsageExtension`: two times. Bytes after the SEQUENCE are ignored.
fn private_key_usage(bytes: &[u8], java: JavaRelease) -> Parsed<()> {
    let mut seen = [false; 2];
    for part in Stream::new(bytes, java).sequence()? {
        let place = match part.tag {
            0x80 => seen.first_mut(),
            0x81 => seen.last_mut(),
            _ => None,
        };
        let Some(place) = place else {
            return refuse("an unknown part of a private key usage period");
        };
        require(!std::mem::replace(place, true), "a private key usage period with one end twice")?;
        time::generalized(&part)?;
    }
    Ok(())
}

/// `BasicConstraintsExtension`: contents that do not begin with a BOOLEAN count as empty, and bytes after the number
/// are ignored.
fn basic_constraints(mut parts: Stream<'_>) -> Parsed<()> {
    if parts.is_empty() {
        return Ok(());
    }
    let authority = parts.next()?;
    if authority.tag != BOOLEAN {
        return Ok(());
    }
    authority.boolean()?;
    if !parts.is_empty() {
        parts.next()?.integer()?;
    }
    Ok(())
}

/// `IssuingDistributionPointExtension`.
fn issuing_distribution_point(mut parts: Stream<'_>) -> Parsed<()> {
    while !parts.is_empty() {
        let part = parts.next()?;
        match part.tag {
            0xa0 => distribution_point_name(&part.stream().next()?)?,
            0x81 | 0x82 | 0x84 | 0x85 => drop(part.tagged(BOOLEAN).boolean()?),
            0x83 => drop(part.implicit_bits()?),
            _ => return refuse("an unknown part of an issuing distribution point"),
        }
    }
    Ok(())
}

/// `DistributionPointName(DerValue)`.
fn distribution_point_name(name: &Value<'_>) -> Parsed<()> {
    match name.tag {
        0xa0 => general_names(&name.tagged(SEQUENCE)),
        0xa1 => relative(&name.tagged(SET)).map(|_| ()),
        _ => refuse("an unknown distribution point name"),
    }
}

/// `DistributionPoint(DerValue)`: a name or an issuer or both, each at most once.
fn distribution_point(point: &Value<'_>) -> Parsed<()> {
    let (mut name, mut reasons, mut issuer) = (false, false, false);
    let once = |seen: &mut bool| require(!std::mem::replace(seen, true), "a distribution point with one part twice");
    let mut parts = point.sequence()?;
    while !parts.is_empty() {
        let part = parts.next()?;
        match part.tag {
            0xa0 => {
                once(&mut name)?;
                distribution_point_name(&part.stream().next()?)?;
            }
            0x81 => {
                once(&mut reasons)?;
                part.tagged(BIT_STRING).bits()?;
            }
            0xa2 => {
                once(&mut issuer)?;
                general_names(&part.tagged(SEQUENCE))?;
            }
            _ => return refuse("an unknown part of a distribution point"),
        }
    }
    require(name || issuer, "a distribution point without a name and an issuer")
}

/// `NameConstraintsExtension`: permitted and excluded subtrees, each at most once.
fn name_constraints(mut parts: Stream<'_>) -> Parsed<()> {
    let (mut permitted, mut excluded) = (false, false);
    while !parts.is_empty() {
        let part = parts.next()?;
        let seen = match part.tag {
            0xa0 => &mut permitted,
            0xa1 => &mut excluded,
            _ => return refuse("an unknown part of name constraints"),
        };
        require(!std::mem::replace(seen, true), "name constraints with one part twice")?;
        subtrees(&part)?;
    }
    Ok(())
}

/// `PolicyInformation(DerValue)`, with `java.security.cert.PolicyQualifierInfo`: bytes after the qualifiers are
/// ignored.
fn policy_information(policy: &Value<'_>) -> Parsed<()> {
    let mut parts = policy.sequence()?;
    parts.oid()?;
    if parts.is_empty() {
        return Ok(());
    }
    let qualifiers = parts.next()?.sequence()?;
    require(!qualifiers.is_empty(), "a policy with an empty list of qualifiers")?;
    each(qualifiers, |qualifier| qualifier.sequence()?.oid().map(|_| ()))
}

/// `CertificatePolicyMap(DerValue)`.
fn policy_map(map: &Value<'_>) -> Parsed<()> {
    let mut parts = map.sequence()?;
    parts.oid()?;
    parts.oid().map(|_| ())
}

/// `AuthorityKeyIdentifierExtension`: key, names and serial number, each at most once.
fn authority_key_identifier(mut parts: Stream<'_>) -> Parsed<()> {
    let mut seen = [false; 3];
    while !parts.is_empty() {
        let part = parts.next()?;
        let place = match part.tag {
            0x80 => 0,
            0xa1 => 1,
            0x82 => 2,
            _ => return refuse("an unknown part of an authority key identifier"),
        };
        if let Some(seen) = seen.get_mut(place) {
            require(!std::mem::replace(seen, true), "an authority key identifier with one part twice")?;
        }
        match place {
            1 => general_names(&part.tagged(SEQUENCE))?,
            2 => drop(part.tagged(INTEGER).big_integer()?),
            _ => {}
        }
    }
    Ok(())
}

/// `PolicyConstraintsExtension`: two numbers. The JDK uses -1 for a number that was not read yet.
fn policy_constraints(mut parts: Stream<'_>) -> Parsed<()> {
    let mut numbers = [-1; 2];
    while !parts.is_empty() {
        let part = parts.next()?;
        let place = match part.tag {
            0x80 => numbers.first_mut(),
            0x81 => numbers.last_mut(),
            _ => None,
        };
        let Some(place) = place else {
            return refuse("an unknown part of policy constraints");
        };
        require(*place == -1, "policy constraints with one number twice")?;
        *place = part.tagged(INTEGER).integer()?;
    }
    Ok(())
}

/// `AccessDescription(DerValue)`, whatever the tag.
fn access_description(description: &Value<'_>) -> Parsed<()> {
    let mut parts = description.stream();
    parts.oid()?;
    general_name(&parts.next()?, NamePurpose::Name)
}
