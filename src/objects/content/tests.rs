//! Unit tests of reading objects.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_mocks::mock;

use super::*;
use crate::aws::testing::aws;

#[tokio::test]
async fn an_error_of_one_object_is_told_from_one_of_all() {
    let rule = mock!(aws_sdk_s3::Client::get_object).then_compute_response(|input| {
        let code = match input.key().unwrap() {
            "there" => {
                let body = ByteStream::from_static(b"text");
                let there = GetObjectOutput::builder().body(body).build();
                return aws_smithy_mocks::MockResponse::Output(there);
            }
            key => key.to_owned(),
        };
        let error = ErrorMetadata::builder().code(code).build();
        aws_smithy_mocks::MockResponse::Error(GetObjectError::generic(error))
    });
    let aws = aws(&[], &[&rule]);
    assert_eq!(fetch(&aws, "b", "there", None, Caps::SPILLED).await.unwrap().unwrap(), "text");
    let of_one = async |code| fetch(&aws, "b", code, None, Caps::SPILLED).await.unwrap().unwrap_err();
    assert!(matches!(of_one("NoSuchKey").await, ReadError::Gone));
    assert!(matches!(of_one("AccessDenied").await, ReadError::Refused(_)));
    assert!(matches!(of_one("InvalidObjectState").await, ReadError::Refused(_)));
    let of_all = fetch(&aws, "b", "ExpiredToken", None, Caps::SPILLED).await.unwrap_err();
    assert_eq!(of_all.kind, ErrorKind::Credentials);
}

#[tokio::test]
async fn no_more_is_held_than_was_listed_or_the_cap_allows() {
    let reads = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&reads);
    let rule = mock!(aws_sdk_s3::Client::get_object).then_output(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let body = ByteStream::from_static(b"12345678");
        GetObjectOutput::builder().body(body).build()
    });
    let aws = aws(&[], &[&rule]);
    let caps = Caps { stored: 8, ..Caps::SPILLED };
    let fetched = async |listed, caps| fetch(&aws, "b", "k", listed, caps).await.unwrap();
    assert_eq!(fetched(Some(8), caps).await.unwrap(), "12345678");
    assert_eq!(fetched(None, caps).await.unwrap(), "12345678");
    let grown = fetched(Some(7), caps).await.unwrap_err();
    assert!(matches!(grown, ReadError::Incomplete(_)), "{grown}");
    let smaller = Caps { stored: 7, ..caps };
    let too_large = fetched(None, smaller).await.unwrap_err();
    assert!(matches!(too_large, ReadError::TooLarge { .. }), "{too_large}");
    let listed = fetched(Some(9), caps).await.unwrap_err();
    assert!(matches!(listed, ReadError::TooLarge { .. }), "{listed}");
    // What is too large already in the list is not even asked for.
    assert_eq!(reads.load(Ordering::Relaxed), 4);
}
