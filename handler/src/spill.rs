//! Stores in S3 what does not go to Kinesis: undelivered impressions under `spill/<pipeline>/`, rejected elements under
//! `rejected/<pipeline>/`, as gzipped NDJSON. Several pipelines can share a bucket, so the key names the pipeline.
//!
//! Must not report success before S3 does. Must not overwrite: every object has its own name.

use std::io::Write as _;
use std::time::SystemTime;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use flate2::Compression;
use flate2::write::GzEncoder;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::aws::error_code;
use crate::pack::{Record, random_key};
use crate::rejected::Rejected;

/// The prefix of every pipeline's undelivered impressions; see [`spill_prefix`] for one pipeline's.
pub const SPILL_PREFIX: &str = "spill/";

/// The prefix of every pipeline's rejected elements; see [`rejected_prefix`] for one pipeline's.
pub const REJECTED_PREFIX: &str = "rejected/";

/// What the names of stored objects end with: they are gzipped NDJSON.
pub const SPILLED_EXTENSION: &str = ".ndjson.gz";

/// The most characters of a request id that go into a key. Lambda's ids are UUIDs, which have 36.
const MAX_REQUEST_ID: usize = 64;

/// Returns the prefix under which the function of this pipeline stores undelivered impressions; `replay` reads them.
///
/// Ends in a slash, so no pipeline's prefix is the beginning of another's.
pub fn spill_prefix(pipeline: &str) -> String {
    format!("{SPILL_PREFIX}{pipeline}/")
}

/// Returns the prefix under which the function of this pipeline stores rejected elements, each with the reason.
pub fn rejected_prefix(pipeline: &str) -> String {
    format!("{REJECTED_PREFIX}{pipeline}/")
}

#[derive(Debug, Error)]
pub(crate) enum SpillError {
    #[error("{code}")]
    Put { code: String },
    #[error("timeout")]
    Deadline,
}

/// A bucket, and until when it may be written to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpillTarget<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) pipeline: &'a str,
    /// The invocation's request id, which names the objects.
    pub(crate) request_id: &'a str,
    pub(crate) deadline: Instant,
}

impl SpillTarget<'_> {
    /// Stores impressions that Kinesis has not accepted; without any, does nothing.
    pub(crate) async fn store_impressions(
        &self,
        undelivered: &[Record<'_>],
        oversized: &[&str],
    ) -> Result<(), SpillError> {
        if undelivered.is_empty() && oversized.is_empty() {
            return Ok(());
        }
        let records = undelivered.iter().flat_map(|record| record.impressions);
        let lines = records.map(|impression| impression.line.as_ref());
        let lines = lines.chain(oversized.iter().copied());
        let lines = lines.flat_map(|line| [line.as_bytes(), b"\n"]);
        self.put(&spill_prefix(self.pipeline), gzip(lines)?).await
    }

    /// Stores elements that are no impressions; without any, does nothing.
    pub(crate) async fn store_rejected(&self, rejected: Rejected) -> Result<(), SpillError> {
        match rejected.into_file().map_err(|_| compression_failed())? {
            Some(file) => self.put(&rejected_prefix(self.pipeline), file).await,
            None => Ok(()),
        }
    }

    async fn put(&self, prefix: &str, body: Vec<u8>) -> Result<(), SpillError> {
        let put = self
            .s3
            .put_object()
            .bucket(self.bucket)
            .key(self.key(prefix, SystemTime::now()))
            // Not as content encoding: the object is a gzip file, and readers go by its name.
            .content_type("application/gzip")
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(body))
            .send();
        match timeout_at(self.deadline, put).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(SpillError::Put { code: error_code(&error) }),
            Err(_elapsed) => Err(SpillError::Deadline),
        }
    }

    /// Returns an object's key. Lambda repeats an invocation under the same request id, hence the random part.
    fn key(&self, prefix: &str, now: SystemTime) -> String {
        let date = date(now);
        let (request_id, unique) = (file_name(self.request_id), random_key());
        format!("{prefix}dt={date}/{request_id}-{unique}{SPILLED_EXTENSION}")
    }
}

/// Replaces every character that could make a request id anything but part of a file name.
fn file_name(request_id: &str) -> String {
    let safe = |char: char| if char.is_ascii_alphanumeric() { char } else { '-' };
    request_id.chars().take(MAX_REQUEST_ID).map(safe).collect()
}

fn gzip<T: AsRef<[u8]>>(chunks: impl Iterator<Item = T>) -> Result<Vec<u8>, SpillError> {
    let write = || -> std::io::Result<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        for chunk in chunks {
            encoder.write_all(chunk.as_ref())?;
        }
        encoder.finish()
    };
    write().map_err(|_| compression_failed())
}

/// Writing to memory does not fail; if it did, the sender would have to retry.
fn compression_failed() -> SpillError {
    SpillError::Put { code: "compression failed".to_owned() }
}

fn date(moment: SystemTime) -> String {
    let text = DateTime::from(moment).fmt(Format::DateTime);
    // Only a clock past the year 9999 has no such text.
    text.map_or_else(|_| "unknown".to_owned(), |text| text.chars().take(10).collect())
}

#[cfg(test)]
mod tests;
