//! Joins profiles: a chain of `extends` becomes one effective profile, and so does a list of profiles. Takes loaded
//! profiles and checks every name that one part of a profile uses for another part. A fault has its place in the
//! profile's own file.

use std::collections::{BTreeMap, BTreeSet};

use super::{LoadedProfile, Profile, Role, Rule};
use crate::estate::{ProfileRef, SecretSpec};
use crate::fault::{At, Fault, Faults, SourceText, Span, nearest};
use crate::template;
use crate::topology::{DeclaredFormat, KeyAt, WriteMode};

/// All loaded profiles. Their names have been checked.
pub(crate) struct Catalog<'p> {
    by_reference: BTreeMap<&'p ProfileRef, &'p Profile>,
}

/// One profile or several, joined with all profiles they extend.
#[derive(Clone, Debug, Default)]
pub(crate) struct JoinedProfile {
    /// The name shown as the host's profile: `pcce-12.5`, or several names joined with `+`.
    pub(crate) name: String,
    /// The names of all profiles that were joined. Each profile is followed by those it extends.
    pub(crate) members: Vec<String>,
    pub(crate) needs: BTreeSet<String>,
    pub(crate) secrets: BTreeMap<String, SecretSpec>,
    /// The beginnings of aliases that another tool gives to the entries of any rule.
    pub(crate) was: BTreeSet<String>,
    pub(crate) roles: BTreeMap<String, Role>,
    /// The rules, by the profile they are written in and their id.
    pub(crate) rules: BTreeMap<(String, String), Rule>,
}

impl<'p> Catalog<'p> {
    /// Takes the loaded profiles and checks each of them together with the profiles it extends.
    pub(crate) fn new(loaded: &'p [LoadedProfile]) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut by_reference = BTreeMap::new();
        let mut by_name: BTreeMap<&str, &Profile> = BTreeMap::new();
        for one in loaded {
            let fresh = by_reference.insert(&one.reference, &one.profile).is_none();
            if let Some(other) = by_name.insert(&one.profile.name.value, &one.profile).filter(|_| fresh) {
                let message = format!(
                    "`{}` is the name of another profile already ({})",
                    one.profile.name.value,
                    other.source.name()
                );
                faults.push(
                    one.profile
                        .source
                        .error(one.profile.name.place, message)
                        .hint("give this profile a name of its own"),
                );
            }
        }
        let catalog = Self { by_reference };
        for one in loaded {
            match catalog.chain(&one.reference) {
                Ok(chain) => check(&one.profile, &layer(&chain), &mut faults),
                Err(fault) => faults.extend(fault.map(|f| *f)),
            }
        }
        faults.into_result(catalog)
    }

    /// Joins several profiles with all they extend. Definitions with equal names must be equal.
    pub(crate) fn effective(&self, wanted: &[At<ProfileRef>], spec: &SourceText) -> Result<JoinedProfile, Box<Fault>> {
        let mut joined: Option<JoinedProfile> = None;
        for at in wanted {
            let one = layer(&self.chain(&at.value).map_err(|fault| fault.unwrap_or_else(|| missing(spec, at)))?);
            joined = Some(match joined {
                None => one,
                Some(before) => join(before, one).map_err(|why| {
                    Box::new(
                        spec.error(at.place, why).hint("use one of the two, or a profile of your own that defines it"),
                    )
                })?,
            });
        }
        Ok(joined.unwrap_or_default())
    }

    /// The profiles that a profile extends, then the profile itself. The error is `None` if the profile was not loaded.
    fn chain(&self, reference: &ProfileRef) -> Result<Vec<&'p Profile>, Option<Box<Fault>>> {
        let Some(first) = self.by_reference.get(reference) else {
            return Err(None);
        };
        let mut chain = vec![*first];
        let mut current: &Profile = first;
        while let Some(parent) = &current.extends {
            let Some(next) = self.by_reference.get(&parent.value) else {
                return Err(Some(missing(&current.source, parent)));
            };
            if chain.iter().any(|p| std::ptr::eq(*p, *next)) {
                let message = format!("the profile `{}` extends itself in a circle", parent.value.text());
                return Err(Some(Box::new(current.source.error(parent.place, message).hint("remove one `extends`"))));
            }
            chain.push(next);
            current = next;
        }
        chain.reverse();
        Ok(chain)
    }
}

