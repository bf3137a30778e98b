//! Unit tests of copying from the stream.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use aws_sdk_kinesis::error::ErrorMetadata;
use aws_sdk_kinesis::operation::get_records::{GetRecordsError, GetRecordsOutput};
use aws_sdk_kinesis::operation::get_shard_iterator::{GetShardIteratorError, GetShardIteratorOutput};
use aws_sdk_kinesis::operation::list_shards::ListShardsOutput;
use aws_sdk_kinesis::primitives::{Blob, DateTime};
use aws_sdk_kinesis::types::{HashKeyRange, SequenceNumberRange, Shard, ShardIteratorType};
use aws_smithy_mocks::{MockResponse, Rule, mock};

use super::*;
use crate::aws::testing;
use crate::objects::BucketOwnership;
use crate::replay::gzip;
use crate::replay::testing::{FakeBucket, place};

/// 2026-01-31T12:00:00Z.
const NOON: u64 = 1_769_860_800;

/// Records of one shard: when each arrived, in seconds after noon, and its data. Sequence numbers count from 100.
type ShardRecords = Vec<(u64, Vec<u8>)>;

/// A stream whose shards are read a few records at a time; those after the first are closed.
#[derive(Clone, Default)]
struct FakeStream {
    shards: Vec<ShardRecords>,
    page: usize,
    /// The numbers of the reads, from 0, at which the iterator has expired.
    expired: Vec<usize>,
    /// Whether what was read has been trimmed when reading continues.
    is_trimmed: bool,
    reads: Arc<Mutex<usize>>,
}

impl FakeStream {
    fn rules(&self) -> [Rule; 3] {
        let (all, from, read) = (self.clone(), self.clone(), self.clone());
        [
            mock!(aws_sdk_kinesis::Client::list_shards).then_compute_output(move |_| {
                let shards = (0..all.shards.len()).map(shard).collect();
                ListShardsOutput::builder().set_shards(Some(shards)).build()
            }),
            mock!(aws_sdk_kinesis::Client::get_shard_iterator).then_compute_response(move |input| {
                let shard = input.shard_id().unwrap();
                let records = &from.shards[shard.parse::<usize>().unwrap()];
                let index = match input.shard_iterator_type().unwrap() {
                    ShardIteratorType::AtTimestamp => {
                        let at = u64::try_from(input.timestamp().unwrap().secs()).unwrap();
                        records.iter().position(|it| NOON + it.0 >= at).unwrap_or(records.len())
                    }
                    ShardIteratorType::AfterSequenceNumber if from.is_trimmed => {
                        let error = ErrorMetadata::builder().code("InvalidArgumentException").build();
                        return MockResponse::Error(GetShardIteratorError::generic(error));
                    }
                    ShardIteratorType::AfterSequenceNumber => {
                        input.starting_sequence_number().unwrap().parse::<usize>().unwrap() - 99
                    }
                    _ => 0,
                };
                let iterator = format!("{shard} {index}");
                MockResponse::Output(GetShardIteratorOutput::builder().shard_iterator(iterator).build())
            }),
            mock!(aws_sdk_kinesis::Client::get_records).then_compute_response(move |input| {
                let mut reads = read.reads.lock().unwrap();
                *reads += 1;
                if read.expired.contains(&(*reads - 1)) {
                    let error = ErrorMetadata::builder().code("ExpiredIteratorException").build();
                    return MockResponse::Error(GetRecordsError::generic(error));
                }
                MockResponse::Output(read.read(input.shard_iterator().unwrap()))
            }),
        ]
    }

    fn read(&self, iterator: &str) -> GetRecordsOutput {
        let (shard, index) = iterator.split_once(' ').unwrap();
        let (shard, index): (usize, usize) = (shard.parse().unwrap(), index.parse().unwrap());
        let records = &self.shards[shard];
        let end = (index + self.page).min(records.len());
        let page = (index..end).map(|index| {
            let (arrived, data) = &records[index];
            let record = Record::builder().sequence_number((100 + index).to_string());
            let arrival = DateTime::from_secs((NOON + arrived).try_into().unwrap());
            let record = record.approximate_arrival_timestamp(arrival).partition_key("k");
            record.data(Blob::new(data.clone())).build().unwrap()
        });
        let is_closed = shard > 0 && end == records.len();
        let behind = i64::try_from(records.len() - end).unwrap();
        GetRecordsOutput::builder()
            .set_records(Some(page.collect()))
            .set_next_shard_iterator((!is_closed).then(|| format!("{shard} {end}")))
            .millis_behind_latest(behind)
            .build()
            .unwrap()
    }
}

fn shard(index: usize) -> Shard {
    let keys = HashKeyRange::builder().starting_hash_key("0").ending_hash_key("1");
    let numbers = SequenceNumberRange::builder().starting_sequence_number("0").build();
    let shard = Shard::builder().shard_id(index.to_string());
    let shard = shard.hash_key_range(keys.build().unwrap());
    shard.sequence_number_range(numbers.unwrap()).build().unwrap()
}

/// Records with a line each, that arrived at these seconds after noon.
fn records(arrivals: &[u64]) -> ShardRecords {
    let record = |(index, arrived): (usize, &u64)| (*arrived, format!("{index} at {arrived}\n").into_bytes());
    arrivals.iter().enumerate().map(record).collect()
}

fn span(seconds: Range<u64>) -> Span {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(NOON + seconds);
    Span { since: at(seconds.start), until: at(seconds.end) }
}

