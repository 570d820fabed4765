//! A source of random bytes for tests of what draws none.

#![allow(clippy::panic, reason = "tests")]

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// It gives no byte: to ask it for one fails the test.
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
