//! Takes typed values out of a checked tree. A value that does not fit is left out here and gives no fault, because
//! `shape::check` has reported it. The rest of the file can then still be judged.

use std::collections::BTreeMap;

use trustmason_keystore::{Fingerprint, Password};

use crate::estate::{AnchorSpec, PlacementSpec, ProfileRef, SecretSpec};
use crate::fault::At;
use crate::lexeme;
use crate::name::Fqdn;
use crate::topology::{DeclaredFormat, ExtendedUsage, KeyKind, Pkcs12Scheme, Purpose, SignatureHash, WriteMode};
use crate::tree::{Node, NodeKind};
use crate::windows::SystemStore;

impl Node {
    /// The text of a scalar with its place. A text with control characters is left out (`shape::check` reports it).
    pub(crate) fn spot(&self) -> Option<At<String>> {
        let text = self.text().filter(|text| !text.chars().any(|c| c.is_control() && c != '\n'))?;
        Some(At::new(text.to_owned(), self.place))
    }

    /// The text of a field.
    pub(crate) fn text_of(&self, field: &str) -> Option<String> {
        self.get(field).and_then(Self::text).map(str::to_owned)
    }

    /// The text of a field, with its place.
    pub(crate) fn spot_of(&self, field: &str) -> Option<At<String>> {
        self.get(field).and_then(Self::spot)
    }

    /// The truth value of a field with its place.
    pub(crate) fn flag_of(&self, field: &str) -> Option<At<bool>> {
        self.spot_of(field).and_then(|at| match at.value.as_str() {
            "true" => Some(At::new(true, at.place)),
            "false" => Some(At::new(false, at.place)),
            _ => None,
        })
    }

    /// The texts of a field that holds one text or a list.
    pub(crate) fn spots_of(&self, field: &str) -> Vec<At<String>> {
        self.get(field).map(Self::items).unwrap_or_default().iter().filter_map(Self::spot).collect()
    }

    /// The texts of a field that holds one text or a list, without places. An absent field has none, and values that are not
    /// text are left out.
    pub(crate) fn texts_of(&self, field: &str) -> Vec<String> {
        self.spots_of(field).into_iter().map(|at| at.value).collect()
    }

    /// The value that `read` makes of a field's text, with its place.
    pub(crate) fn read_of<T>(&self, field: &str, read: impl Fn(&str) -> Option<T>) -> Option<At<T>> {
        self.spot_of(field).and_then(|at| read(&at.value).map(|value| At::new(value, at.place)))
    }

    /// The host names of a field. Unusable names are left out.
    pub(crate) fn hosts_of(&self, field: &str) -> Vec<At<Fqdn>> {
        self.spots_of(field)
            .into_iter()
            .filter_map(|at| Some(At::new(Fqdn::parse(&at.value).ok()?, at.place)))
            .collect()
    }

    /// The entries of a field that is a mapping: each key with its place, and each value.
    pub(crate) fn pairs_of(&self, field: &str) -> Vec<(At<String>, &Self)> {
        let entries = self.get(field).map(Self::entries).unwrap_or_default();
        entries.iter().filter_map(|(key, value)| Some((key.spot()?, value))).collect()
    }

    /// The items of a field that is a list of mappings.
    pub(crate) fn maps_of(&self, field: &str) -> Vec<&Self> {
        let items = self.get(field).map(Self::items).unwrap_or_default();
        items.iter().filter(|item| matches!(item.kind, NodeKind::Map(_))).collect()
    }

    /// The entries of a field that is a mapping of texts.
    pub(crate) fn text_map_of(&self, field: &str) -> BTreeMap<String, String> {
        self.pairs_of(field).into_iter().filter_map(|(k, v)| Some((k.value, v.text()?.to_owned()))).collect()
    }
}

/// Reads a key kind: `rsa-2048`, `ec-256`.
pub(crate) fn key_kind(text: &str) -> Option<KeyKind> {
    let (kind, bits) = text.split_once('-')?;
    let bits = bits.parse().ok()?;
    match kind {
        "rsa" => Some(KeyKind::Rsa(bits)),
        "ec" => Some(KeyKind::Ec(bits)),
        _ => None,
    }
}

