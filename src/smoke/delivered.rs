//! Finding impressions in S3: every new object is read, and every impression in it counted.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::Object;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::future::try_join_all;
use split_pipeline_handler::spill::SPILL_PREFIX;

use super::SmokeError;
use crate::aws::{Aws, AwsError};
use crate::results::Smoke;
use crate::rows::{self, Cell, PARQUET_MAGIC, Row, row};
use crate::table::Column;
use crate::{objects, prefixes};

/// How many objects are read at once.
const CONCURRENT_READS: usize = 16;

/// A search for impressions in a bucket.
pub struct Search {
    bucket: String,
    prefix: String,
    from: SystemTime,
    /// Objects that were written before do not count.
    written_since: SystemTime,
    shape: Shape,
    impressions: HashMap<Impression, Tally>,
    seen: HashSet<String>,
    objects: Vec<String>,
}

/// What becomes of impressions on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// They are lines, as they were sent.
    Lines,
    /// They are rows of a table with these columns.
    Rows(Vec<Column>),
}

/// An impression, as it is known again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Impression {
    /// As a line.
    Line(String),
    /// As a row, without the texts that may have been something else: how the conversion writes such is its own affair.
    Row(Row),
}

impl Shape {
    /// How an impression in JSON is known again: as a line where it makes no row. As that it may be spilled, but not delivered.
    fn of(&self, json: &str) -> Impression {
        let row = match self {
            Self::Lines => None,
            Self::Rows(columns) => row(columns, json),
        };
        row.map_or_else(|| Impression::Line(json.to_owned()), Impression::of)
    }
}

impl Impression {
    fn of(mut row: Row) -> Self {
        let is_json = |text: &str| text.starts_with(['{', '[']) || text.parse::<f64>().is_ok();
        row.retain(|_, cell| !matches!(cell, Cell::Text(text) if is_json(text)));
        Self::Row(row)
    }
}

/// How often an impression was sent and found; a payload may have the same one twice.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sent: usize,
    found: usize,
}

/// Either an AWS call or an object's content was not as it should be.
#[derive(Debug)]
pub enum SearchError {
    /// An AWS call failed.
    Aws(AwsError),
    /// An object cannot be read.
    Smoke(SmokeError),
}

impl From<AwsError> for SearchError {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

impl Search {
    /// Starts a search for impressions that are sent as `lines`; objects that are there already do not count.
    ///
    /// Firehose puts an object where the arrival of its oldest record says, so up to `gathered` ago.
    pub async fn start(
        aws: &Aws,
        bucket: &str,
        prefix: &str,
        gathered: Duration,
        shape: Shape,
        lines: &[String],
    ) -> Result<Self, SearchError> {
        let mut search = Self::among(bucket, prefix, SystemTime::now(), gathered, shape, lines);
        // Clocks differ, so what is there by now tells which objects are old.
        search.written_since = SystemTime::UNIX_EPOCH;
        search.seen = search.list(aws).await?.into_iter().collect();
        Ok(search)
    }

    /// A search for impressions among the objects that were written since a time.
    pub fn among(
        bucket: &str,
        prefix: &str,
        since: SystemTime,
        gathered: Duration,
        shape: Shape,
        lines: &[String],
    ) -> Self {
        let mut impressions = HashMap::<_, Tally>::new();
        for impression in lines.iter().map(|line| shape.of(line)) {
            impressions.entry(impression).or_default().sent += 1;
        }
        Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            from: since - gathered,
            written_since: since,
            shape,
            impressions,
            seen: HashSet::new(),
            objects: Vec::new(),
        }
    }

    /// Reads the objects that are new since the last look.
    pub async fn look(&mut self, aws: &Aws) -> Result<(), SearchError> {
        let keys: Vec<_> = self
            .list(aws)
            .await?
            .into_iter()
            .filter(|key| !self.seen.contains(key))
            .collect();
        for keys in keys.chunks(CONCURRENT_READS) {
            let objects = try_join_all(keys.iter().map(|key| self.read(key, aws))).await?;
            for (key, impressions) in keys.iter().zip(objects) {
                self.count(key, &impressions);
            }
        }
        Ok(())
    }

    /// Whether every impression was found.
    pub fn is_complete(&self) -> bool {
        self.impressions.values().all(|it| it.found >= it.sent)
    }

    /// Writes what was found into a result.
    pub fn report(self, result: &mut Smoke) {
        for it in self.impressions.values() {
            result.delivered += it.found.min(it.sent);
            result.missing += it.sent.saturating_sub(it.found);
            result.duplicated += it.found.saturating_sub(it.sent);
        }
        result.bucket = self.bucket;
        result.objects = self.objects;
    }

    fn count(&mut self, key: &str, impressions: &[Impression]) {
        self.seen.insert(key.to_owned());
        let mut holds_ours = false;
        for impression in impressions {
            if let Some(tally) = self.impressions.get_mut(impression) {
                tally.found += 1;
                holds_ours = true;
            }
        }
        if holds_ours {
            self.objects.push(key.to_owned());
        }
    }

    /// Lists what was delivered or spilled since the search started.
    async fn list(&self, aws: &Aws) -> Result<Vec<String>, SearchError> {
        let mut prefixes = prefixes::between(&self.prefix, self.from, SystemTime::now());
        prefixes.push(SPILL_PREFIX.to_owned());
        let mut keys = Vec::new();
        for prefix in prefixes {
            let objects = objects::list(aws, &self.bucket, &prefix).await?;
            let recent = objects.into_iter().filter(|object| self.is_recent(object));
            keys.extend(recent.filter_map(|object| object.key));
        }
        Ok(keys)
    }

