//! Owns what the tests of several modules share: Kinesis and S3 in memory, that answer as a test says.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::error::ErrorMetadata;
use aws_sdk_kinesis::operation::put_records::{PutRecordsError, PutRecordsInput, PutRecordsOutput};
use aws_sdk_kinesis::types::PutRecordsResultEntry;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectInput, PutObjectOutput};
use aws_smithy_mocks::{
    MockResponse, MockResponseInterceptor, Rule, RuleMode, create_mock_http_client, mock,
};
use aws_smithy_types::retry::RetryConfig;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use tokio::time::Instant;

pub(crate) type KinesisAnswer = MockResponse<PutRecordsOutput, PutRecordsError>;
pub(crate) type S3Answer = MockResponse<PutObjectOutput, PutObjectError>;

/// A stream that remembers the data of every record it was sent, by request, and of those that it accepted.
#[derive(Clone, Default)]
pub(crate) struct Stream {
    pub(crate) sent: Arc<Mutex<Vec<Vec<Vec<u8>>>>>,
    pub(crate) accepted: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Stream {
    /// Makes a client whose requests are answered by `answer`, given the number of the request from 0.
    pub(crate) fn client(
        &self,
        answer: impl Fn(usize, &PutRecordsInput) -> KinesisAnswer + Send + Sync + 'static,
    ) -> aws_sdk_kinesis::Client {
        let stream = self.clone();
        let rule = mock!(aws_sdk_kinesis::Client::put_records).then_compute_response(
            move |input: &PutRecordsInput| {
                let data: Vec<_> = input
                    .records()
                    .iter()
                    .map(|r| r.data().as_ref().to_vec())
                    .collect();
                let mut sent = stream.sent.lock().unwrap();
                let answer = answer(sent.len(), input);
                if let MockResponse::Output(output) = &answer {
                    let mut accepted = stream.accepted.lock().unwrap();
                    let results = output.records().iter().zip(&data);
                    accepted.extend(
                        results
                            .filter(|(r, _)| r.error_code().is_none())
                            .map(|(_, d)| d.clone()),
                    );
                }
                sent.push(data);
                answer
            },
        );
        kinesis(&rule)
    }

    /// Returns everything that was accepted, in order.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.accepted.lock().unwrap().concat()).unwrap()
    }
}

pub(crate) fn kinesis(rule: &Rule) -> aws_sdk_kinesis::Client {
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(credentials())
        .retry_config(RetryConfig::disabled())
        .http_client(create_mock_http_client())
        .interceptor(
            MockResponseInterceptor::new()
                .rule_mode(RuleMode::MatchAny)
                .with_rule(rule),
        );
    aws_sdk_kinesis::Client::from_conf(config.build())
}

fn credentials() -> Credentials {
    Credentials::new("id", "secret", None, None, "test")
}

/// Accepts the records whose place in the request satisfies `accepts`, and throttles the others.
pub(crate) fn accept_where(input: &PutRecordsInput, accepts: impl Fn(usize) -> bool) -> KinesisAnswer {
    let results = (0..input.records().len()).map(|index| {
        let result = PutRecordsResultEntry::builder();
        if accepts(index) {
            return result.sequence_number("1").shard_id("0").build();
        }
        result
            .error_code("ProvisionedThroughputExceededException")
            .build()
    });
    let output = PutRecordsOutput::builder().set_records(Some(results.collect()));
    MockResponse::Output(output.build().unwrap())
}

pub(crate) fn accept(_: usize, input: &PutRecordsInput) -> KinesisAnswer {
    accept_where(input, |_| true)
}

pub(crate) fn kinesis_error(code: &str) -> KinesisAnswer {
    MockResponse::Error(PutRecordsError::generic(metadata(code)))
}

/// The message quotes the request, as AWS's validation messages do.
fn metadata(code: &str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).message("SECRET").build()
}

/// A bucket that remembers its objects by key, inflated.
#[derive(Clone, Default)]
pub(crate) struct Bucket {
    pub(crate) objects: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Bucket {
    /// Makes a client that stores every object but those whose key starts with `denied`.
    pub(crate) fn client(&self, denied: &'static str) -> aws_sdk_s3::Client {
        let bucket = self.clone();
        let rule = mock!(aws_sdk_s3::Client::put_object)
            .then_compute_response(move |input: &PutObjectInput| bucket.put(input, denied));
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(credentials())
            .retry_config(RetryConfig::disabled())
            .http_client(create_mock_http_client())
            .interceptor(
                MockResponseInterceptor::new()
                    .rule_mode(RuleMode::MatchAny)
                    .with_rule(&rule),
            );
        aws_sdk_s3::Client::from_conf(config.build())
    }

    fn put(&self, input: &PutObjectInput, denied: &str) -> S3Answer {
        let key = input.key().unwrap().to_owned();
        if !denied.is_empty() && key.starts_with(denied) {
            return MockResponse::Error(PutObjectError::generic(metadata("AccessDenied")));
        }
        let mut text = String::new();
        let body = input.body().bytes().unwrap();
        MultiGzDecoder::new(body).read_to_string(&mut text).unwrap();
        assert_eq!(input.bucket(), Some("bucket"));
        assert!(self.objects.lock().unwrap().insert(key, text).is_none());
        MockResponse::Output(PutObjectOutput::builder().build())
    }

    /// Returns the one object under `prefix`, or nothing.
    pub(crate) fn text(&self, prefix: &str) -> String {
        let objects = self.objects.lock().unwrap();
        let mut found = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        let text = found.next().map(|(_, text)| text.clone()).unwrap_or_default();
        assert!(found.next().is_none());
        text
    }
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn in_ms(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}
