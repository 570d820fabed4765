//! `list`: shows the entries of any readable keystore. No spec is used, and nothing is written.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use trustmason_host::converge::Clock as _;
use trustmason_host::disk::{self, ReadLimit};
use trustmason_host::secret::suspicious_trait;
use trustmason_keystore::{Credential, EntryKind, ErrorClass, Interner, KeyMatch, Password, ReadError, Store};
use zeroize::Zeroizing;

use crate::args::{ListArgs, ReportFormat};
use crate::clock::ProcessClock;
use crate::console::Console;
use crate::exit::ExitFacts;
use crate::stop::Stop;
use crate::view::list::{self, Listing, ReadableKey, StoreNote};

pub(crate) fn run(args: &ListArgs, console: Console) -> Result<ExitFacts, Stop> {
    let password = password(args)?;
    match listing(&args.store, password.as_ref()) {
        Ok(listing) => {
            if password.is_none() && !args.no_password && !listing.verified {
                console.note("The store was read without a password; with --password-env or --password-file its digest and keys are checked too.");
            }
            let report = match args.format {
                ReportFormat::Text => list::text(&listing, ProcessClock::read()?.now()),
                ReportFormat::Json => {
                    list::json(&listing).map_err(|e| Stop::refused(format!("the listing cannot be written: {e}")))?
                }
            };
            match args.format {
                ReportFormat::Text => console.report(&report),
                ReportFormat::Json => console.data(&report),
            }
            Ok(ExitFacts::FINE)
        }
        Err(mut failure) => {
            let tried = match (&args.password_env, &args.password_file) {
                _ if failure.class != ErrorClass::WrongPassword.as_str() => None,
                (Some(name), _) => Some(format!("the environment variable {name}")),
                (None, path) => path.as_ref().map(|path| format!("the first line of {}", path.display())),
            };
            let odd = password
                .as_ref()
                .and_then(suspicious_trait)
                .map(|odd| format!(" (its value {odd})"))
                .unwrap_or_default();
            let with = tried.map(|tried| format!(" does not open with {tried}{odd}")).unwrap_or_default();
            failure.message = format!("{}{with}: {}", args.store.display(), failure.message);
            if args.format == ReportFormat::Json {
                console.data(&failure.json());
            }
            Err(Stop::refused(failure.message))
        }
    }
}

/// Fetches the password from the place that the options name. The password itself is never an argument, and never guessed.
fn password(args: &ListArgs) -> Result<Option<Password>, Stop> {
    if let Some(name) = &args.password_env {
        return match std::env::var(name) {
            Ok(value) => Ok(Some(Password::new(value))),
            Err(std::env::VarError::NotPresent) => Err(Stop::refused(format!(
                "the environment variable {name} is not set; set it to the store's password"
            ))),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Stop::refused(format!("the environment variable {name} is not Unicode text")))
            }
        };
    }
    if let Some(path) = &args.password_file {
        let refused =
            |why: String| Stop::refused(format!("the password file cannot be read: {}: {why}", path.display()));
        let bytes = disk::read(path, ReadLimit::Secret).map_err(|error| refused(error.why()))?;
        let bytes = Zeroizing::new(bytes);
        let text =
            std::str::from_utf8(&bytes).map_err(|_| refused("it is not UTF-8 text; save it as UTF-8".to_owned()))?;
        let line = text.lines().next().unwrap_or_default();
        return Ok(Some(Password::new(line)));
    }
    Ok(None)
}

/// The reason why a store could not be listed.
struct ListFailure {
    class: &'static str,
    format: Option<&'static str>,
    offset: Option<u64>,
    message: String,
}

impl From<ReadError> for ListFailure {
    fn from(error: ReadError) -> Self {
        Self { class: error.class.as_str(), format: error.format, offset: error.offset, message: error.to_string() }
    }
}

#[derive(Serialize)]
struct ErrorDocument<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    class: &'a str,
    format: Option<&'a str>,
    offset: Option<u64>,
    message: &'a str,
}

impl ListFailure {
    fn unreadable(cause: impl std::fmt::Display) -> Self {
        Self { class: "unreadable", format: None, offset: None, message: format!("cannot be read: {cause}") }
    }

    fn json(&self) -> String {
        let error = ErrorBody { class: self.class, format: self.format, offset: self.offset, message: &self.message };
        serde_json::to_string_pretty(&ErrorDocument { error }).map_or_else(|_| String::new(), |text| text + "\n")
    }
}

fn listing(path: &Path, password: Option<&Password>) -> Result<Listing, ListFailure> {
    let certificates = Interner::new();
    let store = if path.is_dir() {
        let files = disk::read_folder(path).map_err(ListFailure::unreadable)?;
        Store::open_directory(files, &certificates)?
    } else {
        let bytes = disk::read(path, ReadLimit::Export).map_err(|error| ListFailure::unreadable(error.why()))?;
        Store::open(bytes, password.map_or(Credential::Withheld, Credential::Password), &certificates)?
    };
    let mut keys = BTreeMap::new();
    if let Some(password) = password {
        for entry in store.entries().iter().filter(|e| matches!(e.kind, EntryKind::PrivateKey { .. })) {
            let opened = match store.open_key(entry.id, password) {
                Ok(key) if key.matches_certificate == KeyMatch::No => {
                    Err("the key opens but belongs to another certificate; make a new entry".to_owned())
                }
                Ok(key) => Ok(ReadableKey { algorithm: key.algorithm.to_string(), bits: key.bits }),
                Err(error) => Err(error.to_string()),
            };
            keys.insert(entry.id, opened);
        }
    }
    let notes = store.entries().iter().map(|e| {
        let name = store.label(e.id).map(str::to_owned);
        (e.id, StoreNote { name, registry_key: store.registry_key(e.id).map(str::to_owned) })
    });
    Ok(Listing {
        notes: notes.collect(),
        path: path.display().to_string(),
        format: store.format(),
        verified: store.verified(),
        protected_by: store.protected_by(),
        entries: store.entries().to_vec(),
        keys,
        remarks: store.remarks().to_vec(),
    })
}
