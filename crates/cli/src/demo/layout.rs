//! Writes the demo's estate to disk: hosts' folders, keystores, exported certificates, mirrors and password files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use rand_core::{TryRng as _, UnwrapErr};
use trustmason_host::volume::Volumes;
use trustmason_keystore::{Alias, Certificate, Edits, Format, Image, NewEntry, NewKey, Password, Store};
use trustmason_plan::pack::pem;
use trustmason_spec::name::{Fqdn, IdentityId, StoreId};
use trustmason_spec::topology::{
    CertificateSource, Edge, Exported, FileStore, HostPath, Keystore, KeystoreFormat, Mirror, Ownership, Reach,
    SecretSource, StoreDef, StoreKind, Subject, Topology,
};
use zeroize::Zeroizing;

use super::defects::{SINS, SeededDefect};
use super::issue::{self, CertificateContent, Made};
use super::{DemoError, SPEC, SPEC_NAME, failed};

/// The number of roots in every `cacerts`.
const ROOTS: usize = 110;
const DOMAIN: &str = "acme.example";

/// The result of writing the demo's estate.
#[derive(Debug)]
pub(crate) struct DemoEstate {
    /// The path of the spec.
    pub(crate) spec: PathBuf,
    /// The number of keystores.
    pub(crate) stores: usize,
    /// The number of certificates exported by hand.
    pub(crate) exports: usize,
    /// The number of roots in each `cacerts`.
    pub(crate) roots: usize,
}

/// Writes the whole estate into an existing, empty folder.
pub(crate) fn write(dir: &Path, now: Timestamp) -> Result<DemoEstate, DemoError> {
    let spec = dir.join(SPEC_NAME);
    put(&spec, SPEC.as_bytes())?;
    let topology = topology(dir)?;
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut estate = Layout::make(&topology, today)?;
    estate.now_ms = now.as_millisecond();
    let mut stores = 0;
    for def in topology.stores.values() {
        match &def.reach {
            Reach::Direct(FileStore { kind: StoreKind::Keystore(keystore), .. }) => {
                estate.keystore(def, keystore)?;
                stores += 1;
            }
            Reach::Mirror(Mirror::Export { path, of: Exported::PemFolder, .. }) => estate.mirror(def, path)?,
            Reach::Direct(_) | Reach::System { .. } | Reach::Mirror(_) => {}
        }
    }
    let exports = estate.exports()?;
    Ok(DemoEstate { spec, stores, exports, roots: ROOTS })
}

fn topology(dir: &Path) -> Result<Topology, DemoError> {
    let spec = trustmason_spec::parse(SPEC, SPEC_NAME).map_err(failed("its spec"))?;
    let no_file = |path: &Path| Err(format!("{} is not part of the demo", path.display()));
    let profiles = trustmason_spec::profile::load(&spec, dir, no_file).map_err(failed("its profile"))?;
    let resolved = trustmason_spec::resolve(&spec, &profiles, dir).map_err(failed("its spec"))?;
    Ok(resolved.topology)
}

struct Layout<'a> {
    topology: &'a Topology,
    now_ms: i64,
    identities: BTreeMap<IdentityId, Made>,
    /// Older certificates of identities whose certificate was replaced.
    older: BTreeMap<IdentityId, Made>,
    /// Certificates of retired hosts and undeclared certificates, by name.
    others: BTreeMap<&'static str, Made>,
    roots: Vec<Made>,
    passwords: BTreeMap<Fqdn, Password>,
}