fn missing(source: &SourceText, at: &At<ProfileRef>) -> Box<Fault> {
    let message = format!("the profile `{}` was not loaded", at.value.text());
    Box::new(source.error(at.place, message).hint("name a built-in profile, or the path of a file that can be read"))
}

/// Joins a chain of profiles. Definitions of later profiles replace those of earlier ones.
fn layer(chain: &[&Profile]) -> JoinedProfile {
    let mut all = JoinedProfile::default();
    for profile in chain {
        all.name.clone_from(&profile.name.value);
        all.members.insert(0, profile.name.value.clone());
        all.needs.extend(profile.needs.iter().cloned());
        all.secrets.extend(profile.secrets.iter().map(|(k, v)| (k.clone(), v.clone())));
        all.was.extend(profile.was.iter().cloned());
        for (name, role) in &profile.roles {
            let target = all.roles.entry(name.clone()).or_default();
            target.clustered |= role.clustered;
            target.vars.extend(role.vars.clone());
            target.stores.extend(role.stores.clone());
            target.identities.extend(role.identities.clone());
            target.services.extend(role.services.clone());
            target.options.extend(role.options.clone());
            target.restart_order = role.restart_order.or(target.restart_order);
        }
        for (id, rule) in &profile.rules {
            all.rules.retain(|(_, known), _| known != id);
            all.rules.insert((rule.origin.profile.clone(), id.clone()), rule.clone());
        }
    }
    all
}

/// Joins two effective profiles. The error names the definition that differs.
fn join(mut left: JoinedProfile, right: JoinedProfile) -> Result<JoinedProfile, String> {
    let clash = |what: &str, name: &str, left: &str, right: &str| {
        Err(format!("the profiles `{left}` and `{right}` both have {what} `{name}`, but not the same"))
    };
    for (name, role) in right.roles {
        match left.roles.get_mut(&name) {
            None => drop(left.roles.insert(name, role)),
            Some(mine) => {
                if let Err(what) = mine.absorb(&role) {
                    return clash("a role", &format!("{name}` with `{what}"), &left.name, &right.name);
                }
            }
        }
    }
    for (name, secret) in right.secrets {
        if left.secrets.get(&name).is_some_and(|mine| !mine.same(&secret)) {
            return clash("a secret", &name, &left.name, &right.name);
        }
        left.secrets.insert(name, secret);
    }
    left.name = format!("{}+{}", left.name, right.name);
    left.members.extend(right.members);
    left.needs.extend(right.needs);
    left.was.extend(right.was);
    left.rules.extend(right.rules);
    Ok(left)
}

impl Role {
    /// Adds the definitions of another role that this role does not have. A definition that both have must be equal; only
    /// the names of export files are joined. The error names the first definition that differs. This role is then changed
    /// in part, and must not be used.
    pub(crate) fn absorb(&mut self, other: &Self) -> Result<(), String> {
        for (name, theirs) in &other.stores {
            match self.stores.get(name) {
                Some(mine) if !mine.same(theirs) => return Err(format!("store {name}")),
                Some(_) => {}
                None => drop(self.stores.insert(name.clone(), theirs.clone())),
            }
        }
        for (name, theirs) in &other.identities {
            match self.identities.get_mut(name) {
                Some(mine) if !mine.same(theirs) => return Err(format!("identity {name}")),
                Some(mine) => {
                    // Export files are named after roles (ADSx.cer, ICMx.cer). A machine with both roles may use either
                    // name.
                    let more = theirs
                        .exported_as
                        .iter()
                        .filter(|n| !mine.exported_as.contains(n))
                        .cloned()
                        .collect::<Vec<_>>();
                    mine.exported_as.extend(more);
                }
                None => drop(self.identities.insert(name.clone(), theirs.clone())),
            }
        }
        for (name, theirs) in &other.vars {
            match self.vars.get(name) {
                Some(mine) if mine != theirs => return Err(format!("variable {name}")),
                Some(_) => {}
                None => drop(self.vars.insert(name.clone(), theirs.clone())),
            }
        }
        for (name, theirs) in &other.services {
            match self.services.get(name) {
                Some(mine) if mine != theirs => return Err(format!("service {name}")),
                Some(_) => {}
                None => drop(self.services.insert(name.clone(), theirs.clone())),
            }
        }
        for (name, theirs) in &other.options {
            match self.options.get(name) {
                Some(mine) if !mine.same(theirs) => return Err(format!("options {name}")),
                Some(_) => {}
                None => drop(self.options.insert(name.clone(), theirs.clone())),
            }
        }
        self.clustered |= other.clustered;
        self.restart_order = self.restart_order.into_iter().chain(other.restart_order).min();
        Ok(())
    }
}

