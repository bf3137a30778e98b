//! Copying from the stream to S3 what it still keeps of a span of time. What is in S3 already is copied all the same.

use std::time::{Duration, SystemTime};

use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{Record, ShardIteratorType};

use super::{Mode, Place, ReplayError, Span};
use crate::aws::{Aws, AwsError};
use crate::progress::Event;
use crate::results::Replay;
use crate::rows::documents;

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
#[derive(Default)]
struct Gathered {
    prefix: String,
    name: String,
    json: Vec<u8>,
}

impl Gathered {
    /// Adds what a record has, an impression a line: it may be of a time when there were no newlines in records.
    fn add(&mut self, record: &[u8]) {
        if record.ends_with(b"\n") {
            return self.json.extend_from_slice(record);
        }
        let text = String::from_utf8_lossy(record);
        let documents: Vec<_> = documents(&text).map(str::as_bytes).collect();
        // What is somebody else's, and no JSON, is copied as it is.
        let lines = if documents.is_empty() {
            vec![record]
        } else {
            documents
        };
        self.json
            .extend(lines.into_iter().flat_map(|line| [line, b"\n"].concat()));
    }
}

impl Copy<'_> {
    async fn shard(&mut self, shard: &str, span: Span) -> Result<(), ReplayError> {
        let mut iterator = self.iterator(shard, span.since).await?;
        let mut gathered = Gathered::default();
        while let Some(at) = iterator {
            self.aws.go_on()?;
            let request = || self.aws.kinesis.get_records().shard_iterator(&at).send();
            let page = self.aws.call("kinesis:GetRecords", request).await?;
            for record in &page.records {
                let arrival = arrival(record);
                if arrival >= span.until {
                    return self.put(&mut gathered).await;
                }
                self.gather(&mut gathered, shard, record, arrival).await?;
            }
            if page.records.is_empty() && page.millis_behind_latest == Some(0) {
                break;
            }
            iterator = page.next_shard_iterator;
            self.aws.pause(READ_AGAIN).await?;
        }
        self.put(&mut gathered).await
    }

    /// Adds a record to the object that it belongs to. Objects start at the same records whenever the same span is
    /// copied, and are named by their first one, so that a second time they are written over.
    async fn gather(
        &mut self,
        gathered: &mut Gathered,
        shard: &str,
        record: &Record,
        arrival: SystemTime,
    ) -> Result<(), ReplayError> {
        let prefix = self.place.prefix_at(arrival)?;
        if gathered.json.len() >= OBJECT_BYTES || gathered.prefix != prefix {
            self.put(gathered).await?;
        }
        if gathered.json.is_empty() {
            let (number, extension) = (record.sequence_number(), self.place.extension());
            gathered.name = format!("replay-{shard}-{number}{extension}");
            gathered.prefix = prefix;
        }
        gathered.add(record.data().as_ref());
        Ok(())
    }

    async fn put(&mut self, gathered: &mut Gathered) -> Result<(), ReplayError> {
        let Gathered { prefix, name, json } = std::mem::take(gathered);
        if json.is_empty() {
            return Ok(());
        }
        let key = prefix + &name;
        self.result.copied += self.place.put(&key, &json, self.mode, self.aws).await?;
        self.result.objects.push(key);
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
async fn shards(aws: &Aws, stream: &str) -> Result<Vec<String>, AwsError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impressions_are_lines_whatever_the_records_were() {
        let mut gathered = Gathered::default();
        for record in [
            "{\"a\":1}\n{\"b\":2}\n",
            "{\"c\":3}{\"d\":4}",
            "no JSON",
            "{\"e\":5}",
        ] {
            gathered.add(record.as_bytes());
        }
        let text = String::from_utf8(gathered.json).unwrap();
        assert_eq!(
            text,
            "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n{\"d\":4}\nno JSON\n{\"e\":5}\n"
        );
    }
}