impl<'a> Layout<'a> {
    /// Makes every key and certificate of the demo.
    fn make(topology: &'a Topology, today: Date) -> Result<Self, DemoError> {
        let (born, dies) = (days(today, -700)?, days(today, 1120)?);
        let ids: Vec<&IdentityId> = topology.identities.keys().collect();
        let contents: Vec<CertificateContent> = ids
            .iter()
            .map(|id| {
                let mut content = CertificateContent { cn: id.host.to_string(), san: true, from: born, to: dies };
                for defect in SINS {
                    match defect {
                        SeededDefect::ShortName { identity } if is(id, identity) => {
                            content.cn = id.host.host().to_owned();
                            content.san = false;
                        }
                        SeededDefect::Ending { identity, days: left } if is(id, identity) => {
                            content.to = days(today, *left)?
                        }
                        _ => {}
                    }
                }
                Ok(content)
            })
            .collect::<Result<_, DemoError>>()?;
        let made = issue::all(&contents, issue::host)?;
        let identities: BTreeMap<IdentityId, Made> = ids.into_iter().cloned().zip(made).collect();
        let mut older = BTreeMap::new();
        let mut others = BTreeMap::new();
        for defect in SINS {
            match defect {
                SeededDefect::Stale { subject, .. } => {
                    let Some(id) = identities.keys().find(|id| is(id, subject)).cloned() else { continue };
                    let content = CertificateContent {
                        cn: id.host.to_string(),
                        san: true,
                        from: days(today, -1800)?,
                        to: days(today, 25)?,
                    };
                    older.insert(id, issue::host(&content)?);
                }
                SeededDefect::Leftover { host, .. } if !others.contains_key(host) => {
                    let content =
                        CertificateContent { cn: format!("{host}.{DOMAIN}"), san: true, from: born, to: dies };
                    others.insert(*host, issue::host(&content)?);
                }
                SeededDefect::Stranger { alias, cn, .. } => {
                    others.insert(*alias, issue::root(cn, born, days(today, 3000)?)?);
                }
                SeededDefect::ShortName { .. }
                | SeededDefect::Ending { .. }
                | SeededDefect::Missing { .. }
                | SeededDefect::OlderAlias { .. }
                | SeededDefect::Leftover { .. } => {}
            }
        }
        let names: Vec<String> = (1..=ROOTS).map(|n| format!("Demo Root {n:03}")).collect();
        let roots = issue::all(&names, |name| issue::root(name, days(today, -3000)?, days(today, 5000)?))?;
        Ok(Self { topology, now_ms: 0, identities, older, others, roots, passwords: BTreeMap::new() })
    }

    /// Writes a JKS or JCEKS file with every wanted entry, changed by the defects.
    fn keystore(&mut self, def: &StoreDef, keystore: &Keystore) -> Result<(), DemoError> {
        let password = self.password(def, keystore)?;
        let installed = self.now_ms.saturating_sub(700 * 86_400_000);
        let mut add = Vec::new();
        if def.ownership == Ownership::Vendor {
            for (n, root) in self.roots.iter().enumerate() {
                add.push(trusted(format!("demoroot{:03}", n + 1).into(), &root.certificate, installed));
            }
        }
        for (id, made) in &self.identities {
            let identity = self.topology.identities.get(id).map(|d| &d.source);
            if let Some(CertificateSource::KeyEntry(place)) = identity
                && place.store == def.id
            {
                add.push(NewEntry::PrivateKey {
                    alias: place.at.alias().cloned(),
                    key: NewKey::Plain(made.key.clone()),
                    chain: vec![Arc::clone(&made.certificate)],
                    created_ms: installed,
                });
            }
        }
        for edge in self.topology.edges.iter().filter(|e| e.store == def.id) {
            if let Some((alias, certificate)) = self.entry(edge) {
                add.push(trusted(alias, certificate, installed));
            }
        }
        for defect in SINS {
            let (store, name, alias): (_, _, Alias) = match defect {
                SeededDefect::Leftover { store, host } => (store, *host, format!("{host}.{DOMAIN}").into()),
                SeededDefect::Stranger { store, alias, .. } => (store, *alias, (*alias).into()),
                SeededDefect::ShortName { .. }
                | SeededDefect::Ending { .. }
                | SeededDefect::Missing { .. }
                | SeededDefect::Stale { .. }
                | SeededDefect::OlderAlias { .. } => continue,
            };
            if let (true, Some(made)) = (is_store(&def.id, store), self.others.get(name)) {
                add.push(trusted(alias, &made.certificate, installed));
            }
        }
        let format = match keystore.format {
            KeystoreFormat::Jceks => Format::Jceks,
            KeystoreFormat::Jks | KeystoreFormat::Pkcs12 => Format::Jks,
        };
        let edits = Edits { add, ..Edits::default() };
        let image = Store::create(format)
            .edit(&edits, &password, &mut UnwrapErr(getrandom::SysRng))
            .map_err(failed("a keystore"))?;
        let Image::File(bytes) = image else { return Err(DemoError("a keystore became a folder".to_owned())) };
        put(&place(self.topology, &keystore.path)?, &bytes)
    }

