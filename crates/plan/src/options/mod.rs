//! The texts that tell products about their stores: options files, arguments of application objects and batch files. It
//! takes the bytes of such a file and gives the settings that count, without secrets. It never changes a file.
//!
//! Such a text holds passwords. Everything that is read stays behind [`Password`](trustmason_keystore::Password) until
//! [`facts_of`] has replaced each password by a verdict and has dropped what may be one. Only the result is a fact. A value
//! is repeated to people only if it is an absolute path or nearly the word that it should be, and a name only if it is
//! nearly a known one.

mod arguments;
mod batch;
pub(crate) mod block;
pub(crate) mod compare;
mod decode;
mod given;
mod ini;
mod names;
mod read;
mod seen;
mod words;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use block::{block, forbidden};
pub use given::{GivenSetting, GivenSettings, RawValue, SectionLook, Spelling};
pub use read::read;
pub use seen::{OptionsFacts, OptionsLook, PasswordLook, SettingLook, ValueLook, facts_of};
