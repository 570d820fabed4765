//! The report of `list`: the entries of a keystore as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;
use trustmason_keystore::{Certificate, CertificateSlot, Entry, EntryId, EntryKind, Format, Remark};
use trustmason_plan::days;
use trustmason_plan::text::{count, day, escape, time};

use super::{BAD, BOLD, DIM, GOOD, WARN, line, paint};

/// Everything that was read from a store.
pub(crate) struct Listing {
    /// The path as given.
    pub(crate) path: String,
    /// The format that was detected.
    pub(crate) format: Format,
    /// Whether the digest was checked.
    pub(crate) verified: bool,
    /// The protection in words, if the format allows several.
    pub(crate) protected_by: Option<String>,
    /// The entries in file order.
    pub(crate) entries: Vec<Entry>,
    /// For each private key, whether it opened with the store's password. Empty if no password was given.
    pub(crate) keys: BTreeMap<EntryId, Result<ReadableKey, String>>,
    /// Names and registry keys of entries.
    pub(crate) notes: BTreeMap<EntryId, StoreNote>,
    /// The reader's remarks.
    pub(crate) remarks: Vec<Remark>,
}

/// A private key that was opened.
pub(crate) struct ReadableKey {
    /// The algorithm of the key.
    pub(crate) algorithm: String,
    /// The size of the key in bits. 0 if the size is unknown.
    pub(crate) bits: u32,
}

/// Facts from a Windows store about an entry, beside its certificate.
#[derive(Default)]
pub(crate) struct StoreNote {
    /// The friendly name.
    pub(crate) name: Option<String>,
    /// The registry key of the entry's store, if one file holds several stores.
    pub(crate) registry_key: Option<String>,
}

#[derive(Serialize)]
struct ListDocument {
    format: &'static str,
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    protected_by: Option<String>,
    entries: Vec<EntryDocument>,
    findings: Vec<FindingDocument>,
}

#[derive(Serialize)]
struct EntryDocument {
    alias: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    friendly_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry_key: Option<String>,
    kind: &'static str,
    created: Option<String>,
    key: Option<KeyDocument>,
    certificates: Vec<CertificateDocument>,
}

#[derive(Serialize)]
struct KeyDocument {
    algorithm: Option<String>,
    bits: Option<u32>,
    opens: Option<bool>,
}

#[derive(Serialize)]
struct CertificateDocument {
    sha256: String,
    subject: Option<String>,
    issuer: Option<String>,
    serial: Option<String>,
    not_before: Option<String>,
    not_after: Option<String>,
    /// Whether the certificate is a CA's. `None` if the certificate cannot be read.
    ca: Option<bool>,
}

#[derive(Serialize)]
struct FindingDocument {
    finding: String,
    alias: Option<String>,
    message: String,
}

/// The listing as JSON.
pub(crate) fn json(listing: &Listing) -> Result<String, serde_json::Error> {
    let document = ListDocument {
        format: listing.format.as_str(),
        verified: listing.verified,
        protected_by: listing.protected_by.clone(),
        entries: listing.entries.iter().map(|e| entry_document(listing, e)).collect(),
        findings: findings(listing)
            .into_iter()
            .map(|(finding, alias, message)| FindingDocument { finding, alias, message })
            .collect(),
    };
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}

fn entry_document(listing: &Listing, entry: &Entry) -> EntryDocument {
    let key = matches!(entry.kind, EntryKind::PrivateKey { .. }).then(|| {
        let public = entry.certificates().first().and_then(|s| s.certificate()).map(|c| c.public_key());
        // A key without a certificate describes itself after it was opened.
        let opened = listing.keys.get(&entry.id).and_then(|key| key.as_ref().ok());
        KeyDocument {
            algorithm: public.map(|p| p.algorithm.to_string()).or_else(|| opened.map(|key| key.algorithm.clone())),
            bits: public.map(|p| p.bits).or_else(|| opened.map(|key| key.bits)),
            opens: listing.keys.get(&entry.id).map(Result::is_ok),
        }
    });
    let note = listing.notes.get(&entry.id);
    EntryDocument {
        alias: entry.alias.clone().map(String::from),
        friendly_name: note.and_then(|n| n.name.clone()),
        registry_key: note.and_then(|n| n.registry_key.clone()),
        kind: entry.kind.as_str(),
        created: entry.created_ms.and_then(created),
        key,
        certificates: entry.certificates().iter().map(certificate_document).collect(),
    }
}

fn certificate_document(slot: &CertificateSlot) -> CertificateDocument {
    let certificate = slot.certificate();
    CertificateDocument {
        sha256: slot.fingerprint().to_string(),
        subject: certificate.map(|c| c.subject().to_owned()),
        issuer: certificate.map(|c| c.issuer().to_owned()),
        serial: certificate.map(|c| c.serial()),
        not_before: certificate.map(|c| time(c.not_before())),
        not_after: certificate.map(|c| time(c.not_after())),
        ca: certificate.map(|c| c.is_ca()),
    }
}

/// Formats milliseconds since 1970, always with three digits. `None` if the date is outside the calendar.
fn created(ms: i64) -> Option<String> {
    Timestamp::from_millisecond(ms).ok().map(|t| format!("{t:.3}"))
}

