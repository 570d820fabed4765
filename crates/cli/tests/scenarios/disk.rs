//! The estate of a scenario on a real disk. The keystore crate makes what the scenario's folder describes, in a
//! temporary folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use jiff::civil::Date;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType, SerialNumber,
};
use trustmason_keystore::{
    Alias, Credential, Edits, Format, Image, Interner, NewEntry, Password, RegistryChange, Store, registry_file,
    serialised_element,
};
use trustmason_plan::site::Site;
use trustmason_spec::name::StoreId;
use trustmason_spec::topology::{CertificateSource, DeclaredFormat, HostPath, KeyAt, SecretSource, StoreDef, Topology};

use super::folder::{Certificate, Contents, File, Made, Reply, SPEC, Scene, Usage};
use super::names::Names;
use crate::support::{CANARY, Counting, INSTALLED, file, key, new_key, pem, put, resolved};

/// Keys below the first number are files. Keys from the second number on are made by each run of the tests.
const WRITTEN: usize = 7;
const MADE: usize = 100;

/// A certificate and the number of its key.
#[derive(Clone)]
struct IssuedCertificate {
    der: Vec<u8>,
    key: usize,
}

/// A store as a spec had it, with that spec's topology, which gives the store's path.
pub struct Known {
    pub topology: Rc<Topology>,
    pub def: StoreDef,
}

/// The estate, and the names of its certificates.
pub struct Disk<'a> {
    pub dir: tempfile::TempDir,
    pub names: Names,
    /// Every store that any spec of the scenario had, by its path.
    pub stores: BTreeMap<(StoreId, String), Known>,
    /// The folder of the scenario.
    folder: &'a Path,
    forged: BTreeMap<String, IssuedCertificate>,
    keys: usize,
}

impl<'a> Disk<'a> {
    /// Makes an estate with this scene.
    pub fn new(folder: &'a Path, before: &Scene) -> Result<Self, String> {
        let dir = tempfile::Builder::new().prefix("trustmason-test-").tempdir().unwrap();
        let mut disk =
            Self { dir, names: Names::default(), stores: BTreeMap::new(), folder, forged: BTreeMap::new(), keys: 0 };
        disk.certificates(&before.certificates)?;
        let spec = std::fs::read_to_string(folder.join(SPEC)).map_err(|e| format!("{SPEC}: {e}"))?;
        put(&disk.path(SPEC), disk.names.fill(&spec)?.as_bytes());
        disk.files(&before.files)?;
        disk.stores(&before.stores)?;
        disk.topology()?;
        Ok(disk)
    }

