//! Unit tests of sending spilled impressions again.

use std::sync::{Arc, Mutex};

use aws_sdk_kinesis::error::ErrorMetadata;
use aws_sdk_kinesis::operation::put_records::{PutRecordsError, PutRecordsOutput};
use aws_sdk_kinesis::types::PutRecordsResultEntry;
use aws_smithy_mocks::{MockResponse, Rule, mock};

use super::*;
use crate::aws::testing;
use crate::objects::BucketOwnership;
use crate::objects::lines::gzip;
use crate::replay::testing::{FakeBucket, place};

const LINE: &str = "{\"key\":\"k\",\"split\":\"s\"}\n";

fn key(name: &str) -> String {
    format!("spill/flags/dt=2026-01-31/{name}-0123456789abcdef.ndjson.gz")
}

/// A bucket with an object for each name, of one impression, the first of them the oldest.
fn bucket(names: &[&str]) -> FakeBucket {
    let body = gzip(LINE.as_bytes()).unwrap();
    let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
    let objects = keys.iter().zip(1..).map(|(key, written)| (&**key, &*body, written));
    FakeBucket::with(&objects.collect::<Vec<_>>())
}

/// A stream that answers each call, counted from 0, with an error code or takes its record.
fn stream(
    answer: impl Fn(usize) -> Option<&'static str> + Send + Sync + 'static,
) -> (Rule, Arc<Mutex<usize>>) {
    let calls = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&calls);
    let rule = mock!(aws_sdk_kinesis::Client::put_records).then_compute_response(move |_| {
        let mut calls = counter.lock().unwrap();
        *calls += 1;
        if let Some(code) = answer(*calls - 1) {
            let error = ErrorMetadata::builder().code(code).build();
            return MockResponse::Error(PutRecordsError::generic(error));
        }
        let taken = PutRecordsResultEntry::builder().sequence_number("1").build();
        MockResponse::Output(PutRecordsOutput::builder().records(taken).build().unwrap())
    });
    (rule, calls)
}

fn aws(bucket: &FakeBucket, stream: &Rule) -> Aws {
    let rules = bucket.rules();
    testing::aws(&[stream], &rules.each_ref())
}

async fn replayed(bucket: &FakeBucket, stream: &Rule, ownership: BucketOwnership) -> ReplayReport {
    let place = place(ownership);
    replay(&aws(bucket, stream), &place, Mode::Do).await.unwrap()
}

fn skipped(result: &ReplayReport) -> Vec<(&str, &str)> {
    let skipped = result.skipped.iter();
    skipped.map(|it| (&*it.key, &*it.why)).collect()
}

#[tokio::test]
async fn objects_that_cannot_be_read_are_named_and_the_others_replayed_oldest_first() {
    let bucket = bucket(&["z", "cut", "plain", "binary", "denied", "a"]);
    let put =
        |name: &str, body: Vec<u8>| bucket.objects.lock().unwrap().get_mut(&key(name)).unwrap().0 = body;
    let whole = gzip(LINE.as_bytes()).unwrap();
    put("cut", whole[..whole.len() - 4].to_vec());
    put("plain", LINE.into());
    put("binary", gzip(b"\xff\xfe\n").unwrap());
    bucket.refuse("get", &key("denied"), "AccessDenied");
    let result = replayed(&bucket, &stream(|_| None).0, BucketOwnership::Pipeline).await;
    assert_eq!(result.objects, [key("z"), key("a")]);
    assert_eq!(result.delivered, 2);
    let names: Vec<_> = skipped(&result).into_iter().map(|(key, _)| key.to_owned()).collect();
    assert_eq!(names, ["cut", "plain", "binary", "denied"].map(key));
    let whys: Vec<_> = skipped(&result).into_iter().map(|(_, why)| why.to_owned()).collect();
    assert!(whys[0].contains("cut off") && whys[1].contains("not valid gzip"), "{whys:?}");
    assert!(whys[2].contains("not UTF-8") && whys[3].contains("AccessDenied"), "{whys:?}");
    assert_eq!(bucket.keys().len(), 4);
    assert!(result.hints.iter().any(|hint| hint.contains("s3:GetObject")), "{:?}", result.hints);
}

