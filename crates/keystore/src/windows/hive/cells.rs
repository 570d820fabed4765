//! The cells of a hive (`regf`): keys, their lists, values and data. The module takes the bytes of a hive and gives
//! keys and values. The layout is that of the public description of the Windows NT registry file format, compared with
//! hives of real machines.
//!
//! Offsets are relative to the first bin, which begins at byte 4096. Every offset is checked. The total amount that is
//! read is limited by the size of the file, so that lists which name one cell a thousand times end as an error.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use crate::error::{ErrorClass, ReadError};
use crate::windows::fault::corrupt;

/// The length of the base block; bins follow it.
pub(super) const BASE: usize = 4096;
/// The length of a segment. Longer data is stored in segments of this size.
const SEGMENT: usize = 16_344;
/// The least cost of reading a cell. The cell of a key is never smaller than 80 bytes.
const LOOK: usize = 32;
/// The limit of bytes read from a hive, as a multiple of its size.
const BUDGET: usize = 8;

type Result<T> = std::result::Result<T, ReadError>;

/// A hive whose base block is valid.
pub(super) struct Hive<'a> {
    bins: &'a [u8],
    /// How many bytes may still be read.
    left: Cell<usize>,
    root: u32,
}

/// A key of the registry.
pub(super) struct HiveKey<'a> {
    pub(super) name: String,
    cell: &'a [u8],
    at: u32,
}

/// The data of a value, and its place in the file.
pub(super) struct Data<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// The place of the data; for data in segments, the cell of the value.
    pub(super) range: Range<usize>,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn name(bytes: &[u8], is_latin: bool) -> String {
    if is_latin {
        return latin(bytes);
    }
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    String::from_utf16_lossy(&units)
}

/// The error for a damaged cell.
fn bad(cause: &str, at: u32) -> ReadError {
    corrupt(cause, BASE + at as usize)
}

/// Checks the base block: it must be complete, clean, and of a known version.
fn check(base: &[u8]) -> Result<()> {
    let number = |at: usize| u32_at(base, at).unwrap_or_default();
    let sum = (0..127).fold(0, |sum, index| sum ^ number(index * 4));
    // Windows never writes a checksum of 0 or -1.
    let sum = match sum {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    };
    if sum != number(508) {
        return Err(corrupt("the checksum of the hive's base block does not match", 508));
    }
    let unsupported = |cause: String, hint: &'static str, at: usize| {
        Err(ReadError::new(ErrorClass::Unsupported, cause, hint).offset(at))
    };
    if number(4) != number(8) {
        let cause = "this registry hive is dirty: its logs (.LOG1, .LOG2) were not yet applied to it";
        return unsupported(cause.to_owned(), "save the key with reg save, which writes a clean hive", 4);
    }
    let version = (number(20), number(24), number(28), number(32));
    if !matches!(version, (1, 3..=6, 0, 1)) {
        let cause = format!("a registry hive of version {}.{}, which trustmason does not read", version.0, version.1);
        return unsupported(cause, "export the key as a .reg file instead", 20);
    }
    Ok(())
}

