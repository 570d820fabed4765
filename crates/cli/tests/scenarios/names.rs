//! Stable names for what differs between runs: digests of certificates, runs, days and moments.

use std::collections::{BTreeMap, BTreeSet};

use trustmason_keystore::{Certificate, Fingerprint, thumbprint};

use crate::support::account;

/// The stable names that golden files contain.
#[derive(Default)]
pub struct Names {
    /// The names of certificates by the hex of their digests.
    digests: BTreeMap<String, String>,
    /// Days that depend on the day of the test, with their stable names.
    days: BTreeMap<String, String>,
    /// Runs, in the order of their first mention.
    runs: Vec<String>,
    /// The number of new certificates per identity that have no other name.
    new: BTreeMap<String, usize>,
    /// Certificates that have a name.
    known: BTreeSet<Fingerprint>,
}

/// The smallest number of digits that identifies a certificate.
const LEAST: usize = 8;
/// A word with this many hex digits is always a digest.
const CERTAINLY: usize = 16;

impl Names {
    /// Remembers a certificate's name.
    pub fn learn(&mut self, name: &str, der: &[u8]) {
        let print = Fingerprint::of(der);
        if self.known.insert(print) {
            self.digests.insert(print.to_string(), format!("<sha256 of {name}>"));
            self.digests.insert(thumbprint(der).to_ascii_lowercase(), format!("<sha1 of {name}>"));
        }
    }

    /// Remembers a certificate that a run made for an identity. Its days are named relative to the day on which it was
    /// made.
    pub fn learn_new(&mut self, identity: &str, certificate: &Certificate) {
        if self.known.contains(&certificate.fingerprint()) {
            return;
        }
        let number = self.new.entry(identity.to_owned()).or_default();
        *number += 1;
        let again = if *number > 1 { format!(" ({number})") } else { String::new() };
        self.learn(&format!("new {identity}{again}"), certificate.der());
        let (from, to) = (certificate.not_before(), certificate.not_after());
        self.learn_day(from, "<today>".to_owned());
        self.learn_day(to, format!("<today + {}d>", (to - from) / 86_400));
    }

    /// Remembers the day of this run.
    pub fn learn_today(&mut self) {
        self.learn_day(jiff::Timestamp::now().as_second(), "<today>".to_owned());
    }

    fn learn_day(&mut self, seconds: i64, token: String) {
        let day = jiff::Timestamp::from_second(seconds).unwrap().to_string()[..10].to_owned();
        self.days.entry(day).or_insert(token);
    }

    /// The name of a certificate.
    pub fn of(&self, print: Fingerprint) -> String {
        let token = self.digests.get(&print.to_string());
        token.map_or_else(|| "a stranger".to_owned(), |token| token["<sha256 of ".len()..token.len() - 1].to_owned())
    }

    /// Replaces `<sha256 of NAME>` in a text by the certificate's digest.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut text = text.to_owned();
        for (digest, token) in &self.digests {
            text = text.replace(token, digest);
        }
        match text.split_once("<sha256 of ") {
            None => Ok(text),
            Some((_, rest)) => {
                Err(format!("<sha256 of {}>: no certificate has that name", rest.split('>').next().unwrap_or_default()))
            }
        }
    }

    /// Replaces everything that differs between runs in a command's output.
    pub fn settle(&mut self, text: &str) -> Result<String, String> {
        let text = text.replace(&format!("reported by {}", account()), "reported by <somebody>");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let joined = out.chars().next_back().is_some_and(char::is_alphanumeric);
            let run = if joined { 0 } else { run_length(rest) };
            let (token, taken) = if joined {
                (None, first.len_utf8())
            } else if run > 0 {
                (Some(self.run(&rest[..run])), run)
            } else if let Some(told) = self.day(rest) {
                told
            } else {
                self.digest(rest)?
            };
            match token {
                Some(token) => out.push_str(&token),
                None => out.push_str(&rest[..taken]),
            }
            rest = &rest[taken..];
        }
        Ok(out)
    }

    fn run(&mut self, id: &str) -> String {
        let at = self.runs.iter().position(|known| known == id).unwrap_or_else(|| {
            self.runs.push(id.to_owned());
            self.runs.len() - 1
        });
        format!("<run {}>", at + 1)
    }

    /// Finds a day of this run, alone or with a time.
    fn day(&self, rest: &str) -> Option<(Option<String>, usize)> {
        let token = self.days.get(rest.get(..10)?)?;
        let time = &rest[10..];
        let ends = time.find(|c: char| !c.is_ascii_digit() && !"T:.".contains(c)).unwrap_or(time.len());
        let moment = time.starts_with('T') && time[ends..].starts_with('Z');
        Some(if moment { (Some("<now>".to_owned()), 10 + ends + 1) } else { (Some(token.clone()), 10) })
    }

    /// Finds the digest of a certificate, complete or its first digits.
    fn digest(&self, rest: &str) -> Result<(Option<String>, usize), String> {
        let ends = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let word = rest[..ends].to_ascii_lowercase();
        let whole = !rest[ends..].starts_with(char::is_alphanumeric);
        if ends < LEAST || !whole {
            return Ok((None, rest.chars().next().map_or(1, char::len_utf8)));
        }
        let known = self.digests.range(word.clone()..).next().filter(|(digest, _)| digest.starts_with(&word));
        match known {
            Some((_, token)) => Ok((Some(token.clone()), ends)),
            None if ends >= CERTAINLY => Err(format!("{word} is the digest of nothing that has a name here")),
            None => Ok((None, ends)),
        }
    }
}

/// The length of a run's name at the beginning of a text (`20261121T230752.089Z-0f3a9c21`). 0 if the text begins with none.
fn run_length(text: &str) -> usize {
    const SHAPE: &str = "00000000T000000.000Z-xxxxxxxx";
    let fits = |(shape, c): (char, char)| match shape {
        '0' => c.is_ascii_digit(),
        'x' => c.is_ascii_hexdigit(),
        other => c == other,
    };
    if text.len() >= SHAPE.len() && SHAPE.chars().zip(text.chars()).all(fits) { SHAPE.len() } else { 0 }
}