    /// The entry for an edge before the demo begins. `None` if the entry is missing.
    fn entry(&self, edge: &Edge) -> Option<(Alias, &Arc<Certificate>)> {
        let Subject::Identity(id) = &edge.subject else { return None };
        let mut alias = edge.alias.clone()?;
        let mut made = self.identities.get(id)?;
        for defect in SINS {
            match defect {
                SeededDefect::Missing { store, subject } if is_store(&edge.store, store) && is(id, subject) => {
                    return None;
                }
                SeededDefect::Stale { store, subject } if is_store(&edge.store, store) && is(id, subject) => {
                    made = self.older.get(id)?;
                }
                SeededDefect::OlderAlias { store, subject, alias: older }
                    if is_store(&edge.store, store) && is(id, subject) =>
                {
                    alias = (*older).into();
                }
                _ => {}
            }
        }
        Some((alias, &made.certificate))
    }

    /// Writes the mirror of a hand-off store: a folder of PEM files, as an export would leave it.
    fn mirror(&self, def: &StoreDef, path: &HostPath) -> Result<(), DemoError> {
        for edge in self.topology.edges.iter().filter(|e| e.store == def.id) {
            let Subject::Identity(id) = &edge.subject else { continue };
            if let Some(made) = self.identities.get(id) {
                let file = place(self.topology, path)?.join(format!("{}_{}.pem", id.host, id.name));
                put(&file, pem(&made.certificate).as_bytes())?;
            }
        }
        Ok(())
    }

    /// Writes the certificates that a person exported.
    fn exports(&self) -> Result<usize, DemoError> {
        let mut n = 0;
        for (id, def) in &self.topology.identities {
            let (CertificateSource::Exported { names }, Some(made)) = (&def.source, self.identities.get(id)) else {
                continue;
            };
            if let Some(name) = names.first() {
                put(&self.topology.certificates_dir.join(name), pem(&made.certificate).as_bytes())?;
                n += 1;
            }
        }
        Ok(n)
    }

    /// The password of a store. For a CVP server the password is random and is written where the product keeps it.
    fn password(&mut self, def: &StoreDef, keystore: &Keystore) -> Result<Password, DemoError> {
        let Some(secret) = &keystore.password else { return Err(DemoError(format!("{} has no password", def.id))) };
        match &secret.from {
            SecretSource::Literal(password) => Ok(password.clone()),
            SecretSource::Properties { path, key } => {
                if let Some(known) = self.passwords.get(&def.id.host) {
                    return Ok(known.clone());
                }
                let made = random_password()?;
                let text = Zeroizing::new(format!(
                    "# Written by the demo, as the installer of CVP would\n{key} = {}\n",
                    made.as_str()
                ));
                put(&place(self.topology, path)?, text.as_bytes())?;
                let password = Password::new(made.as_str());
                self.passwords.insert(def.id.host.clone(), password.clone());
                Ok(password)
            }
            SecretSource::Env(_) | SecretSource::File(_) | SecretSource::Command(_) | SecretSource::Unstated(_) => {
                Err(DemoError(format!("the password of {} is not part of the demo", def.id)))
            }
        }
    }
}

fn random_password() -> Result<Zeroizing<String>, DemoError> {
    let mut bytes = [0_u8; 12];
    getrandom::SysRng.try_fill_bytes(&mut bytes).map_err(failed("random bytes"))?;
    Ok(Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect()))
}

fn trusted(alias: Alias, certificate: &Arc<Certificate>, created_ms: i64) -> NewEntry {
    NewEntry::Trusted { alias: Some(alias), certificate: Arc::clone(certificate), created_ms }
}

/// Whether an identity is the one that a defect names as `host/name`.
fn is(id: &IdentityId, defect: &str) -> bool {
    defect.split_once('/').is_some_and(|(host, name)| id.host.host() == host && id.name == name)
}

fn is_store(id: &StoreId, defect: &str) -> bool {
    defect.split_once('/').is_some_and(|(host, name)| id.host.host() == host && id.name == name)
}

fn days(from: Date, n: i32) -> Result<Date, DemoError> {
    let beyond = "its certificates would reach beyond the calendar; set the clock of this machine, then run again";
    from.checked_add(Span::new().days(n)).map_err(|_| DemoError(beyond.to_owned()))
}

/// The path on this machine for a path of a host. Names are spelled as in the spec.
pub(super) fn place(topology: &Topology, path: &HostPath) -> Result<PathBuf, DemoError> {
    Volumes::of(topology).spelled(path).map_err(failed("a host"))
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), DemoError> {
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder).map_err(failed("a folder"))?;
    }
    fs_err::write(path, bytes).map_err(failed("a file"))
}
