//! Unit tests of waiting for the last impressions, at AWS's pace and with a clock that does not have to be waited for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_kinesis::operation::get_records::{GetRecordsInput, GetRecordsOutput};
use aws_sdk_kinesis::operation::get_shard_iterator::GetShardIteratorOutput;
use aws_sdk_kinesis::operation::list_shards::ListShardsOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{HashKeyRange, Record, SequenceNumberRange, Shard};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2Input, ListObjectsV2Output};
use aws_sdk_s3::operation::put_object::{PutObjectInput, PutObjectOutput};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::Object;
use aws_smithy_mocks::{Rule, mock};
use tokio::time::Instant;

use super::*;
use crate::aws::testing::aws;
use crate::replay::testing::place_of;

mod errors;

const SPEC: &str = "name: flags\ndelivery: {prefix: impressions/}\n";

/// What Firehose may take in these tests.
const LIMIT: Duration = Duration::from_mins(6);

/// A stream and a bucket.
#[derive(Clone, Default)]
struct DrainWorld {
    /// The records, as the stream gives them at each reading; the last one is given ever after.
    readings: Arc<Mutex<Vec<Vec<String>>>>,
    /// At which look into the bucket the delivered object is there; never if absent.
    delivered_at_look: Option<usize>,
    /// Its lines.
    delivered: String,
    looks: Arc<AtomicUsize>,
    copied: Arc<Mutex<Vec<String>>>,
}

fn now() -> DateTime {
    DateTime::from(SystemTime::now())
}

fn record(data: &str) -> Record {
    let record = Record::builder().sequence_number("1").partition_key("k");
    let record = record.approximate_arrival_timestamp(now());
    record.data(Blob::new(data.as_bytes())).build().unwrap()
}

impl DrainWorld {
    fn new(readings: &[&[&str]]) -> Self {
        let reading = |lines: &&[&str]| lines.iter().map(|line| format!("{line}\n")).collect();
        let readings = readings.iter().map(reading).collect();
        Self { readings: Arc::new(Mutex::new(readings)), ..Self::default() }
    }

    fn delivering(self, lines: &[&str], at_look: usize) -> Self {
        Self { delivered: lines.join("\n") + "\n", delivered_at_look: Some(at_look), ..self }
    }

    fn kinesis(&self) -> [Rule; 3] {
        let range = HashKeyRange::builder().starting_hash_key("0").ending_hash_key("1");
        let numbers = SequenceNumberRange::builder().starting_sequence_number("1");
        let shard = Shard::builder().shard_id("shardId-0").hash_key_range(range.build().unwrap());
        let shard = shard.sequence_number_range(numbers.build().unwrap()).build().unwrap();
        let shards = mock!(aws_sdk_kinesis::Client::list_shards)
            .then_output(move || ListShardsOutput::builder().shards(shard.clone()).build());
        let iterator = mock!(aws_sdk_kinesis::Client::get_shard_iterator)
            .then_output(|| GetShardIteratorOutput::builder().shard_iterator("start").build());
        let world = self.clone();
        let records = mock!(aws_sdk_kinesis::Client::get_records)
            .then_compute_output(move |input: &GetRecordsInput| world.read(input));
        [shards, iterator, records]
    }

    fn read(&self, input: &GetRecordsInput) -> GetRecordsOutput {
        let page = GetRecordsOutput::builder().millis_behind_latest(0).next_shard_iterator("end");
        let mut readings = self.readings.lock().unwrap();
        if input.shard_iterator() == Some("end") {
            return page.set_records(Some(Vec::new())).build().unwrap();
        }
        let lines = if readings.len() > 1 { readings.remove(0) } else { readings[0].clone() };
        let records = lines.iter().map(|line| record(line)).collect();
        page.set_records(Some(records)).build().unwrap()
    }

    fn s3(&self) -> [Rule; 3] {
        let world = self.clone();
        let list = mock!(aws_sdk_s3::Client::list_objects_v2)
            .then_compute_output(move |input: &ListObjectsV2Input| world.list(input));
        let world = self.clone();
        let get = mock!(aws_sdk_s3::Client::get_object).then_output(move || {
            let body = ByteStream::from(world.delivered.clone().into_bytes());
            GetObjectOutput::builder().body(body).build()
        });
        let world = self.clone();
        let put = mock!(aws_sdk_s3::Client::put_object).then_compute_output(move |input: &PutObjectInput| {
            world.copied.lock().unwrap().push(input.key().unwrap().to_owned());
            PutObjectOutput::builder().build()
        });
        [list, get, put]
    }