#[tokio::test]
async fn nothing_of_others_is_sent_or_deleted() {
    let body = gzip(LINE.as_bytes()).unwrap();
    let old = "spill/dt=2026-01-31/a-0123456789abcdef.ndjson.gz";
    let others = "spill/other/dt=2026-01-31/a-0123456789abcdef.ndjson.gz";
    let objects: Vec<_> = [old, others, "spill/", "spill/notes.txt"].map(|key| (key, &*body, 1)).into();
    let bucket = FakeBucket::with(&objects);
    let (stream, calls) = stream(|_| None);
    let in_users = replayed(&bucket, &stream, BucketOwnership::User).await;
    assert_eq!((bucket.keys().len(), *calls.lock().unwrap()), (4, 0));
    assert_eq!(skipped(&in_users).len(), 1);
    assert_eq!(in_users.skipped[0].key, old);
    assert!(in_users.hints[0].contains("`aws s3 mv s3://b/spill/dt=2026-01-31 "), "{:?}", in_users.hints);

    let in_own = replayed(&bucket, &stream, BucketOwnership::Pipeline).await;
    let why = "not written by this pipeline's handler";
    assert_eq!(skipped(&in_own), [("spill/notes.txt", why)]);
    assert_eq!((in_own.objects, *calls.lock().unwrap()), (vec![old.to_owned()], 1));
    assert_eq!(bucket.keys(), ["spill/", "spill/notes.txt", others]);
}

#[tokio::test]
async fn an_object_that_another_replay_took_is_no_error() {
    let bucket = bucket(&["a", "b"]);
    bucket.refuse("get", &key("a"), "NoSuchKey");
    let result = replayed(&bucket, &stream(|_| None).0, BucketOwnership::Pipeline).await;
    assert_eq!((result.objects, result.skipped), (vec![key("b")], Vec::new()));
}

#[tokio::test]
async fn a_record_that_kinesis_refuses_does_not_hold_up_the_rest() {
    let bucket = bucket(&["a", "b"]);
    let (stream, _) = stream(|call| (call == 0).then_some("InvalidArgumentException"));
    let result = replayed(&bucket, &stream, BucketOwnership::Pipeline).await;
    let why = "1 of 1 impressions not accepted by the stream: InvalidArgumentException";
    assert_eq!(skipped(&result), [(&*key("a"), why)]);
    assert_eq!((bucket.keys(), result.delivered), (vec![key("a")], 1));
}

#[tokio::test]
async fn where_the_stream_takes_nothing_the_rest_is_not_tried_and_named() {
    let bucket = bucket(&["a", "b", "c"]);
    let (stream, calls) = stream(|_| Some("ResourceNotFoundException"));
    let result = replayed(&bucket, &stream, BucketOwnership::Pipeline).await;
    let keys: Vec<_> = skipped(&result).into_iter().map(|(key, _)| key.to_owned()).collect();
    assert_eq!((keys, *calls.lock().unwrap()), (["a", "b", "c"].map(key).into(), 1));
    assert_eq!((bucket.keys().len(), result.delivered), (3, 0));
}

#[tokio::test]
async fn an_impression_for_no_record_is_put_where_it_would_have_been_or_kept_whole() {
    let large = format!("{{\"key\":\"k\",\"split\":\"{}\"}}\n", "x".repeat(1024 * 1024));
    let body = gzip(format!("{LINE}{large}").as_bytes()).unwrap();
    // 2026-01-31T12:30:00Z.
    let bucket = FakeBucket::with(&[(&*key("a"), &body, 1_769_862_600)]);
    let (stream, calls) = stream(|_| None);
    let unfillable =
        Place { prefix: "i/!{firehose:random-string}/".to_owned(), ..place(BucketOwnership::Pipeline) };
    let aws = aws(&bucket, &stream);
    let result = replay(&aws, &unfillable, Mode::Do).await.unwrap();
    assert_eq!((result.skipped.len(), *calls.lock().unwrap()), (1, 0));
    assert!(result.skipped[0].why.contains("firehose:random-string"), "{:?}", result.skipped);

    let place = place(BucketOwnership::Pipeline);
    let result = replay(&aws, &place, Mode::Do).await.unwrap();
    assert_eq!((result.delivered, result.copied, result.skipped.len()), (1, 1, 0));
    let want = "i/dt=2026-01-31/hour=12/oversized-flags-dt=2026-01-31-a-0123456789abcdef.ndjson.gz";
    assert_eq!(bucket.texts().into_iter().collect::<Vec<_>>(), [(want.to_owned(), large)]);
}

