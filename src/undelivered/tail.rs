//! Reads the newest records of a stream, to find out whether the bucket has them.

use std::time::SystemTime;

use crate::aws::{Aws, AwsError};
use crate::replay::shard::{ShardReader, shards};
use crate::replay::stream;

/// The most bytes of records that are held at once to look for each of their impressions.
const MAX_BYTES: usize = 64 * 1024 * 1024;

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
        let mut reader = ShardReader::start(aws, stream, &shard, since).await?;
        while let Some(page) = reader.page(aws).await? {
            for record in &page.records {
                // A record that cannot be read is never found in the bucket, so it is copied, which says why it cannot be.
                let text = stream::lines(record.data().as_ref());
                let text = text.unwrap_or(record.data().as_ref().into());
                let text = String::from_utf8_lossy(&text);
                bytes += text.len();
                lines.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
            }
            if bytes > MAX_BYTES {
                return Ok(Tail::TooLong);
            }
        }
    }
    Ok(Tail::Lines(lines))
}
