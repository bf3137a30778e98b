//! Sends impressions as Split does and finds them again in S3.
//!
//! Owns what is sent, how, and how a delivered object is read. Must not know how the pipeline is made.

pub mod batch;
pub mod delivered;
pub mod post;

pub use batch::Batch;
pub use delivered::Search;
pub use post::Poster;

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
    #[error("the webhook answered {status} to {what}: {body}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What was posted.
        what: &'static str,
        /// The answer.
        body: String,
    },
    /// A delivered object cannot be read.
    #[error("the object {key} cannot be read")]
    Object {
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
