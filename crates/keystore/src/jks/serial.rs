//! Finds the end of a JCEKS secret key. The module takes the bytes and the start of the key, and gives the offset after
//! it. It never deserialises an object.
//!
//! JCEKS writes a secret key as a raw Java serialisation stream without a length. To find the next entry, the reader
//! must walk the grammar of the stream (Java Object Serialization Specification, chapter 6). It walks only what
//! `JceKeyStore` writes: an object of class `SealedObjectForKeyProtector` or `SealedObject`, whose fields are byte
//! arrays, strings and nulls. An object of another class is refused as soon as the class's name is read, and the error
//! contains that name.

use crate::error::{ErrorClass, ReadError};
use crate::reader::{Reader, Short};
use crate::text::visible;

use super::layout::RESTORE;
use super::mutf8;

const SEALED: [&str; 2] = ["com.sun.crypto.provider.SealedObjectForKeyProtector", "javax.crypto.SealedObject"];
const FIRST_HANDLE: u32 = 0x7e_0000;
const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const OBJECT: u8 = 0x73;
const STRING: u8 = 0x74;
const ARRAY: u8 = 0x75;
const BLOCK: u8 = 0x77;
const END_BLOCK: u8 = 0x78;
const LONG_BLOCK: u8 = 0x7a;
const LONG_STRING: u8 = 0x7c;
const SERIALIZABLE: u8 = 2;
const WRITE_METHOD: u8 = 1;
/// The classes of a sealed object have six fields in all, and its stream has about ten handles.
const MOST_FIELDS: u16 = 32;
const MOST_CLASSES: usize = 4;
const MOST_HANDLES: usize = 64;
const MOST_ANNOTATIONS: usize = 8;

type Result<T> = std::result::Result<T, ReadError>;

/// The thing for which a handle stands.
#[derive(Clone)]
enum SerialHandle {
    Class(Option<usize>),
    Value,
}

struct Class_ {
    name: String,
    flags: u8,
    /// The type codes of the fields, in stream order.
    fields: Vec<u8>,
    parent: Option<usize>,
}

struct Walk<'a> {
    reader: Reader<'a>,
    handles: Vec<SerialHandle>,
    classes: Vec<Class_>,
}

fn cut(short: Short) -> ReadError {
    let cause =
        format!("a sealed secret key is cut off: {} bytes are needed and {} are left", short.wanted, short.left);
    ReadError::new(ErrorClass::Corrupt, cause, RESTORE).offset(short.at)
}

/// The end of a sealed object, and whether a JVM accepts it.
pub(super) struct Sealed {
    /// The offset after the object.
    pub(super) end: usize,
    /// Whether the filter of `JceKeyStore` accepts the class of the object. A plain `SealedObject` makes the store
    /// unloadable.
    pub(super) passes_filter: bool,
}

/// Walks the sealed object that begins at `start`.
pub(super) fn sealed_object(bytes: &[u8], start: usize) -> Result<Sealed> {
    let mut walk = Walk { reader: Reader::at(bytes, start), handles: Vec::new(), classes: Vec::new() };
    if walk.reader.take(4).map_err(cut)? != [0xac, 0xed, 0, 5] {
        return Err(walk.corrupt(start, "a secret key does not begin with a Java stream header"));
    }
    let passes_filter = walk.sealed_object()?;
    Ok(Sealed { end: walk.reader.position(), passes_filter })
}

