//! Unit tests of writing impressions to S3 directly.

use std::time::Duration;

use super::testing::{Bucket, place};
use super::*;
use crate::aws::testing::aws;
use crate::desired::testing;

const IMPRESSION: &str = r#"{"key":"k","split":"s","time":1700000000000}"#;

fn at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// Puts lines; gives how many were copied, how many do not fit the table, and the keys of the objects.
async fn put(place: &Place, ndjson: &str, mode: Mode) -> (usize, usize, Vec<String>) {
    let bucket = Bucket::default();
    let rules = bucket.rules();
    let aws = aws(&[], &rules.each_ref());
    let written = place
        .put(at(), "name", ndjson.as_bytes(), mode, &aws)
        .await
        .unwrap();
    let there = if mode == Mode::Do {
        written.keys.clone()
    } else {
        Vec::new()
    };
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
    let place = testing::place(spec);
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
