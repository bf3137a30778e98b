//! Kinesis and S3 in memory, with answers that a test chooses.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectInput, PutObjectOutput};
use aws_smithy_mocks::{MockResponse, MockResponseInterceptor, RuleMode, create_mock_http_client, mock};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::elements::Impression;
use crate::pack::{Record, Spread};

pub(crate) type S3Answer = MockResponse<PutObjectOutput, PutObjectError>;

/// A record as it went over the wire.
#[derive(Clone, Debug)]
pub(crate) struct SentRecord {
    pub(crate) partition_key: String,
    pub(crate) data: Vec<u8>,
}

/// What Kinesis answers: an HTTP status and a body.
pub(crate) type KinesisAnswer = (u16, String);

/// Answers a request, given its number from 0 and its records.
type KinesisAnswers = dyn Fn(usize, &[SentRecord]) -> KinesisAnswer + Send + Sync;

/// A stream that remembers the data of every record it was sent, by request, and of those that it accepted.
#[derive(Clone, Default)]
pub(crate) struct MemoryStream {
    pub(crate) sent: Arc<Mutex<Vec<Vec<Vec<u8>>>>>,
    pub(crate) accepted: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl MemoryStream {
    /// Makes a client whose requests are answered by `answer`, given the number of the request from 0.
    pub(crate) fn client(
        &self,
        answer: impl Fn(usize, &[SentRecord]) -> KinesisAnswer + Send + Sync + 'static,
    ) -> aws_sdk_kinesis::Client {
        let connector = SharedHttpConnector::new(Wire { stream: self.clone(), answer: Box::new(answer) });
        kinesis(http_client_fn(move |_, _| connector.clone()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.accepted.lock().unwrap().concat()).unwrap()
    }

    fn take(&self, records: Vec<SentRecord>, (status, body): &KinesisAnswer) {
        let results = serde_json::from_str::<Value>(body).unwrap_or_default();
        for (index, record) in records.iter().enumerate().filter(|_| *status == 200) {
            if results["Records"][index]["SequenceNumber"].is_string() {
                self.accepted.lock().unwrap().push(record.data.clone());
            }
        }
        let data = records.into_iter().map(|record| record.data);
        self.sent.lock().unwrap().push(data.collect());
    }
}

/// Where a client's requests end, as they would go over the wire.
struct Wire {
    stream: MemoryStream,
    answer: Box<KinesisAnswers>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        assert_eq!(request.headers().get("x-amz-target"), Some("Kinesis_20131202.PutRecords"));
        let body = request.body().bytes().unwrap();
        assert_eq!(request.headers().get("content-length").unwrap(), body.len().to_string());
        let body: Value = serde_json::from_slice(body).unwrap();
        assert!(body["StreamName"].is_string());
        let records: Vec<_> = body["Records"].as_array().unwrap().iter().map(sent).collect();
        let call = self.stream.sent.lock().unwrap().len();
        let answer = (self.answer)(call, &records);
        self.stream.take(records, &answer);
        let status = http::StatusCode::from_u16(answer.0).unwrap().into();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer.1))))
    }
}

/// Where requests are answered with 200 after a while, or never.
#[derive(Debug)]
struct Slow(Option<Duration>);

impl HttpConnector for Slow {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let after = self.0;
        HttpConnectorFuture::new(async move {
            match after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
            let ok = http::StatusCode::OK.into();
            Ok(HttpResponse::new(ok, SdkBody::empty()))
        })
    }
}

fn slow(after: Option<Duration>) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Slow(after));
    http_client_fn(move |_, _| connector.clone())
}

/// Makes a client that is never answered.
pub(crate) fn hanging_kinesis() -> aws_sdk_kinesis::Client {
    kinesis(slow(None))
}

/// Makes a client that stores each object after a while, or never.
pub(crate) fn slow_s3(after: Option<Duration>) -> aws_sdk_s3::Client {
    let config = s3_config().http_client(slow(after));
    aws_sdk_s3::Client::from_conf(config.build())
}

fn kinesis(http: SharedHttpClient) -> aws_sdk_kinesis::Client {
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(credentials())
        .retry_config(RetryConfig::disabled())
        .http_client(http);
    aws_sdk_kinesis::Client::from_conf(config.build())
}

fn s3_config() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(credentials())
        .retry_config(RetryConfig::disabled())
}

fn sent(record: &Value) -> SentRecord {
    let data = record["Data"].as_str().unwrap();
    SentRecord {
        partition_key: record["PartitionKey"].as_str().unwrap().to_owned(),
        data: base64_simd::STANDARD.decode_to_vec(data).unwrap(),
    }
}

fn credentials() -> Credentials {
    Credentials::new("id", "secret", None, None, "test")
}

/// Accepts the records whose place in the request satisfies `accepts`, and throttles the others.
pub(crate) fn accept_where(records: &[SentRecord], accepts: impl Fn(usize) -> bool) -> KinesisAnswer {
    let results: Vec<_> = (0..records.len())
        .map(|index| {
            if accepts(index) {
                json!({ "SequenceNumber": "1", "ShardId": "0" })
            } else {
                json!({ "ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "SECRET" })
            }
        })
        .collect();
    (200, json!({ "Records": results }).to_string())
}

pub(crate) fn accept(_: usize, records: &[SentRecord]) -> KinesisAnswer {
    accept_where(records, |_| true)
}

/// The message quotes the request, as AWS's validation messages do.
pub(crate) fn kinesis_error(code: &str) -> KinesisAnswer {
    (400, json!({ "__type": code, "message": "SECRET" }).to_string())
}

/// Makes a record of these lines, for as long as the test runs.
pub(crate) fn record(lines: &[&str]) -> Record<'static> {
    let impressions: Vec<_> =
        lines.iter().map(|line| Impression { line: (*line).to_owned().into(), key: "\"k\"" }).collect();
    let bytes = lines.iter().map(|line| line.len() + 1).sum();
    Record { impressions: impressions.leak(), bytes, spread: Spread::ByKey }
}

fn metadata(code: &str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).message("SECRET").build()
}

/// A bucket that remembers its objects by key, inflated.
#[derive(Clone, Default)]
pub(crate) struct MemoryBucket {
    pub(crate) objects: Arc<Mutex<BTreeMap<String, String>>>,
}

impl MemoryBucket {
    /// Makes a client that stores every object but those whose key starts with `denied`.
    pub(crate) fn client(&self, denied: &'static str) -> aws_sdk_s3::Client {
        let bucket = self.clone();
        let rule = mock!(aws_sdk_s3::Client::put_object)
            .then_compute_response(move |input: &PutObjectInput| bucket.put(input, denied));
        let config = s3_config()
            .http_client(create_mock_http_client())
            .interceptor(MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny).with_rule(&rule));
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
