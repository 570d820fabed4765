//! Joins profiles: a chain of `extends` becomes one effective profile, and so does a list of profiles. Takes loaded
//! profiles and checks every name that one part of a profile uses for another part. A fault has its place in the
//! profile's own file.

use std::collections::{BTreeMap, BTreeSet};

use super::{LoadedProfile, Profile, Role, Rule};
use crate::estate::{ProfileRef, SecretSpec};
use crate::fault::{At, Fault, Faults, SourceText, Span, nearest};
use crate::template;
use crate::topology::{Constraints, DeclaredFormat, KeyAt, WriteMode};

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
    /// Roles that a member takes away, each with the name of that member and its reason.
    pub(crate) removed_roles: BTreeMap<String, (String, String)>,
    /// Rules that a member takes away, each with the name of that member and its reason.
    pub(crate) removed_rules: BTreeMap<String, (String, String)>,
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
                Ok(chain) => {
                    if let Some((profile, parents)) = chain.split_last().filter(|(p, _)| !p.removed_rules.is_empty()) {
                        check_removed(profile, &layer(parents), &mut faults);
                    }
                    check(&one.profile, &layer(&chain), &mut faults);
                }
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

    /// The profiles that a profile extends, each once and after all that it extends itself, then the profile itself. The
    /// error is `None` if the profile was not loaded.
    fn chain(&self, reference: &ProfileRef) -> Result<Vec<&'p Profile>, Option<Box<Fault>>> {
        let Some(first) = self.by_reference.get(reference) else {
            return Err(None);
        };
        let mut chain = Vec::new();
        self.follow(first, &mut Vec::new(), &mut chain).map_err(Some)?;
        Ok(chain)
    }

    /// Adds a profile to a chain, after the profiles that it extends. `path` leads from the first profile to this one.
    fn follow(
        &self,
        profile: &'p Profile,
        path: &mut Vec<&'p Profile>,
        chain: &mut Vec<&'p Profile>,
    ) -> Result<(), Box<Fault>> {
        if chain.iter().any(|known| std::ptr::eq(*known, profile)) {
            return Ok(());
        }
        path.push(profile);
        for parent in &profile.extends {
            let Some(next) = self.by_reference.get(&parent.value) else {
                return Err(missing(&profile.source, parent));
            };
            if path.iter().any(|known| std::ptr::eq(*known, *next)) {
                let message = format!("the profile `{}` extends itself in a circle", parent.value.text());
                return Err(Box::new(profile.source.error(parent.place, message).hint("remove one `extends`")));
            }
            self.follow(next, path, chain)?;
        }
        path.pop();
        chain.push(profile);
        Ok(())
    }
}

fn missing(source: &SourceText, at: &At<ProfileRef>) -> Box<Fault> {
    let message = format!("the profile `{}` was not loaded", at.value.text());
    Box::new(source.error(at.place, message).hint("name a built-in profile, or the path of a file that can be read"))
}

/// Joins a chain of profiles. Definitions of later profiles replace those of earlier ones.
fn layer(chain: &[&Profile]) -> JoinedProfile {
    let mut all = JoinedProfile::default();
    // The profiles that say of a secret that its place is not known.
    let mut unstated: BTreeMap<&str, Vec<&Profile>> = BTreeMap::new();
    for profile in chain {
        all.name.clone_from(&profile.name.value);
        all.members.insert(0, profile.name.value.clone());
        all.needs.extend(profile.needs.iter().cloned());
        for (name, secret) in &profile.secrets {
            // A profile that knows nothing of a release cannot say where a secret is in that release.
            let unstated = unstated.entry(name).or_default();
            match secret {
                SecretSpec::Unstated(_) => unstated.push(profile),
                _ if unstated.iter().all(|other| extends(chain, profile, other)) => unstated.clear(),
                _ => continue,
            }
            all.secrets.insert(name.clone(), secret.clone());
        }
        all.was.extend(profile.was.iter().cloned());
        for (name, why) in &profile.removed_roles {
            all.roles.remove(name);
            all.removed_roles.insert(name.clone(), (profile.name.value.clone(), why.clone()));
        }
        for (id, why) in &profile.removed_rules {
            all.rules.retain(|(_, known), _| *known != id.value);
            all.removed_rules.insert(id.value.clone(), (profile.name.value.clone(), why.clone()));
        }
        for (name, role) in &profile.roles {
            all.removed_roles.remove(name);
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
            all.removed_rules.remove(id);
            all.rules.retain(|(_, known), _| known != id);
            all.rules.insert((rule.origin.profile.clone(), id.clone()), rule.clone());
        }
    }
    all
}

