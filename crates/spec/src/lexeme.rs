//! The kinds of scalar in both languages. Each kind has a noun for messages, a pattern for the JSON Schema and a check.
//! The check takes a text, gives the cause and a hint if the text does not fit, and never changes the text.

use std::str::FromStr;

use trustmason_keystore::Fingerprint;

use crate::name::Fqdn;
use crate::topology::{LeadTime, Percent};
use crate::windows;

/// A kind of scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lexeme {
    /// Any text of at least one character. Control characters are refused by `shape`.
    Text,
    /// A short name: letters, digits, `.`, `_`, `-`.
    Name,
    /// A fully qualified host name.
    Fqdn,
    /// A number of days or years: `60d` or `5y`.
    Days,
    /// A number of days or years, or a share of a certificate's lifetime: `60d`, `5y` or `33%`.
    LeadTime,
    /// A number of seconds or minutes: `120s` or `5m`.
    Wait,
    /// A whole number, 1 to 1000.
    Count,
    /// A TCP port.
    Port,
    /// A SHA-256 fingerprint in hex, colons allowed.
    Sha256,
    /// A date: `YYYY-MM-DD`.
    Date,
    /// A country code: two letters (ISO 3166-1 alpha-2).
    Country,
    /// Two names with a slash between them: `LEFT/RIGHT`.
    Pair,
    /// A path on a host: `C:\x`, `/x`, `{VAR}…` or `windows://…`. `..` is refused.
    HostPath,
    /// The name of a variable.
    Variable,
    /// An alias, or the beginning of aliases with `*` after it.
    OlderAlias,
    /// The beginning of aliases with `*` after it.
    AliasPrefix,
}

impl Lexeme {
    /// The noun of the kind with its article, for messages: `a host name`.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Name => "a name",
            Self::Fqdn => "a host name",
            Self::Days => "a number of days or years",
            Self::LeadTime => "a number of days or years, or a share of the lifetime",
            Self::Wait => "a number of seconds or minutes",
            Self::Count => "a count",
            Self::Port => "a TCP port",
            Self::Sha256 => "a SHA-256 fingerprint",
            Self::Date => "a date",
            Self::Country => "a country code",
            Self::Pair => "a name of two parts",
            Self::HostPath => "a path on the host",
            Self::Variable => "the name of a variable",
            Self::OlderAlias => "an older alias",
            Self::AliasPrefix => "the beginning of aliases",
        }
    }

    /// The regular expression of the kind for the JSON Schema (ECMA 262).
    pub(crate) fn pattern(self) -> &'static str {
        match self {
            Self::Text => r"^[^\u0000-\u001f]+$",
            Self::Name => r"^[A-Za-z0-9_][A-Za-z0-9._-]*$",
            Self::Fqdn => {
                r"^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)+\.?$"
            }
            Self::Days => r"^[0-9]{1,5}[dy]$",
            Self::LeadTime => r"^([0-9]{1,5}[dy]|[1-9][0-9]?%)$",
            Self::Wait => r"^[0-9]{1,4}[sm]$",
            Self::Count => r"^[0-9]{1,4}$",
            Self::Port => r"^[0-9]{1,5}$",
            Self::Sha256 => r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$",
            Self::Date => r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
            Self::Country => r"^[A-Z]{2}$",
            Self::Pair => r"^[^/]+/[^/]+$",
            Self::HostPath => r"^([A-Za-z]:[\\/]|/|\{|[Ww]indows://).*$",
            Self::Variable => r"^[A-Za-z_][A-Za-z0-9_]*$",
            Self::OlderAlias => r"^([^\u0000-\u001f*]|[^\u0000-\u001f][^\u0000-\u001f]+)$",
            Self::AliasPrefix => r"^[^\u0000-\u001f{}*]+\*$",
        }
    }

    /// Checks a text of this kind. The error has the cause and one thing to try.
    pub(crate) fn check(self, text: &str) -> Result<(), ScalarFlaw> {
        match self {
            Self::Text => Ok(()),
            Self::Name => {
                let fits = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
                demand(
                    fits,
                    "a name has letters, digits, dots, hyphens and underscores only",
                    "leave out spaces and other characters",
                )
            }
            Self::Fqdn => Fqdn::parse(text).map(drop).map_err(|error| ScalarFlaw {
                why: error.why(),
                hint: "write the full name, such as cvp1.acme.example",
            }),
            Self::Days => demand(
                days(text).is_some(),
                "a duration is a whole number with d for days or y for years, from 1d to 100y",
                "write it like 60d or 5y",
            ),
            // A person who wrote a share is told about shares.
            Self::LeadTime if text.contains(['%', '/', '.']) => demand(
                lead_time(text).is_some(),
                "a share of the lifetime is a whole number of percent, from 1% to 99%",
                "write it like 33%, or as a number of days such as 60d",
            ),
            Self::LeadTime => demand(
                lead_time(text).is_some(),
                "a time before the end is a number of days or years, from 1d to 100y, or a share of the lifetime, from 1% \
                 to 99%",
                "write it like 60d, or like 33% for the last third of the certificate's lifetime",
            ),
            Self::Wait => demand(
                seconds(text).is_some(),
                "a time-out is a whole number with s for seconds or m for minutes, from 1s to 60m",
                "write it like 120s or 5m",
            ),
            Self::Count => demand(
                count(text).is_some(),
                "a count is a whole number from 1 to 1000",
                "write digits only, such as 20",
            ),
            Self::Port => demand(port(text).is_some(), "a TCP port is a number from 1 to 65535", "write it like 443"),
            Self::Sha256 => demand(
                fingerprint(text).is_some(),
                "a SHA-256 fingerprint has 64 hex digits",
                "openssl x509 -noout -fingerprint -sha256 -in FILE prints it",
            ),
            Self::Date => {
                demand(is_date(text), "this day does not exist", "write it as YYYY-MM-DD, such as 2027-01-31")
            }
            Self::Country => demand(
                text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()),
                "a country code has two capital letters (ISO 3166-1)",
                "write it like US",
            ),
            Self::Pair => demand(
                text.split_once('/').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty() && !b.contains('/')),
                "this name has two parts with one slash between them",
                "write it like cvp/keystore",
            ),
            Self::HostPath => host_path(text),
            Self::Variable => {
                let fits = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                demand(fits, "a variable has letters, digits and underscores only", "write it like CVP_HOME")
            }
            Self::OlderAlias => {
                demand(text != "*", "`*` alone is the beginning of every alias", "write how the aliases begin: util-*")
            }
            Self::AliasPrefix => demand(
                text.strip_suffix('*').is_some_and(|begins| !begins.is_empty() && !begins.contains(['*', '{', '}'])),
                "the beginning of aliases is a plain text with `*` after it, without variables",
                "write it like util-*",
            ),
        }
    }
}

