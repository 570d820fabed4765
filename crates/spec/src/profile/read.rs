//! Turns the text of a profile into typed data, or gives all faults of the text. No file is opened here.

use std::collections::BTreeMap;

use super::{CopySpot, DefinedAt, Identity, Options, Profile, Role, Rule, Sequence, Spot, StoreTemplate, Var};
use crate::estate::ProfileRef;
use crate::fault::{At, Faults, SourceText};
use crate::topology::{Constraints, DeclaredFormat, KeyAt, Pkcs12Scheme, Purpose, WriteMode};
use crate::tree::Node;
use crate::{grammar, lexeme, pick, semantics, shape, tree};

/// Reads a profile, or gives all its faults.
pub(super) fn read(text: &str, name: &str) -> Result<Profile, Faults> {
    let source = SourceText::new(name, text);
    let root = tree::read(&source)?;
    let mut faults = shape::check(&source, &root, &grammar::PROFILE);
    faults.append(semantics::secrets(&source, &root));
    let name = root.spot_of("name").unwrap_or_else(|| At::new(String::new(), root.place));
    let mut roles = BTreeMap::new();
    for (key, node) in root.pairs_of("roles") {
        roles.insert(key.value, role(&source, &name.value, node, &mut faults));
    }
    let rules =
        root.pairs_of("rules").into_iter().map(|(key, node)| (key.value.clone(), rule(&name.value, &key, node)));
    let profile = Profile {
        extends: (root.spots_of("extends").into_iter())
            .map(|at| At::new(ProfileRef::read(&at.value), at.place))
            .collect(),
        removed_roles: root.get("removed").map(|removed| removed.text_map_of("roles")).unwrap_or_default(),
        removed_rules: (root.get("removed").map(|removed| removed.pairs_of("rules")).unwrap_or_default().into_iter())
            .map(|(id, why)| (id, why.text().unwrap_or_default().to_owned()))
            .collect(),
        needs: root.get("needs").map(|needs| needs.texts_of("certificates")).unwrap_or_default(),
        secrets: root.pairs_of("secrets").into_iter().map(|(k, v)| (k.value, pick::profile_secret(v))).collect(),
        was: root.texts_of("was"),
        roles,
        rules: rules.collect(),
        name,
        source,
    };
    faults.into_result(profile)
}

fn role(source: &SourceText, profile: &str, node: &Node, faults: &mut Faults) -> Role {
    let mut role = Role {
        clustered: node.flag_of("cluster").is_some_and(|at| at.value),
        vars: node.pairs_of("vars").into_iter().map(|(k, v)| (k.value, var(v))).collect(),
        services: node
            .pairs_of("services")
            .into_iter()
            .filter_map(|(k, v)| Some((k.value, v.text_of("name")?)))
            .collect(),
        restart_order: node.read_of("restart_order", lexeme::count).map(|at| at.value),
        ..Role::default()
    };
    for (key, node) in node.pairs_of("stores") {
        let origin = DefinedAt { profile: profile.to_owned(), place: key.place };
        match store(origin, node) {
            Ok(store) => drop(role.stores.insert(key.value, store)),
            Err(why) => {
                let fault = source.error(key.place, format!("the store `{}` {why}", key.value));
                faults.push(fault.hint("give `path`, or for format pem-pair `certificate` and `key`"));
            }
        }
    }
    for (key, node) in node.pairs_of("identities") {
        let origin = DefinedAt { profile: profile.to_owned(), place: key.place };
        match identity(origin, node) {
            Ok(identity) => drop(role.identities.insert(key.value, identity)),
            Err(why) => {
                let fault = source.error(key.place, format!("the identity `{}` {why}", key.value));
                faults.push(fault.hint("give `store` and `alias`, or `write: hand-off` and `exported_as`"));
            }
        }
    }
    for (key, node) in node.pairs_of("options") {
        let origin = DefinedAt { profile: profile.to_owned(), place: key.place };
        role.options.insert(key.value, Options::read(origin, node));
    }
    role
}

fn var(node: &Node) -> Var {
    let sequence = node.get("sequence").and_then(|node| {
        let number = |name| node.read_of(name, lexeme::port).map(|at| u32::from(at.value));
        Some(Sequence { of: node.spot_of("of")?, first: number("first")?, step: number("step")? })
    });
    Var { about: node.text_of("about"), default: node.text_of("default"), sequence }
}

