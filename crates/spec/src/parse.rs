//! Turns the text of an estate spec into a [`Spec`], or gives every fault that the file alone can show. No file
//! and no profile of the operator's own is read here.

use std::collections::BTreeSet;
use std::path::Path;

use crate::estate::{
    AcceptSpec, AccessSpec, AuthoritySpec, HostCertificate, HostSpec, IdentitySpec, PasswordSpec, RuleTweak,
    ServiceOverride, Spec, StoreOverride, Template, TrustSpec,
};
use crate::fault::{At, Faults, SourceText};
use crate::name::Fqdn;
use crate::topology::{Rotation, Side};
use crate::tree::Node;
use crate::{grammar, lexeme, pick, profile, semantics, shape, syntax, tree};

/// Reads an estate spec. `name` is the file's name for messages.
///
/// # Errors
/// All faults of the file, in the order of its lines. A text that is no valid YAML has just one. If the file has faults and
/// names built-in profiles only, the faults that resolving finds are added.
pub fn parse(text: &str, name: &str) -> Result<Spec, Faults> {
    let source = SourceText::new(name, text);
    let root = tree::read(&source).map_err(|faults| explained(&source, faults))?;
    if let (Some(profile), None) = (root.get("trustmason-profile"), root.get("trustmason")) {
        let fault = source.error(profile.place, "this is a role profile, not an estate spec");
        return Err(Faults::from(fault.hint("name it under `profile:` of an estate spec, by its path")));
    }
    let mut faults = shape::check(&source, &root, &grammar::SPEC);
    faults.append(semantics::secrets(&source, &root));
    faults.append(semantics::restarts(&source, &root));
    let spec = build(source, &root);
    if faults.is_empty() {
        return Ok(spec);
    }
    faults.append(beyond(&spec, &faults));
    Err(explained(&spec.source, faults.sorted()))
}

/// Replaces the faults of a line that has a slip by the slip itself, because they may follow from it: one cause, one fault.
fn explained(source: &SourceText, faults: Faults) -> Faults {
    let slips = syntax::slips(source);
    let lines: BTreeSet<usize> = faults.iter().map(|fault| fault.place.line).collect();
    let mut all = Faults::default();
    // A slip on a line without a fault may be intended. Invalid YAML is noticed lines after the slip, so all slips
    // count then.
    let unread = faults.iter().any(|fault| fault.message.starts_with("this is not valid YAML"));
    all.extend(slips.iter().filter(|slip| unread || lines.contains(&slip.place.line)).cloned());
    let told: BTreeSet<usize> = all.iter().map(|slip| slip.place.line).collect();
    let rest = faults.iter().filter(|fault| !told.contains(&fault.place.line));
    let rest: Vec<_> = rest.cloned().collect();
    all.extend(rest);
    all.sorted()
}

/// The faults that resolving finds in a file with faults already known. Places that were reported before are left out: one
/// cause, one fault.
fn beyond(spec: &Spec, known: &Faults) -> Faults {
    let mut more = Faults::default();
    let Ok(profiles) = profile::load(spec, Path::new(""), |_| Err(String::new())) else {
        return more;
    };
    if let Err(found) = crate::resolve(spec, &profiles, Path::new("")) {
        for fault in &found {
            let ours = fault.file == spec.source.name();
            if ours && !known.iter().any(|k| k.place == fault.place) {
                more.push(fault.clone());
            }
        }
    }
    more
}

fn build(source: SourceText, root: &Node) -> Spec {
    let policy = root.get("policy");
    let days = |field: &str| policy.and_then(|p| p.read_of(field, lexeme::days)).map(|at| at.value);
    Spec {
        estate: root.text_of("estate").unwrap_or_default(),
        profiles: pick::profiles(root),
        state: root.text_of("state").unwrap_or_else(|| "./.trustmason".to_owned()),
        certificates_dir: root.text_of("certificates_dir").unwrap_or_else(|| "./certs".to_owned()),
        access: access(root).unwrap_or_else(|| AccessSpec::Root {
            root: Template(At::new("./hosts/{fqdn}".to_owned(), root.place)),
            drive: None,
        }),
        secrets: root
            .pairs_of("secrets")
            .into_iter()
            .map(|(key, node)| (key.value, At::new(pick::secret(node), key.place)))
            .collect(),
        identity: root.get("identity").map(identity).unwrap_or_default(),
        authorities: root
            .pairs_of("authorities")
            .into_iter()
            .map(|(key, node)| (key.value, At::new(authority(node), key.place)))
            .collect(),
        hosts: root.pairs_of("hosts").into_iter().filter_map(|(key, node)| host(&key, node)).collect(),
        retired: root.hosts_of("retired"),
        distrust: root.maps_of("distrust").into_iter().filter_map(distrust).collect(),
        certificates: root
            .pairs_of("certificates")
            .into_iter()
            .map(|(key, node)| (key.value, At::new(pick::anchor(node), key.place)))
            .collect(),
        trust: root.maps_of("trust").into_iter().map(trust).collect(),
        rules: root.pairs_of("rules").into_iter().map(|(rule, node)| tweak(rule, node)).collect(),
        stores: root.pairs_of("stores").into_iter().map(|(pattern, node)| (pattern, store(node))).collect(),
        services: root.pairs_of("services").into_iter().map(|(pattern, node)| (pattern, service(node))).collect(),
        accept: root.maps_of("accept").into_iter().filter_map(accept).collect(),
        warn_before: policy.and_then(|p| p.read_of("warn_before", lexeme::lead_time)).map(|at| at.value),
        grace_days: days("patience"),
        observation_max_age_days: days("observation_max_age"),
        keep_runs: policy.and_then(|p| p.read_of("keep_runs", lexeme::count)).map(|at| at.value),
        keep_days: days("keep_for"),
        source,
    }
}

