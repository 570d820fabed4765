//! Reads what products are told about their stores. The text of an options file and its passwords never leave this
//! module: it gives a verdict on each password, and of the rest only what cannot be a secret.
//!
//! The digest among a plan's inputs is taken over these facts and not over the file. If all of a short text except a
//! password is known, a digest of the text would allow the password to be guessed.

use std::collections::BTreeMap;

use trustmason_keystore::{Credential, Digest, ErrorClass, Password, Store};
use trustmason_plan::observed::{Input, InputKind};
use trustmason_plan::options::{self, OptionsLook, PasswordLook};
use trustmason_spec::name::{Fqdn, StoreId};
use trustmason_spec::topology::{FileStore, HostPath, OptionsAt, OptionsDef, Reach, StoreDef, StoreKind};
use zeroize::Zeroizing;

use super::LookContext;
use crate::disk::{self, ReadLimit};
use crate::volume::{self, Volumes};

/// The result of looking at one options file, by host and name.
pub(super) type NamedOptions = ((Fqdn, String), OptionsLook);

/// Looks at all options files of a host.
pub(super) fn look(
    files: &[OptionsDef],
    stores: &BTreeMap<StoreId, StoreDef>,
    volumes: Volumes<'_>,
    context: LookContext<'_>,
) -> (Vec<NamedOptions>, Vec<Input>) {
    let mut judge = Judge { stores, volumes, context, seen: Vec::new() };
    let mut looks = Vec::new();
    let mut inputs = Vec::new();
    for def in files {
        let (look, input) = match &def.at {
            OptionsAt::Undeclared(_) => (OptionsLook::Undeclared, None),
            OptionsAt::File(path) => one(def, path, &mut judge),
        };
        inputs.extend(input);
        looks.push(((def.host.clone(), def.name.clone()), look));
    }
    (looks, inputs)
}

fn one(def: &OptionsDef, at: &HostPath, judge: &mut Judge<'_>) -> (OptionsLook, Option<Input>) {
    let found = match judge.volumes.find(at) {
        Ok(volume::Located::Found(path)) => path,
        Ok(volume::Located::Absent { path, .. }) => {
            return (OptionsLook::Absent, Some(super::input(InputKind::OptionsFile, &path, None)));
        }
        Err(error) => return (OptionsLook::Unreadable(error.to_string()), None),
    };
    let look = match disk::read(&found, ReadLimit::Options).map(Zeroizing::new) {
        Ok(bytes) => match options::read(&bytes, def) {
            Some(reading) => OptionsLook::Read(options::facts_of(def, &reading, |setting, password| {
                judge.look(&setting.store, password)
            })),
            None => OptionsLook::Unreadable(format!("{} is not text; save the options as text", found.display())),
        },
        Err(error) => OptionsLook::Unreadable(error.to_string()),
    };
    let facts = Digest::of(format!("{look:?}").as_bytes());
    let input = super::input(InputKind::OptionsFile, &found, Some(facts));
    (look, Some(input))
}

/// Tries passwords, and numbers the different ones of a host.
struct Judge<'a> {
    stores: &'a BTreeMap<StoreId, StoreDef>,
    volumes: Volumes<'a>,
    context: LookContext<'a>,
    seen: Vec<Password>,
}

impl Judge<'_> {
    fn look(&mut self, id: &StoreId, password: &Password) -> (PasswordLook, usize) {
        let same = |one: &Password| one.expose() == password.expose();
        let number = self.seen.iter().position(same).unwrap_or_else(|| {
            self.seen.push(password.clone());
            self.seen.len() - 1
        });
        (self.stores.get(id).map_or(PasswordLook::Unknown, |def| self.verdict(def, password)), number)
    }

    fn verdict(&self, def: &StoreDef, password: &Password) -> PasswordLook {
        let named = def.password().and_then(|secret| self.context.secrets.get(secret).ok());
        if named.as_ref().is_some_and(|named| named.expose() == password.expose()) {
            return PasswordLook::Named;
        }
        match (self.opens(def, password), named) {
            (Some(true), _) => PasswordLook::Opens,
            (Some(false), _) => PasswordLook::DoesNotOpen,
            (None, Some(_)) => PasswordLook::Differs,
            (None, None) => PasswordLook::Unknown,
        }
    }

    /// Whether a password opens a store; `None` if that cannot be tried.
    fn opens(&self, def: &StoreDef, password: &Password) -> Option<bool> {
        let Reach::Direct(FileStore { kind: StoreKind::Keystore(keystore), .. }) = &def.reach else { return None };
        let Ok(volume::Located::Found(file)) = self.volumes.find(&keystore.path) else { return None };
        let bytes = disk::read(&file, ReadLimit::Store).ok().filter(|bytes| Store::needs_password(bytes))?;
        match Store::open(bytes, Credential::Password(password), self.context.certificates) {
            Ok(_) => Some(true),
            Err(error) => (error.class == ErrorClass::WrongPassword).then_some(false),
        }
    }
}
