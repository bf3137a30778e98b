//! Defines why a body is refused, and the HTTP status and text that the sender gets.
//!
//! Must not put anything of the body into an error.

use thiserror::Error;

/// What a body may inflate to: 64 MiB, as the contract says ("The webhook", answer 413).
///
/// Counted while inflating. The size in a gzip trailer is the sender's claim, modulo 4 GiB and of the last member only.
pub const MAX_INFLATED_BYTES: usize = 64 * 1024 * 1024;

/// Why a body holds no impressions that could be taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("the body is not valid base64")]
    Base64,
    /// The body starts like gzip and is cut off, damaged or followed by something else.
    #[error("the body is not valid gzip")]
    Gzip,
    #[error("the body is larger than {} MiB once inflated", MAX_INFLATED_BYTES / (1024 * 1024))]
    TooLarge,
    /// Body, impressions or rejected elements take more than the budget has.
    #[error("the batch needs more memory than the function has")]
    Memory,
    /// The body was not read to its end when the function had to turn to storing what it holds.
    #[error("the batch needs more time than the function has")]
    Time,
    #[error("the batch has more than 250,000 impressions, too many for a record each")]
    Impressions,
    #[error("the batch has more than 250,000 elements that are not impressions")]
    Rejected,
    #[error("the batch has more than 4,000,000 fields")]
    Fields,
    #[error("the body is not valid UTF-8")]
    Utf8,
    #[error("the body is not valid JSON (line {line}, column {column})")]
    Json {
        /// The line of the first character that cannot be, from 1.
        line: usize,
        /// Its column in bytes, from 1.
        column: usize,
    },
    #[error("the body is neither a JSON array nor an object")]
    NotAnArray,
}

impl Refusal {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::TooLarge
            | Self::Memory
            | Self::Time
            | Self::Impressions
            | Self::Rejected
            | Self::Fields => 413,
            Self::Base64 | Self::Gzip | Self::Utf8 | Self::Json { .. } | Self::NotAnArray => 400,
        }
    }
}

impl From<serde_json::Error> for Refusal {
    /// Keeps the position only: `serde_json`'s message may quote the body.
    fn from(error: serde_json::Error) -> Self {
        Self::Json { line: error.line(), column: error.column() }
    }
}
