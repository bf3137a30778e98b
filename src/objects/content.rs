//! Reading an object without trusting it: never more than a limit in memory, and an error that concerns it alone told from one
//! that concerns every object.

use std::io::{self, Read};

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;

use crate::aws::{Aws, AwsError, ErrorKind};

/// The most bytes of one object that are held as they are stored. The handler inflates at most 64 MiB a request, and Firehose
/// gathers at most 128 MiB.
pub const MAX_STORED_BYTES: u64 = 256 * 1024 * 1024;

/// The most bytes that one object is inflated to. The handler takes 64 MiB of impressions a request; pseudonyms can make them
/// longer.
pub const MAX_INFLATED_BYTES: u64 = 256 * 1024 * 1024;

/// Why an object's content was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It does not exist any longer.
    #[error("deleted meanwhile")]
    Gone,
    /// S3 refuses to give this object.
    #[error(transparent)]
    Refused(AwsError),
    /// It did not arrive whole.
    #[error("not received whole: {0}")]
    Incomplete(String),
    /// It is larger than anything that a pipeline writes.
    #[error("larger than {limit} MiB")]
    TooLarge {
        /// The most that is read.
        limit: u64,
    },
    /// Its content is not what its name says.
    #[error("{0}")]
    Malformed(#[from] io::Error),
}

impl ReadError {
    fn too_large(limit: u64) -> Self {
        Self::TooLarge {
            limit: limit / 1024 / 1024,
        }
    }
}

/// Reads an object's bytes. The outer error concerns every object: credentials, the network, an interruption.
pub async fn fetch(aws: &Aws, bucket: &str, key: &str) -> Result<Result<Bytes, ReadError>, AwsError> {
    let request = || aws.s3.get_object().bucket(bucket).key(key).send();
    let object = match aws.call("s3:GetObject", request).await {
        Ok(object) => object,
        Err(error) => return refused(error).map(Err),
    };
    let mut body = object.body;
    let mut bytes = BytesMut::new();
    loop {
        match body.try_next().await {
            Ok(Some(part)) if (bytes.len() + part.len()) as u64 > MAX_STORED_BYTES => {
                return Ok(Err(ReadError::too_large(MAX_STORED_BYTES)));
            }
            Ok(Some(part)) => bytes.extend_from_slice(&part),
            Ok(None) => return Ok(Ok(bytes.freeze())),
            Err(error) => return Ok(Err(ReadError::Incomplete(error.to_string()))),
        }
        aws.go_on()?;
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

/// Inflates gzipped text of at most `limit` bytes, of one member or of several.
pub fn inflate(gzip: &[u8], limit: u64) -> Result<String, ReadError> {
    let mut text = Vec::new();
    let read = MultiGzDecoder::new(gzip).take(limit + 1).read_to_end(&mut text);
    read.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the gzip data is cut off"),
        _ => io::Error::new(error.kind(), format!("not valid gzip: {error}")),
    })?;
    if text.len() as u64 > limit {
        return Err(ReadError::too_large(limit));
    }
    String::from_utf8(text).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8 text").into())
}

#[cfg(test)]
mod tests;