#[tokio::test]
async fn an_interruption_ends_the_retries_and_keeps_the_object() {
    let bucket = bucket(&["a", "b"]);
    let interrupt = CancellationToken::new();
    let interrupts = interrupt.clone();
    let (stream, calls) = stream(move |call| {
        if call == 1 {
            interrupts.cancel();
        }
        Some("ProvisionedThroughputExceededException")
    });
    let aws = aws(&bucket, &stream).with_interrupt(interrupt);
    let place = place(BucketOwnership::Pipeline);
    let error = replay(&aws, &place, Mode::Do).await.unwrap_err();
    assert_eq!(error.to_string(), "stopped after 0 of 2 spilled objects: interrupted");
    let ReplayError::Stopped { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.kind, ErrorKind::Interrupted);
    assert_eq!((*calls.lock().unwrap(), bucket.keys().len()), (2, 2));
}

#[tokio::test]
async fn what_was_stored_when_the_user_interrupted_is_deleted_and_no_more_is_sent() {
    let bucket = bucket(&["a", "b"]);
    let interrupt = CancellationToken::new();
    let interrupts = interrupt.clone();
    let (stream, calls) = stream(move |_| {
        interrupts.cancel();
        None
    });
    let aws = aws(&bucket, &stream).with_interrupt(interrupt);
    let place = place(BucketOwnership::Pipeline);
    let error = replay(&aws, &place, Mode::Do).await.unwrap_err();
    assert_eq!(error.to_string(), "stopped after 1 of 2 spilled objects: interrupted");
    assert_eq!((*calls.lock().unwrap(), bucket.keys()), (1, vec![key("b")]));
}

#[tokio::test]
async fn an_object_that_cannot_be_deleted_is_named_and_the_others_are_replayed() {
    let bucket = bucket(&["a", "b", "c"]);
    bucket.refuse("delete", &key("a"), "AccessDenied");
    let (stream, calls) = stream(|_| None);
    let result = replayed(&bucket, &stream, BucketOwnership::Pipeline).await;
    assert_eq!(result.objects, ["b", "c"].map(key));
    assert_eq!((result.delivered, *calls.lock().unwrap()), (3, 3));
    let skipped = skipped(&result);
    assert!(skipped.len() == 1 && skipped[0].0 == key("a"), "{skipped:?}");
    let why = "sent again, but it could not be deleted: ";
    assert!(skipped[0].1.starts_with(why), "{skipped:?}");
    let command = format!("`aws s3 rm s3://b/{}`", key("a"));
    assert!(result.hints.iter().any(|hint| hint.starts_with(&command)), "{:?}", result.hints);
}

#[tokio::test]
async fn credentials_that_may_not_delete_do_not_send_everything_twice() {
    let names = ["a", "b", "c", "d", "e"];
    let bucket = bucket(&names);
    for name in names {
        bucket.refuse("delete", &key(name), "AccessDenied");
    }
    let (stream, calls) = stream(|_| None);
    let result = replayed(&bucket, &stream, BucketOwnership::Pipeline).await;
    let skipped = skipped(&result);
    let keys: Vec<_> = skipped.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, names.map(key));
    assert!(skipped[2].1.starts_with("sent again, but"), "{skipped:?}");
    assert_eq!(skipped[3].1, "not tried: S3 deletes none of them");
    assert_eq!((result.delivered, *calls.lock().unwrap()), (3, 3));
}

#[tokio::test]
async fn credentials_that_end_stop_everything() {
    let bucket = bucket(&["a", "b"]);
    bucket.refuse("delete", &key("a"), "ExpiredToken");
    let (stream, calls) = stream(|_| None);
    let aws = aws(&bucket, &stream);
    let place = place(BucketOwnership::Pipeline);
    let error = replay(&aws, &place, Mode::Do).await.unwrap_err();
    let message = error.to_string();
    assert!(message.contains("sent again, but it could not be deleted"), "{message}");
    let ReplayError::NotDeleted { bucket: at, key: of, .. } = error else { panic!("{error:?}") };
    assert_eq!((at, of), ("b".to_owned(), key("a")));
    assert_eq!(*calls.lock().unwrap(), 1);
}

/// A stream that takes every record of every call.
fn taking_stream(refused_call: Option<usize>) -> (Rule, Arc<Mutex<usize>>) {
    let calls = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&calls);
    let rule = mock!(aws_sdk_kinesis::Client::put_records).then_compute_response(move |_| {
        let mut calls = counter.lock().unwrap();
        *calls += 1;
        if Some(*calls - 1) == refused_call {
            let error = ErrorMetadata::builder().code("AccessDeniedException").build();
            return MockResponse::Error(PutRecordsError::generic(error));
        }
        let taken = PutRecordsResultEntry::builder().sequence_number("1").build();
        let output = PutRecordsOutput::builder().set_records(Some(vec![taken; 500]));
        MockResponse::Output(output.build().unwrap())
    });
    (rule, calls)
}