impl super::StoreTemplate {
    /// Whether both definitions mean the same store. The places where they were written do not matter.
    fn same(&self, other: &Self) -> bool {
        let Self {
            origin: _,
            spot,
            format,
            password,
            write,
            create,
            scheme,
            placement,
            vendor_entries,
            shadows,
            restart,
            steps,
            removal_steps,
        } = self;
        *spot == other.spot
            && *format == other.format
            && *password == other.password
            && *write == other.write
            && *create == other.create
            && *scheme == other.scheme
            && *placement == other.placement
            && *vendor_entries == other.vendor_entries
            && *shadows == other.shadows
            && *restart == other.restart
            && *steps == other.steps
            && *removal_steps == other.removal_steps
    }
}

impl super::Identity {
    /// Whether both definitions mean the same identity. Their places, documents and names of export files do not matter.
    fn same(&self, other: &Self) -> bool {
        let Self {
            origin: _,
            entry,
            exported_as: _,
            served_at,
            constraints,
            restart,
            export_steps,
            renew_steps,
            request_steps,
            install_steps,
            source: _,
        } = self;
        *entry == other.entry
            && *served_at == other.served_at
            && *constraints == other.constraints
            && *restart == other.restart
            && *export_steps == other.export_steps
            && *renew_steps == other.renew_steps
            && *request_steps == other.request_steps
            && *install_steps == other.install_steps
    }
}

/// Checks the names that a profile itself writes.
fn check(profile: &Profile, all: &JoinedProfile, faults: &mut Faults) {
    let source = &profile.source;
    for name in profile.roles.keys() {
        let Some(role) = all.roles.get(name) else {
            continue;
        };
        check_role(source, &profile.name.value, role, faults);
    }
    for rule in profile.rules.values() {
        for at in &rule.truster {
            if let Some((role, store)) = reach(source, all, at, faults) {
                match role.stores.get(store) {
                    None => faults.push(dangling(source, at.place, "store", store, role.stores.keys())),
                    Some(found) if found.format == DeclaredFormat::PemPair => {
                        let message = format!(
                            "the store `{}` holds one key with its certificate and trusts no certificate",
                            at.value
                        );
                        faults
                            .push(source.error(at.place, message).hint("name a store that holds trusted certificates"));
                    }
                    Some(found) if rule.alias.is_none() && takes_alias(found.format) => {
                        let message =
                            format!("rule `{}` gives no alias, but the store `{}` needs one", rule.id, at.value);
                        faults.push(source.error(rule.origin.place, message).hint("add `alias:`, such as '{fqdn}'"));
                    }
                    Some(_) => {}
                }
            }
        }
        for at in &rule.subject {
            if let Some((role, identity)) = reach(source, all, at, faults)
                && !role.identities.contains_key(identity)
            {
                faults.push(dangling(source, at.place, "identity", identity, role.identities.keys()));
            }
        }
        for alias in rule.alias.iter() {
            if let Err(unknown) = template::check(&alias.value, &template::ALIAS) {
                faults.push(source.error(alias.place, unknown).hint("an alias may use {fqdn}, {host} and {identity}"));
            }
        }
    }
}

