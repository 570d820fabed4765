//! A cursor over the bytes of a file. It gives numbers and slices with their position, and never reads past the end:
//! each length that the file declares is checked against the bytes that are left.

/// The bytes ended before the read did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short {
    /// The offset where the read began.
    pub(crate) at: usize,
    /// How many bytes the read needed.
    pub(crate) wanted: u64,
    /// How many bytes were left.
    pub(crate) left: usize,
}

/// A cursor with a position. Numbers are read in big-endian order where the method does not say otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Starts at this offset of `bytes`; offsets still count from the start of `bytes`.
    pub(crate) fn at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at.min(bytes.len()) }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Short> {
        let short = Short { at: self.at, wanted: count as u64, left: self.left() };
        let end = self.at.checked_add(count).ok_or(short)?;
        let slice = self.bytes.get(self.at..end).ok_or(short)?;
        self.at = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let short = Short { at: self.at, wanted: N as u64, left: self.left() };
        self.take(N)?.try_into().map_err(|_| short)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Short> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_be_bytes)
    }

    /// A number in little-endian order, as Windows writes it.
    pub(crate) fn u32_le(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Short> {
        self.array().map(i64::from_be_bytes)
    }

    /// A block with a 16-bit length before it.
    pub(crate) fn block16(&mut self) -> Result<&'a [u8], Short> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A block with a 32-bit length before it.
    pub(crate) fn block32(&mut self) -> Result<&'a [u8], Short> {
        let length = self.u32()?;
        self.take(length as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_end_takes_nothing() {
        let mut reader = Reader::new(&[0x7f, 0xff, 0xff, 0xff, 1]);
        assert_eq!(reader.block32(), Err(Short { at: 4, wanted: 0x7fff_ffff, left: 1 }));
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u8(), Err(Short { at: 5, wanted: 1, left: 0 }));
    }
}