impl Walk<'_> {
    fn corrupt(&self, at: usize, cause: &str) -> ReadError {
        ReadError::new(ErrorClass::Corrupt, cause, RESTORE).offset(at)
    }

    fn code(&mut self) -> Result<(usize, u8)> {
        let at = self.reader.position();
        Ok((at, self.reader.u8().map_err(cut)?))
    }

    fn handle(&mut self, handle: SerialHandle) -> Result<()> {
        if self.handles.len() >= MOST_HANDLES {
            return Err(self.corrupt(self.reader.position(), "a sealed secret key holds too many objects"));
        }
        self.handles.push(handle);
        Ok(())
    }

    fn reference(&mut self, at: usize) -> Result<SerialHandle> {
        let index = self.reader.u32().map_err(cut)?.checked_sub(FIRST_HANDLE);
        let found = index.and_then(|index| self.handles.get(index as usize)).cloned();
        found.ok_or_else(|| self.corrupt(at, "a sealed secret key refers to an object that is not there"))
    }

    /// Walks the object, and says whether its own class passes the JDK's filter.
    fn sealed_object(&mut self) -> Result<bool> {
        let (at, code) = self.code()?;
        if code != OBJECT {
            return Err(self.corrupt(at, "a secret key is no serialised object"));
        }
        let mut class = self.class(Some(&SEALED), 0)?;
        if class.is_none() {
            return Err(self.corrupt(at, "a secret key has no class"));
        }
        self.handle(SerialHandle::Value)?;
        let own = class.and_then(|index| self.classes.get(index));
        let passes_filter = own.is_some_and(|class| Some(class.name.as_str()) == SEALED.first().copied());
        // The values of fields come class by class, the most general class first.
        let mut line = Vec::new();
        while let Some(index) = class {
            line.push(index);
            if line.len() > MOST_CLASSES {
                return Err(self.corrupt(at, "a secret key's class has too many ancestors"));
            }
            class = self.classes.get(index).and_then(|class| class.parent);
        }
        for index in line.into_iter().rev() {
            let (fields, flags) = match self.classes.get(index) {
                Some(class) => (class.fields.clone(), class.flags),
                None => continue,
            };
            for field in fields {
                self.field(field)?;
            }
            if flags & WRITE_METHOD != 0 {
                self.annotation()?;
            }
        }
        Ok(passes_filter)
    }

    /// Reads a class descriptor. `allowed` limits the names of sealed objects; for arrays only `[B` is allowed.
    fn class(&mut self, allowed: Option<&[&str]>, depth: usize) -> Result<Option<usize>> {
        let (at, code) = self.code()?;
        match code {
            NULL => return Ok(None),
            REFERENCE => {
                return match self.reference(at)? {
                    SerialHandle::Class(class) => Ok(class),
                    SerialHandle::Value => {
                        Err(self.corrupt(at, "a sealed secret key refers to no class where one is needed"))
                    }
                };
            }
            CLASS => {}
            _ => {
                return Err(self.corrupt(at, "a sealed secret key has no class descriptor where one is needed"));
            }
        }
        let name = self.reader.block16().map_err(cut)?;
        let name = mutf8::decode(name).map(|name| name.text).unwrap_or_default();
        let known = match allowed {
            Some(names) => names.contains(&name.as_str()),
            None => name == "[B",
        };
        if !known || depth >= MOST_CLASSES {
            let cause = format!("a secret key entry holds a Java object of class `{}`", visible(&name));
            let hint = "no JVM would load it either; restore the store from a backup";
            return Err(ReadError::new(ErrorClass::Unsupported, cause, hint).offset(at));
        }
        self.reader.take(8).map_err(cut)?;
        let index = self.classes.len();
        self.classes.push(Class_ { name, flags: 0, fields: Vec::new(), parent: None });
        self.handle(SerialHandle::Class(Some(index)))?;
        let flags = self.reader.u8().map_err(cut)?;
        if flags & SERIALIZABLE == 0 {
            return Err(self.corrupt(at, "a sealed secret key is of a class that is not serialisable"));
        }
        let count = self.reader.u16().map_err(cut)?;
        if count > MOST_FIELDS {
            return Err(self.corrupt(at, "a sealed secret key's class has too many fields"));
        }
        let mut fields = Vec::new();
        for _ in 0..count {
            let (_, kind) = self.code()?;
            self.reader.block16().map_err(cut)?;
            if matches!(kind, b'[' | b'L') {
                self.string()?;
            }
            fields.push(kind);
        }
        self.annotation()?;
        let parent = match allowed {
            Some(_) => self.class(allowed, depth + 1)?,
            None => self.class(None, depth + 1)?,
        };
        if let Some(class) = self.classes.get_mut(index) {
            *class = Class_ { name: std::mem::take(&mut class.name), flags, fields, parent };
        }
        Ok(Some(index))
    }

    /// Reads a string, or a reference to one.
    fn string(&mut self) -> Result<()> {
        let (at, code) = self.code()?;
        self.string_after(at, code)
    }

    fn string_after(&mut self, at: usize, code: u8) -> Result<()> {
        match code {
            STRING => {
                self.reader.block16().map_err(cut)?;
                self.handle(SerialHandle::Value)
            }
            LONG_STRING => {
                self.reader.take(4).map_err(cut)?;
                self.reader.block32().map_err(cut)?;
                self.handle(SerialHandle::Value)
            }
            REFERENCE => self.reference(at).map(|_| ()),
            NULL => Ok(()),
            _ => Err(self.corrupt(at, "a sealed secret key holds something other than byte arrays and strings")),
        }
    }

    /// Reads the value of a field.
    fn field(&mut self, kind: u8) -> Result<()> {
        let size = match kind {
            b'B' | b'Z' => 1,
            b'C' | b'S' => 2,
            b'I' | b'F' => 4,
            b'J' | b'D' => 8,
            b'[' | b'L' => {
                let (at, code) = self.code()?;
                if code != ARRAY {
                    return self.string_after(at, code);
                }
                let class = self.class(None, 0)?;
                if class.and_then(|index| self.classes.get(index)).is_none_or(|class| class.name != "[B") {
                    return Err(self.corrupt(at, "a sealed secret key holds an array of something other than bytes"));
                }
                self.handle(SerialHandle::Value)?;
                return self.reader.block32().map(|_| ()).map_err(cut);
            }
            _ => {
                return Err(self.corrupt(self.reader.position(), "a sealed secret key has a field of unknown type"));
            }
        };
        self.reader.take(size).map(|_| ()).map_err(cut)
    }

    /// Reads class annotations and the data that a write method adds. In a sealed object there are only blocks of data,
    /// if anything.
    fn annotation(&mut self) -> Result<()> {
        for _ in 0..MOST_ANNOTATIONS {
            let (at, code) = self.code()?;
            match code {
                END_BLOCK => return Ok(()),
                BLOCK => {
                    let length = self.reader.u8().map_err(cut)?;
                    self.reader.take(usize::from(length)).map_err(cut)?;
                }
                LONG_BLOCK => {
                    self.reader.block32().map_err(cut)?;
                }
                _ => {
                    return self.string_after(at, code).and_then(|()| self.annotation_end());
                }
            }
        }
        Err(self.corrupt(self.reader.position(), "a sealed secret key carries too many annotations"))
    }

    fn annotation_end(&mut self) -> Result<()> {
        let (at, code) = self.code()?;
        if code == END_BLOCK {
            Ok(())
        } else {
            Err(self.corrupt(at, "a sealed secret key carries foreign annotations"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A class without fields.
    fn class(name: &str, parent: &[u8]) -> Vec<u8> {
        let length = u16::try_from(name.len()).unwrap().to_be_bytes();
        let rest = [0, 0, 0, 0, 0, 0, 0, 1, SERIALIZABLE, 0, 0, END_BLOCK];
        [&[CLASS], &length[..], name.as_bytes(), &rest, parent].concat()
    }

    #[test]
    fn only_the_key_protectors_own_class_passes_the_filter() {
        let [own, plain] = SEALED;
        for (object, passes) in [(class(own, &class(plain, &[NULL])), true), (class(plain, &[NULL]), false)] {
            let stream = [&[0xac, 0xed, 0, 5, OBJECT][..], &object, b"rest"].concat();
            let sealed = sealed_object(&stream, 0).unwrap();
            assert_eq!((sealed.end, sealed.passes_filter), (stream.len() - 4, passes));
        }
    }
}
