//! Reads the newest records of a stream, to find out whether the bucket has them.

use std::time::SystemTime;

use crate::aws::{Aws, AwsError};
use crate::replay::shard::{ShardReader, shards};
use crate::replay::stream;

/// The most bytes of impressions that are held at once to look for each of them.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What is held of an impression beside its text while it is looked for, as a row in the worst case.
const IMPRESSION_BYTES: usize = 256;

/// The newest records of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    Lines(Vec<String>),
    /// They are too many to look for each of them.
    TooLong,
}

/// Reads what arrived in the stream since a time, up to the newest record of every shard.
pub(super) async fn read(aws: &Aws, stream: &str, since: SystemTime) -> Result<Tail, AwsError> {
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for shard in shards(aws, stream).await? {
        let mut reader = ShardReader::start(aws, stream, &shard, since).await?;
        while let Some(page) = reader.page(aws).await? {
            for record in &page.records {
                // A record that cannot be read is never found in the bucket, so it is copied, which says why it cannot be.
                let text = stream::lines(record.data().as_ref());
                let text = text.unwrap_or(record.data().as_ref().into());
                let text = String::from_utf8_lossy(&text);
                for line in text.lines().filter(|line| !line.is_empty()) {
                    bytes += IMPRESSION_BYTES + line.len();
                    // A few bytes of gzip can be millions of impressions.
                    if bytes > MAX_BYTES {
                        return Ok(Tail::TooLong);
                    }
                    lines.push(line.to_owned());
                }
            }
        }
    }
    Ok(Tail::Lines(lines))
}

#[cfg(test)]
mod tests {
    use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
    use aws_sdk_kinesis::operation::get_shard_iterator::GetShardIteratorOutput;
    use aws_sdk_kinesis::operation::list_shards::ListShardsOutput;
    use aws_sdk_kinesis::primitives::Blob;
    use aws_sdk_kinesis::types::{HashKeyRange, Record, SequenceNumberRange, Shard};
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::aws::testing::aws;
    use crate::objects::lines::gzip;

    async fn tail_of(text: &[u8]) -> Tail {
        let data = gzip(text).unwrap();
        let list = mock!(aws_sdk_kinesis::Client::list_shards).then_output(|| {
            let keys = HashKeyRange::builder().starting_hash_key("0").ending_hash_key("1");
            let numbers = SequenceNumberRange::builder().starting_sequence_number("0");
            let shard = Shard::builder().shard_id("one");
            let shard = shard.hash_key_range(keys.build().unwrap());
            let shard = shard.sequence_number_range(numbers.build().unwrap());
            ListShardsOutput::builder().shards(shard.build().unwrap()).build()
        });
        let start = mock!(aws_sdk_kinesis::Client::get_shard_iterator)
            .then_output(|| GetShardIteratorOutput::builder().shard_iterator("next").build());
        let records = mock!(aws_sdk_kinesis::Client::get_records).then_output(move || {
            let record = Record::builder().sequence_number("1").partition_key("k");
            let record = record.data(Blob::new(data.clone())).build().unwrap();
            let page = GetRecordsOutput::builder().records(record);
            page.millis_behind_latest(0).build().unwrap()
        });
        let aws = aws(&[&list, &start, &records], &[]);
        read(&aws, "flags", SystemTime::UNIX_EPOCH).await.unwrap()
    }

    #[tokio::test]
    async fn a_record_that_inflates_to_many_impressions_is_too_long() {
        let most = MAX_BYTES / (IMPRESSION_BYTES + 2);
        let Tail::Lines(lines) = tail_of(&b"{}\n".repeat(most)).await else {
            panic!("too long");
        };
        assert_eq!(lines.len(), most);
        assert_eq!(tail_of(&b"{}\n".repeat(most + 1)).await, Tail::TooLong);
    }
}