async fn copied(stream: &FakeStream, bucket: &FakeBucket, seconds: Range<u64>) -> ReplayReport {
    let (stream, bucket) = (stream.rules(), bucket.rules());
    let aws = testing::aws(&stream.each_ref(), &bucket.each_ref());
    let place = place(BucketOwnership::Pipeline);
    copy(&aws, &place, span(seconds), Mode::Do).await.unwrap()
}

fn lines(bucket: &FakeBucket) -> BTreeSet<String> {
    bucket.texts().values().flat_map(|text| text.lines()).map(str::to_owned).collect()
}

#[tokio::test]
async fn arrivals_out_of_order_are_told_apart_one_by_one() {
    let stream = FakeStream {
        shards: vec![records(&[10, 9, 20, 31, 29, 400, 28, 500, 501])],
        page: 3,
        ..FakeStream::default()
    };
    let bucket = FakeBucket::default();
    let result = copied(&stream, &bucket, 10..30).await;
    let want = ["0 at 10", "2 at 20", "4 at 29", "6 at 28"];
    assert_eq!(lines(&bucket), want.map(str::to_owned).into());
    assert_eq!(result.objects, ["i/dt=2026-01-31/hour=12/replay-flags-0-100-106-4.ndjson.gz"]);
    assert_eq!(result.copied, 4);
}

#[tokio::test]
async fn reading_ends_where_a_whole_page_is_long_past_the_end() {
    let stream =
        FakeStream { shards: vec![records(&[1, 2, 331, 332, 333, 334])], page: 2, ..FakeStream::default() };
    copied(&stream, &FakeBucket::default(), 0..30).await;
    assert_eq!(*stream.reads.lock().unwrap(), 2);
}

#[tokio::test]
async fn reading_ends_at_the_newest_record_though_more_come_in() {
    let stream = FakeStream { shards: vec![records(&[1, 31])], page: 2, ..FakeStream::default() };
    copied(&stream, &FakeBucket::default(), 0..30).await;
    assert_eq!(*stream.reads.lock().unwrap(), 1);
}

#[tokio::test]
async fn every_shard_is_read_and_closed_ones_to_their_end() {
    let stream = FakeStream {
        shards: vec![records(&[1, 2, 3]), records(&[1, 2]), ShardRecords::new()],
        page: 2,
        ..FakeStream::default()
    };
    let result = copied(&stream, &FakeBucket::default(), 0..30).await;
    assert_eq!(
        result.objects,
        [
            "i/dt=2026-01-31/hour=12/replay-flags-0-100-102-3.ndjson.gz",
            "i/dt=2026-01-31/hour=12/replay-flags-1-100-101-2.ndjson.gz",
        ]
    );
}

#[tokio::test]
async fn the_same_span_gives_the_same_objects_and_a_shorter_one_others() {
    let stream = FakeStream { shards: vec![records(&[1, 2, 3, 3601])], page: 10, ..FakeStream::default() };
    let bucket = FakeBucket::default();
    let first = copied(&stream, &bucket, 0..7200).await;
    let whole = bucket.texts();
    assert_eq!(whole.len(), 2);
    let second = copied(&stream, &bucket, 0..7200).await;
    assert_eq!((second.objects, bucket.texts()), (first.objects, whole.clone()));
    let shorter = copied(&stream, &bucket, 0..3).await;
    assert!(!whole.contains_key(&shorter.objects[0]), "{shorter:?}");
    for (key, text) in whole {
        assert_eq!(bucket.texts()[&key], text);
    }
}

#[tokio::test]
async fn an_object_has_64_mib_and_the_record_that_reaches_them() {
    let mib = || (1, [vec![b'x'; 1024 * 1024 - 1], vec![b'\n']].concat());
    let stream =
        FakeStream { shards: vec![(0..66).map(|_| mib()).collect()], page: 20, ..FakeStream::default() };
    let bucket = FakeBucket::default();
    let result = copied(&stream, &bucket, 0..30).await;
    let prefix = "i/dt=2026-01-31/hour=12/replay-flags-0";
    let want = [format!("{prefix}-100-163-64.ndjson.gz"), format!("{prefix}-164-165-2.ndjson.gz")];
    assert_eq!((result.objects, result.copied), (want.to_vec(), 66));
    let sizes: Vec<_> = bucket.texts().values().map(String::len).collect();
    assert_eq!(sizes, [64 * 1024 * 1024, 2 * 1024 * 1024]);
}

#[tokio::test]
async fn an_expired_iterator_is_no_end_and_nothing_is_copied_twice() {
    for is_trimmed in [false, true] {
        let stream = FakeStream {
            shards: vec![records(&[1, 2, 3])],
            page: 2,
            expired: vec![0, 2, 3],
            is_trimmed,
            ..FakeStream::default()
        };
        let bucket = FakeBucket::default();
        let result = copied(&stream, &bucket, 0..30).await;
        assert_eq!((result.copied, lines(&bucket).len()), (3, 3));
        assert_eq!(result.objects, ["i/dt=2026-01-31/hour=12/replay-flags-0-100-102-3.ndjson.gz"]);
    }
}

#[tokio::test]
async fn gzipped_records_are_inflated_and_broken_ones_named() {
    let whole = gzip(b"a\nb\n").unwrap();
    let stream = FakeStream {
        shards: vec![vec![(1, whole.clone()), (2, whole[..9].to_vec()), (3, b"c".to_vec())]],
        page: 10,
        ..FakeStream::default()
    };
    let bucket = FakeBucket::default();
    let result = copied(&stream, &bucket, 0..30).await;
    assert_eq!(lines(&bucket), ["a", "b", "c"].map(str::to_owned).into());
    assert_eq!((result.copied, result.skipped.len(), &*result.skipped[0].key), (3, 1, "0/101"));
}
