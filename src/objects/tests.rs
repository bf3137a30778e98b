//! Unit tests of listing and counting.

use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::list_object_versions::{ListObjectVersionsError, ListObjectVersionsOutput};
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2Error, ListObjectsV2Output};
use aws_sdk_s3::primitives::DateTime;
use aws_smithy_mocks::{Rule, mock};

use super::*;
use crate::aws::testing::aws;

fn no_bucket() -> ErrorMetadata {
    ErrorMetadata::builder().code("NoSuchBucket").build()
}

/// Three versions of 10, 200 and 3,000 bytes, of which a page has one.
fn versions() -> Rule {
    mock!(aws_sdk_s3::Client::list_object_versions).then_compute_output(|input| {
        let (size, key, next) = match (input.key_marker(), input.version_id_marker()) {
            (None, None) => (10, "a", Some(("a", "1"))),
            (Some("a"), Some("1")) => (200, "a", Some(("b", "2"))),
            (Some("b"), Some("2")) => (3000, "b", None),
            other => panic!("no page starts after {other:?}"),
        };
        ListObjectVersionsOutput::builder()
            .versions(ObjectVersion::builder().key(key).size(size).build())
            .is_truncated(next.is_some())
            .set_next_key_marker(next.map(|(key, _)| key.to_owned()))
            .set_next_version_id_marker(next.map(|(_, version)| version.to_owned()))
            .build()
    })
}

#[tokio::test]
async fn every_version_on_every_page_is_counted() {
    let held = count(&aws(&[], &[&versions()]), "b").await.unwrap();
    assert_eq!((held.objects, held.bytes), (3, 3210));
    let rule = mock!(aws_sdk_s3::Client::list_object_versions)
        .then_error(|| ListObjectVersionsError::generic(no_bucket()));
    let held = count(&aws(&[], &[&rule]), "b").await.unwrap();
    assert_eq!(held, Count::default());
}

fn objects(written: &'static [(&'static str, i64)]) -> Rule {
    mock!(aws_sdk_s3::Client::list_objects_v2).then_compute_output(move |input| {
        assert_eq!((input.bucket(), input.prefix()), (Some("b"), Some("i/")));
        let object = |(key, at): &(&str, i64)| {
            let object = Object::builder().key(*key);
            object.last_modified(DateTime::from_secs(*at)).build()
        };
        let objects = written.iter().map(object).collect();
        ListObjectsV2Output::builder().set_contents(Some(objects)).build()
    })
}

#[tokio::test]
async fn the_first_keys_and_the_newest_object_are_found_and_none_without_a_bucket() {
    let rule = objects(&[("i/", 900), ("i/a", 100), ("i/b", 300), ("i/c", 200)]);
    let there = aws(&[], &[&rule]);
    assert_eq!(first(&there, "b", "i/").await.unwrap(), ["i/", "i/a", "i/b", "i/c"]);
    let (object, written) = newest(&there, "b", "i/").await.unwrap().unwrap();
    let since_1970 = written.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    // What stands for a folder is no object, however new.
    assert_eq!((object.key(), since_1970.as_secs()), (Some("i/b"), 300));

    let rule =
        mock!(aws_sdk_s3::Client::list_objects_v2).then_error(|| ListObjectsV2Error::generic(no_bucket()));
    let absent = aws(&[], &[&rule]);
    assert_eq!(first(&absent, "b", "i/").await.unwrap(), [""; 0]);
    assert!(newest(&absent, "b", "i/").await.unwrap().is_none());
    assert!(for_each(&absent, "b", "i/", drop).await.is_err());
}
