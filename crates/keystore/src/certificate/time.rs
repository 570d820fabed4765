//! ASN.1 times (RFC 5280 §4.1.2.5). The module takes a UTCTime or a GeneralizedTime and gives seconds since the epoch,
//! with the tolerance of the JDK. It never reads a clock.

use crate::der::Tlv;

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Seconds since 1970-01-01T00:00:00Z; `None` if the element is no time.
pub(super) fn seconds(time: &Tlv<'_>) -> Option<i64> {
    let text = std::str::from_utf8(time.body).ok()?;
    let mut digits = Digits(text);
    let year = match time.tag {
        UTC_TIME => {
            let year = digits.take(2)?;
            // RFC 5280: 50..=99 are years of the twentieth century.
            if year >= 50 { 1900 + year } else { 2000 + year }
        }
        GENERALIZED_TIME => digits.take(4)?,
        _ => return None,
    };
    let (month, day, hour) = (digits.take(2)?, digits.take(2)?, digits.take(2)?);
    let minute = digits.take(2)?;
    let second = if digits.0.starts_with(|c: char| c.is_ascii_digit()) { digits.take(2)? } else { 0 };
    let rest = match digits.0.strip_prefix(['.', ',']) {
        Some(fraction) if time.tag == GENERALIZED_TIME => {
            let rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() == fraction.len() {
                return None;
            }
            rest
        }
        Some(_) => return None,
        None => digits.0,
    };
    let offset = match rest {
        "Z" => 0,
        _ => {
            let sign = if rest.starts_with('+') { 1 } else { -1 };
            let mut zone = Digits(rest.strip_prefix(['+', '-'])?);
            let (hours, minutes) = (zone.take(2)?, zone.take(2)?);
            if !zone.0.is_empty() || hours > 23 || minutes > 59 {
                return None;
            }
            sign * (hours * 3600 + minutes * 60)
        }
    };
    // The JDK takes the 30th of February for the 1st (2nd) of March, and so does the day count.
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, counted in eras of 400 years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

struct Digits<'a>(&'a str);

impl Digits<'_> {
    fn take(&mut self, count: usize) -> Option<i64> {
        let (head, rest) = self.0.split_at_checked(count)?;
        if !head.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        head.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{self, DerReader};

    fn read(tag: u8, text: &str) -> Option<i64> {
        let time = der::encode(tag, text.as_bytes());
        seconds(&DerReader::new(&time).next().ok()?)
    }

    #[test]
    fn from_1950_to_9999() {
        assert_eq!(read(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(read(UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(read(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(read(GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
        assert_eq!(read(GENERALIZED_TIME, "20000229120000Z"), Some(951_825_600));
        assert_eq!(read(GENERALIZED_TIME, "00010101000000Z"), Some(-62_135_596_800));
    }

    #[test]
    fn odd_forms_the_jdk_reads() {
        assert_eq!(read(UTC_TIME, "7001010000Z"), Some(0));
        assert_eq!(read(UTC_TIME, "700230000000Z"), read(UTC_TIME, "700302000000Z"));
        assert_eq!(read(UTC_TIME, "700101010000+0100"), Some(0));
        assert_eq!(read(GENERALIZED_TIME, "19700101000000.123Z"), Some(0));
    }

    #[test]
    fn what_is_no_time() {
        for text in
            ["", "700101000000", "701301000000Z", "700132000000Z", "700101240000Z", "70010100000xZ", "700101000000Zz"]
        {
            assert_eq!(read(UTC_TIME, text), None, "{text}");
        }
        assert_eq!(read(0x13, "700101000000Z"), None);
    }
}
