//! Reads a stream's shards page by page, from a given time to the newest record, however long that takes.
//!
//! Must not know the contents of the records.

use std::time::{Duration, SystemTime};

use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{Record, ShardIteratorType};

use crate::aws::{Aws, AwsError};
use crate::moment;

/// How long to wait between two reads of a shard, which may be read five times per second (Kinesis API reference,
/// `GetRecords`).
const READ_AGAIN: Duration = Duration::from_millis(200);

/// How often in a row an iterator may expire before it is used: it lasts five minutes.
const MOST_EXPIRED: u32 = 5;

pub(crate) struct ShardReader<'a> {
    stream: &'a str,
    shard: &'a str,
    from: SystemTime,
    iterator: Option<String>,
    /// The sequence number of the last record that was read.
    last: Option<String>,
    expired: u32,
    has_read: bool,
}

pub(crate) struct ShardPage {
    pub(crate) records: Vec<Record>,
    pub(crate) is_at_tip: bool,
}

enum ReadFrom<'a> {
    At(SystemTime),
    After(&'a str),
    Oldest,
}

impl<'a> ShardReader<'a> {
    /// Starts at the first record that arrived at this time or later.
    pub(crate) async fn start(
        aws: &Aws,
        stream: &'a str,
        shard: &'a str,
        from: SystemTime,
    ) -> Result<Self, AwsError> {
        let mut reader =
            Self { stream, shard, from, iterator: None, last: None, expired: 0, has_read: false };
        reader.iterator = reader.start_at(aws, ReadFrom::At(from)).await?;
        Ok(reader)
    }

    /// Reads the next records; none at the newest record, or at the end of a closed shard.
    pub(crate) async fn page(&mut self, aws: &Aws) -> Result<Option<ShardPage>, AwsError> {
        while let Some(at) = self.iterator.take() {
            if self.has_read {
                aws.pause(READ_AGAIN).await?;
            }
            self.has_read = true;
            aws.check_interrupt()?;
            let request = || aws.kinesis.get_records().shard_iterator(&at).send();
            let page = match aws.call("kinesis:GetRecords", request).await {
                Ok(page) => page,
                Err(error) if is_expired(&error) && self.expired < MOST_EXPIRED => {
                    self.expired += 1;
                    self.iterator = self.again(aws).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.expired = 0;
            let is_at_tip = page.millis_behind_latest == Some(0);
            self.iterator = page.next_shard_iterator;
            let mut records = page.records;
            // After a restart at the oldest record.
            records.retain(|record| self.is_new(record.sequence_number()));
            if let Some(last) = records.last() {
                self.last = Some(last.sequence_number().to_owned());
            } else if is_at_tip {
                return Ok(None);
            }
            return Ok(Some(ShardPage { records, is_at_tip }));
        }
        Ok(None)
    }

    /// Continues after the last record that was read, or at the oldest one if that has been trimmed.
    async fn again(&self, aws: &Aws) -> Result<Option<String>, AwsError> {
        let Some(last) = &self.last else {
            return self.start_at(aws, ReadFrom::At(self.from)).await;
        };
        match self.start_at(aws, ReadFrom::After(last)).await {
            Err(error) if error.code.as_deref() == Some("InvalidArgumentException") => {
                self.start_at(aws, ReadFrom::Oldest).await
            }
            other => other,
        }
    }

    async fn start_at(&self, aws: &Aws, start: ReadFrom<'_>) -> Result<Option<String>, AwsError> {
        let request = || {
            let call = aws.kinesis.get_shard_iterator();
            let call = call.stream_name(self.stream).shard_id(self.shard);
            let call = match start {
                ReadFrom::At(from) => {
                    let call = call.shard_iterator_type(ShardIteratorType::AtTimestamp);
                    call.timestamp(DateTime::from(from))
                }
                ReadFrom::After(last) => {
                    let call = call.shard_iterator_type(ShardIteratorType::AfterSequenceNumber);
                    call.starting_sequence_number(last)
                }
                ReadFrom::Oldest => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
            };
            call.send()
        };
        let answer = aws.call("kinesis:GetShardIterator", request).await?;
        Ok(answer.shard_iterator)
    }

    /// Whether a record comes after the last one: sequence numbers are whole numbers of up to 128 digits.
    fn is_new(&self, number: &str) -> bool {
        let digits = |number: &'_ str| number.trim_start_matches('0').to_owned();
        let Some(last) = self.last.as_deref().map(digits) else {
            return true;
        };
        let number = digits(number);
        (number.len(), number) > (last.len(), last)
    }
}

fn is_expired(error: &AwsError) -> bool {
    error.code.as_deref() == Some("ExpiredIteratorException")
}

pub(crate) fn arrival(record: &Record) -> SystemTime {
    let arrival = record.approximate_arrival_timestamp();
    arrival.copied().map_or(SystemTime::UNIX_EPOCH, moment::from_aws)
}

/// Lists every shard, closed ones too: they keep what they took before a resharding.
pub(crate) async fn shards(aws: &Aws, stream: &str) -> Result<Vec<String>, AwsError> {
    let (mut shards, mut token) = (Vec::new(), None::<String>);
    loop {
        let request = || {
            let call = aws.kinesis.list_shards();
            // Kinesis takes either the stream or where to continue.
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
