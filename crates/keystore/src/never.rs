//! A source of random bytes for tests of code that must not draw any. It takes nothing, never gives a byte, and panics
//! when asked for one.

#![allow(clippy::panic, reason = "tests")]

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// A source of random bytes that gives no byte: a test fails when the tested code asks for one.
pub(crate) struct Never;

impl TryRng for Never {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("no random bytes are needed")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("no random bytes are needed")
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> {
        panic!("no random bytes are needed")
    }
}

impl TryCryptoRng for Never {}
