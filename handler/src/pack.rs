//! Owns packing impressions into Kinesis records, and records into `PutRecords` requests.
//!
//! Must not drop an impression: what no record can hold is returned beside the records. Must not copy an impression, nor
//! call AWS. Must not list what it makes: a batch can be millions of records, in a function with little memory.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr_iter, memmem};
use serde::Deserializer as _;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};

use crate::decode::DecodeError;
use crate::elements::Impression;
use crate::memory::Memory;
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

/// The longest partition key in bytes: a UTF-16 unit is at most three bytes of UTF-8.
const MAX_PARTITION_KEY_BYTES: usize = 3 * MAX_PARTITION_KEY;

/// The length of a random partition key.
const RANDOM_KEY_BYTES: usize = 16;

/// A Kinesis record: one or more impressions.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The impressions, each of which becomes a line.
    pub impressions: &'a [Impression<'a>],
    /// The size of the lines, newlines included.
    pub bytes: usize,
    /// How the shard is chosen.
    pub spread: Spread,
}

/// How records are spread over the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// At random, evenly.
    Random,
    /// By the `key` of the record's first impression.
    ByKey,
}

/// Impressions, ready to be sent.
#[derive(Debug)]
pub struct Packed<'a> {
    /// The records, in the order of the impressions.
    pub records: Records<'a>,
    /// The impressions that are too large for any record.
    pub oversized: Vec<&'a str>,
}

/// Makes records of impressions, one after the other as they are needed.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [Impression<'a>],
    /// The size in bytes that a record is filled up to.
    target: usize,
    number_fields: &'a [String],
    spread: Spread,
}

/// Packs impressions into records of at most `record_kib` KiB, or one a record if that is 0.
///
/// An impression larger than that has a record of its own, up to [`MAX_RECORD_BYTES`]; so has one with something else than a
/// whole number in one of the `number_fields`: Firehose cannot convert it, and converts a record whole or not at all.
#[must_use]
pub fn pack<'a>(
    impressions: &'a [Impression<'a>],
    record_kib: u32,
    number_fields: &'a [String],
) -> Packed<'a> {
    let oversized = impressions.iter().filter(|impression| is_oversized(impression));
    Packed {
        records: Records {
            rest: impressions,
            target: (record_kib as usize * 1024).min(MAX_RECORD_BYTES),
            number_fields,
            spread: match record_kib {
                0 => Spread::ByKey,
                _ => Spread::Random,
            },
        },
        oversized: oversized.map(|impression| impression.line.as_ref()).collect(),
    }
}

/// Takes from `memory` what the records of a batch can take at most while they are delivered, given the size of its text,
/// and returns what each of its impressions adds to that.
pub(crate) fn hold_records(
    memory: &mut Memory,
    text: usize,
    record_kib: u32,
    number_fields: &[String],
) -> Result<usize, DecodeError> {
    // Kinesis may refuse them all. A list that grows has room for up to twice as many as it holds.
    const RECORD: usize = 2 * size_of::<Record<'_>>();
    if record_kib == 0 || !number_fields.is_empty() {
        return Ok(RECORD);
    }
    // Two records that follow one another are larger than the target.
    let most = text / (record_kib as usize * 1024) * 2 + 2;
    memory.hold(RECORD * most).map(|()| 0)
}

fn size(impression: &Impression<'_>) -> usize {
    impression.line.len() + 1
}

fn is_oversized(impression: &Impression<'_>) -> bool {
    size(impression) > MAX_RECORD_BYTES
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let oversized = self.rest.iter().take_while(|next| is_oversized(next)).count();
        self.rest = &self.rest[oversized..];
        let (first, others) = self.rest.split_first()?;
        let (mut count, mut bytes) = (1, size(first));
        if self.fits(first) {
            for next in others {
                let size = size(next);
                if bytes + size > self.target || !self.fits(next) {
                    break;
                }
                count += 1;
                bytes += size;
            }
        }
        let (impressions, rest) = self.rest.split_at(count);
        self.rest = rest;
        Some(Record {
            impressions,
            bytes,
            spread: self.spread,
        })
    }
}

impl Records<'_> {
    fn fits(&self, impression: &Impression<'_>) -> bool {
        plainly_fits(&impression.line, self.number_fields) || fits(&impression.line, self.number_fields)
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

/// Splits records into requests that `PutRecords` takes, in order, one after the other as they are needed.
pub fn requests<'a>(records: impl IntoIterator<Item = Record<'a>>) -> impl Iterator<Item = Vec<Record<'a>>> {
    let mut records = records.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut request = vec![records.next()?];
        let mut bytes = request.iter().map(Record::size).sum::<usize>();
        while let Some(record) = records
            .next_if(|next| request.len() < MAX_REQUEST_RECORDS && bytes + next.size() <= MAX_REQUEST_BYTES)
        {
            bytes += record.size();
            request.push(record);
        }
        Some(request)
    })
}

/// Returns 16 random hexadecimal digits: short, and spread evenly over the shards once hashed.
#[must_use]
pub fn random_key() -> String {
    format!("{:0RANDOM_KEY_BYTES$x}", fastrand::u64(..))
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

    /// Returns the key whose hash chooses the shard. A random one is another one each time.
    #[must_use]
    pub fn partition_key(&self) -> String {
        match (self.spread, self.impressions) {
            (Spread::ByKey, [first, ..]) => partition_key(first.key),
            _ => random_key(),
        }
    }

    /// Returns the most that the record counts against the limits of a request.
    pub(crate) fn size(&self) -> usize {
        // Without its escapes, a key is only shorter.
        let key = match (self.spread, self.impressions) {
            (Spread::ByKey, [first, ..]) => first.key.len(),
            _ => RANDOM_KEY_BYTES,
        };
        self.bytes + key.clamp(RANDOM_KEY_BYTES, MAX_PARTITION_KEY_BYTES)
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
