//! Owns packing impressions into Kinesis records, and records into `PutRecords` requests.
//!
//! Must not drop an impression: what no record can hold is returned beside the records. Must not call AWS.

use crate::elements::Impression;
use crate::settings::MAX_RECORD_KIB;

/// The largest record, newline included, that Firehose takes from a stream.
pub const MAX_RECORD_BYTES: usize = MAX_RECORD_KIB as usize * 1024;

/// The most records in one `PutRecords` request (Kinesis API reference, `PutRecords`).
pub const MAX_REQUEST_RECORDS: usize = 500;

/// The most data and partition keys in one `PutRecords` request: what every Kinesis has taken since before 2025, when
/// the limit became 10 MiB.
pub const MAX_REQUEST_BYTES: usize = 5 * 1024 * 1024;

/// The longest partition key, in characters (Kinesis API reference, `PutRecordsRequestEntry`).
///
/// Counted in UTF-16 units, because the reference does not say what a character is and these are never fewer.
const MAX_PARTITION_KEY: usize = 256;

/// A Kinesis record: one or more impressions, each followed by a newline.
#[derive(Clone, Debug)]
pub struct Record {
    /// The key whose hash chooses the shard.
    pub partition_key: String,
    /// The impressions as NDJSON.
    pub data: Vec<u8>,
    /// The number of impressions in `data`.
    pub impressions: usize,
}

/// Impressions, ready to be sent.
#[derive(Debug, Default)]
pub struct Packed<'a> {
    /// The records, in the order of the impressions.
    pub records: Vec<Record>,
    /// The impressions that are too large for any record.
    pub oversized: Vec<&'a str>,
}

/// Packs impressions into records of at most `record_kib` KiB, or one a record if that is 0.
///
/// An impression larger than that has a record of its own, up to [`MAX_RECORD_BYTES`].
#[must_use]
pub fn pack<'a>(impressions: &'a [Impression<'_>], record_kib: u32) -> Packed<'a> {
    let target = record_kib as usize * 1024;
    let mut packed = Packed::default();
    for impression in impressions {
        let size = impression.line.len() + 1;
        if size > MAX_RECORD_BYTES {
            packed.oversized.push(&impression.line);
            continue;
        }
        match packed.records.last_mut() {
            Some(record) if record.data.len() + size <= target => record.push(&impression.line),
            _ => {
                let partition_key = match record_kib {
                    0 => partition_key(impression.key),
                    _ => random_key(),
                };
                let mut record = Record::new(partition_key, target.max(size));
                record.push(&impression.line);
                packed.records.push(record);
            }
        }
    }
    packed
}

/// Splits records into requests that `PutRecords` takes, in order.
#[must_use]
pub fn requests(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut requests: Vec<Vec<Record>> = Vec::new();
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

impl Record {
    fn new(partition_key: String, capacity: usize) -> Self {
        Self {
            partition_key,
            data: Vec::with_capacity(capacity),
            impressions: 0,
        }
    }

    fn push(&mut self, line: &str) {
        self.data.extend_from_slice(line.as_bytes());
        self.data.push(b'\n');
        self.impressions += 1;
    }

    /// Returns what the record counts against the limits of a request.
    fn size(&self) -> usize {
        self.data.len() + self.partition_key.len()
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
