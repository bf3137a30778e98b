//! Reads an object without trusting it: its stored size, its inflated size and its lines have caps, and an error of this object
//! is told from an error of all objects.

use std::io;

use bytes::{Bytes, BytesMut};
use split_pipeline_handler::decode::MAX_INFLATED_BYTES;

use crate::aws::{Aws, AwsError, ErrorKind};

const MIB: u64 = 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Bytes as they are stored, all of which are held in memory.
    pub stored: u64,
    /// Bytes once they are inflated, of which one line at a time is held.
    pub inflated: u64,
    pub line: u64,
}

impl Caps {
    /// Of an object that the handler spilled: 64 MiB of impressions a request, which pseudonyms can make longer. Even text that
    /// cannot be compressed is stored in little more than that.
    pub const SPILLED: Self =
        Self { stored: 128 * MIB, inflated: 256 * MIB, line: MAX_INFLATED_BYTES as u64 };

    /// Of an object that Firehose delivered: its buffer takes 128 MiB before compression, and Firehose raises it where delivery
    /// falls behind (Firehose guide, "Understand data delivery"). No impression is longer than what the handler takes.
    pub const DELIVERED: Self =
        Self { stored: 256 * MIB, inflated: 256 * MIB, line: MAX_INFLATED_BYTES as u64 };
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("deleted meanwhile")]
    Gone,
    #[error(transparent)]
    Refused(AwsError),
    #[error("not received whole: {0}")]
    Incomplete(String),
    #[error("{what} more than {} MiB", limit / MIB)]
    TooLarge { what: Excess, limit: u64 },
    #[error("{0}")]
    Malformed(io::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    Stored,
    Inflated,
    Line,
}

impl std::fmt::Display for Excess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stored => "it is",
            Self::Inflated => "it inflates to",
            Self::Line => "it has a line of",
        })
    }
}

impl ReadError {
    pub fn malformed(why: impl Into<String>) -> Self {
        Self::Malformed(io::Error::new(io::ErrorKind::InvalidData, why.into()))
    }
}

/// A reader within a reader hands on why it stopped as an `io::Error`.
impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Malformed)
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Malformed(error) => error,
            other => Self::other(other),
        }
    }
}

/// Reads an object's bytes: no more than it had when it was listed, if it was, and than its cap. The outer error concerns every
/// object: credentials, the network, an interruption.
pub async fn fetch(
    aws: &Aws,
    bucket: &str,
    key: &str,
    listed: Option<u64>,
    caps: Caps,
) -> Result<Result<Bytes, ReadError>, AwsError> {
    let too_large = |bytes: u64| match listed {
        _ if bytes > caps.stored => Some(ReadError::TooLarge { what: Excess::Stored, limit: caps.stored }),
        Some(listed) if bytes > listed => Some(ReadError::Incomplete("it grew meanwhile".to_owned())),
        _ => None,
    };
    if let Some(error) = listed.and_then(too_large) {
        return Ok(Err(error));
    }
    let request = || aws.s3.get_object().bucket(bucket).key(key).send();
    let object = match aws.call("s3:GetObject", request).await {
        Ok(object) => object,
        Err(error) => return refused(error).map(Err),
    };
    let length = object.content_length.and_then(|length| u64::try_from(length).ok());
    if let Some(error) = length.and_then(too_large) {
        return Ok(Err(error));
    }
    let mut body = object.body;
    let room = length.and_then(|length| usize::try_from(length).ok());
    let mut bytes = BytesMut::with_capacity(room.unwrap_or_default());
    loop {
        match body.try_next().await {
            Ok(Some(part)) => {
                if let Some(error) = too_large((bytes.len() + part.len()) as u64) {
                    return Ok(Err(error));
                }
                bytes.extend_from_slice(&part);
            }
            Ok(None) => return Ok(Ok(bytes.freeze())),
            Err(error) => return Ok(Err(ReadError::Incomplete(error.to_string()))),
        }
        aws.check_interrupt()?;
    }
}

/// Tells whether an error concerns one object, or all of them.
fn refused(error: AwsError) -> Result<ReadError, AwsError> {
    match error.kind {
        ErrorKind::NotFound => Ok(ReadError::Gone),
        ErrorKind::Denied | ErrorKind::Other | ErrorKind::NotYet | ErrorKind::Failed => {
            Ok(ReadError::Refused(error))
        }
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests;