/// The reason why a scalar does not fit its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScalarFlaw {
    /// The cause.
    pub(crate) why: &'static str,
    /// One thing to try.
    pub(crate) hint: &'static str,
}

fn demand(fits: bool, why: &'static str, hint: &'static str) -> Result<(), ScalarFlaw> {
    if fits { Ok(()) } else { Err(ScalarFlaw { why, hint }) }
}

fn host_path(text: &str) -> Result<(), ScalarFlaw> {
    let mut chars = text.chars();
    let drive = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.next() == Some(':')
        && matches!(chars.next(), Some('\\' | '/'));
    demand(
        drive || text.starts_with('/') || text.starts_with('{') || windows::is_system(text),
        "a path on a host starts with a drive, a slash or a {VARIABLE}",
        r"write it like 'C:\Cisco\CVP' or /tomcat-trust",
    )?;
    demand(
        !text.split(['/', '\\']).any(|step| step == ".."),
        "a path on a host has no `..` in it",
        "write the path out",
    )
}

/// The number of days in `60d` or `5y`, from 1 day to 100 years. A year has 365 days, as in certificate tools.
pub(crate) fn days(text: &str) -> Option<u32> {
    measure(text, [('d', 1), ('y', 365)], 36_500)
}

/// The time before a certificate's end in `60d`, `5y` or `33%`.
pub(crate) fn lead_time(text: &str) -> Option<LeadTime> {
    match text.strip_suffix('%') {
        // A leading zero would be read as a misprint.
        Some(number) if number.starts_with('0') => None,
        Some(number) => whole(number).and_then(|n| u8::try_from(n).ok()).and_then(Percent::new).map(LeadTime::Share),
        None => days(text).map(LeadTime::Days),
    }
}

/// The number of seconds in `120s` or `5m`, from 1 second to 1 hour.
pub(crate) fn seconds(text: &str) -> Option<u32> {
    measure(text, [('s', 1), ('m', 60)], 3_600)
}