impl<'a> Hive<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let cut = || corrupt("the hive is cut", bytes.len());
        let base = bytes.get(..BASE).ok_or_else(cut)?;
        check(base)?;
        let size = u32_at(base, 40).ok_or_else(cut)? as usize;
        let bins = bytes.get(BASE..).and_then(|rest| rest.get(..size)).ok_or_else(cut)?;
        let root = u32_at(base, 36).ok_or_else(cut)?;
        Ok(Self { bins, left: Cell::new(bins.len().saturating_mul(BUDGET)), root })
    }

    pub(super) fn root(&self) -> Result<HiveKey<'a>> {
        self.key(self.root)
    }

    fn spend(&self, cost: usize, at: u32) -> Result<()> {
        let left = self.left.get().checked_sub(cost.max(LOOK));
        self.left.set(left.ok_or_else(|| bad("the hive names its cells more often than it can have them", at))?);
        Ok(())
    }

    /// The contents of a cell in use.
    fn cell(&self, at: u32) -> Result<&'a [u8]> {
        self.spend(LOOK, at)?;
        let start = at as usize;
        let size = u32_at(self.bins, start).ok_or_else(|| bad("a cell beyond the end of the hive", at))?;
        let size = size.cast_signed();
        if size >= 0 {
            return Err(bad("a cell that is not in use is named", at));
        }
        let end = start.checked_add(size.unsigned_abs() as usize);
        let cell = end.and_then(|end| self.bins.get(start + 4..end));
        cell.ok_or_else(|| bad("a cell reaches beyond the end of the hive", at))
    }

    fn key(&self, at: u32) -> Result<HiveKey<'a>> {
        let cell = self.cell(at)?;
        let parts = || {
            let flags = cell.starts_with(b"nk").then(|| u16_at(cell, 2))??;
            let length = usize::from(u16_at(cell, 72)?);
            Some(name(cell.get(76..76 + length)?, flags & 0x20 != 0))
        };
        let name = parts().ok_or_else(|| bad("a cell that should be a key is none", at))?;
        self.spend(name.len(), at)?;
        Ok(HiveKey { name, cell, at })
    }

    /// The keys below a key.
    pub(super) fn below(&self, key: &HiveKey<'a>) -> Result<Vec<HiveKey<'a>>> {
        let number = |at| u32_at(key.cell, at).ok_or_else(|| bad("a key is cut", key.at));
        let (count, list) = (number(20)?, number(28)?);
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for list in self.list(list, true)? {
            found.push(self.key(list)?);
        }
        Ok(found)
    }

    /// The key with this name below a key. The case does not count.
    pub(super) fn child(&self, key: &HiveKey<'a>, name: &str) -> Result<Option<HiveKey<'a>>> {
        Ok(self.below(key)?.into_iter().find(|child| child.name.eq_ignore_ascii_case(name)))
    }

    /// The cells that a list names. Only the outermost list may be a list of lists.
    fn list(&self, at: u32, outermost: bool) -> Result<Vec<u32>> {
        let cell = self.cell(at)?;
        let width = match cell {
            [b'l', b'f' | b'h', ..] => 8,
            [b'l' | b'r', b'i', ..] => 4,
            _ => return Err(bad("a cell that should be a list of keys is none", at)),
        };
        let count = usize::from(u16_at(cell, 2).ok_or_else(|| bad("a list is cut", at))?);
        self.spend(count * width, at)?;
        let items = (0..count).map(|index| u32_at(cell, 4 + index * width));
        let items = items.collect::<Option<Vec<u32>>>().ok_or_else(|| bad("a list is cut", at))?;
        if !cell.starts_with(b"ri") {
            return Ok(items);
        }
        if !outermost {
            return Err(bad("a list of lists inside a list of lists", at));
        }
        let mut all = Vec::new();
        for inner in items {
            all.extend(self.list(inner, false)?);
        }
        Ok(all)
    }

    /// The data of a key's binary value; `None` if there is no such value.
    pub(super) fn binary(&self, key: &HiveKey<'a>, wanted: &str) -> Result<Option<Data<'a>>> {
        const BINARY: u32 = 3;
        let number = |at| u32_at(key.cell, at).ok_or_else(|| bad("a key is cut", key.at));
        let (count, list) = (number(36)? as usize, number(40)?);
        if count == 0 {
            return Ok(None);
        }
        let cells = self.cell(list)?;
        for index in 0..count {
            let at = u32_at(cells, index * 4).ok_or_else(|| bad("a list of values is cut", list))?;
            let cell = self.cell(at)?;
            let parts = || {
                let length = usize::from(cell.starts_with(b"vk").then(|| u16_at(cell, 2))??);
                let name = name(cell.get(20..20 + length)?, u16_at(cell, 16)? & 1 != 0);
                Some((name, u32_at(cell, 4)?, u32_at(cell, 8)?, u32_at(cell, 12)?))
            };
            let (name, size, data, kind) = parts().ok_or_else(|| bad("a cell that should be a value is none", at))?;
            self.spend(name.len(), at)?;
            if name.eq_ignore_ascii_case(wanted) && kind == BINARY {
                return self.data(at, size, data).map(Some);
            }
        }
        Ok(None)
    }

    fn data(&self, value: u32, size: u32, at: u32) -> Result<Data<'a>> {
        const INLINE: u32 = 1 << 31;
        if size & INLINE != 0 {
            // At most four bytes, in the place of the offset. No element is that short, and the reader of elements
            // reports it.
            let start = BASE + value as usize + 12;
            return Ok(Data { bytes: Cow::Owned(at.to_le_bytes().to_vec()), range: start..start + 4 });
        }
        let size = size as usize;
        let short = || bad("a value is longer than its data", at);
        self.spend(size, at)?;
        let cell = self.cell(at)?;
        if size <= SEGMENT || !cell.starts_with(b"db") {
            let bytes = cell.get(..size).ok_or_else(short)?;
            let start = BASE + at as usize + 4;
            return Ok(Data { bytes: Cow::Borrowed(bytes), range: start..start + size });
        }
        let count = usize::from(u16_at(cell, 2).ok_or_else(short)?);
        let list = self.cell(u32_at(cell, 4).ok_or_else(short)?)?;
        let mut bytes = Vec::with_capacity(size.min(self.bins.len()));
        for index in 0..count {
            let segment = self.cell(u32_at(list, index * 4).ok_or_else(short)?)?;
            let wanted = SEGMENT.min(size - bytes.len());
            bytes.extend_from_slice(segment.get(..wanted).ok_or_else(short)?);
        }
        if bytes.len() < size {
            return Err(short());
        }
        let start = BASE + value as usize + 4;
        Ok(Data { bytes: Cow::Owned(bytes), range: start..start + 20 })
    }
}
