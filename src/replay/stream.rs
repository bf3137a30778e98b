//! Copies the records of a span of time from the stream to S3, whether S3 has them already or not.
//!
//! Decides which records belong to a span and to which object. Must not read a shard itself.

use std::borrow::Cow;
use std::io::Read as _;
use std::time::{Duration, SystemTime};

use aws_sdk_kinesis::types::Record;
use flate2::read::MultiGzDecoder;
use split_pipeline_handler::decode::MAX_INFLATED_BYTES;

use super::shard::{ShardReader, arrival, shards};
use super::{Mode, OBJECT_BYTES, Place, ReplayError, ReplayReport, Span};
use crate::aws::{Aws, AwsError};
use crate::objects::Skipped;
use crate::progress::Event;

/// How far arrival times may be out of order: they are approximate, and nothing says that they only grow (Kinesis API
/// reference, `Record`). Reading starts so much before a span and ends so much after it.
const ARRIVAL_SLACK: Duration = Duration::from_mins(5);

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Copies what came in during a span of time to where Firehose would have put it, or says how much that is.
///
/// The same span gives the same objects, which are written over; an object of another span is never written over.
pub async fn copy(aws: &Aws, place: &Place, span: Span, mode: Mode) -> Result<ReplayReport, ReplayError> {
    let mut copy = StreamCopy {
        aws,
        place,
        mode,
        result: ReplayReport {
            name: place.name.clone(),
            dry_run: mode == Mode::DryRun,
            bucket: place.bucket.clone(),
            ..ReplayReport::default()
        },
    };
    copy.all(span).await.map_err(ReplayError::Copy)?;
    Ok(copy.result)
}

struct StreamCopy<'a> {
    aws: &'a Aws,
    place: &'a Place,
    mode: Mode,
    result: ReplayReport,
}

struct ObjectBuffer {
    first: String,
    last: String,
    records: usize,
    arrival: SystemTime,
    prefix: String,
    ndjson: Vec<u8>,
}

impl ObjectBuffer {
    /// The object's name: the same one only for the same records.
    fn name(&self, pipeline: &str, shard: &str) -> String {
        let (first, last, records) = (&self.first, &self.last, self.records);
        format!("replay-{pipeline}-{shard}-{first}-{last}-{records}")
    }
}

impl StreamCopy<'_> {
    async fn all(&mut self, span: Span) -> Result<(), AwsError> {
        let shards = shards(self.aws, &self.place.stream).await?;
        for (index, shard) in shards.iter().enumerate() {
            let progress = format!("copying from the stream: shard {} of {}", index + 1, shards.len());
            self.aws.event(Event::Working(progress));
            self.shard(shard, span).await?;
        }
        Ok(())
    }

    async fn shard(&mut self, shard: &str, span: Span) -> Result<(), AwsError> {
        let from = span.since.checked_sub(ARRIVAL_SLACK).unwrap_or(span.since);
        let mut reader = ShardReader::start(self.aws, &self.place.stream, shard, from).await?;
        let mut gathered = None;
        while let Some(page) = reader.page(self.aws).await? {
            for record in &page.records {
                let arrival = arrival(record);
                if (span.since..span.until).contains(&arrival) {
                    self.gather(&mut gathered, shard, record, arrival).await?;
                }
            }
            let newest = page.records.last_chunk::<1>().map_or(&[][..], |newest| newest);
            let is_at_end = page.is_at_tip && is_past(newest, span.until, Duration::ZERO);
            if is_at_end || is_past(&page.records, span.until, ARRIVAL_SLACK) {
                break;
            }
        }
        self.put(gathered, shard).await
    }

    /// Adds a record to the object that it belongs to.
    async fn gather(
        &mut self,
        gathered: &mut Option<ObjectBuffer>,
        shard: &str,
        record: &Record,
        arrival: SystemTime,
    ) -> Result<(), AwsError> {
        let data = record.data().as_ref();
        let Some(lines) = self.lines(data, shard, record.sequence_number()) else {
            return Ok(());
        };
        if lines.is_empty() {
            return Ok(());
        }
        let prefix = self.place.prefix_at(arrival)?;
        let is_other =
            |object: &mut ObjectBuffer| object.ndjson.len() >= OBJECT_BYTES || object.prefix != prefix;
        let full = gathered.take_if(is_other);
        self.put(full, shard).await?;
        let object = gathered.get_or_insert_with(|| ObjectBuffer {
            first: record.sequence_number().to_owned(),
            last: String::new(),
            records: 0,
            arrival,
            prefix,
            ndjson: Vec::new(),
        });
        record.sequence_number().clone_into(&mut object.last);
        object.records += 1;
        object.ndjson.extend_from_slice(&lines);
        if !object.ndjson.ends_with(b"\n") {
            // A record that another program put there.
            object.ndjson.push(b'\n');
        }
        Ok(())
    }

    /// The lines of a record; none if it cannot be read.
    fn lines<'a>(&mut self, data: &'a [u8], shard: &str, number: &str) -> Option<Cow<'a, [u8]>> {
        let read = lines(data).map_err(|why| Skipped { key: format!("{shard}/{number}"), why });
        read.map_err(|skipped| self.result.skipped.push(skipped)).ok()
    }

    async fn put(&mut self, gathered: Option<ObjectBuffer>, shard: &str) -> Result<(), AwsError> {
        let Some(object) = gathered else { return Ok(()) };
        let name = object.name(&self.place.name, shard);
        let (arrival, ndjson) = (object.arrival, &object.ndjson);
        let written = self.place.put(arrival, &name, ndjson, self.mode, self.aws).await?;
        self.result.copied += written.copied;
        self.result.misfits += written.misfits;
        self.result.objects.extend(written.keys);
        Ok(())
    }
}

/// The lines of a record, inflated if it is gzipped; or why it cannot be read.
pub(crate) fn lines(data: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    if !data.starts_with(&GZIP_MAGIC) {
        return Ok(data.into());
    }
    let mut lines = Vec::new();
    let read = MultiGzDecoder::new(data).take(MAX_INFLATED_BYTES as u64 + 1).read_to_end(&mut lines);
    match read {
        Ok(_) if lines.len() <= MAX_INFLATED_BYTES => Ok(lines.into()),
        Ok(_) => Err("the record inflates to more than 64 MiB".to_owned()),
        Err(error) => Err(format!("the record is not valid gzip: {error}")),
    }
}

/// Whether there are records, and all of them arrived so long after the end of a span.
fn is_past(records: &[Record], until: SystemTime, slack: Duration) -> bool {
    let past = until.checked_add(slack);
    !records.is_empty() && records.iter().all(|record| past.is_some_and(|past| arrival(record) >= past))
}

#[cfg(test)]
mod tests;
