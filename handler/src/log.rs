//! Writes the handler's log: one line of JSON for each invocation on standard output, which Lambda sends to the function's
//! log group. The line is in CloudWatch's embedded metric format, so its numbers are metrics.
//!
//! The CLI reads these lines, so the field names are an interface. Must not contain anything of an impression.

use std::io::{self, Write as _};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::json;

/// The `message` of the line that each invocation writes.
pub const BATCH: &str = "batch";

/// The `message` of the line that is written when the handler cannot start.
pub const STARTUP_FAILED: &str = "startup failed";

/// The CloudWatch namespace of the metrics.
pub const NAMESPACE: &str = "split-pipeline";

/// The fields that are metrics, and their units.
const METRICS: [(&str, &str); 10] = [
    ("received", "Count"),
    ("delivered", "Count"),
    ("spilled", "Count"),
    ("rejected", "Count"),
    ("retried", "Count"),
    ("bytes_in", "Bytes"),
    ("bytes_inflated", "Bytes"),
    ("put_records_ms", "Milliseconds"),
    ("elapsed_ms", "Milliseconds"),
    ("cold_start", "Count"),
];

/// The most values of one metric in a line (the format's specification: 100).
pub(crate) const MAX_VALUES: usize = 100;

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
    /// The function's name, which is the metrics' one dimension.
    pub function: String,
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
    /// How long each `PutRecords` took, in milliseconds; left out where there was none, since a metric has a value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub put_records_ms: Vec<u64>,
    /// How long the invocation took, in milliseconds.
    pub elapsed_ms: u64,
    /// 1 if it was the first of its process, else 0.
    pub cold_start: u8,
    /// What went wrong, if anything did, even if a retry or the spill made up for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Line {
    /// Returns an empty line about an invocation.
    pub fn batch(function: &str, request_id: &str) -> Self {
        Self {
            message: BATCH.to_owned(),
            function: function.to_owned(),
            request_id: request_id.to_owned(),
            ..Self::default()
        }
    }

    /// Returns the line about a handler that cannot start.
    pub fn startup_failed(error: &dyn std::error::Error) -> Self {
        Self {
            level: Level::Error,
            message: STARTUP_FAILED.to_owned(),
            error: Some(error.to_string()),
            ..Self::default()
        }
    }

    /// Returns the line as JSON; one about an invocation has its numbers declared as metrics.
    fn text(&self, now: SystemTime) -> serde_json::Result<Vec<u8>> {
        if self.message != BATCH {
            return serde_json::to_vec(self);
        }
        let is_there = |name| name != "put_records_ms" || !self.put_records_ms.is_empty();
        let metrics = METRICS.iter().filter(|(name, _)| is_there(*name));
        let declared: Vec<_> = metrics.map(|(name, unit)| json!({ "Name": name, "Unit": unit })).collect();
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let metadata = json!({
            "Timestamp": milliseconds(since_1970),
            "CloudWatchMetrics": [
                { "Namespace": NAMESPACE, "Dimensions": [["function"]], "Metrics": declared },
            ],
        });
        serde_json::to_vec(&WithMetrics { metadata, line: self })
    }

    /// Writes the line to standard output, in one piece.
    ///
    /// A failure is ignored: there is nowhere to report it, and it must not fail the batch.
    pub fn write(&self) {
        if let Ok(mut text) = self.text(SystemTime::now()) {
            text.push(b'\n');
            let mut stdout = io::stdout().lock();
            let _ = stdout.write_all(&text).and_then(|()| stdout.flush());
        }
    }
}

/// A line in the embedded metric format (CloudWatch's guide: "Specification: Embedded metric format").
#[derive(Serialize)]
struct WithMetrics<'a> {
    #[serde(rename = "_aws")]
    metadata: serde_json::Value,
    #[serde(flatten)]
    line: &'a Line,
}

/// Returns whole milliseconds, as the log and Lambda count time.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
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
            put_records_ms: vec![11, 12],
            elapsed_ms: 13,
            cold_start: 1,
            error: Some("AccessDenied".to_owned()),
            ..Line::batch("flags", "id")
        }
    }

    #[test]
    fn the_field_names_are_an_interface() {
        let text = serde_json::to_string(&line()).unwrap();
        let want = concat!(
            r#"{"level":"WARN","message":"batch","function":"flags","request_id":"id","status":200,"#,
            r#""received":6,"delivered":3,"spilled":2,"rejected":1,"retried":7,"records":8,"#,
            r#""bytes_in":9,"bytes_inflated":10,"put_records_ms":[11,12],"elapsed_ms":13,"cold_start":1,"#,
            r#""error":"AccessDenied"}"#,
        );
        assert_eq!(text, want);
    }

    #[test]
    fn every_metric_is_a_number_of_the_line() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1234);
        let empty = Line::batch("flags", "id");
        for (line, metrics) in [(line(), METRICS.len()), (empty, METRICS.len() - 1)] {
            let text = line.text(now).unwrap();
            let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(value["_aws"]["Timestamp"], 1234);
            let declared = &value["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(declared["Dimensions"], json!([["function"]]));
            let declared = declared["Metrics"].as_array().unwrap();
            assert_eq!(declared.len(), metrics);
            for metric in declared {
                let number = &value[metric["Name"].as_str().unwrap()];
                assert!(number.is_u64() || number[0].is_u64(), "{metric}");
            }
            assert_eq!(serde_json::from_slice::<Line>(&text).unwrap(), line);
        }
    }

    #[test]
    fn what_is_no_batch_has_no_metrics() {
        let failed = Line::startup_failed(&io::Error::other("no region"));
        let text = failed.text(SystemTime::now()).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!((&value["_aws"], &value["error"]), (&json!(null), &json!("no region")));
    }

    #[test]
    fn lines_of_other_versions_can_be_read() {
        let line: Line = serde_json::from_str(r#"{"message":"batch","new":1}"#).unwrap();
        assert_eq!(line, Line::batch("", ""));
    }
}
