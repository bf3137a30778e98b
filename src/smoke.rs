//! Sends impressions as Split does and finds them again in S3.
//!
//! Owns what is sent, how, and how a delivered object is read. Must not know how the pipeline is made.

pub mod access;
pub mod batch;
pub mod delivered;
pub mod known;
pub mod post;

pub use batch::Batch;
pub use delivered::{Search, SearchArea};
pub use known::Shape;
pub use post::Poster;

use crate::foreign;
use crate::results::Smoke;

/// What can go wrong beyond an AWS call.
#[derive(Debug, thiserror::Error)]
pub enum SmokeError {
    /// The payload is no JSON array.
    #[error("the payload is not a JSON array of impressions")]
    Payload(#[source] serde_json::Error),
    /// The webhook could not be reached.
    #[error("the webhook could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The webhook gave another answer than 200, and again when asked a second time.
    #[error("the webhook answered {status} to {what}: {body}", body = foreign::line(body))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What was posted.
        what: &'static str,
        /// The answer.
        body: String,
    },
}

/// What a smoke test did not find delivered, in words; none if everything was.
pub fn shortfall(smoke: &Smoke) -> Option<String> {
    let Smoke {
        sent,
        spilled,
        missing,
        ..
    } = smoke;
    let spilled =
        (*spilled > 0).then(|| format!("{spilled} of {sent} impressions were spilled, not delivered"));
    let missing = (*missing > 0).then(|| format!("{missing} of {sent} impressions are not in S3"));
    let parts: Vec<_> = spilled.into_iter().chain(missing).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
