//! Packs impressions into Kinesis records, and records into `PutRecords` requests.
//!
//! Must not drop an impression: those too large for any record are returned beside the records. Must not copy an impression,
//! nor call AWS. Must not hold a list of all records: a batch can be millions of records, in a function with little memory.

use memchr::{memchr, memchr_iter, memmem, memrchr};

use crate::budget::{BatchBudget, LARGEST_BATCH};
use crate::elements::Impression;
use crate::fields::{UnreadFields, for_each_field, longest};
use crate::json::characters;
use crate::memory::Memory;
use crate::refusal::Refusal;
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

/// The most misfits of a batch that have a record each: a request's. More of them are how a sender writes all its impressions.
const MAX_LONE_MISFITS: usize = MAX_REQUEST_RECORDS;

/// The most colons among which the number fields of an impression are looked for without reading it as JSON. One that Split
/// sends has some twenty.
const MAX_PLAIN_COLONS: usize = 256;

/// The most number fields that are looked for so. An impression of Split has two.
const MAX_PLAIN_FIELDS: usize = 8;

/// How the escape of a letter or a digit starts.
const ESCAPE: &[u8] = br"\u";

const RANDOM_KEY_BYTES: usize = 16;

/// A Kinesis record: one or more impressions.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(crate) impressions: &'a [Impression<'a>],
    /// The size of the lines, newlines included.
    pub bytes: usize,
    pub(crate) spread: Spread,
}

/// How records are spread over the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    Random,
    /// By the `key` of the record's first impression.
    ByKey,
}

/// Impressions, ready to be sent.
#[derive(Debug)]
pub struct Packed<'a> {
    /// The records, in the order of the impressions.
    pub records: PackedRecords<'a>,
    /// The impressions that are too large for any record.
    pub oversized: Vec<&'a str>,
}

/// Makes records of impressions, one after the other as they are needed.
#[derive(Clone, Debug)]
pub struct PackedRecords<'a> {
    /// What is left of each of the parts that share no record.
    parts: [Part<'a>; 3],
    spread: Spread,
}

/// Impressions, and the size in bytes that their records are filled up to.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    rest: &'a [Impression<'a>],
    target: usize,
}

/// Packs impressions into records of at most `record_kib` KiB, or one a record if that is 0.
///
/// An impression larger than that has a record of its own, up to [`MAX_RECORD_BYTES`].
///
/// So has a misfit, an impression with something else than a whole number in one of the `number_fields`: Firehose cannot
/// convert it, and converts a record whole or not at all. Beyond `MAX_LONE_MISFITS` of them, misfits share records with each
/// other. For that, the misfits become the last of the impressions.
pub fn pack<'a, 't>(
    impressions: &'a mut [Impression<'t>],
    record_kib: u32,
    number_fields: &[String],
) -> Packed<'a>
where
    't: 'a,
{
    pack_within(impressions, record_kib, number_fields, &mut BatchBudget::of_fields())
}

/// As [`pack`], but takes from `budget`, of which reading the batch has left so much, what it takes to tell misfits.
///
/// An impression for which nothing is left is taken for a misfit.
pub(crate) fn pack_within<'a, 't>(
    impressions: &'a mut [Impression<'t>],
    record_kib: u32,
    number_fields: &[String],
    budget: &mut BatchBudget,
) -> Packed<'a>
where
    't: 'a,
{
    let fitting = match (record_kib, number_fields) {
        (0, _) | (_, []) => impressions.len(),
        _ => put_misfits_last(impressions, number_fields, budget),
    };
    let impressions = &*impressions;
    let (rest, misfits) = impressions.split_at(fitting);
    let (lone, misfits) = misfits.split_at(misfits.len().min(MAX_LONE_MISFITS));
    let target = (record_kib as usize * 1024).min(MAX_RECORD_BYTES);
    let oversized = impressions.iter().filter(|impression| is_oversized(impression));
    Packed {
        records: PackedRecords {
            parts: [(rest, target), (lone, 0), (misfits, target)].map(|(rest, target)| Part { rest, target }),
            spread: match record_kib {
                0 => Spread::ByKey,
                _ => Spread::Random,
            },
        },
        oversized: oversized.map(|impression| impression.line.as_ref()).collect(),
    }
}

/// Puts impressions that Firehose may fail to convert behind the others, and returns how many others there are.
///
/// So are those for which there is no time to tell: what does not plainly fit behind more misfits than Split's largest batch
/// has, or once `budget` is not enough.
fn put_misfits_last(
    impressions: &mut [Impression<'_>],
    number_fields: &[String],
    budget: &mut BatchBudget,
) -> usize {
    let (mut fitting, mut end) = (0, impressions.len());
    while fitting < end {
        let impression = &impressions[fitting];
        let line = &impression.line;
        let is_read = impressions.len() - end < LARGEST_BATCH;
        if is_oversized(impression)
            || plainly_fits(line, number_fields)
            || is_read && fits(line, number_fields, budget)
        {
            fitting += 1;
        } else {
            end -= 1;
            impressions.swap(fitting, end);
        }
    }
    fitting
}

/// Takes from `memory` what the records of a batch can take at most while they are delivered, given the size of its text,
/// and returns what each of its impressions adds to that.
pub(crate) fn hold_records(
    memory: &mut Memory,
    text: usize,
    record_kib: u32,
    number_fields: &[String],
) -> Result<usize, Refusal> {
    // Kinesis may refuse them all. A list that grows has room for up to twice as many as it holds.
    const RECORD: usize = 2 * size_of::<Record<'_>>();
    if record_kib == 0 {
        return Ok(RECORD);
    }
    // Two records that follow one another are larger than the target.
    let full = text / (record_kib as usize * 1024) * 2 + 2;
    let most = match number_fields {
        [] => full,
        // The last record of the others and of the misfits need not be full.
        _ => full + MAX_LONE_MISFITS + 2,
    };
    memory.hold(RECORD * most).map(|()| 0)
}

fn size(impression: &Impression<'_>) -> usize {
    impression.line.len() + 1
}

fn is_oversized(impression: &Impression<'_>) -> bool {
    size(impression) > MAX_RECORD_BYTES
}

impl<'a> Iterator for PackedRecords<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (impressions, bytes) = self.parts.iter_mut().find_map(Part::next)?;
        Some(Record { impressions, bytes, spread: self.spread })
    }
}

