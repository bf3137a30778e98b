//! Reads the newest records of a stream, to find out whether the bucket has them.

use std::time::{Duration, SystemTime};

use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::ShardIteratorType;

use crate::aws::{Aws, AwsError};
use crate::replay::stream::shards;

/// The most bytes of records that are held at once to look for each of their impressions.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// How long to wait between two reads of a shard, which may be read five times per second (Kinesis API reference,
/// `GetRecords`).
const READ_AGAIN: Duration = Duration::from_millis(200);

/// The newest records of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// The impressions in them, each a line.
    Lines(Vec<String>),
    /// They are too many to look for each of them.
    TooLong,
}

/// Reads what arrived in the stream since a time, up to the newest record of every shard.
pub(super) async fn read(aws: &Aws, stream: &str, since: SystemTime) -> Result<Tail, AwsError> {
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for shard in shards(aws, stream).await? {
        let mut iterator = iterator(aws, stream, &shard, since).await?;
        while let Some(at) = iterator {
            let request = || aws.kinesis.get_records().shard_iterator(&at).send();
            let page = aws.call("kinesis:GetRecords", request).await?;
            for record in &page.records {
                let text = String::from_utf8_lossy(record.data().as_ref());
                bytes += text.len();
                lines.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
            }
            if bytes > MAX_BYTES {
                return Ok(Tail::TooLong);
            }
            if page.millis_behind_latest.unwrap_or_default() == 0 && page.records.is_empty() {
                break;
            }
            iterator = page.next_shard_iterator;
            aws.pause(READ_AGAIN).await?;
        }
    }
    Ok(Tail::Lines(lines))
}

async fn iterator(
    aws: &Aws,
    stream: &str,
    shard: &str,
    since: SystemTime,
) -> Result<Option<String>, AwsError> {
    let request = || {
        let call = aws.kinesis.get_shard_iterator().stream_name(stream);
        call.shard_id(shard)
            .shard_iterator_type(ShardIteratorType::AtTimestamp)
            .timestamp(DateTime::from(since))
            .send()
    };
    let answer = aws.call("kinesis:GetShardIterator", request).await?;
    Ok(answer.shard_iterator)
}
