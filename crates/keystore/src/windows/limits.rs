//! The limits of a certificate's trust. The module takes the properties of an element and gives the limits in words.
//! Only Windows applies these properties, so a certificate in `Root` is not necessarily trusted.

use super::element::{Element, property};
use crate::certificate::usage_name;
use crate::der::{self, DerReader};

/// The limits in words, in the order of the properties.
pub(super) fn words(element: &Element<'_>) -> Vec<String> {
    let of = |property: &super::element::Property<'_>| {
        let value = property.value;
        Some(match property.id {
            property::USAGE => format!("trusted for {} only", usages(value)),
            property::DISALLOWED_USAGE => format!("disallowed for {}", usages(value)),
            property::DISALLOWED_TIME => format!("disallowed since {}", date(value)),
            property::DISALLOWED_CA_TIME => format!("disallowed as an authority since {}", date(value)),
            property::NOT_BEFORE_TIME => {
                format!("certificates that it issued are trusted only if they begin before {}", date(value))
            }
            property::NOT_BEFORE_USAGE => {
                format!("a date after which new certificates are not trusted for {}", usages(value))
            }
            _ => return None,
        })
    };
    element.properties.iter().filter_map(of).collect()
}

/// The usages in a `SEQUENCE OF OBJECT IDENTIFIER`.
fn usages(value: &[u8]) -> String {
    let read = || -> der::Result<Vec<String>> {
        let mut outer = DerReader::new(value);
        let list = outer.expect(der::SEQUENCE)?;
        outer.end()?;
        let mut inner = list.inner();
        let mut names = Vec::new();
        while !inner.is_empty() {
            let oid = inner.expect(der::OID)?;
            names.push(name(der::dotted(oid.body).ok_or(oid.bad())?));
        }
        Ok(names)
    };
    match read() {
        Ok(names) if names.is_empty() => "nothing".to_owned(),
        Ok(names) => names.join(", "),
        Err(_) => "usages that cannot be read".to_owned(),
    }
}

/// The name of a usage: those of RFC 5280, and those of Microsoft that its root program uses.
fn name(oid: String) -> String {
    match oid.as_str() {
        "1.3.6.1.4.1.311.10.3.4" => "file encryption".to_owned(),
        "1.3.6.1.4.1.311.10.3.12" => "document signing".to_owned(),
        "1.3.6.1.5.5.8.2.2" => "IPsec IKE".to_owned(),
        _ => usage_name(oid),
    }
}

/// The day of a FILETIME (units of 100 ns since 1601-01-01, UTC).
fn date(value: &[u8]) -> String {
    const PER_DAY: u64 = 86_400 * 10_000_000;
    match <[u8; 8]>::try_from(value).map(u64::from_le_bytes) {
        Ok(0) => "ever".to_owned(),
        Ok(time) => day(time / PER_DAY),
        Err(_) => "a date that cannot be read".to_owned(),
    }
}

/// The day that is this many days after 1601-01-01, in the proleptic Gregorian calendar, counted in eras of 400 years
/// that begin in March.
fn day(days: u64) -> String {
    // The days from 1600-03-01, where an era begins, to 1601-01-01.
    let days = days + 306;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = 1600 + era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar() {
        assert_eq!(day(0), "1601-01-01");
        assert_eq!(day(134_774), "1970-01-01");
        assert_eq!(day(134_774 + 11_016), "2000-02-29");
        assert_eq!(day(134_774 + 11_017), "2000-03-01");
        assert_eq!(date(&116_444_736_000_000_000u64.to_le_bytes()), "1970-01-01");
        assert_eq!(date(&0u64.to_le_bytes()), "ever");
        assert_eq!(date(&[1, 2]), "a date that cannot be read");
        // The greatest value is a day as well.
        assert_eq!(date(&u64::MAX.to_le_bytes()), "60056-05-28");
    }

    #[test]
    fn usages_have_names() {
        assert_eq!(usages(&[0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1]), "serverAuth");
        assert_eq!(usages(&[0x30, 0]), "nothing");
        assert_eq!(usages(&[0x30, 5]), "usages that cannot be read");
    }
}
