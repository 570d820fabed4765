//! Resolves identities: where each certificate comes from, what its role demands, and how a new certificate would be made.
//! Never reads a certificate.

use std::collections::{BTreeMap, BTreeSet};

use trustmason_keystore::Alias;

use super::Resolver;
use super::hosts::ResolvedHost;
use super::stores::filled;
use crate::estate::{HostCertificate, IdentitySpec};
use crate::fault::{At, Span};
use crate::name::{Fqdn, IdentityId, RuleId, ServiceId, StoreId};
use crate::profile::{Identity, dangling, join};
use crate::template;
use crate::topology::{
    CertificateSource, CommonName, Constraints, ExtendedUsage, IdentityDef, Issuer, KeyAt, KeyKind, KeyPlace, LeadTime,
    NeededBy, Rotation, SignatureHash, UsageNeed, WriteMode,
};

const VALIDITY_DAYS: u32 = 1825;

/// All identities of all hosts.
pub(crate) fn identities(work: &mut Resolver<'_>, machines: &[ResolvedHost<'_>]) -> BTreeMap<IdentityId, IdentityDef> {
    let mut identities = BTreeMap::new();
    settings(work, &work.spec.identity);
    let owners = owners(work, machines);
    for machine in machines {
        names(work, machine);
        for (name, identity) in &machine.role.identities {
            let id = IdentityId::new(machine.host.fqdn.clone(), name.clone());
            let own = machine.spec.identities.iter().find(|(at, _)| at.value == *name).map(|(_, spec)| spec);
            let own = own.cloned().unwrap_or_default().over(&machine.spec.identity);
            let mut def = one(work, machine, &id, identity, &own);
            let common_names = identity.common_names.iter();
            def.constraints.common_names = common_names.map(|at| common_name(&at.value, &id.host, &owners)).collect();
            identities.insert(id, def);
        }
    }
    identities
}

/// The hosts that a common name may belong to. `None` stands for several.
type NameOwners = BTreeMap<String, Option<Fqdn>>;

/// The hosts that may have each common name. The names are in lower case: the full and the short name of every host, present
/// or past, and every template of the profiles with these names.
fn owners(work: &Resolver<'_>, machines: &[ResolvedHost<'_>]) -> NameOwners {
    let mut owners = NameOwners::new();
    let identities = machines.iter().flat_map(|machine| machine.role.identities.values());
    let templates: BTreeSet<&str> =
        identities.flat_map(|identity| &identity.common_names).map(|at| at.value.as_str()).collect();
    if templates.is_empty() {
        return owners;
    }
    let hosts = machines.iter().flat_map(|machine| {
        let names = std::iter::once(&machine.host.fqdn).chain(&machine.host.formerly);
        names.map(|name| (name, &machine.host.fqdn))
    });
    for (name, owner) in hosts.chain(work.spec.retired.iter().map(|at| (&at.value, &at.value))) {
        for template in ["{fqdn}", "{host}"].into_iter().chain(templates.iter().copied()) {
            let known = owners.entry(filled_name(template, name).to_lowercase()).or_insert_with(|| Some(owner.clone()));
            if known.as_ref() != Some(owner) {
                *known = None;
            }
        }
    }
    owners
}

fn common_name(template: &str, host: &Fqdn, owners: &NameOwners) -> CommonName {
    let text = filled_name(template, host);
    let is_unique = owners.get(&text.to_lowercase()).is_some_and(|owner| owner.as_ref() == Some(host));
    CommonName { text, is_unique }
}

/// Fills in the template of a common name. It was checked with its profile, so no variable is left.
fn filled_name(template: &str, host: &Fqdn) -> String {
    let value = |name: &str| match name {
        "fqdn" => Some(host.to_string()),
        "host" => Some(host.host().to_owned()),
        _ => None,
    };
    template::fill(template, &value).unwrap_or_else(|_| template.to_owned())
}

/// The usages that the role itself demands of a certificate.
fn own_needs(identity: &Identity, rule: &RuleId) -> Vec<UsageNeed> {
    let source = identity.constraints.source.as_ref().unwrap_or(&identity.source);
    let need = |usage: &ExtendedUsage| UsageNeed {
        usage: *usage,
        by: NeededBy::Identity(rule.clone()),
        source: source.clone(),
    };
    identity.constraints.eku.iter().map(need).collect()
}