impl<'a> Part<'a> {
    /// Takes the impressions of the next record, and gives their size as well.
    fn next(&mut self) -> Option<(&'a [Impression<'a>], usize)> {
        let oversized = self.rest.iter().take_while(|next| is_oversized(next)).count();
        self.rest = &self.rest[oversized..];
        let (first, others) = self.rest.split_first()?;
        let (mut count, mut bytes) = (1, size(first));
        for next in others {
            let size = size(next);
            if bytes + size > self.target {
                break;
            }
            count += 1;
            bytes += size;
        }
        let (impressions, rest) = self.rest.split_at(count);
        self.rest = rest;
        Some((impressions, bytes))
    }
}

/// Whether it shows without reading all of it that an impression [`fits`]: each field's name is there once, before a whole
/// number, or not at all, whether it stands for the field or for something within another.
fn plainly_fits(line: &str, number_fields: &[String]) -> bool {
    let line = line.as_bytes();
    let mut bytes = number_fields.iter().flat_map(|field| field.bytes());
    // Letters and digits can only be escaped as numbers.
    let is_plain = bytes.all(|byte| byte.is_ascii_alphanumeric());
    let is_escaped = memchr(b'\\', line).is_some_and(|first| memmem::find(&line[first..], ESCAPE).is_some());
    if !is_plain || number_fields.len() > MAX_PLAIN_FIELDS {
        return false;
    }
    let mut found = [false; MAX_PLAIN_FIELDS];
    // There are fewer colons than quotes.
    let mut colons = memchr_iter(b':', line);
    for colon in colons.by_ref().take(MAX_PLAIN_COLONS) {
        let (name, value) = (line[..colon].trim_ascii_end(), &line[colon + 1..]);
        if is_escaped && ends_with_escaped_name(name) {
            return false;
        }
        let field = number_fields.iter().position(|field| ends_with_name(name, field));
        let Some(found) = field.and_then(|field| found.get_mut(field)) else {
            continue;
        };
        if *found || !starts_with_whole_number(value) {
            return false;
        }
        *found = true;
    }
    colons.next().is_none()
}

fn ends_with_name(text: &[u8], name: &str) -> bool {
    let text = text.strip_suffix(b"\"");
    let parts = text.and_then(|text| text.split_at_checked(text.len().checked_sub(name.len())?));
    parts.is_some_and(|(before, end)| end.eq_ignore_ascii_case(name.as_bytes()) && before.ends_with(b"\""))
}

/// Whether a text ends with a name in quotes in which a letter or a digit may be escaped.
///
/// Each byte is looked at for one colon at most: a name goes back to the quote before it.
fn ends_with_escaped_name(text: &[u8]) -> bool {
    let Some(text) = text.strip_suffix(b"\"") else {
        return false;
    };
    let start = memrchr(b'"', text).map_or(0, |quote| quote + 1);
    memmem::find(&text[start..], ESCAPE).is_some()
}

/// Whether what starts here is a whole number, and that a small one, or nothing.
fn starts_with_whole_number(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let length = match digits {
        0 if value.starts_with(b"null") => 4,
        1..=18 => digits,
        _ => return false,
    };
    value.get(length).is_some_and(|end| b",} ".contains(end))
}

/// Whether an impression has each of these fields once at most, and then a whole number in it, or nothing.
///
/// Names are compared without regard to case, as Firehose does. Of a name that is there twice it is not documented what becomes.
/// No once `budget` has no fields left.
fn fits(line: &str, number_fields: &[String], budget: &mut BatchBudget) -> bool {
    let mut found = vec![false; number_fields.len()];
    let read = for_each_field(line, longest(number_fields), budget, |field| {
        field.has_text_as_name().then_some(()).ok_or(UnreadFields::Unfit)?;
        let same = number_fields.iter().position(|name| field.is_named_in_any_case(name));
        let Some(found) = same.and_then(|field| found.get_mut(field)) else {
            return Ok(());
        };
        // That a string is no number, `serde_json` says with copies of the string.
        let is_number = !field.is_string() && serde_json::from_str::<Option<i64>>(field.value).is_ok();
        let fits = is_number && !*found;
        *found = true;
        fits.then_some(()).ok_or(UnreadFields::Unfit)
    });
    read.is_ok()
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
pub(crate) fn random_key() -> String {
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
    pub(crate) fn partition_key(&self) -> String {
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

/// Returns the partition key for an impression's `key`, given as JSON text, of which no more is read than the partition key takes.
fn partition_key(json: &str) -> String {
    let (mut key, mut units) = (String::with_capacity(json.len().min(MAX_PARTITION_KEY_BYTES)), 0);
    for character in characters(json) {
        let Ok(character) = character else {
            // A lone surrogate is valid JSON and no text.
            return random_key();
        };
        units += character.len_utf16();
        if units > MAX_PARTITION_KEY {
            break;
        }
        key.push(character);
    }
    if key.is_empty() { random_key() } else { key }
}

#[cfg(test)]
mod tests;