fn store(origin: DefinedAt, node: &Node) -> Result<StoreTemplate, &'static str> {
    let format = node.read_of("format", pick::format).map_or(DeclaredFormat::Jks, |at| at.value);
    let spot = match (node.text_of("path"), node.text_of("certificate"), node.text_of("key"), format) {
        (None, Some(certificate), Some(key), DeclaredFormat::PemPair) => {
            let copies = node.get("copies").map(Node::items).unwrap_or_default().iter().filter_map(copy).collect();
            Spot::Pair { certificate, key, previous: node.text_of("previous"), copies }
        }
        (Some(_), _, _, DeclaredFormat::PemPair) => return Err("is a pair and has one `path`"),
        (_, _, _, DeclaredFormat::PemPair) => return Err("is a pair and lacks `certificate` or `key`"),
        _ if node.get("previous").is_some() || node.get("copies").is_some() => {
            return Err("is no pair and has `previous` or `copies`");
        }
        (Some(path), None, None, _) => Spot::Path(path),
        (Some(_), _, _, _) => return Err("has `certificate` or `key` beside its `path`"),
        (None, _, _, _) => return Err("has no `path`"),
    };
    Ok(StoreTemplate {
        origin,
        spot,
        format,
        password: node.text_of("password"),
        write: write(node),
        create: node.flag_of("create").is_some_and(|at| at.value),
        scheme: node.read_of("scheme", pick::scheme).map_or_else(Pkcs12Scheme::default, |at| at.value),
        placement: node.get("place").map(pick::placement).unwrap_or_default(),
        vendor_entries: node.flag_of("vendor_entries").is_some_and(|at| at.value),
        shadows: node.texts_of("shadows"),
        restart: node.texts_of("restart"),
        steps: node.texts_of("steps"),
        removal_steps: node.texts_of("removal_steps"),
    })
}

/// A copy of a pair: the path of the certificate alone, or both paths.
fn copy(node: &Node) -> Option<CopySpot> {
    match node.spot() {
        Some(certificate) => Some(CopySpot { certificate: certificate.value, key: None }),
        None => Some(CopySpot { certificate: node.text_of("certificate")?, key: Some(node.text_of("key")?) }),
    }
}

fn write(node: &Node) -> WriteMode {
    if node.text_of("write").as_deref() == Some("hand-off") { WriteMode::HandOff } else { WriteMode::Direct }
}

fn identity(origin: DefinedAt, node: &Node) -> Result<Identity, &'static str> {
    let entry = match (node.text_of("store"), node.text_of("alias"), write(node)) {
        (Some(store), alias, WriteMode::Direct) => {
            // An empty alias names no entry.
            let alias = alias.filter(|alias| !alias.is_empty());
            Some((store, alias.map_or(KeyAt::Only, |alias| KeyAt::Alias(alias.into()))))
        }
        (None, None, WriteMode::HandOff) if node.get("exported_as").is_some() => None,
        (None, None, WriteMode::HandOff) => return Err("is made by people and lacks `exported_as`"),
        (_, _, WriteMode::HandOff) => {
            return Err("is made by people and names a `store` or an `alias`");
        }
        (_, _, WriteMode::Direct | WriteMode::Never) => {
            return Err("lacks the `store` of its key entry");
        }
    };
    let constraints = node.get("constraints").map(|c| Constraints {
        key: c.read_of("key", pick::key_kind).map(|at| at.value),
        signature: c.texts_of("signature").iter().filter_map(|t| pick::hash(t)).collect(),
        eku: c.texts_of("eku").iter().filter_map(|t| pick::usage(t)).collect(),
        cn_is_fqdn: c.flag_of("cn_is_fqdn").is_some_and(|at| at.value),
        common_names: Vec::new(),
        source: c.text_of("source"),
    });
    Ok(Identity {
        origin,
        entry,
        exported_as: node.texts_of("exported_as"),
        served_at: node.read_of("served_at", lexeme::port).map(|at| at.value),
        constraints: constraints.unwrap_or_default(),
        common_names: node.get("constraints").map(|c| c.spots_of("common_names")).unwrap_or_default(),
        restart: node.texts_of("restart"),
        restart_self_signed: node.get("restart_self_signed").map(|_| node.texts_of("restart_self_signed")),
        export_steps: node.texts_of("export_steps"),
        renew_steps: node.texts_of("renew_steps"),
        request_steps: node.texts_of("request_steps"),
        install_steps: node.texts_of("install_steps"),
        source: node.text_of("source").unwrap_or_default(),
    })
}

fn rule(profile: &str, key: &At<String>, node: &Node) -> Rule {
    Rule {
        origin: DefinedAt { profile: profile.to_owned(), place: key.place },
        id: key.value.clone(),
        truster: node.spots_of("truster"),
        subject: node.spots_of("subject"),
        certificates: node.texts_of("certificates"),
        publisher: node.get("where").and_then(|w| w.flag_of("publisher")).map(|at| at.value),
        own: node.flag_of("self").is_some_and(|at| at.value),
        purpose: node.read_of("purpose", pick::purpose).map_or_else(Purpose::default, |at| at.value),
        same: node.texts_of("same"),
        alias: node.spot_of("alias"),
        was: node.texts_of("was"),
        why: node.text_of("why").unwrap_or_default(),
        source: node.text_of("source").unwrap_or_default(),
    }
}
