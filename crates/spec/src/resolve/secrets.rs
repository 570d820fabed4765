//! Resolves `secrets:`: where each store's password is found. Warns about passwords written in the spec and secrets that no
//! store uses. Never fetches a secret.

use std::collections::BTreeSet;

use super::Resolver;
use super::hosts::ResolvedHost;
use trustmason_keystore::Password;

use crate::estate::{PasswordSpec, SecretSpec, Spec};
use crate::fault::{At, Span, nearest};
use crate::name::StoreId;
use crate::profile::{StoreTemplate, join};
use crate::topology::{SecretRef, SecretSource};

/// The names of passwords that were found missing, so that each is reported once.
#[derive(Default)]
pub(super) struct MissingSecrets {
    missing: BTreeSet<String>,
}

impl MissingSecrets {
    /// Where a store's password is found. `None` if the store has none, or if its source is missing (which is reported).
    pub(super) fn of(
        &mut self,
        work: &mut Resolver<'_>,
        machine: &ResolvedHost<'_>,
        id: &StoreId,
        store: &StoreTemplate,
        over: Option<&At<PasswordSpec>>,
    ) -> Option<SecretRef> {
        let (name, at) = match over.map(|at| (&at.value, at.place)) {
            Some((PasswordSpec::Inline(secret), at)) => {
                let from = source(work, machine, id, secret, at)?;
                return Some(SecretRef { name: format!("stores.{id}"), profile: None, from });
            }
            Some((PasswordSpec::Named(name), at)) => (name, Some(at)),
            None => (store.password.as_ref()?, None),
        };
        let place = at.unwrap_or(machine.spec.place);
        if let Some(secret) = work.spec.secrets.get(name) {
            let from = source(work, machine, id, &secret.value, secret.place)?;
            return Some(SecretRef { name: name.clone(), profile: None, from });
        }
        if let Some(secret) = machine.effective.secrets.get(name) {
            let from = source(work, machine, id, secret, place)?;
            let profile = Some(machine.effective.name.to_string());
            return Some(SecretRef { name: name.clone(), profile, from });
        }
        let known: BTreeSet<&str> =
            (work.spec.secrets.keys()).chain(machine.effective.secrets.keys()).map(String::as_str).collect();
        if at.is_some() {
            // The text may be the password itself instead of its name, so the message does not repeat it.
            let fault = work.spec.source.error(place, format!("`password` of {id} is not a name under `secrets:`"));
            work.faults.push(fault.suggest(nearest(name, known.iter().copied())).hint(format!(
                "name one of {}, or write where it is: {{ env: VARIABLE }}",
                known.into_iter().collect::<Vec<_>>().join(", ")
            )));
        } else if self.missing.insert(name.clone()) {
            let fault = work.spec.source.error(place, format!("no entry says where the password of {id} is"));
            // The profile may have the password itself instead of its name, so the hint does not print it.
            let hint = "under `secrets:`, add the name that the profile uses, for example with { env: VARIABLE }";
            work.faults.push(fault.suggest(nearest(name, work.spec.secrets.keys().map(String::as_str))).hint(hint));
        }
        None
    }

    /// Warns about literals other than the public default, and about secrets that no store uses.
    pub(super) fn lint(&self, work: &mut Resolver<'_>, machines: &[ResolvedHost<'_>]) {
        let spec = work.spec;
        let warn = |place: Span, what: &str| {
            spec.source
                .warning(place, format!("{what} is written in the spec, where everybody who reads it sees it"))
                .hint("use `env`, `file`, `properties` or `command`; a literal is meant for the public default `changeit`")
        };
        let mut asked: BTreeSet<&str> = machines
            .iter()
            .flat_map(|m| m.effective.roles.values())
            .flat_map(|r| r.stores.values())
            .filter_map(|s| s.password.as_deref())
            .collect();
        for (pattern, over) in &spec.stores {
            match over.password.as_ref().map(|at| (&at.value, at.place)) {
                Some((PasswordSpec::Named(name), _)) => drop(asked.insert(name)),
                Some((PasswordSpec::Inline(SecretSpec::Literal(_, false)), place)) => {
                    work.warnings.push(warn(place, &format!("the password of `{}`", pattern.value)));
                }
                Some((PasswordSpec::Inline(_), _)) | None => {}
            }
        }
        for (name, at) in &spec.secrets {
            if matches!(at.value, SecretSpec::Literal(_, false)) {
                work.warnings.push(warn(at.place, &format!("the secret `{name}`")));
            }
            if !machines.is_empty() && !asked.contains(name.as_str()) {
                let fault = spec.source.warning(at.place, format!("no store uses the secret `{name}`"));
                work.warnings
                    .push(fault.suggest(nearest(name, asked.iter().copied())).hint("remove it, or correct its name"));
            }
        }
    }
}