    fn list(&self, input: &ListObjectsV2Input) -> ListObjectsV2Output {
        if !input.prefix().unwrap().starts_with("impressions/") {
            return ListObjectsV2Output::builder().build();
        }
        let look = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
        let is_there = self.delivered_at_look.is_some_and(|at| look >= at);
        let object = Object::builder().key("impressions/flags-1-x").last_modified(now()).build();
        ListObjectsV2Output::builder().set_contents(is_there.then(|| vec![object])).build()
    }

    /// Runs a drain, and gives how many impressions it copied and how long it took.
    async fn drain(&self, delivers: bool, gaps: Gaps) -> (usize, Duration) {
        let (kinesis, s3) = (self.kinesis(), self.s3());
        let aws = aws(&kinesis.each_ref(), &s3.each_ref());
        let place = place_of(SPEC);
        let unproven = Unproven {
            gaps,
            since: SystemTime::now() - LIMIT,
            prefix: place.prefix.clone(),
            delivers_within: delivers.then_some(LIMIT),
        };
        let drain = Drain { aws: &aws, place: &place, waiting: &|_| {} };
        let started = Instant::now();
        let copied = drain.run(&unproven).await.unwrap();
        (copied, started.elapsed())
    }

    fn has_copied(&self) -> bool {
        !self.copied.lock().unwrap().is_empty()
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_stream_needs_no_look_at_the_bucket() {
    let world = DrainWorld::new(&[&[]]);
    let (copied, _) = world.drain(true, Gaps::default()).await;
    assert_eq!((copied, world.has_copied()), (0, false));
    assert_eq!(world.looks.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn it_waits_no_longer_than_until_everything_is_delivered() {
    let world = DrainWorld::new(&[&["a", "b"]]).delivering(&["b", "a"], 5);
    let (copied, took) = world.drain(true, Gaps::default()).await;
    assert_eq!((copied, world.has_copied()), (0, false));
    assert!(took < LIMIT, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn one_impression_that_is_not_delivered_in_time_is_copied() {
    let world = DrainWorld::new(&[&["a", "b"]]).delivering(&["a"], 1);
    let (copied, took) = world.drain(true, Gaps::default()).await;
    // The whole span is copied: that "a" is in S3 twice loses nothing.
    assert_eq!((copied, world.has_copied()), (2, true));
    // It waited as long as Firehose may take, but for the last step between two looks.
    let step = Duration::from_secs(10);
    assert!(took + step > LIMIT && took < LIMIT + step, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_impression_that_was_received_twice_has_to_be_delivered_twice() {
    let world = DrainWorld::new(&[&["a", "a"]]).delivering(&["a"], 1);
    assert_eq!(world.drain(true, Gaps::default()).await.0, 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_delivery_stream_nothing_is_waited_for() {
    for (world, want) in [
        (DrainWorld::new(&[&["a"]]), (1, true)),
        (DrainWorld::new(&[&["a"]]).delivering(&["a"], 1), (0, false)),
    ] {
        let (copied, took) = world.drain(false, Gaps::default()).await;
        assert_eq!((copied, world.has_copied()), want);
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_comes_during_the_search_is_looked_for_too() {
    let readings: &[&[&str]] = &[&["a"], &["a", "late"]];
    let world = DrainWorld::new(readings).delivering(&["a"], 1);
    assert_eq!(world.drain(true, Gaps::default()).await.0, 2);
    let world = DrainWorld::new(readings).delivering(&["a", "late"], 1);
    assert_eq!(world.drain(true, Gaps::default()).await.0, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_to_look_for_is_copied() {
    let large = "x".repeat(65 * 1024 * 1024);
    let world = DrainWorld::new(&[&[&large], &["a"]]).delivering(&["a"], 1);
    assert_eq!(world.drain(true, Gaps::default()).await.0, 1);
    assert!(world.has_copied());
    assert_eq!(world.looks.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn gaps_are_copied_whatever_is_delivered() {
    let world = DrainWorld::new(&[&["a"], &[]]);
    let (from, until) = (SystemTime::now() - LIMIT, SystemTime::now() + LIMIT);
    let gap = crate::undelivered::gaps::Gap { from, until: Some(until) };
    let (copied, _) = world.drain(true, Gaps::default().with(gap)).await;
    assert_eq!((copied, world.has_copied()), (1, true));
}
