//! Sends impressions as Split does and finds them again in S3.
//!
//! Owns what is sent, how, and how a delivered object is read. Must not know how the pipeline is made.

pub mod access;
pub mod batch;
pub mod delivered;
pub mod ephemeral;
pub mod known;
pub mod post;
mod trial;

pub use batch::Batch;
pub use delivered::{Search, SearchArea};
pub use known::Shape;
pub use post::Poster;
pub use trial::send_and_find;

use serde::Serialize;

use crate::aws::AwsError;
use crate::foreign;
use crate::objects::Skipped;

/// What can go wrong beyond an AWS call.
#[derive(Debug, thiserror::Error)]
pub enum SmokeError {
    #[error("the payload is not a JSON array of impressions")]
    Payload(#[source] serde_json::Error),
    #[error("the webhook could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The webhook gave another answer than 200, and again when asked a second time.
    #[error("the webhook answered {status} to {what}: {body}", body = foreign::line(body))]
    Refused { status: u16, what: &'static str, body: String },
    #[error(
        "{rejected} of {all} elements of the payload are no impressions: objects with a `key` and a `split`"
    )]
    Rejected { rejected: u64, all: usize, bucket: String },
    #[error(transparent)]
    Search(AwsError),
}

#[derive(Debug, Default, Serialize)]
pub struct SmokeReport {
    pub sent: usize,
    /// Impressions that were delivered to S3, each counted once.
    pub delivered: usize,
    /// Impressions that are in `spill/` and were not delivered.
    pub spilled: usize,
    pub missing: usize,
    pub duplicated: usize,
    pub webhook_ms: u128,
    /// From the first post until the last impression was found.
    pub delivery_ms: u128,
    pub bucket: String,
    pub objects: Vec<String>,
    /// New objects that could not be read, and why. What is missing may be in them.
    pub skipped: Vec<Skipped>,
}

/// What a smoke test did not find delivered, in words; none if everything was.
pub fn shortfall(smoke: &SmokeReport) -> Option<String> {
    let SmokeReport { sent, spilled, missing, .. } = smoke;
    let spilled =
        (*spilled > 0).then(|| format!("{spilled} of {sent} impressions were spilled, not delivered"));
    let missing = (*missing > 0).then(|| format!("{missing} of {sent} impressions are not in S3"));
    let parts: Vec<_> = spilled.into_iter().chain(missing).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