fn access(node: &Node) -> Option<AccessSpec> {
    let access = node.get("access")?;
    match access.text() {
        Some("none") => Some(AccessSpec::None),
        Some("this-machine") => Some(AccessSpec::Here),
        Some(_) => None,
        None => Some(AccessSpec::Root {
            root: Template(access.spot_of("root")?),
            drive: access.spot_of("drive").map(Template),
        }),
    }
}

fn identity(node: &Node) -> IdentitySpec {
    let subject = node.get("subject").map(|subject| {
        let present = |name: &str| subject.text_of(name).map(|value| (name.to_owned(), value));
        ["OU", "O", "L", "ST", "C"].into_iter().filter_map(present).collect()
    });
    let rotation = |text: &str| match text {
        "staged" => Some(Rotation::Staged),
        "immediate" => Some(Rotation::Immediate),
        _ => None,
    };
    IdentitySpec {
        issuer: node.spot_of("issuer"),
        subject,
        key: node.read_of("key", pick::key_kind),
        signature: node.read_of("signature", pick::hash),
        validity_days: node.read_of("validity", lexeme::days),
        renew_before: node.read_of("renew_before", lexeme::lead_time),
        rotation: node.read_of("rotation", rotation),
    }
}

fn authority(node: &Node) -> AuthoritySpec {
    AuthoritySpec {
        root: node.get("root").map(pick::anchor).unwrap_or_default(),
        intermediates: node.maps_of("intermediates").into_iter().map(pick::anchor).collect(),
        requests_dir: node.text_of("requests_dir"),
        inbox: node.text_of("inbox"),
        sign_with: node.spot_of("sign_with"),
    }
}

fn host(key: &At<String>, node: &Node) -> Option<HostSpec> {
    let side = |text: &str| match text {
        "a" => Some(Side::A),
        "b" => Some(Side::B),
        _ => None,
    };
    let certificate = |(key, node): (At<String>, &Node)| {
        let names = node.hosts_of("names").into_iter().map(|at| at.value).collect();
        (key, HostCertificate { file: node.spot_of("file"), names })
    };
    Some(HostSpec {
        fqdn: Fqdn::parse(&key.value).ok()?,
        place: key.place,
        roles: node.spots_of("role"),
        side: node.read_of("side", side).map(|at| at.value),
        cluster: node.spot_of("cluster"),
        publisher: node.flag_of("publisher"),
        vars: node.pairs_of("vars").into_iter().filter_map(|(k, v)| Some((k, v.spot()?))).collect(),
        labels: node.text_map_of("labels"),
        certificates: node.pairs_of("certificates").into_iter().map(certificate).collect(),
        identity: node.get("identity").map(identity).unwrap_or_default(),
        identities: node.pairs_of("identities").into_iter().map(|(k, v)| (k, identity(v))).collect(),
        profiles: node.get("profile").map(|_| pick::profiles(node)),
        formerly: node.hosts_of("formerly"),
        access: access(node),
    })
}

fn distrust(node: &Node) -> Option<At<(trustmason_keystore::Fingerprint, String)>> {
    let sha256 = pick::sha256_of(node, "sha256")?;
    Some(At::new((sha256.value, node.text_of("why").unwrap_or_default()), sha256.place))
}

fn trust(node: &Node) -> TrustSpec {
    TrustSpec {
        place: node.get("store").map_or(node.place, |store| store.place),
        stores: node.spots_of("store"),
        certificate: node.spot_of("certificate"),
        subjects: node.spots_of("subject"),
        alias: node.spot_of("alias"),
        was: node.spots_of("was"),
        why: node.text_of("why").unwrap_or_default(),
    }
}

fn tweak(rule: At<String>, node: &Node) -> RuleTweak {
    RuleTweak {
        rule,
        enabled: node.flag_of("enabled").map(|at| at.value),
        same: node.get("same").map(|_| node.texts_of("same")),
        alias: node.spot_of("alias"),
        why: node.text_of("why"),
    }
}

fn store(node: &Node) -> StoreOverride {
    let password = node.get("password").map(|at| match at.text() {
        Some(name) => At::new(PasswordSpec::Named(name.to_owned()), at.place),
        None => At::new(PasswordSpec::Inline(pick::secret(at)), at.place),
    });
    let ownership = |text: &str| match text {
        "exclusive" => Some(true),
        "shared" => Some(false),
        _ => None,
    };
    StoreOverride {
        path: node.spot_of("path"),
        certificate: node.spot_of("certificate"),
        key: node.spot_of("key"),
        format: node.read_of("format", pick::format),
        password,
        exclusive: node.read_of("ownership", ownership),
        create: node.flag_of("create"),
        scheme: node.read_of("scheme", pick::scheme),
        write: node.read_of("write", pick::write),
        place: node.get("place").map(|place| At::new(pick::placement(place), place.place)),
    }
}

fn service(node: &Node) -> ServiceOverride {
    let restart = node.get("restart").map(|list| At::new(node.spots_of("restart"), list.place));
    ServiceOverride {
        restart: restart.filter(|at| !at.value.is_empty()),
        timeout_seconds: node.read_of("timeout", lexeme::seconds),
    }
}

fn accept(node: &Node) -> Option<AcceptSpec> {
    Some(AcceptSpec {
        finding: node.text_of("finding")?,
        store: node.spot_of("store"),
        sha256: pick::sha256_of(node, "sha256").map(|at| at.value),
        until: node.text_of("until")?,
        why: node.text_of("why").unwrap_or_default(),
    })
}
