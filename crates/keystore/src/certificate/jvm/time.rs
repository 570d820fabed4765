//! Times as the JDK reads them (`sun.security.util.DerValue.getTimeInternal`, in Java 8 `DerInputBuffer.getTime`). The
//! module takes an element and says whether the JDK reads it as a time. It gives no date: `certificate::time` does.

use super::value::{Parsed, Value, refuse, require};

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A UTCTime or a GeneralizedTime (`CertificateValidity`).
pub(super) fn instant(value: &Value<'_>) -> Parsed<()> {
    match value.tag {
        UTC_TIME => utc(value),
        GENERALIZED_TIME => generalized(value),
        _ => refuse("no time where one belongs"),
    }
}

fn utc(value: &Value<'_>) -> Parsed<()> {
    require((11..=17).contains(&value.body.len()), "a UTCTime of another length than 11 to 17")?;
    let mut digits = JvmDigits(value.body);
    digits.two(0, 99)?;
    rest(digits, false)
}

/// A GeneralizedTime, under any tag.
pub(super) fn generalized(value: &Value<'_>) -> Parsed<()> {
    require(value.body.len() >= 13, "a GeneralizedTime of fewer than 13 bytes")?;
    let mut digits = JvmDigits(value.body);
    digits.two(0, 99)?;
    digits.two(0, 99)?;
    rest(digits, true)
}

/// Everything after the year. The day is not compared with the month: the 31st of February loads.
fn rest(mut digits: JvmDigits<'_>, fraction: bool) -> Parsed<()> {
    digits.two(1, 12)?;
    digits.two(1, 31)?;
    digits.two(0, 23)?;
    digits.two(0, 59)?;
    // Seconds are read if more than two bytes are left, whatever these bytes are.
    if digits.0.len() > 2 {
        digits.two(0, 59)?;
        if fraction && let Some((b'.' | b',', after)) = digits.0.split_first() {
            let count = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            require(count > 0, "a time with an empty fraction")?;
            digits.0 = after.get(count..).unwrap_or_default();
        }
    }
    match digits.0 {
        [b'Z'] => Ok(()),
        [b'+' | b'-', zone @ ..] if zone.len() == 4 => {
            let mut zone = JvmDigits(zone);
            zone.two(0, 23)?;
            zone.two(0, 59)
        }
        _ => refuse("a time that ends neither in Z nor in a zone"),
    }
}

struct JvmDigits<'a>(&'a [u8]);

impl JvmDigits<'_> {
    /// The next two digits, whose value must lie in this range.
    fn two(&mut self, low: u8, high: u8) -> Parsed<()> {
        let Some((&[tens, ones], rest)) = self.0.split_first_chunk::<2>() else {
            return refuse("a time that is cut short");
        };
        require(tens.is_ascii_digit() && ones.is_ascii_digit(), "a time with something else than digits")?;
        let number = (tens - b'0') * 10 + (ones - b'0');
        require((low..=high).contains(&number), "a time with an impossible number")?;
        self.0 = rest;
        Ok(())
    }
}
