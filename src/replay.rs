//! Bringing home impressions that are safe but not delivered: spilled to S3, or left in the stream.
//!
//! At least once, like everything here: what is interrupted and run again loses nothing, and may send some again.

use std::io::Write as _;
use std::time::SystemTime;

use aws_sdk_s3::primitives::ByteStream;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::aws::{Aws, AwsError, ErrorKind};
use crate::prefixes;

pub mod spilled;
pub mod stream;

/// What the names of gzipped NDJSON end with.
const EXTENSION: &str = ".ndjson.gz";

/// Where a pipeline has its impressions.
#[derive(Clone, Debug)]
pub struct Place {
    /// The pipeline.
    pub name: String,
    /// Its stream.
    pub stream: String,
    /// Its bucket.
    pub bucket: String,
    /// The prefix of delivered objects.
    pub prefix: String,
    /// The size of the records that impressions are packed into.
    pub record_kib: u32,
}

/// Whether to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Do it.
    Do,
    /// Only say what would be done.
    DryRun,
}

/// A span of time.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its first moment.
    pub since: SystemTime,
    /// The first moment after it.
    pub until: SystemTime,
}

/// What can go wrong beyond an AWS call.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// An AWS call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A spilled object cannot be read.
    #[error("the object {key} cannot be read")]
    Object {
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Kinesis does not take it all, again and again.
    #[error("{left} impressions of {key} could not be put into the stream: {why}")]
    Undelivered {
        /// The spilled object, which stays.
        key: String,
        /// How many.
        left: usize,
        /// The last error code.
        why: String,
    },
}

impl Place {
    /// The prefix of an object with impressions that came in at this time, as Firehose would have made it.
    fn prefix_at(&self, at: SystemTime) -> Result<String, AwsError> {
        prefixes::of(&self.prefix, at).map_err(|expression| {
            let message = format!("`!{{{expression}}}` in `delivery.prefix` cannot be filled in by `replay`");
            AwsError::own("replay", ErrorKind::Other, message)
        })
    }

    /// Writes impressions to S3 directly, gzipped.
    async fn put(&self, key: &str, ndjson: &[u8], aws: &Aws) -> Result<(), AwsError> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let gzip = encoder.write_all(ndjson).and_then(|()| encoder.finish());
        let gzip = gzip.map_err(|error| AwsError::own("gzip", ErrorKind::Other, error.to_string()))?;
        let request = || {
            let call = aws.s3.put_object().bucket(&self.bucket).key(key);
            call.content_type("application/gzip")
                .body(ByteStream::from(gzip.clone()))
                .send()
        };
        aws.call("s3:PutObject", request).await.map(drop)
    }
}

/// How many impressions NDJSON holds.
fn count(ndjson: &[u8]) -> usize {
    ndjson.split_inclusive(|byte| *byte == b'\n').count()
}