/// A number with one of two units, given in the smaller unit, from 1 to `longest`.
fn measure(text: &str, units: [(char, u32); 2], longest: u32) -> Option<u32> {
    let (number, factor) = units.into_iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    let amount = whole(number)?.checked_mul(factor)?;
    (1..=longest).contains(&amount).then_some(amount)
}

/// A whole number from 1 to 1000.
pub(crate) fn count(text: &str) -> Option<u32> {
    whole(text).filter(|number| (1..=1_000).contains(number))
}

/// A number of digits only. `parse` alone would also accept a sign.
fn whole(text: &str) -> Option<u32> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A TCP port, from 1 to 65535.
pub(crate) fn port(text: &str) -> Option<u16> {
    text.parse::<u16>().ok().filter(|port| *port > 0)
}

/// A SHA-256 fingerprint as openssl and keytool print it: colons are skipped, letters may have any case.
pub(crate) fn fingerprint(text: &str) -> Option<Fingerprint> {
    let bare: String = text.chars().filter(|c| *c != ':').collect::<String>().to_ascii_lowercase();
    if bare.len() == 64 { Fingerprint::from_str(&bare).ok() } else { None }
}

/// Whether a text is a day of the Gregorian calendar, `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let shaped = year.len() == 4 && month.len() == 2 && day.len() == 2;
    let number = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse::<u32>().ok()).flatten();
    let (Some(year), Some(month), Some(day)) = (number(year), number(month), number(day)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let longest = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    };
    shaped && year > 0 && (1..=longest).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_days_or_years_and_nothing_else() {
        assert_eq!(days("60d"), Some(60));
        assert_eq!(days("5y"), Some(1825));
        for bad in ["60", "d", "0d", "-1d", "+5d", "1.5y", "101y", "99999999999y", "5 y", "5w"] {
            assert_eq!(days(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_time_before_the_end_is_a_duration_or_a_share() {
        let share = |number| Percent::new(number).map(LeadTime::Share);
        assert_eq!(lead_time("60d"), Some(LeadTime::Days(60)));
        assert_eq!(lead_time("5y"), Some(LeadTime::Days(1825)));
        assert_eq!((lead_time("1%"), lead_time("33%"), lead_time("99%")), (share(1), share(33), share(99)));
        for bad in ["0%", "100%", "256%", "033%", "+5%", "-5%", "33.5%", "33 %", "%", "1/3", "33", "0d", "five"] {
            assert_eq!(lead_time(bad), None, "{bad}");
            assert!(Lexeme::LeadTime.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn time_outs_are_seconds_or_minutes_up_to_an_hour() {
        assert_eq!((seconds("1s"), seconds("120s"), seconds("60m")), (Some(1), Some(120), Some(3_600)));
        for bad in ["0s", "3601s", "61m", "1h", "120", "s", "+5s", "1.5m", "5 m", "99999999999s"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
        assert_eq!((count("1"), count("1000")), (Some(1), Some(1000)));
        for bad in ["0", "1001", "", "+1", "1.0", "-1"] {
            assert_eq!(count(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_follow_the_calendar() {
        for good in ["2027-01-31", "2028-02-29", "2000-02-29"] {
            assert!(is_date(good), "{good}");
        }
        for bad in
            ["2027-02-29", "1900-02-29", "2027-13-01", "2027-00-10", "2027-1-31", "0000-01-01", "2027-04-31", "x"]
        {
            assert!(!is_date(bad), "{bad}");
        }
    }

    #[test]
    fn fingerprints_are_read_with_colons_and_in_any_case() {
        let plain = "0aff".repeat(16);
        let dotted = vec!["0A:FF"; 32].join(":");
        assert_eq!(fingerprint(&plain), fingerprint(&dotted[..95]));
        assert!(fingerprint(&plain).is_some());
        assert_eq!(fingerprint(&plain[..62]), None);
    }

    #[test]
    fn host_paths_do_not_climb() {
        assert!(Lexeme::HostPath.check(r"C:\a\..\b").is_err());
        assert!(Lexeme::HostPath.check("/a/../b").is_err());
        assert!(Lexeme::HostPath.check(r"{CVP_HOME}\conf\..x").is_ok());
        assert!(Lexeme::HostPath.check("relative/path").is_err());
    }
}
