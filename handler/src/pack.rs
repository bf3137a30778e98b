//! Owns packing impressions into Kinesis records, and records into `PutRecords` requests.
//!
//! Must not drop an impression: what no record can hold is returned beside the records. Must not copy an impression, nor
//! call AWS.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr_iter, memmem};
use serde::Deserializer as _;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};

use crate::elements::Impression;
use crate::settings::MAX_RECORD_KIB;

/// The largest record, newlines included, that Firehose takes from a stream.
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

/// A Kinesis record: one or more impressions.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// The key whose hash chooses the shard.
    pub partition_key: String,
    /// The impressions, each of which becomes a line.
    pub impressions: &'a [Impression<'a>],
    /// The size of the lines, newlines included.
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
/// An impression larger than that has a record of its own, up to [`MAX_RECORD_BYTES`]; so has one with something else than a
/// whole number in one of the `number_fields`: Firehose cannot convert it, and converts a record whole or not at all.
#[must_use]
pub fn pack<'a>(impressions: &'a [Impression<'a>], record_kib: u32, number_fields: &[String]) -> Packed<'a> {
    let target = record_kib as usize * 1024;
    let mut packed = Packed::default();
    let (mut start, mut bytes) = (0, 0);
    let mut was_misfit = false;
    for (index, impression) in impressions.iter().enumerate() {
        let size = impression.line.len() + 1;
        let is_oversized = size > MAX_RECORD_BYTES;
        let is_misfit =
            !plainly_fits(&impression.line, number_fields) && !fits(&impression.line, number_fields);
        if is_oversized || is_misfit || was_misfit || bytes + size > target {
            packed.close(&impressions[start..index], bytes, record_kib);
            (start, bytes) = (index, 0);
        }
        was_misfit = is_misfit;
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

/// Whether it shows without reading all of it that an impression [`fits`]: each field's name is there once, before a whole
/// number, or not at all, whether it stands for the field or for something within another.
fn plainly_fits(line: &str, number_fields: &[String]) -> bool {
    let line = line.as_bytes();
    number_fields.iter().all(|field| {
        // There are fewer colons than quotes.
        let mut values = memchr_iter(b':', line).filter_map(|colon| {
            let (name, value) = (line[..colon].trim_ascii_end(), &line[colon + 1..]);
            let name = name.strip_suffix(b"\"")?;
            let (before, name) = name.split_at(name.len().checked_sub(field.len())?);
            (name.eq_ignore_ascii_case(field.as_bytes()) && before.ends_with(b"\"")).then_some(value)
        });
        let is_number = match (values.next(), values.next()) {
            (None, _) => true,
            (Some(value), None) => starts_with_whole_number(value),
            _ => false,
        };
        // Letters and digits can only be escaped as numbers.
        is_number
            && field.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && memmem::find(line, br"\u").is_none()
    })
}

/// Whether what starts here is a whole number, and that a small one.
fn starts_with_whole_number(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = value.get(digits).is_some_and(|end| b",} ".contains(end));
    end && (1..=18).contains(&digits)
}

/// Whether an impression has each of these fields once at most, and then a whole number in it, or nothing.
///
/// Names are compared without regard to case, as Firehose does. Of a name that is there twice it is not documented what becomes.
fn fits(line: &str, number_fields: &[String]) -> bool {
    struct Numbers<'a>(&'a [String]);
    impl<'de> Visitor<'de> for Numbers<'_> {
        type Value = ();

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an impression")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut found = Vec::new();
            while let Some(name) = map.next_key::<Cow<'_, str>>()? {
                let field = self.0.iter().position(|field| name.eq_ignore_ascii_case(field));
                let Some(field) = field else {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                };
                map.next_value::<Option<i64>>()?;
                if found.contains(&field) {
                    return Err(A::Error::custom("a field is there twice"));
                }
                found.push(field);
            }
            Ok(())
        }
    }
    serde_json::Deserializer::from_str(line)
        .deserialize_map(Numbers(number_fields))
        .is_ok()
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
    /// Appends the impressions as lines, which Firehose converts as well as it joins them: CloudWatch's metric streams send it
    /// such records for Parquet ("CloudWatch metric stream output in JSON format" in its guide).
    pub fn write_to(&self, json: &mut Vec<u8>) {
        json.reserve(self.bytes);
        for impression in self.impressions {
            json.extend_from_slice(impression.line.as_bytes());
            json.push(b'\n');
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
