//! Limits how much of the function's memory a batch may use.
//!
//! The bytes follow from counts and sizes alone, so that tests need not measure memory. Must not ask the system for free
//! memory.

use crate::refusal::Refusal;

/// What is kept for everything that no batch enlarges: the process with its TLS connections (some 20 MiB resident), the
/// bodies of four requests of about 1.5 MiB, and what an allocator does not give back.
const RESERVED_BYTES: usize = 40 * MIB;

/// The part of a function's memory that is kept as well, because an allocator rounds up what it is asked for.
const RESERVED_PART: usize = 10;

/// How often the bytes of an event are held: as they came in, as the event's JSON, as the body decoded from base64, and, if
/// all of it is spilled, twice the size in the compressed file, which grows by doubling.
const EVENT_COPIES: usize = 5;

const MIB: usize = 1024 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Memory {
    left: usize,
}

impl Memory {
    /// Returns what a function with so many MiB has left for a batch once it holds an event of so many bytes.
    pub(crate) fn beside_event(memory_mib: usize, event: usize) -> Self {
        let memory = memory_mib.saturating_mul(MIB);
        let taken =
            (RESERVED_BYTES + memory / RESERVED_PART).saturating_add(event.saturating_mul(EVENT_COPIES));
        Self { left: memory.saturating_sub(taken) }
    }

    pub(crate) fn unlimited() -> Self {
        Self { left: usize::MAX }
    }

    #[cfg(test)]
    pub(crate) fn of(left: usize) -> Self {
        Self { left }
    }

    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Takes so many bytes for the rest of the batch.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.left = self.left.checked_sub(bytes).ok_or(Refusal::Memory)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_no_longer_left() {
        let mut memory = Memory::beside_event(200, 1024 * 1024);
        assert_eq!(memory.left(), (200 - 40 - 20 - 5) * 1024 * 1024);
        memory.hold(135 * 1024 * 1024 - 1).unwrap();
        assert_eq!(memory.left(), 1);
        assert_eq!(memory.hold(2), Err(Refusal::Memory));
        memory.hold(1).unwrap();
        assert_eq!(memory.left(), 0);
    }

    #[test]
    fn a_function_without_memory_has_none_left() {
        assert_eq!(Memory::beside_event(0, 0).left(), 0);
        assert_eq!(Memory::beside_event(128, 128 * 1024 * 1024).left(), 0);
    }
}
