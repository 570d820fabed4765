//! What a product is told about its stores, beside them: the text of an options file, an application object's arguments or a
//! batch file → what it says of the settings that count → what is wrong with it.
//!
//! Such a text holds passwords. What is read from it stays behind [`Password`](trustmason_keystore::Password) until [`sift`]
//! has put a verdict in the place of each password and has dropped what might be one; only that is a fact. A value is repeated
//! to people only if it is an absolute path or nearly the word it should be, a name only if it is nearly a known one.

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
pub use given::{Given, Raw, Reading, SectionLook, Spelling};
pub use read::read;
pub use seen::{OptionsFacts, OptionsLook, PasswordLook, Said, ValueLook, sift};
