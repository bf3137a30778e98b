//! Tests of the spill: names, contents, and that a failure is reported.

use std::time::Duration;

use super::*;
use crate::rejected::Reason;
use crate::testing::{MemoryBucket, in_ms, record};

fn spill(s3: &Client) -> SpillTarget<'_> {
    SpillTarget { s3, bucket: "bucket", pipeline: "pipeline", request_id: "id", deadline: in_ms(60_000) }
}

#[test]
fn dates_are_utc() {
    let cases = [
        (0, "1970-01-01"),
        (951_782_400, "2000-02-29"),
        (1_798_761_599, "2026-12-31"),
        (1_798_761_600, "2027-01-01"),
    ];
    for (seconds, want) in cases {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(date(moment), want);
    }
}

#[tokio::test]
async fn nothing_is_no_object() {
    let bucket = MemoryBucket::default();
    let s3 = bucket.client("");
    spill(&s3).store_impressions(&[], &[]).await.unwrap();
    spill(&s3).store_rejected(Rejected::default()).await.unwrap();
    assert!(bucket.objects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn impressions_are_ndjson() {
    let bucket = MemoryBucket::default();
    let s3 = bucket.client("");
    let records = [record(&["1", "2"]), record(&["3"])];
    spill(&s3).store_impressions(&records, &["4", "5"]).await.unwrap();
    assert_eq!(bucket.text("spill/pipeline/dt="), "1\n2\n3\n4\n5\n");
}

#[tokio::test]
async fn rejected_elements_are_ndjson() {
    let bucket = MemoryBucket::default();
    let s3 = bucket.client("");
    let mut rejected = Rejected::default();
    rejected.push(Reason::NotAnObject, "1");
    spill(&s3).store_rejected(rejected).await.unwrap();
    let want = "{\"reason\":\"not an object\",\"element\":1}\n";
    assert_eq!(bucket.text("rejected/pipeline/dt="), want);
}

#[tokio::test]
async fn a_repeated_invocation_overwrites_nothing() {
    let bucket = MemoryBucket::default();
    let s3 = bucket.client("");
    for _ in 0..2 {
        spill(&s3).store_impressions(&[], &["1"]).await.unwrap();
    }
    let objects = bucket.objects.lock().unwrap();
    assert_eq!(objects.len(), 2);
    for key in objects.keys() {
        let (date, name) = key.strip_prefix("spill/pipeline/dt=").unwrap().split_once('/').unwrap();
        assert_eq!(date.len(), 10);
        assert!(name.starts_with("id-") && name.ends_with(".ndjson.gz"));
    }
}

#[test]
fn no_pipeline_owns_what_another_stores() {
    for prefix in [spill_prefix, rejected_prefix] {
        for (owner, other) in [("split", "split-2"), ("split-2", "split"), ("split", "")] {
            assert!(!prefix(owner).starts_with(&prefix(other)), "{owner} {other}");
        }
    }
    assert!(spill_prefix("split").starts_with(SPILL_PREFIX));
    assert!(rejected_prefix("split").starts_with(REJECTED_PREFIX));
}

#[test]
fn a_request_id_cannot_change_where_an_object_is_stored() {
    let s3 = MemoryBucket::default().client("");
    let uuid = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
    let long = "x".repeat(2_000);
    let cases = [
        (uuid, uuid.to_owned()),
        ("../../é b", "--------b".to_owned()),
        (&long, "x".repeat(64)),
        ("", String::new()),
    ];
    for (request_id, want) in cases {
        let spill = SpillTarget { request_id, ..spill(&s3) };
        let key = spill.key("spill/pipeline/", SystemTime::UNIX_EPOCH);
        let name = key.strip_prefix("spill/pipeline/dt=1970-01-01/").unwrap();
        let (have, unique) = name.strip_suffix(".ndjson.gz").unwrap().rsplit_once('-').unwrap();
        assert_eq!((have, unique.len()), (want.as_str(), 16), "{request_id}");
    }
}

#[tokio::test]
async fn failures_are_reported_by_code() {
    let bucket = MemoryBucket::default();
    let s3 = bucket.client("spill/");
    let have = spill(&s3).store_impressions(&[], &["1"]).await.unwrap_err();
    assert_eq!(have.to_string(), "AccessDenied");
}
