//! Owns the handler's log: one line of JSON for each invocation, on standard output, whence Lambda takes it to the
//! function's log group.
//!
//! The CLI reads these lines back, so the field names are an interface. Must not contain anything of an impression.

use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};

/// The `message` of the line that each invocation writes.
pub const BATCH: &str = "batch";

/// The `message` of the line that is written when the handler cannot start.
pub const STARTUP_FAILED: &str = "startup failed";

/// How much attention a line wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Everything is in Kinesis.
    #[default]
    Info,
    /// Something was spilled, rejected or refused; nothing is lost.
    Warn,
    /// The sender was told to retry, or the handler did not start.
    Error,
}

/// One line of the log.
///
/// Fields that an older handler did not write read as 0 or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// How much attention it wants.
    pub level: Level,
    /// What the line is about: [`BATCH`] or [`STARTUP_FAILED`].
    pub message: String,
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// The HTTP status that answered the sender.
    pub status: u16,
    /// The elements of the batch; 0 where nothing was taken.
    pub received: usize,
    /// The impressions that Kinesis accepted.
    pub delivered: usize,
    /// The impressions that were stored under `spill/`.
    pub spilled: usize,
    /// The elements that were stored under `rejected/`.
    pub rejected: usize,
    /// How often a Kinesis record was sent again.
    pub retried: usize,
    /// The Kinesis records that the impressions were packed into.
    pub records: usize,
    /// The size of the body as Lambda got it, base64 included.
    pub bytes_in: usize,
    /// The size of the body's JSON text.
    pub bytes_inflated: usize,
    /// How long the invocation took, in milliseconds.
    pub elapsed_ms: u64,
    /// What went wrong, if anything did, even if a retry or the spill made up for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Line {
    /// Returns an empty line about an invocation.
    #[must_use]
    pub fn batch(request_id: &str) -> Self {
        Self {
            message: BATCH.to_owned(),
            request_id: request_id.to_owned(),
            ..Self::default()
        }
    }

    /// Returns the line about a handler that cannot start.
    #[must_use]
    pub fn startup_failed(error: &dyn std::error::Error) -> Self {
        Self {
            level: Level::Error,
            message: STARTUP_FAILED.to_owned(),
            error: Some(error.to_string()),
            ..Self::default()
        }
    }

    /// Writes the line to standard output, in one piece.
    ///
    /// A failure is ignored: there is nowhere to report it, and it must not fail the batch.
    pub fn write(&self) {
        if let Ok(mut text) = serde_json::to_vec(self) {
            text.push(b'\n');
            let mut stdout = io::stdout().lock();
            let _ = stdout.write_all(&text).and_then(|()| stdout.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_names_are_an_interface() {
        let line = Line {
            level: Level::Warn,
            status: 200,
            received: 6,
            delivered: 3,
            spilled: 2,
            rejected: 1,
            retried: 7,
            records: 8,
            bytes_in: 9,
            bytes_inflated: 10,
            elapsed_ms: 11,
            error: Some("AccessDenied".to_owned()),
            ..Line::batch("id")
        };
        let text = serde_json::to_string(&line).unwrap();
        let want = concat!(
            r#"{"level":"WARN","message":"batch","request_id":"id","status":200,"#,
            r#""received":6,"delivered":3,"spilled":2,"rejected":1,"retried":7,"records":8,"#,
            r#""bytes_in":9,"bytes_inflated":10,"elapsed_ms":11,"error":"AccessDenied"}"#,
        );
        assert_eq!(text, want);
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }

    #[test]
    fn lines_of_other_versions_can_be_read() {
        let line: Line = serde_json::from_str(r#"{"message":"batch","new":1}"#).unwrap();
        assert_eq!(line, Line::batch(""));
    }
}
