//! Unit tests of reading objects.

use std::io::Write as _;

use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_mocks::mock;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::aws::testing::aws;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn why(gzip: &[u8], limit: u64) -> String {
    inflate(gzip, limit).unwrap_err().to_string()
}

#[test]
fn text_is_inflated_from_one_member_or_several() {
    let members = [gzip(b"a\n"), gzip("é\n".as_bytes())].concat();
    assert_eq!(inflate(&members, 5).unwrap(), "a\né\n");
}

#[test]
fn what_is_no_text_is_an_error_that_says_so() {
    let whole = gzip(b"some impressions");
    assert_eq!(why(&whole[..whole.len() - 9], 100), "the gzip data is cut off");
    assert!(why(b"{\"key\":\"k\"}", 100).starts_with("not valid gzip"));
    let mut wrong_sum = whole.clone();
    wrong_sum[whole.len() - 8] ^= 1;
    assert!(why(&wrong_sum, 100).starts_with("not valid gzip"));
    assert_eq!(why(&gzip(b"\xff"), 100), "not UTF-8 text");
}

#[test]
fn a_bomb_is_not_inflated_past_the_limit() {
    let mib = 1024 * 1024;
    let bomb = gzip(&vec![b'x'; 2 * mib + 1]);
    assert_eq!(why(&bomb, 2 * mib as u64), "larger than 2 MiB");
    assert_eq!(inflate(&bomb, 2 * mib as u64 + 1).unwrap().len(), 2 * mib + 1);
}

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
    assert_eq!(fetch(&aws, "b", "there").await.unwrap().unwrap(), "text");
    let of_one = async |code| fetch(&aws, "b", code).await.unwrap().unwrap_err();
    assert!(matches!(of_one("NoSuchKey").await, ReadError::Gone));
    assert!(matches!(of_one("AccessDenied").await, ReadError::Refused(_)));
    assert!(matches!(
        of_one("InvalidObjectState").await,
        ReadError::Refused(_)
    ));
    let of_all = fetch(&aws, "b", "ExpiredToken").await.unwrap_err();
    assert_eq!(of_all.kind, ErrorKind::Credentials);
}

#[test]
fn an_object_is_too_large_from_the_limits_that_are_said() {
    for limit in [MAX_STORED_BYTES, MAX_INFLATED_BYTES] {
        assert_eq!(ReadError::too_large(limit).to_string(), "larger than 256 MiB");
    }
}

#[tokio::test]
async fn an_object_past_the_limit_is_not_held() {
    let rule = mock!(aws_sdk_s3::Client::get_object).then_output(|| {
        // Never touched, so it takes address space alone.
        let bomb = vec![0; usize::try_from(MAX_STORED_BYTES).unwrap() + 1];
        let body = ByteStream::from(bomb);
        GetObjectOutput::builder().body(body).build()
    });
    let read = fetch(&aws(&[], &[&rule]), "b", "k").await.unwrap();
    assert!(matches!(read, Err(ReadError::TooLarge { limit: 256 })));
}