/// Every secret that the spec or a profile in use declares, with a name for messages. Unused secrets are included.
fn declared<'s>(spec: &'s Spec, machines: &'s [ResolvedHost<'_>]) -> impl Iterator<Item = (String, &'s SecretSpec)> {
    let named = spec.secrets.iter().map(|(name, at)| (format!("the secret `{name}`"), &at.value));
    let inline = spec.stores.iter().filter_map(|(pattern, over)| match &over.password.as_ref()?.value {
        PasswordSpec::Inline(secret) => Some((format!("the password of `{}`", pattern.value), secret)),
        PasswordSpec::Named(_) => None,
    });
    let mut seen = BTreeSet::new();
    let profiles = machines.iter().filter(move |m| seen.insert(m.effective.name.clone()));
    let profiles = profiles.flat_map(|m| {
        let name = move |secret: &str| format!("the secret `{secret}` of the profile {}", m.effective.name);
        m.effective.secrets.iter().map(move |(secret, way)| (name(secret), way))
    });
    named.chain(inline).chain(profiles)
}

/// A secret whose value is written in a file, other than the public default.
pub(super) struct Literal<'s> {
    /// The name of the secret for messages, with its article.
    pub(super) what: String,
    value: &'s Password,
}

impl Literal<'_> {
    /// Whether a text contains the value.
    pub(super) fn is_in(&self, text: &str) -> bool {
        !self.value.expose().is_empty() && text.contains(self.value.expose())
    }
}

/// All secrets whose value is written in the spec or in a profile in use.
pub(super) fn literals<'s>(spec: &'s Spec, machines: &'s [ResolvedHost<'_>]) -> Vec<Literal<'s>> {
    let found = declared(spec, machines).filter_map(|(what, secret)| match secret {
        SecretSpec::Literal(value, false) => Some(Literal { what, value }),
        SecretSpec::Literal(_, true)
        | SecretSpec::Env(_)
        | SecretSpec::File(_)
        | SecretSpec::Properties { .. }
        | SecretSpec::Command(_)
        | SecretSpec::Unstated(_) => None,
    });
    found.collect()
}

/// The environment variables that hold secrets of the estate.
pub(super) fn variables<'s>(spec: &'s Spec, machines: &'s [ResolvedHost<'_>]) -> impl Iterator<Item = &'s str> {
    declared(spec, machines).filter_map(|(_, secret)| match secret {
        SecretSpec::Env(name) => Some(name.as_str()),
        SecretSpec::Literal(..)
        | SecretSpec::File(_)
        | SecretSpec::Properties { .. }
        | SecretSpec::Command(_)
        | SecretSpec::Unstated(_) => None,
    })
}

fn source(
    work: &mut Resolver<'_>,
    machine: &ResolvedHost<'_>,
    id: &StoreId,
    secret: &SecretSpec,
    at: Span,
) -> Option<SecretSource> {
    Some(match secret {
        SecretSpec::Literal(password, _) => SecretSource::Literal(password.clone()),
        SecretSpec::Env(name) => SecretSource::Env(name.clone()),
        SecretSpec::File(path) => SecretSource::File(join(work.base, path)),
        SecretSpec::Command(argv) => SecretSource::Command(argv.clone()),
        SecretSpec::Unstated(ways) => SecretSource::Unstated(ways.clone()),
        SecretSpec::Properties { path, key } => {
            let path = match machine.path(&path.value)? {
                Ok(path) => path,
                Err(why) => {
                    // `why` would quote the text of the secret's source, so only its end is used.
                    let variable = why.split_once("uses ").map_or("a part", |(_, tail)| tail);
                    let fault =
                        work.spec.source.error(at, format!("the properties file for the password of {id}: {variable}"));
                    work.faults.push(fault.hint(format!("known variables: {}", machine.known_vars())));
                    return None;
                }
            };
            SecretSource::Properties { path, key: key.clone() }
        }
    })
}