/// Reads the name of a hash: `sha256`.
pub(crate) fn usage(text: &str) -> Option<ExtendedUsage> {
    [ExtendedUsage::ServerAuth, ExtendedUsage::ClientAuth].into_iter().find(|usage| usage.as_str() == text)
}

pub(crate) fn purpose(text: &str) -> Option<Purpose> {
    match text {
        "server" => Some(Purpose::Server),
        "client" => Some(Purpose::Client),
        "both" => Some(Purpose::Both),
        _ => None,
    }
}

pub(crate) fn hash(text: &str) -> Option<SignatureHash> {
    match text {
        "sha256" => Some(SignatureHash::Sha256),
        "sha384" => Some(SignatureHash::Sha384),
        "sha512" => Some(SignatureHash::Sha512),
        _ => None,
    }
}

/// Reads a store format: `jks`.
pub(crate) fn format(text: &str) -> Option<DeclaredFormat> {
    match text {
        "jks" => Some(DeclaredFormat::Jks),
        "jceks" => Some(DeclaredFormat::Jceks),
        "pkcs12" => Some(DeclaredFormat::Pkcs12),
        "pem" => Some(DeclaredFormat::Pem),
        "pem-dir" => Some(DeclaredFormat::PemDir),
        "pem-pair" => Some(DeclaredFormat::PemPair),
        "windows" => Some(DeclaredFormat::Windows),
        _ => None,
    }
}

/// Reads a value of `write:`: `direct` or `hand-off`.
pub(crate) fn write(text: &str) -> Option<WriteMode> {
    match text {
        "direct" => Some(WriteMode::Direct),
        "hand-off" => Some(WriteMode::HandOff),
        _ => None,
    }
}

/// Reads `place:` of a Windows store.
pub(crate) fn placement(node: &Node) -> PlacementSpec {
    let store = |field: &str| node.read_of(field, SystemStore::read).map(|at| at.value);
    PlacementSpec { root: store("root"), intermediate: store("intermediate"), leaf: store("leaf") }
}

/// Reads a value of `scheme:`: `java8` or `modern`.
pub(crate) fn scheme(text: &str) -> Option<Pkcs12Scheme> {
    match text {
        "java8" => Some(Pkcs12Scheme::Java8),
        "modern" => Some(Pkcs12Scheme::Modern),
        _ => None,
    }
}

/// The fingerprint in a field, with its place.
pub(crate) fn sha256_of(node: &Node, field: &str) -> Option<At<Fingerprint>> {
    node.read_of(field, lexeme::fingerprint)
}

/// Reads a certificate file and its pin.
pub(crate) fn anchor(node: &Node) -> AnchorSpec {
    AnchorSpec {
        file: node.text_of("file").unwrap_or_default(),
        sha256: sha256_of(node, "sha256"),
        unconstrained: node.text_of("as_anchor").is_some_and(|text| text == "unconstrained"),
    }
}

/// Reads `profile:`, which names one profile or several.
pub(crate) fn profiles(node: &Node) -> Vec<At<ProfileRef>> {
    let refs = node.spots_of("profile").into_iter();
    refs.map(|at| At::new(ProfileRef::read(&at.value), at.place)).collect()
}

/// Reads where a secret of a profile is found, or the ways to say it if the profile knows no place.
pub(crate) fn profile_secret(node: &Node) -> SecretSpec {
    if node.get("unstated").is_some() {
        return SecretSpec::Unstated(node.texts_of("unstated"));
    }
    secret(node)
}

/// Reads where a secret is found. A secret without any source (reported already) still gives a value. Its name is then
/// known, and no second fault says that it is missing.
pub(crate) fn secret(node: &Node) -> SecretSpec {
    if node.text_of("empty").is_some() {
        // The empty password keeps nothing secret, so it counts as public.
        return SecretSpec::Literal(Password::new(""), true);
    }
    if let Some(value) = node.text_of("literal") {
        let public = value == "changeit";
        return SecretSpec::Literal(Password::new(value), public);
    }
    if let Some(path) = node.text_of("file") {
        return SecretSpec::File(path);
    }
    if let Some(path) = node.spot_of("properties") {
        return SecretSpec::Properties { path, key: node.text_of("key").unwrap_or_default() };
    }
    match node.text_of("env") {
        Some(name) => SecretSpec::Env(name),
        None => SecretSpec::Command(node.texts_of("command")),
    }
}
