//! Where random bytes come from: the system's generator, and in tests that make vectors a counter.

use std::convert::Infallible;

use hpke::rand_core::{TryCryptoRng, TryRng};

/// Bytes that nobody can guess.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

fn fill(bytes: &mut [u8]) {
    #[cfg(test)]
    if counted::fill(bytes) {
        return;
    }
    getrandom::fill(bytes).expect("the system has a random generator");
}

/// The same source in the form that HPKE's crate asks for.
pub(crate) struct Source;

impl TryRng for Source {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(bytes()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Source {}

#[cfg(test)]
pub(crate) mod counted {
    //! Numbers that count up instead of random ones, on one thread, so that vectors come out alike each time.

    use std::cell::Cell;

    thread_local! {
        static NEXT: Cell<Option<u8>> = const { Cell::new(None) };
    }

    /// From here on this thread's random bytes count up from `first`.
    pub(crate) fn start(first: u8) {
        NEXT.set(Some(first));
    }

    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        let Some(mut next) = NEXT.get() else { return false };
        for byte in bytes {
            *byte = next;
            next = next.wrapping_add(1);
        }
        NEXT.set(Some(next));
        true
    }
}
