//! The function's log and the delivery stream's errors as one, by time.
//!
//! Only reads. The function's lines are defined by the handler.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use futures_util::try_join;
use serde::Serialize;
use serde_json::{Map, Value};
use split_pipeline_handler::log::{Level, Line};

use crate::aws::{Aws, AwsError};
use crate::log_events;
use crate::moment;
use crate::names::Names;
use crate::traffic::is_failed_invocation;

/// CloudWatch may show an event this much later than its time says.
const LATE: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize)]
pub struct LogLine {
    #[serde(serialize_with = "moment::as_rfc3339")]
    pub time: SystemTime,
    pub source: LogSource,
    pub level: Level,
    pub message: String,
    /// The same where it is a JSON object, for those who look for what is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Map<String, Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    Function,
    Delivery,
}

pub struct LogReader {
    since: SystemTime,
    seen: HashSet<String>,
}

impl LogReader {
    /// Starts with the lines since a time.
    pub fn new(since: SystemTime) -> Self {
        Self { since, seen: HashSet::new() }
    }

    /// Reads what is new, the oldest first.
    pub async fn read(&mut self, aws: &Aws, names: &Names) -> Result<Vec<LogLine>, AwsError> {
        let now = SystemTime::now();
        let (function, delivery) = (names.function_log_group(), names.delivery_log_group());
        let (function, delivery) = try_join!(
            log_events::list(aws, &function, self.since),
            log_events::list(aws, &delivery, self.since)
        )?;
        let function = function.into_iter().map(|event| (LogSource::Function, event));
        let delivery = delivery.into_iter().map(|event| (LogSource::Delivery, event));
        let mut new = Vec::new();
        let mut ids = HashSet::new();
        for (source, event) in function.chain(delivery) {
            let id = event.event_id.clone().unwrap_or_else(|| format!("{event:?}"));
            if !self.seen.contains(&id) {
                new.push(line(source, event));
            }
            ids.insert(id);
        }
        // What is older is not asked for again, so it need not be remembered.
        self.seen = ids;
        self.since = self.since.max(now.checked_sub(LATE).unwrap_or(UNIX_EPOCH));
        new.sort_by_key(|line| line.time);
        Ok(new)
    }
}

fn line(source: LogSource, event: FilteredLogEvent) -> LogLine {
    let message = event.message.unwrap_or_default().trim_end().to_owned();
    let batch: Option<Line> = serde_json::from_str(&message).ok();
    let level = match (&batch, source) {
        (Some(batch), LogSource::Function) => batch.level,
        // Firehose logs nothing but what it could not deliver.
        (_, LogSource::Delivery) => Level::Error,
        (None, LogSource::Function) if is_failed_invocation(&message) => Level::Error,
        (None, LogSource::Function) => Level::Info,
    };
    LogLine {
        time: moment::from_millis(event.timestamp.unwrap_or_default()),
        source,
        level,
        fields: serde_json::from_str(&message).ok(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(message: &str) -> FilteredLogEvent {
        FilteredLogEvent::builder().timestamp(1500).message(message).build()
    }

    #[test]
    fn levels_are_the_handlers_or_follow_from_the_source() {
        let spilled = Line { level: Level::Warn, ..Line::batch("f", "r") };
        let spilled = serde_json::to_string(&spilled).unwrap();
        for (source, message, level) in [
            (LogSource::Function, spilled.as_str(), Level::Warn),
            (LogSource::Function, "START RequestId: 1\n", Level::Info),
            (LogSource::Function, "REPORT RequestId: 1 Status: timeout", Level::Error),
            (LogSource::Delivery, r#"{"errorCode":"S3.AccessDenied"}"#, Level::Error),
        ] {
            let line = line(source, event(message));
            assert_eq!(line.level, level, "{message}");
            assert_eq!(line.message, message.trim_end());
            let fields = line.fields.map(Value::Object);
            assert_eq!(fields, serde_json::from_str(message).ok(), "{message}");
            assert_eq!(line.time, UNIX_EPOCH + Duration::from_millis(1500));
        }
    }
}