#[tokio::test]
async fn bombs_are_set_aside_and_nothing_of_them_is_sent() {
    let bucket = bucket(&["a", "bytes", "lines", "late", "large", "z"]);
    let put =
        |name: &str, body: Vec<u8>| bucket.objects.lock().unwrap().get_mut(&key(name)).unwrap().0 = body;
    // 257 MiB each.
    put("bytes", gzip(&vec![b'x'; 1 << 20]).unwrap().repeat(257));
    put("lines", gzip(&vec![b'\n'; 1 << 20]).unwrap().repeat(257));
    // What is sent of this one before its end is looked at would be sent again by every replay.
    let honest = format!("{{\"key\":\"k\",\"split\":\"{}\"}}\n", "x".repeat(1 << 20));
    put("late", gzip(honest.as_bytes()).unwrap().repeat(257));
    put("large", vec![0; 129 << 20]);
    let (stream, calls) = taking_stream(None);
    let result = replayed(&bucket, &stream, BucketOwnership::Pipeline).await;
    let whys = skipped(&result).into_iter().map(|(key, why)| (key.to_owned(), why.to_owned()));
    let unreadable = |name, why: &str| (key(name), format!("cannot be read: {why}"));
    assert_eq!(
        whys.collect::<Vec<_>>(),
        [
            unreadable("bytes", "it has a line of more than 64 MiB"),
            unreadable("lines", "line 1 is no impression"),
            unreadable("late", "it inflates to more than 256 MiB"),
            unreadable("large", "it is more than 128 MiB"),
        ]
    );
    assert_eq!((result.objects, *calls.lock().unwrap()), (vec![key("a"), key("z")], 2));
    assert_eq!(bucket.keys().len(), 4);
}

#[tokio::test]
async fn a_large_object_is_sent_chunk_by_chunk_and_stays_where_one_is_refused() {
    let line = format!("{{\"key\":\"k\",\"split\":\"{}\"}}\n", "x".repeat(1000));
    let body = gzip(line.repeat(20 * 1024).as_bytes()).unwrap();
    let bucket = FakeBucket::with(&[(&*key("a"), &body, 1)]);
    let (stream, calls) = taking_stream(Some(15));
    let result = replayed(&bucket, &stream, BucketOwnership::Pipeline).await;
    let why = &result.skipped[0].why;
    assert!(why.contains(" of 20480 impressions not accepted by the stream: AccessDenied"), "{why}");
    assert_eq!((bucket.keys(), result.delivered), (vec![key("a")], 0));
    let sent = *calls.lock().unwrap();
    assert!((16..21).contains(&sent), "{sent}");

    let (stream, calls) = taking_stream(None);
    let result = replayed(&bucket, &stream, BucketOwnership::Pipeline).await;
    assert_eq!((result.objects, result.delivered), (vec![key("a")], 20 * 1024));
    assert!((20..24).contains(&*calls.lock().unwrap()));
    assert_eq!(bucket.keys(), [""; 0]);
}

#[tokio::test]
async fn many_impressions_for_no_record_are_put_in_parts() {
    let large = format!("{{\"key\":\"k\",\"split\":\"{}\"}}\n", "x".repeat(1024 * 1024));
    let body = gzip(large.repeat(80).as_bytes()).unwrap();
    let bucket = FakeBucket::with(&[(&*key("a"), &body, 1_769_862_600)]);
    let (stream, calls) = taking_stream(None);
    let result = replayed(&bucket, &stream, BucketOwnership::Pipeline).await;
    assert_eq!((result.copied, result.skipped.len(), *calls.lock().unwrap()), (80, 0, 0));
    let parts: Vec<_> = bucket.texts().into_iter().map(|(key, text)| (key, text.lines().count())).collect();
    let name = "i/dt=2026-01-31/hour=12/oversized-flags-dt=2026-01-31-a-0123456789abcdef";
    let want = [("-2.ndjson.gz", 10), (".ndjson.gz", 70)].map(|(end, count)| (format!("{name}{end}"), count));
    assert_eq!(parts, want);
}
