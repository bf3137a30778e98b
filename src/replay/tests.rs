//! Unit tests of writing impressions to S3 directly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_kinesis::operation::get_records::{GetRecordsError, GetRecordsOutput};
use aws_sdk_kinesis::operation::get_shard_iterator::{GetShardIteratorError, GetShardIteratorOutput};
use aws_sdk_kinesis::operation::list_shards::ListShardsOutput;
use aws_sdk_kinesis::operation::put_records::{PutRecordsInput, PutRecordsOutput};
use aws_sdk_kinesis::primitives::{Blob, DateTime};
use aws_sdk_kinesis::types::{
    HashKeyRange, PutRecordsResultEntry, Record, SequenceNumberRange, Shard, ShardIteratorType,
};
use aws_smithy_mocks::{MockResponse, Rule, mock};
use aws_smithy_types::error::ErrorMetadata;

use super::testing::{FakeBucket, place, place_of};
use super::*;
use crate::aws::testing::aws;

const IMPRESSION: &str = r#"{"key":"k","split":"s","time":1700000000000}"#;

fn at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// Puts lines; gives how many were copied, how many do not fit the table, and the keys of the objects.
async fn put(place: &Place, ndjson: &str, mode: Mode) -> (usize, usize, Vec<String>) {
    let bucket = FakeBucket::default();
    let rules = bucket.rules();
    let aws = aws(&[], &rules.each_ref());
    let written = place.put(at(), "name", ndjson.as_bytes(), mode, &aws).await.unwrap();
    let there = if mode == Mode::Do { written.keys.clone() } else { Vec::new() };
    let (mut there, mut keys) = (there, bucket.keys());
    there.sort();
    keys.sort();
    assert_eq!(keys, there);
    (written.copied, written.misfits, written.keys)
}

#[tokio::test]
async fn lines_are_counted_and_put_where_firehose_would_have() {
    let place = place(BucketOwnership::Pipeline);
    let lines = format!("{IMPRESSION}\n{IMPRESSION}\n{IMPRESSION}");
    let key = "i/dt=2023-11-14/hour=22/name.ndjson.gz".to_owned();
    for mode in [Mode::Do, Mode::DryRun] {
        assert_eq!(put(&place, &lines, mode).await, (3, 0, vec![key.clone()]));
    }
}

#[tokio::test]
async fn rows_and_what_is_no_row_are_apart_and_an_empty_object_is_never_written() {
    let spec = "name: flags\ndelivery: {format: parquet, prefix: 'p/dt=!{timestamp:yyyy-MM-dd}/'}\n";
    let place = place_of(spec);
    let row = "p/dt=2023-11-14/name.parquet".to_owned();
    let is_misfit = |key: &String| key.starts_with("errors/") && key.ends_with("/name.ndjson.gz");
    let (copied, misfits, keys) = put(&place, &format!("{IMPRESSION}\n"), Mode::Do).await;
    assert_eq!((copied, misfits, keys), (1, 0, vec![row.clone()]));
    let (copied, misfits, keys) = put(&place, "[]\n[]\n", Mode::Do).await;
    assert_eq!((copied, misfits, keys.len()), (0, 2, 1));
    assert!(is_misfit(&keys[0]), "{keys:?}");
    let (copied, misfits, keys) = put(&place, &format!("{IMPRESSION}\n[]\n"), Mode::Do).await;
    assert_eq!((copied, misfits, keys.len()), (1, 1, 2));
    assert!(keys[0] == row && is_misfit(&keys[1]), "{keys:?}");
    assert_eq!(put(&place, "", Mode::Do).await, (0, 0, Vec::new()));
}

const KEY: &str = "spill/flags/dt=2026-01-31/a-0123456789abcdef.ndjson.gz";

fn error(code: &'static str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).build()
}

/// A bucket with one spilled object of these lines.
fn spilled(ndjson: &str) -> FakeBucket {
    FakeBucket::with(&[(KEY, &gzip(ndjson.as_bytes()).unwrap(), 1)])
}

/// Replays what a bucket has into a stream that answers like this.
async fn replayed(
    bucket: &FakeBucket,
    record_kib: u32,
    mode: Mode,
    answer: impl Fn(&PutRecordsInput) -> PutRecordsOutput + Send + Sync + 'static,
) -> Result<ReplayReport, ReplayError> {
    let stream = mock!(aws_sdk_kinesis::Client::put_records).then_compute_output(answer);
    let rules = bucket.rules();
    let aws = aws(&[&stream], &rules.each_ref());
    let place = Place { record_kib, ..place(BucketOwnership::Pipeline) };
    super::spilled::replay(&aws, &place, mode).await
}

/// An answer with one result for each record: the code by which it was refused, if it was.
fn answer(codes: &[Option<&str>]) -> PutRecordsOutput {
    let entry = |code: Option<&str>| match code {
        None => PutRecordsResultEntry::builder().sequence_number("1").build(),
        Some(code) => PutRecordsResultEntry::builder().error_code(code).build(),
    };
    let entries = codes.iter().copied().map(entry).collect();
    let failed = codes.iter().flatten().count();
    PutRecordsOutput::builder()
        .failed_record_count(failed.try_into().unwrap())
        .set_records(Some(entries))
        .build()
        .unwrap()
}

