//! Copying from the stream to S3 what it still keeps of a span of time. What is in S3 already is copied all the same.

use std::time::{Duration, SystemTime};

use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{Record, ShardIteratorType};

use super::{Mode, Place, ReplayError, Span};
use crate::aws::{Aws, AwsError};
use crate::progress::Event;
use crate::results::Replay;

/// How much goes into one object, before compression: what Firehose gathers by default.
const OBJECT_BYTES: usize = 64 * 1024 * 1024;

/// How long to wait between two reads of a shard, which may be read five times a second (Kinesis API reference,
/// `GetRecords`).
const READ_AGAIN: Duration = Duration::from_millis(200);

/// Copies what came in during a span of time to where Firehose would have put it, or says how much that is.
pub async fn copy(aws: &Aws, place: &Place, span: Span, mode: Mode) -> Result<Replay, ReplayError> {
    let mut copy = Copy {
        aws,
        place,
        mode,
        result: Replay {
            name: place.name.clone(),
            dry_run: mode == Mode::DryRun,
            bucket: place.bucket.clone(),
            ..Replay::default()
        },
    };
    let shards = shards(aws, &place.stream).await?;
    for (index, shard) in shards.iter().enumerate() {
        let progress = format!("copying from the stream: shard {} of {}", index + 1, shards.len());
        aws.event(Event::Working(progress));
        copy.shard(shard, span).await?;
    }
    Ok(copy.result)
}

struct Copy<'a> {
    aws: &'a Aws,
    place: &'a Place,
    mode: Mode,
    result: Replay,
}

/// Impressions that go into one object.
struct Gathered {
    name: String,
    /// When the first came in.
    arrival: SystemTime,
    prefix: String,
    ndjson: Vec<u8>,
}

impl Copy<'_> {
    async fn shard(&mut self, shard: &str, span: Span) -> Result<(), ReplayError> {
        let mut iterator = self.iterator(shard, span.since).await?;
        let mut gathered = None;
        while let Some(at) = iterator {
            self.aws.go_on()?;
            let request = || self.aws.kinesis.get_records().shard_iterator(&at).send();
            let page = self.aws.call("kinesis:GetRecords", request).await?;
            for record in &page.records {
                let arrival = arrival(record);
                if arrival >= span.until {
                    return self.put(gathered).await;
                }
                self.gather(&mut gathered, shard, record, arrival).await?;
            }
            if page.records.is_empty() && page.millis_behind_latest == Some(0) {
                break;
            }
            iterator = page.next_shard_iterator;
            self.aws.pause(READ_AGAIN).await?;
        }
        self.put(gathered).await
    }

    /// Adds a record to the object that it belongs to. Objects start at the same records whenever the same span is
    /// copied, and are named by their first one, so that a second time they are written over.
    async fn gather(
        &mut self,
        gathered: &mut Option<Gathered>,
        shard: &str,
        record: &Record,
        arrival: SystemTime,
    ) -> Result<(), ReplayError> {
        if record.data().as_ref().is_empty() {
            return Ok(());
        }
        let prefix = self.place.prefix_at(arrival)?;
        let is_other = |object: &mut Gathered| object.ndjson.len() >= OBJECT_BYTES || object.prefix != prefix;
        let full = gathered.take_if(is_other);
        self.put(full).await?;
        let object = gathered.get_or_insert_with(|| Gathered {
            name: format!("replay-{shard}-{}", record.sequence_number()),
            arrival,
            prefix,
            ndjson: Vec::new(),
        });
        object.ndjson.extend_from_slice(record.data().as_ref());
        if !object.ndjson.ends_with(b"\n") {
            // A record that somebody else put there.
            object.ndjson.push(b'\n');
        }
        Ok(())
    }

    async fn put(&mut self, gathered: Option<Gathered>) -> Result<(), ReplayError> {
        let Some(Gathered {
            name,
            arrival,
            ndjson,
            ..
        }) = gathered
        else {
            return Ok(());
        };
        let written = self
            .place
            .put(arrival, &name, &ndjson, self.mode, self.aws)
            .await?;
        self.result.copied += written.copied;
        self.result.misfits += written.misfits;
        self.result.objects.extend(written.keys);
        Ok(())
    }

    async fn iterator(&self, shard: &str, since: SystemTime) -> Result<Option<String>, AwsError> {
        let request = || {
            let call = self.aws.kinesis.get_shard_iterator();
            call.stream_name(&self.place.stream)
                .shard_id(shard)
                .shard_iterator_type(ShardIteratorType::AtTimestamp)
                .timestamp(DateTime::from(since))
                .send()
        };
        let answer = self.aws.call("kinesis:GetShardIterator", request).await?;
        Ok(answer.shard_iterator)
    }
}

fn arrival(record: &Record) -> SystemTime {
    let arrival = record.approximate_arrival_timestamp();
    arrival
        .and_then(|arrival| SystemTime::try_from(*arrival).ok())
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Lists every shard, closed ones too: they keep what they took before a resharding.
pub(crate) async fn shards(aws: &Aws, stream: &str) -> Result<Vec<String>, AwsError> {
    let (mut shards, mut token) = (Vec::new(), None::<String>);
    loop {
        let request = || {
            let call = aws.kinesis.list_shards();
            // Kinesis takes either the stream or where to go on.
            let name = token.is_none().then(|| stream.to_owned());
            call.set_stream_name(name).set_next_token(token.clone()).send()
        };
        let page = aws.call("kinesis:ListShards", request).await?;
        let ids = page.shards.unwrap_or_default().into_iter();
        shards.extend(ids.map(|shard| shard.shard_id));
        token = page.next_token;
        if token.is_none() {
            return Ok(shards);
        }
    }
}
