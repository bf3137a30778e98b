//! Limits how much of the function a batch may use: memory, and processor time.
//!
//! A function of 256 MiB has a seventh of a processor (Lambda gives a whole one for 1,769 MiB), so a body that takes one
//! second of a processor takes seven. The counts depend on the text alone, so that tests need no clock. The deadline is
//! checked as well, because a function may have even less of a processor.

use tokio::time::Instant;

use crate::memory::Memory;
use crate::refusal::Refusal;

/// The most impressions that a body can hold as Split sends them, rounded up: with the shortest values, Split's 14 fields
/// take 277 bytes, of which 64 MiB hold 242,000.
///
/// More elements are refused if each costs more than its bytes: if it is rejected, or is to be a record of its own.
pub(crate) const LARGEST_BATCH: usize = 250_000;

/// The most fields that are read by all the rules of JSON, which takes ten times as long as reading them as Split writes
/// them: those of the largest batch, and two more in each impression.
pub(crate) const MOST_FIELDS: usize = 16 * LARGEST_BATCH;

/// The bytes after which the clock is looked at again. They take at most some 10 ms of a processor.
const BYTES_BETWEEN_LOOKS: usize = 1024 * 1024;

/// How often a byte is looked at before its impression is understood: in the file, in its field and in the element.
const LOOKS_AT_A_BYTE: usize = 3;

/// The bytes before which the clock is not looked at, so that a body below 1 MiB is taken however late it is.
const BYTES_BEFORE_LOOKS: usize = LOOKS_AT_A_BYTE * BYTES_BETWEEN_LOOKS;

#[derive(Clone, Debug)]
pub(crate) struct BatchBudget {
    pub(crate) memory: Memory,
    impressions: usize,
    rejected: usize,
    fields: usize,
    /// When a batch that is not yet understood is given up.
    deadline: Option<Instant>,
    /// The bytes that were looked at, each as often as it was.
    looked_at: usize,
    next_look: usize,
}

impl BatchBudget {
    pub(crate) fn unlimited() -> Self {
        Self {
            memory: Memory::unlimited(),
            impressions: usize::MAX,
            rejected: usize::MAX,
            fields: usize::MAX,
            deadline: None,
            looked_at: 0,
            next_look: BYTES_BEFORE_LOOKS,
        }
    }

    /// Returns a budget of as many fields as a batch may have.
    pub(crate) fn of_fields() -> Self {
        Self { fields: MOST_FIELDS, ..Self::unlimited() }
    }

    /// Returns what one batch may take of so much memory, until `deadline`; `record_kib` is the size of its records.
    pub(crate) fn of_batch(memory: Memory, record_kib: u32, deadline: Instant) -> Self {
        Self {
            memory,
            impressions: match record_kib {
                0 => LARGEST_BATCH,
                _ => usize::MAX,
            },
            rejected: LARGEST_BATCH,
            fields: MOST_FIELDS,
            deadline: Some(deadline),
            ..Self::unlimited()
        }
    }

    pub(crate) fn take_impression(&mut self) -> Result<(), Refusal> {
        take(&mut self.impressions, Refusal::Impressions)
    }

    /// Takes an element that is no impression.
    pub(crate) fn take_rejected(&mut self) -> Result<(), Refusal> {
        take(&mut self.rejected, Refusal::Rejected)
    }

    /// Takes a field of so many bytes that is read by all the rules of JSON.
    pub(crate) fn take_field(&mut self, bytes: usize) -> Result<(), Refusal> {
        take(&mut self.fields, Refusal::Fields)?;
        self.look_at(bytes)
    }

    /// Returns how many impressions can still come at most, if each takes so much memory.
    pub(crate) fn most_impressions(&self, each: usize) -> usize {
        self.impressions.min(self.memory.left() / each)
    }

    /// Counts bytes that are looked at, and looks at the clock now and then. Once it was late, it stays late.
    pub(crate) fn look_at(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.looked_at = self.looked_at.saturating_add(bytes);
        if self.looked_at < self.next_look {
            return Ok(());
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Refusal::Time);
        }
        self.next_look = self.looked_at.saturating_add(BYTES_BETWEEN_LOOKS);
        Ok(())
    }
}