/// Checks the names of identities that a host uses, and the settings written on the host.
fn names(work: &mut Resolver<'_>, machine: &ResolvedHost<'_>) {
    let source = &work.spec.source;
    let known = &machine.role.identities;
    let certificates = machine.spec.certificates.iter().map(|(at, _)| at);
    for at in machine.spec.identities.iter().map(|(at, _)| at).chain(certificates) {
        if !known.contains_key(&at.value) {
            work.faults.push(dangling(source, at.place, "identity", &at.value, known.keys()));
        }
    }
    settings(work, &machine.spec.identity);
    for (_, spec) in &machine.spec.identities {
        settings(work, spec);
    }
}

/// Reports what is wrong with a setting, whatever identity it applies to.
fn settings(work: &mut Resolver<'_>, setting: &IdentitySpec) {
    let spec = work.spec;
    let source = &spec.source;
    if let Some(at) = setting.issuer.as_ref().filter(|at| at.value != "self-signed") {
        if let Some(authority) = spec.authorities.get(&at.value) {
            let ways = &authority.value;
            if ways.sign_with.is_none() && (ways.requests_dir.is_none() || ways.inbox.is_none()) {
                let message = format!("the authority `{}` has no folder for requests and replies", at.value);
                let hint = "give the authority a `requests_dir:` and an `inbox:`";
                work.once(source.error(authority.place, message).hint(hint));
            }
        } else {
            let known: Vec<String> =
                std::iter::once("self-signed".to_owned()).chain(spec.authorities.keys().cloned()).collect();
            work.faults.push(dangling(source, at.place, "authority", &at.value, known.iter()));
        }
    }
    if let Some(at) = setting.validity_days.as_ref().filter(|at| at.value == 1895) {
        let fault =
            source.warning(at.place, "1895 days are 5.19 years: a known misprint in the vendor's table for five years");
        work.warnings.push(fault.hint("five years are 1825d or 5y"));
    }
}

fn one(
    work: &mut Resolver<'_>,
    machine: &ResolvedHost<'_>,
    id: &IdentityId,
    identity: &Identity,
    own: &IdentitySpec,
) -> IdentityDef {
    let setting = own.over(&work.spec.identity);
    let given = machine.spec.certificates.iter().find(|(at, _)| at.value == id.name).map(|(_, given)| given);
    let source = origin(work, machine, id, identity, given);
    let write = match (&identity.entry, machine.host.access.disks()) {
        (_, None) => WriteMode::Never,
        (Some(_), Some(_)) => WriteMode::Direct,
        (None, Some(_)) => WriteMode::HandOff,
    };
    let (key, signature) = material(work, id, &identity.constraints, &setting, write);
    let (validity_days, renew_before) = terms(work, id, &setting);
    let issuer = match setting.issuer.as_ref().map(|at| at.value.as_str()) {
        None | Some("self-signed") => Issuer::SelfSigned,
        Some(name) => Issuer::Authority(name.to_owned()),
    };
    let restart = match (&issuer, &identity.restart_self_signed) {
        (Issuer::SelfSigned, Some(own)) => own,
        (Issuer::SelfSigned, None) | (Issuer::Authority(_), _) => &identity.restart,
    };
    let role = machine
        .host
        .roles
        .iter()
        .filter(|r| machine.has(r).is_some_and(|role| role.identities.contains_key(&id.name)))
        .min();
    let rule = RuleId::new(&identity.origin.profile, &format!("{}.{}", role.map_or("", String::as_str), id.name));
    IdentityDef {
        id: id.clone(),
        source,
        write,
        constraints: identity.constraints.clone(),
        needs: own_needs(identity, &rule),
        subject: setting.subject.clone().unwrap_or_default(),
        issuer,
        issuer_explicit: own.issuer.is_some(),
        validity_days,
        renew_before,
        rotation: setting.rotation.as_ref().map_or(Rotation::Staged, |at| at.value),
        names: given.map(|given| given.names.clone()).unwrap_or_default(),
        restart: restart.iter().map(|s| ServiceId::new(id.host.clone(), s.clone())).collect(),
        served_at: identity.served_at,
        rule,
        source_document: identity.source.clone(),
        export_steps: filled(work, machine, &identity.export_steps),
        renew_steps: filled(work, machine, &identity.renew_steps),
        request_steps: filled(work, machine, &identity.request_steps),
        install_steps: filled(work, machine, &identity.install_steps),
        key,
        signature,
    }
}

