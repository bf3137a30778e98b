//! Delivers impressions that are safe but not delivered: those spilled to S3, or left in the stream.
//!
//! At least once: a replay that is interrupted and repeated loses nothing, and may send impressions again.

use std::time::SystemTime;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use serde::Serialize;
use split_pipeline_handler::spill::SPILLED_EXTENSION;

use crate::aws::{Aws, AwsError, ErrorKind};
use crate::foreign::shell_word;
use crate::names::Names;
use crate::objects::lines::gzip;
use crate::objects::{BucketOwnership, Skipped};
use crate::prefixes;
use crate::rows::{self, PARQUET_EXTENSION, row};
use crate::spec::Spec;
use crate::table::{DeliveredColumn, delivered_columns, number_fields};

pub mod access;
mod chunks;
mod interruptible;
pub(crate) mod shard;
pub mod spilled;
pub mod stream;
#[cfg(test)]
pub(crate) mod testing;

/// How much goes into one object, before compression: what Firehose gathers by default.
const OBJECT_BYTES: usize = 64 * 1024 * 1024;

#[derive(Clone, Debug)]
pub struct Place {
    pub name: String,
    pub stream: String,
    pub bucket: String,
    pub ownership: BucketOwnership,
    pub prefix: String,
    /// The prefix of what cannot be converted.
    pub misfit_prefix: String,
    /// The size of the records that impressions are packed into.
    pub record_kib: u32,
    /// The fields that Firehose can only convert where they are whole numbers.
    pub number_fields: Vec<String>,
    /// The columns of the table that objects are to fit; none where they are NDJSON.
    pub columns: Option<Vec<DeliveredColumn>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Do,
    DryRun,
}

#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub since: SystemTime,
    pub until: SystemTime,
}

#[derive(Debug, Default, Serialize)]
pub struct ReplayReport {
    pub name: String,
    /// Whether this only says what would be done.
    pub dry_run: bool,
    pub bucket: String,
    /// Spilled objects that were sent again and deleted, or objects that were written.
    pub objects: Vec<String>,
    /// Impressions that went into the stream again.
    pub delivered: usize,
    /// Impressions that were written to S3 directly.
    pub copied: usize,
    /// Impressions that do not fit into the table, and were put where Firehose puts what it cannot convert.
    pub misfits: usize,
    /// Objects that were left alone, and why. The command then fails.
    pub skipped: Vec<Skipped>,
    #[serde(skip)]
    pub hints: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// An AWS call failed that concerns every object, or the user interrupted.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An AWS call failed while spilled impressions were sent; what was not sent is still spilled.
    #[error("stopped after {done} of {all} spilled objects: {source}")]
    Stopped { done: usize, all: usize, source: AwsError },
    #[error("the impressions of {key} were sent again, but it could not be deleted: {source}")]
    NotDeleted { bucket: String, key: String, source: AwsError },
    #[error("copying from the stream: {0}")]
    Copy(#[source] AwsError),
}

/// What to do about a spilled object that was sent again, and is still there.
pub fn delete_hint(bucket: &str, key: &str) -> String {
    let object = shell_word(&format!("s3://{bucket}/{key}"));
    format!("`aws s3 rm {object}` deletes it; otherwise the next `replay` sends the same impressions again")
}

#[derive(Debug, Default)]
struct WrittenObjects {
    /// How many impressions are where they would have been delivered.
    copied: usize,
    /// How many are where Firehose puts what it cannot convert.
    misfits: usize,
    keys: Vec<String>,
}

impl WrittenObjects {
    fn add(&mut self, other: Self) {
        self.copied += other.copied;
        self.misfits += other.misfits;
        self.keys.extend(other.keys);
    }
}

impl Place {
    pub fn new(spec: &Spec, names: &Names) -> Self {
        let misfits = spec.delivery.error_prefix.of_failed_conversions();
        Self {
            name: spec.name.to_string(),
            stream: names.stream(),
            bucket: names.bucket(spec),
            ownership: BucketOwnership::of(spec),
            prefix: spec.delivery.prefix.as_str().to_owned(),
            misfit_prefix: misfits.as_str().to_owned(),
            record_kib: spec.handler.record_kib.get(),
            number_fields: number_fields(spec),
            columns: delivered_columns(spec),
        }
    }

    /// The prefix of an object with impressions that came in at this time, as Firehose would have made it.
    fn prefix_at(&self, at: SystemTime) -> Result<String, AwsError> {
        prefixes::of(&self.prefix, at).map_err(|expression| {
            let message = format!("`!{{{expression}}}` in `delivery.prefix` cannot be filled in by `replay`");
            AwsError::new("replay", ErrorKind::Other, message)
        })
    }

    /// Writes impressions that came in at this time to S3 directly, as what is delivered there is: gzipped NDJSON, or Parquet. What
    /// the table has no place for stays NDJSON, where Firehose puts such too.
    async fn put(
        &self,
        at: SystemTime,
        name: &str,
        ndjson: &[u8],
        mode: Mode,
        aws: &Aws,
    ) -> Result<WrittenObjects, AwsError> {
        let mut written = WrittenObjects::default();
        let Some(columns) = &self.columns else {
            let key = self.prefix_at(at)? + name + SPILLED_EXTENSION;
            self.write(&key, gzip(ndjson).map_err(|error| broken(&error))?, mode, aws).await?;
            written.copied = lines(ndjson).count();
            written.keys.push(key);
            return Ok(written);
        };
        let mut rows = rows::Writer::new(columns).map_err(|error| broken(&error))?;
        let mut misfits = Vec::new();
        for line in lines(ndjson) {
            let text = str::from_utf8(line).ok();
            if let Some(row) = text.and_then(|text| row(columns, text)) {
                rows.push(row).map_err(|error| broken(&error))?;
            } else {
                misfits.extend_from_slice(line);
                written.misfits += 1;
            }
        }
        written.copied = rows.rows();
        if written.copied > 0 {
            let key = self.prefix_at(at)? + name + PARQUET_EXTENSION;
            let parquet = rows.finish().map_err(|error| broken(&error))?;
            self.write(&key, parquet, mode, aws).await?;
            written.keys.push(key);
        }
        if !misfits.is_empty() {
            let key = prefixes::known(&self.misfit_prefix, at) + name + SPILLED_EXTENSION;
            self.write(&key, gzip(&misfits).map_err(|error| broken(&error))?, mode, aws).await?;
            written.keys.push(key);
        }
        Ok(written)
    }

    async fn write(&self, key: &str, object: Vec<u8>, mode: Mode, aws: &Aws) -> Result<(), AwsError> {
        if mode == Mode::DryRun {
            return Ok(());
        }
        let content_type = if key.ends_with(SPILLED_EXTENSION) {
            "application/gzip"
        } else {
            "application/vnd.apache.parquet"
        };
        let object = Bytes::from(object);
        let request = || {
            let call = aws.s3.put_object().bucket(&self.bucket).key(key);
            call.content_type(content_type).body(ByteStream::from(object.clone())).send()
        };
        aws.call("s3:PutObject", request).await?;
        Ok(())
    }
}

fn broken(error: &dyn std::error::Error) -> AwsError {
    AwsError::new("replay", ErrorKind::Other, error.to_string())
}

fn lines(ndjson: &[u8]) -> impl Iterator<Item = &[u8]> {
    ndjson.split_inclusive(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests;