/// Whether a profile of a chain extends another one of it, directly or through others.
fn extends(chain: &[&Profile], profile: &Profile, other: &Profile) -> bool {
    profile.extends.iter().any(|at| {
        let parent = chain.iter().find(|known| match &at.value {
            ProfileRef::Builtin(name) => known.name.value == *name,
            ProfileRef::Path(path) => known.source.name() == path,
        });
        parent.is_some_and(|parent| std::ptr::eq(*parent, other) || extends(chain, parent, other))
    })
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
        let secret = match (left.secrets.remove(&name), secret) {
            (None, secret) => secret,
            // One of the profiles knows that the other's place is not true for its release.
            (Some(unstated @ SecretSpec::Unstated(_)), _) => unstated,
            (Some(_), unstated @ SecretSpec::Unstated(_)) => unstated,
            (Some(mine), secret) if mine.same(&secret) => secret,
            (Some(_), _) => return clash("a secret", &name, &left.name, &right.name),
        };
        left.secrets.insert(name, secret);
    }
    left.removed_rules.extend(right.removed_rules);
    left.removed_roles.extend(right.removed_roles);
    left.roles.retain(|name, _| !left.removed_roles.contains_key(name));
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
                    mine.join_demands(theirs).map_err(|what| format!("{what} of identity {name}"))?;
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
    /// Joins the demands of two definitions on the certificate. A demand that one of them does not make comes from the other. The
    /// error names a demand that both make, and differently.
    fn join_demands(&mut self, other: &Self) -> Result<(), &'static str> {
        let Constraints { key, signature, eku, cn_is_fqdn, common_names: _, source } = &other.constraints;
        let mine = &mut self.constraints;
        match (mine.key, *key) {
            (None, theirs) => mine.key = theirs,
            (Some(mine), Some(theirs)) if mine != theirs => return Err("the key"),
            (Some(_), _) => {}
        }
        join_lists(&mut mine.signature, signature).map_err(|()| "the signature")?;
        join_lists(&mut mine.eku, eku).map_err(|()| "the extended key usage")?;
        if mine.source.is_none() {
            mine.source.clone_from(source);
        }
        let names = |all: &[At<String>]| all.iter().map(|at| at.value.clone()).collect::<Vec<_>>();
        if self.common_names.is_empty() {
            self.common_names.clone_from(&other.common_names);
        } else if !other.common_names.is_empty() && names(&self.common_names) != names(&other.common_names) {
            return Err("the common names");
        }
        mine.cn_is_fqdn |= *cn_is_fqdn;
        if mine.cn_is_fqdn && !self.common_names.is_empty() {
            return Err("the common names");
        }
        Ok(())
    }

    /// Whether both definitions mean the same identity. Their places, documents and names of export files do not matter, and
    /// their demands on the certificate are joined by `join_demands`.
    fn same(&self, other: &Self) -> bool {
        let Self {
            origin: _,
            entry,
            exported_as: _,
            served_at,
            constraints: _,
            common_names: _,
            restart,
            restart_self_signed,
            export_steps,
            renew_steps,
            request_steps,
            install_steps,
            source: _,
        } = self;
        *entry == other.entry
            && *served_at == other.served_at
            && *restart == other.restart
            && *restart_self_signed == other.restart_self_signed
            && *export_steps == other.export_steps
            && *renew_steps == other.renew_steps
            && *request_steps == other.request_steps
            && *install_steps == other.install_steps
    }
}

/// Takes the items of another list if this one is empty. Two lists that both have items must be equal.
fn join_lists<T: Clone + PartialEq>(mine: &mut Vec<T>, theirs: &[T]) -> Result<(), ()> {
    if mine.is_empty() {
        mine.extend_from_slice(theirs);
    } else if !theirs.is_empty() && mine != theirs {
        return Err(());
    }
    Ok(())
}

/// Checks that the rules which a profile takes away are there.
fn check_removed(profile: &Profile, inherited: &JoinedProfile, faults: &mut Faults) {
    for (id, _) in &profile.removed_rules {
        if !inherited.rules.keys().any(|(_, known)| *known == id.value) {
            let known = inherited.rules.keys().map(|(_, id)| id);
            faults.push(dangling(&profile.source, id.place, "inherited rule", &id.value, known));
        }
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
                    Some(found)
                        if rule.alias.is_none() && rule.certificates.is_empty() && takes_alias(found.format) =>
                    {
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
        let (variables, hint): (&[&str], _) = if rule.certificates.is_empty() {
            (&template::ALIAS, "an alias may use {fqdn}, {host} and {identity}")
        } else {
            (&[], "an alias of a certificate without a host cannot use variables; write a plain name")
        };
        for alias in rule.alias.iter() {
            if let Err(unknown) = template::check(&alias.value, variables) {
                faults.push(source.error(alias.place, unknown).hint(hint));
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
        let services = identity.restart.iter().chain(identity.restart_self_signed.iter().flatten());
        for service in services.filter(|s| !role.services.contains_key(*s)) {
            faults.push(dangling(source, identity.origin.place, "service", service, role.services.keys()));
        }
        for at in &identity.common_names {
            if let Err(unknown) = template::check(&at.value, &template::COMMON_NAME) {
                faults.push(source.error(at.place, unknown).hint("a common name may use {fqdn} and {host}"));
            }
        }
        if let Some(at) = identity.common_names.first().filter(|_| identity.constraints.cn_is_fqdn) {
            let fault = source.error(at.place, "`cn_is_fqdn: true` allows no other common name than the FQDN");
            faults.push(fault.hint("leave out `common_names` or `cn_is_fqdn`"));
        }
        let Some((store, at)) = &identity.entry else { continue };
        if let Some(alias) = at.alias()
            && let Err(unknown) = template::check(alias.as_str(), &template::KEY_ALIAS)
        {
            let fault = source.error(identity.origin.place, unknown);
            faults.push(fault.hint("the alias of a key may use {fqdn} and {host}"));
        }
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