    fn is_recent(&self, object: &Object) -> bool {
        let written = object.last_modified().copied();
        let written = written.and_then(|at| SystemTime::try_from(at).ok());
        written.is_none_or(|at| at >= self.written_since)
    }

    async fn read(&self, key: &str, aws: &Aws) -> Result<Vec<Impression>, SearchError> {
        let request = || aws.s3.get_object().bucket(&self.bucket).key(key).send();
        let object = aws.call("s3:GetObject", request).await?;
        let broken = |source| {
            SearchError::Smoke(SmokeError::Object {
                key: key.to_owned(),
                source,
            })
        };
        let bytes = object
            .body
            .collect()
            .await
            .map_err(|error| broken(io::Error::other(error)))?;
        self.shape.read(bytes.into_bytes()).map_err(broken)
    }
}

impl Shape {
    /// The impressions of an object, in rows or in lines: what was spilled is in lines, always.
    fn read(&self, object: Bytes) -> io::Result<Vec<Impression>> {
        if object.starts_with(PARQUET_MAGIC) {
            let rows = rows::read(object).map_err(io::Error::other)?;
            return Ok(rows.into_iter().map(Impression::of).collect());
        }
        let text = decompress(&object)?;
        Ok(text.lines().map(|line| self.of(line)).collect())
    }
}

/// Undoes any compression of Firehose's, told by the first bytes: emulators may not compress at all.
fn decompress(bytes: &[u8]) -> io::Result<String> {
    let mut text = String::new();
    match bytes {
        [0x1f, 0x8b, ..] => MultiGzDecoder::new(bytes).read_to_string(&mut text)?,
        [b'P', b'K', 3, 4, ..] => {
            let mut archive = zip::ZipArchive::new(io::Cursor::new(bytes)).map_err(io::Error::other)?;
            for index in 0..archive.len() {
                archive
                    .by_index(index)
                    .map_err(io::Error::other)?
                    .read_to_string(&mut text)?;
            }
            text.len()
        }
        [0xff, 6, 0, 0, b's', b'N', ..] => snap::read::FrameDecoder::new(bytes).read_to_string(&mut text)?,
        [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, ..] => {
            unsnap_java(bytes)?.as_slice().read_to_string(&mut text)?
        }
        _ => (&*bytes).read_to_string(&mut text)?,
    };
    Ok(text)
}

/// Undoes snappy-java's own format: a header of 16 bytes, then blocks, each after its size in four bytes.
fn unsnap_java(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let mut rest = bytes.get(16..).ok_or_else(cut_off)?;
    let mut plain = Vec::new();
    while let Some((size, after)) = rest.split_first_chunk::<4>() {
        let size = usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX);
        let (block, after) = after.split_at_checked(size).ok_or_else(cut_off)?;
        plain.extend(snap::raw::Decoder::new().decompress_vec(block)?);
        rest = after;
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::table::BIGINT;

    #[test]
    fn every_compression_is_undone() {
        let text = "{\"a\":1}\n{\"b\":2}\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        zip.start_file("a", zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
        let mut snappy = snap::write::FrameEncoder::new(Vec::new());
        snappy.write_all(text.as_bytes()).unwrap();
        let mut snappy_java = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
        for line in text.split_inclusive('\n') {
            let block = snap::raw::Encoder::new().compress_vec(line.as_bytes()).unwrap();
            snappy_java.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
            snappy_java.extend(block);
        }
        for bytes in [
            snappy_java,
            gzip.finish().unwrap(),
            zip.finish().unwrap().into_inner(),
            snappy.into_inner().unwrap(),
            text.as_bytes().to_vec(),
        ] {
            assert_eq!(decompress(&bytes).unwrap(), text);
        }
    }

    #[test]
    fn impressions_are_counted_once_each_and_copies_apart() {
        let line = |line: &str| Impression::Line(line.to_owned());
        let mut search = Search {
            bucket: "b".into(),
            prefix: String::new(),
            from: SystemTime::now(),
            written_since: SystemTime::UNIX_EPOCH,
            shape: Shape::Lines,
            impressions: [("a", 1), ("b", 2), ("c", 1)]
                .map(|(it, sent)| (line(it), Tally { sent, found: 0 }))
                .into(),
            seen: HashSet::new(),
            objects: Vec::new(),
        };
        search.count("one", &["a", "b", "a"].map(line));
        search.count("two", &[line("somebody else's")]);
        assert!(!search.is_complete());
        let mut result = Smoke::default();
        search.report(&mut result);
        assert_eq!((result.delivered, result.missing, result.duplicated), (2, 2, 1));
        assert_eq!(result.objects, ["one"]);
    }

    #[test]
    fn rows_are_known_again_in_parquet_and_in_json() {
        let column = |name: &str, kind| Column {
            name: name.to_owned(),
            kind,
        };
        let columns = vec![
            column("key", "string"),
            column("time", BIGINT),
            column("version", "string"),
            column("properties", "string"),
        ];
        let sent = [
            r#"{"key":"a","time":1,"version":17000040000000000494,"properties":{"x": 1},"more":true}"#,
            r#"{"Key":"b","time":"2","properties":null}"#,
        ];
        let shape = Shape::Rows(columns.clone());
        let want: Vec<_> = sent.iter().map(|json| shape.of(json)).collect();
        assert_eq!(want.len(), 2);
        let rows: Vec<_> = sent.iter().filter_map(|json| row(&columns, json)).collect();
        let parquet = rows::write(&columns, &rows).unwrap();
        let otherwise = r#"{"key":"a","time":1,"version":1.700004E19,"properties":["x"]}"#;
        assert_eq!(Some(&shape.of(otherwise)), want.first());
        for object in [parquet, (sent.join("\n") + "\n").into_bytes()] {
            assert_eq!(shape.read(object.into()).unwrap(), want);
        }
    }
}