fn take(left: &mut usize, error: Refusal) -> Result<(), Refusal> {
    *left = left.checked_sub(1).ok_or(error)?;
    Ok(())
}

#[cfg(test)]
impl BatchBudget {
    pub(crate) fn with_fields(fields: usize) -> Self {
        Self { fields, ..Self::unlimited() }
    }

    pub(crate) fn fields_left(&self) -> usize {
        self.fields
    }

    /// Returns how many bytes were looked at, each as often as it was.
    pub(crate) fn looked_at(&self) -> usize {
        self.looked_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::MAX_INFLATED_BYTES;
    use crate::testing::in_ms;

    fn of_batch(record_kib: u32) -> BatchBudget {
        BatchBudget::of_batch(Memory::unlimited(), record_kib, in_ms(60_000))
    }

    #[test]
    fn the_largest_batch_of_split_is_within_the_budget() {
        let shortest = r#"{"key":"","split":"","environmentId":"7f3c9f10-5d0b-11ee-8c99-0242ac120002","environmentName":"","treatment":"on","time":1700000000000,"bucketingKey":null,"label":"","machineName":"","machineIp":"","splitVersionNumber":1690000000000,"sdk":"","sdkVersion":"","properties":null},"#;
        assert!(MAX_INFLATED_BYTES / shortest.len() <= LARGEST_BATCH);
        assert!(MAX_INFLATED_BYTES / shortest.len() * 14 <= MOST_FIELDS);
    }

    #[test]
    fn what_is_refused_is_what_the_sender_is_told() {
        for (error, count) in [
            (Refusal::Impressions, LARGEST_BATCH),
            (Refusal::Rejected, LARGEST_BATCH),
            (Refusal::Fields, MOST_FIELDS),
        ] {
            let text = error.to_string().replace(',', "");
            assert!(text.contains(&count.to_string()), "{text}");
            assert_eq!(error.status(), 413);
        }
    }

    #[test]
    fn each_kind_is_taken_until_none_is_left() {
        let mut budget = of_batch(0);
        for _ in 0..LARGEST_BATCH {
            budget.take_impression().unwrap();
            budget.take_rejected().unwrap();
        }
        assert_eq!(budget.take_impression(), Err(Refusal::Impressions));
        assert_eq!(budget.take_rejected(), Err(Refusal::Rejected));
        for _ in 0..MOST_FIELDS {
            budget.take_field(1).unwrap();
        }
        assert_eq!(budget.take_field(1), Err(Refusal::Fields));
        assert_eq!(budget.looked_at(), MOST_FIELDS);
    }

    #[test]
    fn packed_impressions_are_bounded_by_memory_alone() {
        assert_eq!(of_batch(0).most_impressions(1), LARGEST_BATCH);
        let mut budget = of_batch(1);
        assert_eq!(budget.most_impressions(1), usize::MAX);
        budget.memory = Memory::of(1_000);
        assert_eq!(budget.most_impressions(10), 100);
    }

    #[test]
    fn the_clock_is_looked_at_now_and_then() {
        let mut budget = BatchBudget::of_batch(Memory::unlimited(), 100, Instant::now());
        assert_eq!(budget.look_at(BYTES_BEFORE_LOOKS - 1), Ok(()));
        assert_eq!(budget.look_at(1), Err(Refusal::Time));
        assert_eq!(budget.look_at(1), Err(Refusal::Time));
        let mut budget = of_batch(100);
        assert_eq!(budget.look_at(BYTES_BEFORE_LOOKS), Ok(()));
        budget.deadline = Some(Instant::now());
        assert_eq!(budget.look_at(BYTES_BETWEEN_LOOKS - 1), Ok(()));
        assert_eq!(budget.look_at(1), Err(Refusal::Time));
        assert_eq!(of_batch(100).look_at(usize::MAX), Ok(()));
    }
}