/// Answers in this order, the last one ever after.
fn in_turn(
    answers: Vec<Vec<Option<&'static str>>>,
) -> impl Fn(&PutRecordsInput) -> PutRecordsOutput + Send + Sync {
    let calls = AtomicUsize::new(0);
    move |_| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        answer(&answers[call.min(answers.len() - 1)])
    }
}

#[tokio::test]
async fn a_result_names_the_pipeline_the_bucket_and_whether_anything_was_done() {
    for mode in [Mode::Do, Mode::DryRun] {
        let bucket = spilled(&format!("{IMPRESSION}\n"));
        let result = replayed(&bucket, 100, mode, |_| answer(&[None])).await.unwrap();
        let of = |result: &ReplayReport| (result.name.clone(), result.bucket.clone(), result.dry_run);
        let want = ("flags".to_owned(), "b".to_owned(), mode == Mode::DryRun);
        assert_eq!((of(&result), result.delivered), (want.clone(), 1));
        assert_eq!(bucket.keys().is_empty(), mode == Mode::Do);

        let rules = stream_of(vec![IMPRESSION.to_owned()]);
        let (bucket, place) = (FakeBucket::default(), place(BucketOwnership::Pipeline));
        let s3 = bucket.rules();
        let aws = aws(&rules.each_ref(), &s3.each_ref());
        let result = stream::copy(&aws, &place, hour(), mode).await.unwrap();
        assert_eq!((of(&result), result.copied), (want, 1));
        assert_eq!(bucket.keys().len(), usize::from(mode == Mode::Do));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_stream_refuses_for_a_moment_is_sent_again_and_what_it_refuses_for_good_is_counted() {
    let two = format!("{IMPRESSION}\n{{\"key\":\"other\",\"split\":\"s\"}}\n");
    let bucket = spilled(&two);
    let throttled = Some("ProvisionedThroughputExceededException");
    let answers = vec![vec![throttled; 2], vec![None; 2]];
    let result = replayed(&bucket, 0, Mode::Do, in_turn(answers)).await.unwrap();
    assert_eq!((result.delivered, result.skipped.len()), (2, 0));

    let bucket = spilled(&two);
    let refused = Some("ValidationException");
    let answers = vec![vec![None, refused], vec![refused]];
    let result = replayed(&bucket, 0, Mode::Do, in_turn(answers)).await.unwrap();
    assert_eq!((result.delivered, result.objects.len()), (0, 0));
    let why = &result.skipped[0].why;
    assert!(why.starts_with("1 of 2 impressions not accepted by the stream"), "{why}");
}

#[tokio::test]
async fn an_error_of_one_object_keeps_it_and_one_of_all_stops() {
    let large = format!("{{\"key\":\"k\",\"split\":\"{}\"}}\n", "x".repeat(1024 * 1024));
    let oversized = "i/dt=1970-01-01/hour=00/oversized-flags-dt=2026-01-31-a-0123456789abcdef.ndjson.gz";
    let replay = async |code| {
        let bucket = spilled(&large);
        bucket.refuse("put", oversized, code);
        let result = replayed(&bucket, 100, Mode::Do, |_| answer(&[None])).await;
        assert_eq!(bucket.keys(), [KEY]);
        result
    };
    let kept = replay("AccessDenied").await.unwrap();
    assert_eq!((kept.skipped[0].key.as_str(), kept.copied), (KEY, 0));
    let stopped = replay("ExpiredToken").await.unwrap_err();
    assert!(matches!(stopped, ReplayError::Stopped { done: 0, all: 1, .. }), "{stopped}");

    let bucket = spilled(&format!("{large}{IMPRESSION}\n{large}"));
    let result = replayed(&bucket, 100, Mode::Do, |_| answer(&[None])).await.unwrap();
    assert_eq!((result.delivered, result.copied), (1, 2));
}

fn hour() -> Span {
    Span { since: at(), until: at() + Duration::from_hours(1) }
}

/// A stream of one shard with these records, all of them read at once.
fn stream_of(records: Vec<String>) -> [Rule; 3] {
    let records = mock!(aws_sdk_kinesis::Client::get_records).then_output(move || {
        let record = |(index, data): (usize, &String)| {
            let arrival = DateTime::from(at() + Duration::from_mins(1));
            let record = Record::builder().sequence_number((100 + index).to_string());
            let record = record.partition_key("k").approximate_arrival_timestamp(arrival);
            record.data(Blob::new(data.as_bytes())).build().unwrap()
        };
        let records = records.iter().enumerate().map(record).collect();
        let page = GetRecordsOutput::builder().millis_behind_latest(0);
        page.set_records(Some(records)).build().unwrap()
    });
    let iterator = mock!(aws_sdk_kinesis::Client::get_shard_iterator)
        .then_output(|| GetShardIteratorOutput::builder().shard_iterator("it").build());
    [shard_list(), iterator, records]
}

fn shard_list() -> Rule {
    mock!(aws_sdk_kinesis::Client::list_shards).then_output(|| {
        let keys = HashKeyRange::builder().starting_hash_key("0").ending_hash_key("1");
        let numbers = SequenceNumberRange::builder().starting_sequence_number("0");
        let shard = Shard::builder()
            .shard_id("0")
            .hash_key_range(keys.build().unwrap())
            .sequence_number_range(numbers.build().unwrap());
        ListShardsOutput::builder().shards(shard.build().unwrap()).build()
    })
}

#[tokio::test]
async fn what_is_no_row_is_counted_apart() {
    let spec = "name: flags\ndelivery: {format: parquet, prefix: 'p/dt=!{timestamp:yyyy-MM-dd}/'}\n";
    let place = place_of(spec);
    let rules = stream_of(vec![format!("{IMPRESSION}\n[]\n"), "[]\n".to_owned()]);
    let bucket = FakeBucket::default();
    let s3 = bucket.rules();
    let aws = aws(&rules.each_ref(), &s3.each_ref());
    let result = stream::copy(&aws, &place, hour(), Mode::Do).await.unwrap();
    assert_eq!((result.copied, result.misfits, result.objects.len()), (1, 2, 2));

    // So it is of what no record can hold, when spilled impressions are sent again.
    let large = format!("{{\"key\":\"k\",\"split\":\"s\",\"time\":[\"{}\"]}}\n", "x".repeat(1024 * 1024));
    let bucket = spilled(&large);
    let s3 = bucket.rules();
    let aws = self::aws(&[], &s3.each_ref());
    let result = super::spilled::replay(&aws, &place, Mode::Do).await.unwrap();
    assert_eq!((result.copied, result.misfits, result.objects.len()), (0, 1, 1));
}

/// Copies from a stream whose first page is read, and whose calls then fail like this; gives the code and how many reads there
/// were.
async fn copy_failing(read: &'static str, iterator: Option<&'static str>) -> (Option<String>, usize) {
    let reads = mock!(aws_sdk_kinesis::Client::get_records)
        .match_requests(|input| input.shard_iterator() == Some("start"))
        .then_output(|| {
            let record = Record::builder().sequence_number("100").partition_key("k");
            let record = record.data(Blob::new("a")).build().unwrap();
            let page = GetRecordsOutput::builder().records(record);
            let page = page.millis_behind_latest(1000).next_shard_iterator("next");
            page.build().unwrap()
        });
    let fails =
        mock!(aws_sdk_kinesis::Client::get_records).then_error(move || GetRecordsError::generic(error(read)));
    let iterators = mock!(aws_sdk_kinesis::Client::get_shard_iterator).then_compute_response(move |input| {
        match (input.shard_iterator_type().unwrap(), iterator) {
            (ShardIteratorType::AtTimestamp, _) => {
                let start = GetShardIteratorOutput::builder().shard_iterator("start");
                MockResponse::Output(start.build())
            }
            (_, None) => {
                let again = GetShardIteratorOutput::builder().shard_iterator("again");
                MockResponse::Output(again.build())
            }
            // After an error that says nothing of the record, there is no reading from the oldest one.
            (ShardIteratorType::TrimHorizon, Some(_)) => {
                let oldest = GetShardIteratorOutput::builder().shard_iterator("oldest");
                MockResponse::Output(oldest.build())
            }
            (_, Some(code)) => MockResponse::Error(GetShardIteratorError::generic(error(code))),
        }
    });
    let rules = [shard_list(), reads, fails.clone(), iterators];
    let aws = aws(&rules.each_ref(), &[]);
    let place = place(BucketOwnership::Pipeline);
    let copied = stream::copy(&aws, &place, hour(), Mode::Do).await;
    let ReplayError::Copy(error) = copied.unwrap_err() else {
        panic!("not an error of copying");
    };
    (error.code, fails.num_calls())
}

#[tokio::test(start_paused = true)]
async fn only_an_expired_iterator_is_made_anew_and_not_for_ever() {
    let code = |code: &str| Some(code.to_owned());
    let denied = copy_failing("AccessDeniedException", None).await;
    assert_eq!(denied, (code("AccessDeniedException"), 1));
    let expired = copy_failing("ExpiredIteratorException", None).await;
    assert_eq!(expired, (code("ExpiredIteratorException"), 6));
    let lost = copy_failing("ExpiredIteratorException", Some("AccessDeniedException")).await;
    assert_eq!(lost, (code("AccessDeniedException"), 1));
}

#[test]
fn a_record_is_inflated_up_to_what_the_handler_takes_in_one_request() {
    let mib64 = 64 * 1024 * 1024;
    let whole = gzip(&vec![b'x'; mib64]).unwrap();
    assert_eq!(stream::lines(&whole).unwrap().len(), mib64);
    let bomb = gzip(&vec![b'x'; mib64 + 1]).unwrap();
    assert_eq!(stream::lines(&bomb).unwrap_err(), "the record inflates to more than 64 MiB");
    let plain = b"{}";
    assert_eq!(&*stream::lines(plain).unwrap(), plain);
}
