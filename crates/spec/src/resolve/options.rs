//! Resolves `options:` of roles: the place of each options file on its host, and the value each setting should have. Never
//! opens such a file.

use std::collections::BTreeMap;

use super::Resolver;
use super::hosts::ResolvedHost;
use crate::name::StoreId;
use crate::profile::{Expected, Options, Setting};
use crate::topology::{DeclaredFormat, OptionsAt, OptionsDef, SettingDef, StoreDef, WantedValue};

/// The options files of all hosts that are opened, by host and name.
pub(crate) fn options(
    work: &mut Resolver<'_>,
    machines: &[ResolvedHost<'_>],
    stores: &BTreeMap<StoreId, StoreDef>,
) -> Vec<OptionsDef> {
    let mut all = Vec::new();
    for machine in machines.iter().filter(|machine| machine.is_opened()) {
        for (name, options) in &machine.role.options {
            all.extend(one(work, machine, stores, name, options));
        }
    }
    all
}

fn one(
    work: &mut Resolver<'_>,
    machine: &ResolvedHost<'_>,
    stores: &BTreeMap<StoreId, StoreDef>,
    name: &str,
    options: &Options,
) -> Option<OptionsDef> {
    let host = machine.host.fqdn.clone();
    let what = format!("the options `{name}` of {host}");
    let unset = machine.unset(&options.path);
    let at = if unset.is_empty() {
        match machine.path(&options.path)? {
            Ok(path) => OptionsAt::File(path),
            Err(why) => return fault(work, machine, format!("the path of {what}: {why}")),
        }
    } else {
        OptionsAt::Undeclared(unset)
    };
    let mut settings = Vec::new();
    for (setting, def) in &options.settings {
        let id = StoreId::new(host.clone(), def.store.clone());
        // A store that did not resolve has a fault of its own. A role without the store has a fault in its profile.
        let Some(store) = stores.get(&id) else { continue };
        match wanted(machine, store, def) {
            Ok(wanted) => settings.push(SettingDef {
                name: setting.clone(),
                store: id,
                wanted,
                needed: def.needed,
                misspellings: def.was.clone(),
                without: def.without.clone(),
            }),
            Err(why) => drop(fault(work, machine, format!("the setting `{setting}` in {what}: {why}"))),
        }
    }
    Some(OptionsDef {
        host,
        name: name.to_owned(),
        about: options.about.clone().unwrap_or_else(|| format!("its options `{name}`")),
        at,
        syntax: options.syntax,
        section: options.section.clone(),
        only_if_used: options.only_if_used,
        settings,
        source: options.source.clone(),
    })
}

fn fault(work: &mut Resolver<'_>, machine: &ResolvedHost<'_>, message: String) -> Option<OptionsDef> {
    let fault = work.spec.source.error(machine.spec.place, message);
    work.faults.push(fault.hint(format!(
        "check `vars:` of {}; known variables: {}",
        machine.host.fqdn,
        machine.known_vars()
    )));
    None
}

fn wanted(machine: &ResolvedHost<'_>, store: &StoreDef, def: &Setting) -> Result<WantedValue, String> {
    Ok(match &def.expected {
        Expected::Path => match store.path() {
            Some(path) => WantedValue::Path(path.shown.clone()),
            None => return Err(format!("{} is not one file", store.id)),
        },
        Expected::Format => WantedValue::Format(word(store.format()).to_owned()),
        Expected::Password => WantedValue::Password,
        Expected::Unset => WantedValue::Unset,
        Expected::Value(text) => {
            let value = machine.fill(text)?;
            let path = machine.path(text).is_some_and(|placed| placed.is_ok());
            if path { WantedValue::Path(value) } else { WantedValue::Word(value) }
        }
    })
}

/// Java's word for a format.
fn word(format: DeclaredFormat) -> &'static str {
    match format {
        DeclaredFormat::Jks => "jks",
        DeclaredFormat::Jceks => "jceks",
        DeclaredFormat::Pkcs12 => "pkcs12",
        DeclaredFormat::Pem | DeclaredFormat::PemDir | DeclaredFormat::PemPair => "pem",
        DeclaredFormat::Windows => "windows",
    }
}
