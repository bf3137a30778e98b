//! Bringing home impressions that are safe but not delivered: spilled to S3, or left in the stream.
//!
//! At least once, like everything here: what is interrupted and run again loses nothing, and may send some again.

use std::io::Write as _;
use std::time::SystemTime;

use aws_sdk_s3::primitives::ByteStream;
use flate2::Compression;
use flate2::write::GzEncoder;
use split_pipeline_handler::settings::RecordFormat;

use crate::aws::{Aws, AwsError, ErrorKind};
use crate::prefixes;
use crate::rows::{self, documents, row};
use crate::table::Column;

pub mod spilled;
pub mod stream;

/// What the names of spilled objects end with: they are gzipped NDJSON.
const NDJSON_GZ: &str = ".ndjson.gz";

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
    /// How they are told apart in there.
    pub record_format: RecordFormat,
    /// The columns of the table that objects are to fit; none where they are NDJSON.
    pub columns: Option<Vec<Column>>,
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

    /// What the names of objects end with that are put where Firehose would have delivered them.
    fn extension(&self) -> &'static str {
        match self.columns {
            Some(_) => ".parquet",
            None => NDJSON_GZ,
        }
    }

    /// Writes impressions to S3 directly, as what is delivered there is: gzipped NDJSON, or Parquet. Gives how many they are.
    async fn put(&self, key: &str, json: &[u8], mode: Mode, aws: &Aws) -> Result<usize, AwsError> {
        let broken = |why: String| AwsError::own("replay", ErrorKind::Other, why);
        let (count, object, content_type) = if let Some(columns) = &self.columns {
            let text = String::from_utf8_lossy(json);
            let rows: Vec<_> = documents(&text).filter_map(|json| row(columns, json)).collect();
            let parquet = rows::write(columns, &rows).map_err(|error| broken(error.to_string()))?;
            (rows.len(), parquet, "application/vnd.apache.parquet")
        } else {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            let gzip = encoder.write_all(json).and_then(|()| encoder.finish());
            let gzip = gzip.map_err(|error| broken(error.to_string()))?;
            (lines(json), gzip, "application/gzip")
        };
        if mode == Mode::Do {
            let request = || {
                let call = aws.s3.put_object().bucket(&self.bucket).key(key);
                call.content_type(content_type)
                    .body(ByteStream::from(object.clone()))
                    .send()
            };
            aws.call("s3:PutObject", request).await?;
        }
        Ok(count)
    }
}

/// How many impressions NDJSON holds.
fn lines(ndjson: &[u8]) -> usize {
    ndjson.split_inclusive(|byte| *byte == b'\n').count()
}