fn check_role(source: &SourceText, profile: &str, role: &Role, faults: &mut Faults) {
    for store in role.stores.values().filter(|s| s.origin.profile == profile) {
        for service in store.restart.iter().filter(|s| !role.services.contains_key(*s)) {
            faults.push(dangling(source, store.origin.place, "service", service, role.services.keys()));
        }
    }
    let sequences = role.vars.values().filter_map(|var| var.sequence.as_ref());
    for sequence in sequences.filter(|sequence| !role.vars.contains_key(&sequence.of.value)) {
        let at = &sequence.of;
        faults.push(dangling(source, at.place, "variable", &at.value, role.vars.keys()));
    }
    for options in role.options.values().filter(|o| o.origin.profile == profile) {
        options.check(source, role, faults);
    }
    for identity in role.identities.values().filter(|i| i.origin.profile == profile) {
        for service in identity.restart.iter().filter(|s| !role.services.contains_key(*s)) {
            faults.push(dangling(source, identity.origin.place, "service", service, role.services.keys()));
        }
        let Some((store, at)) = &identity.entry else { continue };
        match role.stores.get(store) {
            None => faults.push(dangling(source, identity.origin.place, "store", store, role.stores.keys())),
            Some(home) => {
                if let Some((why, hint)) = unfit(home, at) {
                    let message = format!("an identity lives in the store `{store}`, which {why}");
                    faults.push(source.error(identity.origin.place, message).hint(hint));
                }
            }
        }
    }
}

/// The reason why a store cannot hold an identity's key at this place, and a hint. `None` if it can.
fn unfit(home: &super::StoreTemplate, at: &KeyAt) -> Option<(&'static str, &'static str)> {
    match home.format {
        _ if home.write == WriteMode::HandOff => {
            Some(("only people write", "make it an identity with `write: hand-off` and `exported_as`"))
        }
        DeclaredFormat::Jks | DeclaredFormat::Jceks | DeclaredFormat::Pkcs12 => {
            (*at == KeyAt::Only).then_some(("needs an alias for it", "give the identity an `alias`"))
        }
        DeclaredFormat::PemPair => {
            (*at != KeyAt::Only).then_some(("is a pair of files and has no aliases", "leave `alias` out"))
        }
        DeclaredFormat::Pem | DeclaredFormat::PemDir | DeclaredFormat::Windows => {
            Some(("holds no private keys", "declare it as jks, jceks, pkcs12 or pem-pair"))
        }
    }
}

/// Splits `ROLE/NAME` into the role and the name. An unknown role is reported.
fn reach<'e, 'a>(
    source: &SourceText,
    all: &'e JoinedProfile,
    at: &'a At<String>,
    faults: &mut Faults,
) -> Option<(&'e Role, &'a str)> {
    let (role, name) = at.value.split_once('/')?;
    let found = all.roles.get(role);
    if found.is_none() {
        faults.push(dangling(source, at.place, "role", role, all.roles.keys()));
    }
    Some((found?, name))
}

/// The fault for a name that does not exist.
pub(crate) fn dangling<'n>(
    source: &SourceText,
    place: Span,
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'n String>,
) -> Fault {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let list = if known.is_empty() { "there is none here".to_owned() } else { format!("known: {}", known.join(", ")) };
    source.error(place, format!("there is no {what} `{name}`")).suggest(nearest(name, known.iter().copied())).hint(list)
}

/// Whether the entries of a store of this format have aliases.
pub(crate) fn takes_alias(format: DeclaredFormat) -> bool {
    match format {
        DeclaredFormat::Jks | DeclaredFormat::Jceks | DeclaredFormat::Pkcs12 => true,
        DeclaredFormat::Pem | DeclaredFormat::PemDir | DeclaredFormat::PemPair | DeclaredFormat::Windows => false,
    }
}