/// The only place that the certificate comes from.
fn origin(
    work: &mut Resolver<'_>,
    machine: &ResolvedHost<'_>,
    id: &IdentityId,
    identity: &Identity,
    given: Option<&HostCertificate>,
) -> CertificateSource {
    let file = given.and_then(|given| given.file.as_ref());
    match (&identity.entry, machine.host.access.disks(), file) {
        (Some((store, at)), Some(_), file) => {
            if let Some(given) = file {
                let message = format!("the certificate of {id} is read from its store `{store}`, not from a file");
                let fault = work.spec.source.error(given.place, message);
                work.faults.push(fault.hint("leave `file` out; `names` may stay"));
            }
            CertificateSource::KeyEntry(KeyPlace {
                store: StoreId::new(id.host.clone(), store.clone()),
                at: filled_key(machine, at),
            })
        }
        (None, _, Some(at)) | (Some(_), None, Some(at)) => CertificateSource::File(join(work.base, &at.value)),
        (None, _, None) | (Some(_), None, None) => {
            let names = if identity.exported_as.is_empty() {
                vec![format!("{}_{}.cer", id.host, id.name), format!("{}_{}.pem", id.host, id.name)]
            } else {
                filled(work, machine, &identity.exported_as)
            };
            CertificateSource::Exported { names }
        }
    }
}

/// The key of an identity, with the names of its host filled into its alias. The catalog has checked the variables.
fn filled_key(machine: &ResolvedHost<'_>, at: &KeyAt) -> KeyAt {
    match at {
        KeyAt::Alias(alias) => {
            KeyAt::Alias(machine.fill(alias.as_str()).map_or_else(|_| alias.clone(), |text| Alias::of(&text)))
        }
        KeyAt::Only => KeyAt::Only,
    }
}

/// The key kind and the hash of a new certificate. The role must accept what the spec asks for, or the certificate would be
/// regenerated in every run.
fn material(
    work: &mut Resolver<'_>,
    id: &IdentityId,
    constraints: &Constraints,
    setting: &IdentitySpec,
    write: WriteMode,
) -> (KeyKind, SignatureHash) {
    let key = setting.key.as_ref().map_or(constraints.key.unwrap_or(KeyKind::Rsa(2048)), |at| at.value);
    let fallback = constraints.signature.first().copied().unwrap_or(SignatureHash::Sha256);
    let signature = setting.signature.as_ref().map_or(fallback, |at| at.value);
    if write == WriteMode::Direct {
        let weak = match (key, constraints.key) {
            (_, None) => false,
            (KeyKind::Rsa(has), Some(KeyKind::Rsa(needs))) | (KeyKind::Ec(has), Some(KeyKind::Ec(needs))) => {
                has < needs
            }
            (KeyKind::Rsa(_), Some(KeyKind::Ec(_))) | (KeyKind::Ec(_), Some(KeyKind::Rsa(_))) => true,
        };
        if let (true, Some(at), Some(needs)) = (weak, &setting.key, constraints.key) {
            breaks(work, at, id, &format!("its key must be {needs} or longer"));
        }
        if let Some(at) = setting
            .signature
            .as_ref()
            .filter(|_| !constraints.signature.is_empty() && !constraints.signature.contains(&signature))
        {
            let allowed = constraints.signature.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
            breaks(work, at, id, &format!("its signature must be {allowed}"));
        }
    }
    (key, signature)
}

fn breaks<T>(work: &mut Resolver<'_>, at: &At<T>, id: &IdentityId, demand: &str) {
    let fault =
        work.spec.source.error(at.place, format!("this setting breaks what the role of {id} demands: {demand}"));
    let hint = "write what the role accepts, or leave the field out; a setting for one host or one identity goes \
                under its `identity:` or `identities:`";
    work.once(fault.hint(hint));
}

/// Validity in days, and renewal. A certificate that is due from its first day would be regenerated in every run.
fn terms(work: &mut Resolver<'_>, id: &IdentityId, setting: &IdentitySpec) -> (u32, LeadTime) {
    let validity = setting.validity_days.as_ref().map_or(VALIDITY_DAYS, |at| at.value);
    let renew_before = setting.renew_before.as_ref().map(|at| at.value).unwrap_or_default();
    // The default and every share are shorter than the lifetime.
    if let LeadTime::Days(renew) = renew_before
        && renew >= validity
    {
        let validity_at = setting.validity_days.as_ref().map(|at| at.place);
        let place: Option<Span> = validity_at.or(setting.renew_before.as_ref().map(|at| at.place));
        let message = format!(
            "{id} would be due for renewal from its first day: valid {validity} days, renewed {renew} days before its end"
        );
        let fault = work.spec.source.error(place.unwrap_or_default(), message);
        work.once(fault.hint("make `validity` longer or `renew_before` shorter"));
    }
    (validity, renew_before)
}
