//! Sends records to Kinesis: several requests at once, with retries and backoff, until a deadline.
//!
//! Must not lose a record: Kinesis accepts it, or it is returned. A record whose answer was lost is sent again, so it may
//! arrive twice.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::put_records::{PutRecordsError, PutRecordsOutput};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::aws::error_code;
use crate::log::{MAX_VALUES, milliseconds};
use crate::pack::Record;
use crate::request::{Bodies, CONCURRENT_REQUESTS, replace_body};

/// The longest wait before the first retry; it doubles with each.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// The longest wait before any retry: a shard's throughput is counted by the second.
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// The error codes, other than of 5xx answers, that a retry may cure (Kinesis API reference, `PutRecords` and "Common
/// errors").
const RETRYABLE_CODES: [&str; 8] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "Throttling",
    "KMSThrottlingException",
    "LimitExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "InternalFailure",
];

/// What became of the records.
#[derive(Debug, Default)]
pub struct Delivery<'a> {
    /// The records that Kinesis has not accepted.
    pub undelivered: Vec<Record<'a>>,
    /// The number of impressions that it has.
    pub delivered: usize,
    pub(crate) retried: usize,
    /// How long each request took, in milliseconds, up to as many as the log takes.
    pub(crate) latencies: Vec<u64>,
    /// The last error code, if any record was ever refused.
    pub error: Option<String>,
}

impl Delivery<'_> {
    fn add(mut self, other: Self) -> Self {
        self.undelivered.extend(other.undelivered);
        self.delivered += other.delivered;
        self.retried += other.retried;
        self.latencies.extend(other.latencies);
        self.latencies.truncate(MAX_VALUES);
        self.error = other.error.or(self.error);
        self
    }
}

/// Sends requests to a stream, again where that may help, until `deadline`.
pub async fn deliver<'a>(
    kinesis: &Client,
    bodies: &Bodies,
    stream: &str,
    requests: impl IntoIterator<Item = Vec<Record<'a>>>,
    deadline: Instant,
) -> Delivery<'a> {
    futures_util::stream::iter(requests)
        .map(|records| deliver_request(kinesis, bodies, stream, records, deadline))
        .buffer_unordered(CONCURRENT_REQUESTS)
        .fold(Delivery::default(), async |all, one| all.add(one))
        .await
}

async fn deliver_request<'a>(
    kinesis: &Client,
    bodies: &Bodies,
    stream: &str,
    records: Vec<Record<'a>>,
    deadline: Instant,
) -> Delivery<'a> {
    let mut delivery = Delivery { undelivered: records, ..Delivery::default() };
    for attempt in 0.. {
        let started = Instant::now();
        let put = put_records(kinesis, stream, bodies.write(stream, &delivery.undelivered));
        let put = timeout_at(deadline, put).await;
        delivery.latencies.push(milliseconds(started.elapsed()));
        let retryable = match put {
            Ok(Ok(output)) => {
                delivery.take_accepted(output);
                true
            }
            Ok(Err(failure)) => {
                delivery.error = Some(failure.code);
                failure.retryable
            }
            Err(_elapsed) => {
                delivery.error = Some("timeout".to_owned());
                false
            }
        };
        let retry_at = Instant::now() + backoff(attempt);
        if delivery.undelivered.is_empty() || !retryable || retry_at >= deadline {
            break;
        }
        sleep_until(retry_at).await;
        delivery.retried += delivery.undelivered.len();
    }
    delivery
}

impl Delivery<'_> {
    /// Keeps as undelivered what `output` does not say to be accepted.
    fn take_accepted(&mut self, output: PutRecordsOutput) {
        let mut results = output.records.into_iter();
        self.undelivered.retain(|record| {
            let result = results.next();
            if result.as_ref().is_some_and(is_accepted) {
                self.delivered += record.impressions.len();
                return false;
            }
            let code = result.and_then(|result| result.error_code);
            self.error = Some(code.unwrap_or_else(|| "unreadable answer".to_owned()));
            true
        });
    }
}

/// Only a sequence number proves that Kinesis has the record.
fn is_accepted(result: &PutRecordsResultEntry) -> bool {
    result.error_code.is_none() && result.sequence_number.is_some()
}

struct PutFailure {
    code: String,
    retryable: bool,
}

async fn put_records(kinesis: &Client, stream: &str, body: Bytes) -> Result<PutRecordsOutput, PutFailure> {
    // The SDK wants a record to serialize; the body that it makes is never sent.
    let placeholder = PutRecordsRequestEntry::builder().partition_key("-").data(Blob::new([]));
    let placeholder = placeholder
        .build()
        .map_err(|_| PutFailure { code: "invalid request".to_owned(), retryable: false })?;
    kinesis
        .put_records()
        .stream_name(stream)
        .records(placeholder)
        .customize()
        .mutate_request(move |made| replace_body(made, body.clone()))
        .send()
        .await
        .map_err(|error| PutFailure { code: error_code(&error), retryable: is_retryable(&error) })
}

fn is_retryable(error: &SdkError<PutRecordsError>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(failure) => {
            let status = failure.raw().status();
            let code = failure.err().code();
            status.is_server_error()
                || status.as_u16() == 429
                || code.is_some_and(|code| RETRYABLE_CODES.contains(&code))
        }
        // The answer or the connection was lost.
        _ => true,
    }
}

/// Returns a random wait before retry number `attempt`, from 0: "full jitter" of an exponential backoff.
fn backoff(attempt: u32) -> Duration {
    let longest = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(attempt));
    longest.min(LONGEST_BACKOFF).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests;