/// The reader's remarks and the keys that do not open, with the ids of findings. A remark without an id is called `remark`.
fn findings(listing: &Listing) -> Vec<(String, Option<String>, String)> {
    let mut all = Vec::new();
    for remark in &listing.remarks {
        if matches!(remark, Remark::Unverified) {
            continue;
        }
        let (finding, alias, message) = match trustmason_plan::lint::remark(remark, &listing.entries) {
            Some((kind, alias, message)) => (kind.as_str().to_owned(), alias.map(String::from), message),
            None => {
                let entry = remark.entry().and_then(|id| listing.entries.iter().find(|e| e.id == id));
                ("remark".to_owned(), entry.and_then(|e| e.alias.clone()).map(String::from), remark.to_string())
            }
        };
        all.push((finding, alias, message));
    }
    for (id, key) in &listing.keys {
        if let Err(why) = key {
            let alias = listing.entries.iter().find(|e| e.id == *id).and_then(|e| e.alias.clone()).map(String::from);
            all.push(("key-password-mismatch".to_owned(), alias, why.clone()));
        }
    }
    all
}

/// The listing as text.
pub(crate) fn text(listing: &Listing, now: Timestamp) -> String {
    let mut out = String::new();
    let sealed = if listing.remarks.contains(&Remark::NoMac) {
        paint(WARN, "not verified (the store has no MAC)")
    } else if listing.verified {
        paint(GOOD, "verified")
    } else {
        paint(WARN, "not verified (no password: its digest was not checked, no key was opened)")
    };
    let entries =
        if listing.entries.len() == 1 { "1 entry".to_owned() } else { format!("{} entries", listing.entries.len()) };
    line!(out, "{}: {}, {entries}, {sealed}", paint(BOLD, escape(&listing.path)), listing.format.as_str());
    if let Some(how) = &listing.protected_by {
        line!(out, "{}", paint(DIM, how));
    }
    for entry in &listing.entries {
        out.push('\n');
        self::entry(&mut out, listing, entry, now);
    }
    let findings = findings(listing);
    if !findings.is_empty() {
        line!(out, "\n{}", paint(BOLD, "Findings:"));
        for (finding, _, message) in findings {
            line!(out, "  {} {}", paint(WARN, format!("{finding:<22}")), message);
        }
    }
    out
}

fn entry(out: &mut String, listing: &Listing, entry: &Entry, now: Timestamp) {
    let name = match &entry.alias {
        Some(alias) => escape(alias),
        None => format!("entry {}", entry.id.position() + 1),
    };
    let mut kind = match &entry.kind {
        EntryKind::Trusted(_) => "trusted certificate".to_owned(),
        EntryKind::PrivateKey { .. } => "private key".to_owned(),
        EntryKind::SecretKey => "secret key".to_owned(),
        EntryKind::Untrusted(_) => "certificate that a JVM does not trust".to_owned(),
        EntryKind::Opaque(what) => escape(what),
    };
    if matches!(entry.kind, EntryKind::PrivateKey { .. }) {
        kind.push_str(match listing.keys.get(&entry.id) {
            Some(Ok(_)) => " (opens with the store's password)",
            Some(Err(_)) => " (does not open)",
            None => " (not opened)",
        });
    }
    if let Some(at) = entry.created_ms.and_then(created) {
        kind.push_str(&format!(", since {}", at.split('.').next().unwrap_or(&at).replace('T', " ")));
    }
    line!(out, "{}  {}", paint(BOLD, name), paint(DIM, kind));
    if let Some(note) = listing.notes.get(&entry.id) {
        if let Some(name) = &note.name {
            line!(out, "  name     {}", escape(name));
        }
        if let Some(key) = &note.registry_key {
            line!(out, "  store    {}", escape(key));
        }
    }
    let chain = entry.certificates();
    for (n, slot) in chain.iter().enumerate() {
        if chain.len() > 1 {
            line!(out, "  [{} of {}]", n + 1, chain.len());
        }
        match slot {
            CertificateSlot::Parsed(certificate) => self::certificate(out, certificate, now),
            CertificateSlot::Unparsed(raw) => {
                line!(out, "  {}", paint(BAD, format!("cannot be read as a certificate: {}", raw.reason())));
                line!(out, "  sha256   {}", raw.fingerprint());
            }
        }
    }
}

fn certificate(out: &mut String, certificate: &Certificate, now: Timestamp) {
    line!(out, "  subject  {}", escape(certificate.subject()));
    let issuer = if certificate.is_self_issued() { "itself".to_owned() } else { escape(certificate.issuer()) };
    line!(out, "  issuer   {issuer}");
    if !certificate.dns_names().is_empty() {
        line!(out, "  names    {}", escape(&certificate.dns_names().join(", ")));
    }
    line!(
        out,
        "  valid    {} to {} ({})",
        day(certificate.not_before()),
        day(certificate.not_after()),
        validity(certificate, now.as_second())
    );
    let mut key = format!("{}, {}", certificate.public_key(), certificate.signature().name);
    if certificate.is_ca() {
        key.push_str(", CA");
    }
    if let Some(usages) = certificate.extended_key_usage() {
        let _infallible = write!(key, ", for {}", usages.join(", "));
    }
    line!(out, "  key      {key}");
    line!(out, "  serial   {}", certificate.serial());
    line!(out, "  sha256   {}", certificate.fingerprint());
}

fn validity(certificate: &Certificate, now: i64) -> String {
    let whole = |from: i64, to: i64| count(days::whole(days::between(from, to)), "day");
    let (from, to) = (certificate.not_before(), certificate.not_after());
    if now < from {
        paint(WARN, format!("valid in {}", whole(now, from))).to_string()
    } else if now > to {
        paint(BAD, format!("ended {} ago", whole(to, now))).to_string()
    } else {
        format!("{} left", whole(now, to))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::created;

    #[test]
    fn dates_have_three_digits_or_are_none() {
        assert_eq!(created(1_795_302_472_089).unwrap(), "2026-11-21T23:07:52.089Z");
        assert_eq!(created(0).unwrap(), "1970-01-01T00:00:00.000Z");
        assert_eq!(created(i64::MAX), None);
    }
}
