//! Owns packing impressions into Kinesis records, and records into `PutRecords` requests.
//!
//! Must not drop an impression: what no record can hold is returned beside the records. Must not copy an impression, nor
//! call AWS.

use crate::elements::Impression;
use crate::settings::MAX_RECORD_KIB;

/// The largest record, newline included, that Firehose takes from a stream.
pub const MAX_RECORD_BYTES: usize = MAX_RECORD_KIB as usize * 1024;

/// The most records in one `PutRecords` request (Kinesis API reference, `PutRecords`).
pub const MAX_REQUEST_RECORDS: usize = 500;

/// The most data and partition keys that we put into one request, of the 5 MiB that every Kinesis takes: large enough
/// for the largest record, small enough that one is sent while the next is made, and that few bytes are held twice.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// The longest partition key, in characters (Kinesis API reference, `PutRecordsRequestEntry`).
///
/// Counted in UTF-16 units, because the reference does not say what a character is and these are never fewer.
const MAX_PARTITION_KEY: usize = 256;

/// A Kinesis record: one or more impressions, each followed by a newline.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// The key whose hash chooses the shard.
    pub partition_key: String,
    /// The impressions.
    pub impressions: &'a [Impression<'a>],
    /// The size of the impressions as NDJSON.
    pub bytes: usize,
}

/// Impressions, ready to be sent.
#[derive(Debug, Default)]
pub struct Packed<'a> {
    /// The records, in the order of the impressions.
    pub records: Vec<Record<'a>>,
    /// The impressions that are too large for any record.
    pub oversized: Vec<&'a str>,
}

/// Packs impressions into records of at most `record_kib` KiB, or one a record if that is 0.
///
/// An impression larger than that has a record of its own, up to [`MAX_RECORD_BYTES`].
#[must_use]
pub fn pack<'a>(impressions: &'a [Impression<'a>], record_kib: u32) -> Packed<'a> {
    let target = record_kib as usize * 1024;
    let mut packed = Packed::default();
    let (mut start, mut bytes) = (0, 0);
    for (index, impression) in impressions.iter().enumerate() {
        let size = impression.line.len() + 1;
        let is_oversized = size > MAX_RECORD_BYTES;
        if is_oversized || bytes + size > target {
            packed.close(&impressions[start..index], bytes, record_kib);
            (start, bytes) = (index, 0);
        }
        if is_oversized {
            packed.oversized.push(&impression.line);
            start = index + 1;
        } else {
            bytes += size;
        }
    }
    packed.close(&impressions[start..], bytes, record_kib);
    packed
}

impl<'a> Packed<'a> {
    /// Makes a record of these impressions, if there are any.
    fn close(&mut self, impressions: &'a [Impression<'a>], bytes: usize, record_kib: u32) {
        let Some(first) = impressions.first() else { return };
        let partition_key = match record_kib {
            0 => partition_key(first.key),
            _ => random_key(),
        };
        self.records.push(Record {
            partition_key,
            impressions,
            bytes,
        });
    }
}

/// Splits records into requests that `PutRecords` takes, in order.
#[must_use]
pub fn requests(records: Vec<Record<'_>>) -> Vec<Vec<Record<'_>>> {
    let mut requests: Vec<Vec<Record<'_>>> = Vec::new();
    let mut bytes = 0;
    for record in records {
        let size = record.size();
        match requests.last_mut() {
            Some(request) if request.len() < MAX_REQUEST_RECORDS && bytes + size <= MAX_REQUEST_BYTES => {
                bytes += size;
                request.push(record);
            }
            _ => {
                bytes = size;
                requests.push(vec![record]);
            }
        }
    }
    requests
}

/// Returns 16 random hexadecimal digits: short, and spread evenly over the shards once hashed.
#[must_use]
pub fn random_key() -> String {
    format!("{:016x}", fastrand::u64(..))
}

impl Record<'_> {
    /// Appends the impressions as NDJSON.
    pub fn write_to(&self, ndjson: &mut Vec<u8>) {
        ndjson.reserve(self.bytes);
        for impression in self.impressions {
            ndjson.extend_from_slice(impression.line.as_bytes());
            ndjson.push(b'\n');
        }
    }

    /// Returns what the record counts against the limits of a request.
    fn size(&self) -> usize {
        self.bytes + self.partition_key.len()
    }
}

/// Returns the partition key for an impression's `key`, given as JSON text.
fn partition_key(key: &str) -> String {
    let Ok(mut key) = serde_json::from_str::<String>(key) else {
        // A lone surrogate is valid JSON and no text.
        return random_key();
    };
    let mut units = 0;
    let end = key.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        units > MAX_PARTITION_KEY
    });
    if let Some((end, _)) = end {
        key.truncate(end);
    }
    if key.is_empty() { random_key() } else { key }
}

#[cfg(test)]
mod tests;