    /// Makes a change that somebody makes without the program.
    pub fn meanwhile(&mut self, scene: &Scene) -> Result<(), String> {
        self.certificates(&scene.certificates)?;
        for path in &scene.gone {
            let path = self.path(path);
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(|e| format!("gone: {}: {e}", path.display()))?;
        }
        self.files(&scene.files)?;
        self.stores(&scene.stores)?;
        for (request, reply) in &scene.replies {
            self.reply(request, reply).map_err(|e| format!("replies: {request}: {e}"))?;
        }
        self.topology().map(|_| ())
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// The topology of the present spec. Its stores are remembered.
    pub fn topology(&mut self) -> Result<Rc<Topology>, String> {
        let spec = std::fs::read_to_string(self.path(SPEC)).map_err(|e| format!("{SPEC}: {e}"))?;
        let topology = Rc::new(resolved(&spec, self.dir.path())?);
        for def in topology.stores.values() {
            let known = Known { topology: Rc::clone(&topology), def: def.clone() };
            self.stores.insert((def.id.clone(), shown(def)), known);
        }
        Ok(topology)
    }

    /// Gives a name to every certificate that the program has made since, both staged and presented ones.
    pub fn learn_new(&mut self) -> Result<(), String> {
        self.names.learn_today();
        for (id, identity) in &self.topology()?.identities {
            let CertificateSource::KeyEntry(place) = &identity.source else { continue };
            for known in self.stores.values().filter(|known| known.def.id == place.store) {
                let name = format!(".trustmason/staging/{}/{}.{}", id.host, id.name, known.def.format().as_str());
                let staged = read_file(&self.path(&name), &known.topology, &known.def);
                for store in [staged, open(known)].into_iter().filter_map(|opened| opened.ok().flatten()) {
                    if let Some(certificate) = leaf(&store, &place.at) {
                        self.names.learn_new(&id.to_string(), &certificate);
                    }
                }
            }
        }
        Ok(())
    }

    fn certificates(&mut self, wanted: &BTreeMap<String, Certificate>) -> Result<(), String> {
        // Certificates are made in the order of their names, so that each has the same key in every run.
        for name in wanted.keys() {
            self.issue(name, wanted, &mut BTreeSet::new()).map_err(|e| format!("certificates: {name}: {e}"))?;
        }
        Ok(())
    }

    fn issue(
        &mut self,
        name: &str,
        wanted: &BTreeMap<String, Certificate>,
        below: &mut BTreeSet<String>,
    ) -> Result<IssuedCertificate, String> {
        if let Some(forged) = self.forged.get(name) {
            return Ok(forged.clone());
        }
        let content = wanted.get(name).ok_or_else(|| format!("there is no certificate `{name}`"))?;
        if !below.insert(name.to_owned()) {
            return Err(format!("`{name}` stands above itself"));
        }
        let issuer = content.by.as_deref().map(|by| self.issue(by, wanted, below)).transpose()?;
        let shared = content.key_of.as_deref().map(|of| self.issue(of, wanted, below)).transpose()?;
        let key = shared.map_or_else(|| self.next_key(), |of| of.key);
        let serial = u64::try_from(1000 + self.forged.len()).unwrap_or_default();
        let forged = IssuedCertificate { der: sign(name, content, key, serial, issuer.as_ref())?, key };
        self.names.learn(name, &forged.der);
        self.forged.insert(name.to_owned(), forged.clone());
        Ok(forged)
    }

    fn next_key(&mut self) -> usize {
        self.keys += 1;
        if self.keys <= WRITTEN { self.keys } else { MADE + self.keys }
    }

    fn issued(&self, name: &str) -> Result<&IssuedCertificate, String> {
        self.forged.get(name).ok_or_else(|| format!("there is no certificate `{name}`"))
    }

    fn certificate(&self, name: &str) -> Result<Arc<trustmason_keystore::Certificate>, String> {
        let der = &self.issued(name)?.der;
        trustmason_keystore::Certificate::parse(der).map(Arc::new).map_err(|e| format!("{name}: {e}"))
    }

    fn chain(&self, names: &[String]) -> Result<Vec<Arc<trustmason_keystore::Certificate>>, String> {
        names.iter().map(|name| self.certificate(name)).collect()
    }

    fn pems(&self, names: &[String]) -> Result<String, String> {
        names.iter().map(|name| self.issued(name).map(|forged| pem(&forged.der))).collect()
    }

    fn files(&self, files: &BTreeMap<String, File>) -> Result<(), String> {
        for (path, file) in files {
            let text = match file {
                File { text: Some(text), .. } => text.clone(),
                File { copy_of: Some(name), .. } => {
                    let text = std::fs::read_to_string(self.folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
                    self.names.fill(&text).map_err(|e| format!("{name}: {e}"))?
                }
                File { key_of: Some(name), .. } => key(self.issued(name)?.key).serialize_pem(),
                File { certificates, .. } => self.pems(certificates).map_err(|e| format!("files: {path}: {e}"))?,
            };
            put(&self.path(path), text.as_bytes());
        }
        Ok(())
    }

    fn stores(&mut self, stores: &BTreeMap<String, Contents>) -> Result<(), String> {
        let topology = self.topology()?;
        for (name, contents) in stores {
            let def = StoreId::parse(name).ok().and_then(|id| topology.stores.get(&id));
            let known: Vec<String> = topology.stores.keys().map(ToString::to_string).collect();
            let def = def.ok_or_else(|| format!("stores: the spec has no {name}, but {}", known.join(", ")))?;
            self.store(&topology, def, contents).map_err(|e| format!("stores: {name}: {e}"))?;
        }
        Ok(())
    }

    fn store(&self, topology: &Topology, def: &StoreDef, contents: &Contents) -> Result<(), String> {
        let mut add = Vec::new();
        for (alias, chain) in &contents.keys {
            let leaf = chain.first().ok_or_else(|| format!("the key {alias} has no certificate"))?;
            add.push(NewEntry::PrivateKey {
                alias: Some(Alias::of(alias)),
                key: new_key(def.format(), self.issued(leaf)?.key),
                chain: self.chain(chain)?,
                created_ms: INSTALLED,
            });
        }
        for (alias, name) in &contents.trusts {
            let certificate = self.certificate(name)?;
            add.push(NewEntry::Trusted { alias: Some(Alias::of(alias)), certificate, created_ms: INSTALLED });
        }
        let edits = Edits { add, ..Edits::default() };
        if let Some(pair) = def.pair() {
            let leaf = contents.pair.first().ok_or("is a pair, and `pair` is empty")?;
            put(&file(topology, &pair.certificate), self.pems(&contents.pair)?.as_bytes());
            put(&file(topology, &pair.key), key(self.issued(leaf)?.key).serialize_pem().as_bytes());
            Ok(())
        } else if let Some(folder) = def.folder() {
            std::fs::create_dir_all(file(topology, folder)).map_err(|e| e.to_string())?;
            for (name, certificate) in &contents.trusts {
                put(&file(topology, folder).join(name), pem(&self.issued(certificate)?.der).as_bytes());
            }
            Ok(())
        } else {
            let path = def.path().ok_or("is one of the system's own")?;
            let mut bytes = match contents.format.map_or_else(|| declared(def), Ok)? {
                Made::WindowsReg => self.registry(&contents.exported)?,
                format => {
                    let declared = password(topology, def, true)?;
                    let other = contents.password.as_deref().map(Password::new);
                    write(format, &edits, other.or(declared).as_ref())?
                }
            };
            bytes.truncate(contents.cut_after.unwrap_or(bytes.len()));
            put(&file(topology, path), &bytes);
            Ok(())
        }
    }

    /// An export of system stores as the registry editor writes it.
    fn registry(&self, exported: &BTreeMap<String, Vec<String>>) -> Result<Vec<u8>, String> {
        let mut kept = Vec::new();
        for (store, names) in exported {
            if !["CA", "My", "Root"].contains(&store.as_str()) {
                return Err(format!("exported: `{store}` is neither Root, CA nor My"));
            }
            let key = format!(r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates\{store}");
            for name in names {
                let certificate = self.certificate(name)?;
                let element = serialised_element(&certificate).map_err(|e| e.to_string())?;
                kept.push((key.clone(), name.clone(), certificate, element));
            }
        }
        let changes: Vec<RegistryChange<'_>> = kept
            .iter()
            .map(|(store, name, certificate, element)| RegistryChange::Add {
                store,
                element,
                der: certificate.der(),
                comment: name.clone(),
            })
            .collect();
        Ok(registry_file(&changes))
    }

    /// Answers a request as a CA.
    fn reply(&mut self, request: &str, reply: &Reply) -> Result<(), String> {
        let text = std::fs::read_to_string(self.path(request)).map_err(|e| e.to_string())?;
        let mut asked = CertificateSigningRequestParams::from_pem(&text).map_err(|e| e.to_string())?;
        valid(&mut asked.params, reply.from, reply.until)?;
        asked.params.serial_number = Some(SerialNumber::from(5000_u64));
        if let Some(names) = &reply.names {
            asked.params.subject_alt_names = dns(names)?;
        }
        if let Some(usages) = &reply.usages {
            asked.params.extended_key_usages = purposes(usages);
        }
        let by = self.issued(&reply.by)?;
        let issuer = Issuer::from_ca_cert_der(&by.der.as_slice().into(), key(by.key)).map_err(|e| e.to_string())?;
        let der = asked.signed_by(&issuer).map_err(|e| e.to_string())?.der().to_vec();
        self.names.learn(&reply.name, &der);
        put(&self.path(&reply.to), format!("{}{}", pem(&der), self.pems(&reply.with)?).as_bytes());
        // The program has the key, so this certificate is trusted and presented but signs nothing here.
        self.forged.insert(reply.name.clone(), IssuedCertificate { der, key: 0 });
        Ok(())
    }
}

fn sign(
    name: &str,
    content: &Certificate,
    own: usize,
    serial: u64,
    issuer: Option<&IssuedCertificate>,
) -> Result<Vec<u8>, String> {
    let cn = content.cn.as_deref().unwrap_or(name);
    let names = match &content.names {
        Some(names) => names.clone(),
        None if content.ca => Vec::new(),
        None => vec![cn.to_owned()],
    };
    let mut params = CertificateParams::new(names).map_err(|e| e.to_string())?;
    let mut dn = DistinguishedName::new();
    dn.push(DnType::CountryName, DnValue::PrintableString("US".try_into().map_err(|_| "no country")?));
    dn.push(DnType::OrganizationName, "Acme");
    dn.push(DnType::CommonName, cn);
    params.distinguished_name = dn;
    params.serial_number = Some(SerialNumber::from(serial));
    valid(&mut params, content.from, content.to)?;
    if content.ca {
        params.is_ca =
            IsCa::Ca(content.path_length.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    } else if issuer.is_some() {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    }
    if let Some(usages) = &content.usages {
        params.extended_key_usages = purposes(usages);
    }
    let own = key(own);
    let made = match issuer {
        None => params.self_signed(&own),
        Some(by) => Issuer::from_ca_cert_der(&by.der.as_slice().into(), key(by.key))
            .and_then(|issuer| params.signed_by(&own, &issuer)),
    };
    made.map(|made| made.der().to_vec()).map_err(|e| e.to_string())
}

fn purposes(usages: &[Usage]) -> Vec<ExtendedKeyUsagePurpose> {
    let purpose = |usage: &Usage| match usage {
        Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
    };
    usages.iter().map(purpose).collect()
}

fn valid(params: &mut CertificateParams, from: Date, to: Date) -> Result<(), String> {
    let moment = |day: Date| {
        let (month, date) = (u8::try_from(day.month()), u8::try_from(day.day()));
        let (Ok(month), Ok(date)) = (month, date) else { return Err(format!("{day} is no day of a certificate")) };
        Ok(rcgen::date_time_ymd(day.year().into(), month, date))
    };
    params.not_before = moment(from)?;
    params.not_after = moment(to)?;
    Ok(())
}

fn dns(names: &[String]) -> Result<Vec<SanType>, String> {
    let name =
        |name: &String| name.as_str().try_into().map(SanType::DnsName).map_err(|_| format!("`{name}` is no name"));
    names.iter().map(name).collect()
}

/// The format of a store's file if its scenario names none.
fn declared(def: &StoreDef) -> Result<Made, String> {
    match def.format() {
        DeclaredFormat::Jks => Ok(Made::Jks),
        DeclaredFormat::Jceks => Ok(Made::Jceks),
        DeclaredFormat::Pkcs12 => Ok(Made::Pkcs12),
        DeclaredFormat::Pem => Ok(Made::Pem),
        DeclaredFormat::Windows => Ok(Made::WindowsSst),
        DeclaredFormat::PemDir | DeclaredFormat::PemPair => Err("is no single file".to_owned()),
    }
}

fn write(format: Made, edits: &Edits, password: Option<&Password>) -> Result<Vec<u8>, String> {
    let format = match format {
        Made::Jks => Format::Jks,
        Made::Jceks => Format::Jceks,
        Made::Pkcs12 => Format::Pkcs12,
        Made::Pem => Format::Pem,
        Made::WindowsSst => Format::WindowsSst,
        Made::WindowsReg => Format::WindowsReg,
    };
    match Store::create(format)
        .edit(edits, Credential::declared(password), &mut Counting::new())
        .map_err(|e| e.to_string())?
    {
        Image::File(bytes) => Ok(bytes),
        Image::Directory(_) => Err("became a folder".to_owned()),
    }
}

/// The password of a store. If a product keeps it in a file of the host and `make` is set, the file is created.
fn password(topology: &Topology, def: &StoreDef, make: bool) -> Result<Option<Password>, String> {
    match def.password().map(|secret| (&secret.from, secret)) {
        None => Ok(None),
        Some((SecretSource::Literal(password), _)) => Ok(Some(password.clone())),
        Some((SecretSource::Properties { path, key }, _)) => {
            if make && !file(topology, path).exists() {
                put(&file(topology, path), format!("{key} = {CANARY}\n").as_bytes());
            }
            Ok(Some(Password::new(CANARY)))
        }
        Some((_, secret)) => Err(format!("its password comes {}: give it as `literal`", secret.origin())),
    }
}

/// The certificate of a key.
fn leaf(store: &Store, at: &KeyAt) -> Option<Arc<trustmason_keystore::Certificate>> {
    let entry = store.entries().iter().find(|entry| entry.alias == at.stored())?;
    entry.certificates().first()?.certificate().cloned()
}

/// The path of a store as its host writes it.
pub fn shown(def: &StoreDef) -> String {
    match Site::of(def) {
        Site::System { .. } => "the system's own".to_owned(),
        site => site.path(),
    }
}

/// Opens a store. `None` if it does not exist.
pub fn open(known: &Known) -> Result<Option<Store>, String> {
    let Known { topology, def } = known;
    let interner = Interner::new();
    let read = |path: &HostPath| std::fs::read(file(topology, path)).ok();
    let opened = match (def.pair(), def.path()) {
        (None, None) => return Ok(None),
        (Some(pair), _) => match (read(&pair.certificate), read(&pair.key)) {
            (None, None) => return Ok(None),
            (certificate, key) => Store::open_pair(certificate, key, &interner),
        },
        (None, Some(path)) if file(topology, path).is_dir() => {
            let files = crate::support::files(&file(topology, path));
            let named = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Store::open_directory(files.into_iter().map(|(path, bytes)| (named(&path), bytes)).collect(), &interner)
        }
        (None, Some(path)) => return read_file(&file(topology, path), topology, def),
    };
    opened.map(Some).map_err(|e| e.to_string())
}

/// Opens a file as a store with the password of this store. `None` if the file does not exist.
fn read_file(path: &Path, topology: &Topology, def: &StoreDef) -> Result<Option<Store>, String> {
    let Ok(bytes) = std::fs::read(path) else { return Ok(None) };
    let password = password(topology, def, false)?;
    let credential = password.as_ref().map_or(Credential::Withheld, Credential::Password);
    Store::open(bytes, credential, &Interner::new()).map(Some).map_err(|e| e.to_string())
}
