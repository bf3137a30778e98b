//! Reads from the pipeline's own logs what went through the webhook and what Firehose could not deliver, and finds the newest
//! object.
//!
//! Only reads. The function writes one line per batch; the handler defines its fields.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use split_pipeline_handler::log::{BATCH, Line, STARTUP_FAILED};

use crate::aws::{Aws, AwsError};
use crate::names::Names;
use crate::{log_events, moment, objects, prefixes};

pub mod metrics;

use metrics::Metrics;

const PARTS: u64 = 30;

/// What went through the webhook in a span of time, and how it is delivered.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Traffic {
    pub since_seconds: u64,
    pub batches: u64,
    /// Batches that could not be stored, or whose invocation died, so that Split had to send them again.
    pub failed_batches: u64,
    /// Bodies that were no batch: not JSON, or too large.
    pub refused_batches: u64,
    pub received: u64,
    pub delivered: u64,
    /// Impressions that were set aside in the bucket because the stream refused them.
    pub spilled: u64,
    pub rejected: u64,
    /// Records that were sent again.
    pub retried: u64,
    pub delivery_errors: u64,
    #[serde(flatten)]
    pub metrics: Metrics,
    /// The newest object that was delivered in the span; absent where there is none, or the prefix does not say where to look.
    pub newest_object: Option<NewestObject>,
    pub series: Series,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewestObject {
    pub key: String,
    pub bytes: u64,
    pub age_seconds: u64,
}

/// Counts of equal parts of the span, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Series {
    pub step_seconds: u64,
    pub batches: Vec<u64>,
    pub failed_batches: Vec<u64>,
    pub received: Vec<u64>,
    pub delivered: Vec<u64>,
    pub spilled: Vec<u64>,
    pub rejected: Vec<u64>,
}

/// Reads what happened since `since` ago.
pub async fn read(aws: &Aws, names: &Names, since: Duration) -> Result<Traffic, AwsError> {
    let (function, delivery) = (names.function_log_group(), names.delivery_log_group());
    let start = SystemTime::now().checked_sub(since).unwrap_or(UNIX_EPOCH);
    let (lines, errors) = futures_util::try_join!(
        log_events::list(aws, &function, start),
        log_events::list(aws, &delivery, start)
    )?;
    let mut traffic = empty(since);
    for event in lines {
        let message = event.message.unwrap_or_default();
        let after = moment::from_millis(event.timestamp.unwrap_or_default()).duration_since(start);
        let part = after.unwrap_or_default().as_secs() / traffic.series.step_seconds;
        match serde_json::from_str(&message) {
            Ok(line) => add(&mut traffic, &line, part),
            Err(_) if is_failed_invocation(&message) => {
                traffic.failed_batches += 1;
                at(&mut traffic.series.failed_batches, part, 1);
            }
            Err(_) => {}
        }
    }
    traffic.delivery_errors = count(errors.len());
    Ok(traffic)
}

/// The newest object that was delivered in a span, where the prefix says where to look.
pub async fn newest_object(
    aws: &Aws,
    bucket: &str,
    prefix: &str,
    since: Duration,
) -> Result<Option<NewestObject>, AwsError> {
    let now = SystemTime::now();
    if prefixes::of(prefix, now).is_err() {
        return Ok(None);
    }
    let from = now.checked_sub(since).unwrap_or(UNIX_EPOCH);
    for prefix in prefixes::latest(prefix, from, now) {
        let Some((object, at)) = objects::newest(aws, bucket, &prefix).await? else {
            continue;
        };
        return Ok(Some(NewestObject {
            bytes: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            key: object.key.unwrap_or_default(),
            age_seconds: now.duration_since(at).unwrap_or_default().as_secs(),
        }));
    }
    Ok(None)
}

fn empty(since: Duration) -> Traffic {
    let parts = vec![0; usize::try_from(PARTS).unwrap_or_default()];
    let series = Series {
        step_seconds: since.as_secs().div_ceil(PARTS).max(1),
        batches: parts.clone(),
        failed_batches: parts.clone(),
        received: parts.clone(),
        delivered: parts.clone(),
        spilled: parts.clone(),
        rejected: parts,
    };
    Traffic { since_seconds: since.as_secs(), series, ..Traffic::default() }
}

/// Adds to a part of a span; what comes in while it is read belongs to the last one.
fn at(parts: &mut [u64], part: u64, number: u64) {
    let last = parts.len().saturating_sub(1);
    let index = usize::try_from(part).unwrap_or(last).min(last);
    if let Some(part) = parts.get_mut(index) {
        *part = part.saturating_add(number);
    }
}

/// Whether a line of Lambda's own says that an invocation died: out of time, of memory, of a bug.
pub(crate) fn is_failed_invocation(line: &str) -> bool {
    line.starts_with("REPORT ") && line.contains("Status: ")
}

fn add(traffic: &mut Traffic, line: &Line, part: u64) {
    let Traffic { series, .. } = traffic;
    let failed = u64::from(line.message == STARTUP_FAILED || line.message == BATCH && line.status >= 500);
    traffic.failed_batches += failed;
    at(&mut series.failed_batches, part, failed);
    if line.message != BATCH {
        return;
    }
    traffic.refused_batches += u64::from((400..500).contains(&line.status));
    traffic.retried = traffic.retried.saturating_add(count(line.retried));
    for (total, parts, number) in [
        (&mut traffic.batches, &mut series.batches, 1),
        (&mut traffic.received, &mut series.received, line.received),
        (&mut traffic.delivered, &mut series.delivered, line.delivered),
        (&mut traffic.spilled, &mut series.spilled, line.spilled),
        (&mut traffic.rejected, &mut series.rejected, line.rejected),
    ] {
        *total = total.saturating_add(count(number));
        at(parts, part, count(number));
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocations_that_died_are_known_by_lambdas_report() {
        let report = "REPORT RequestId: 8f5\tDuration: 20000.00 ms\tBilled Duration: 20000 ms\t";
        assert!(!is_failed_invocation(report));
        assert!(is_failed_invocation(&format!("{report}Status: timeout")));
        assert!(!is_failed_invocation("START RequestId: 8f5 Version: $LATEST"));
    }

    #[test]
    fn counts_do_not_wrap_whatever_a_line_says() {
        let mut traffic = empty(Duration::from_mins(1));
        let line = Line { received: usize::MAX, retried: usize::MAX, ..Line::batch("f", "r") };
        for part in [0, 0, 1] {
            add(&mut traffic, &line, part);
        }
        let most = (traffic.received, traffic.retried, traffic.series.received[0]);
        assert_eq!((most, traffic.batches), ((u64::MAX, u64::MAX, u64::MAX), 3));
    }

    #[test]
    fn only_lines_about_batches_count() {
        let mut traffic = empty(Duration::from_mins(1));
        let batch =
            Line { status: 200, received: 5, delivered: 3, spilled: 1, rejected: 1, ..Line::batch("f", "r") };
        let refused = |status| Line { status, ..Line::batch("f", "r") };
        let other = Line { received: 9, ..Line::default() };
        for (part, line) in [(0, batch), (3, refused(500)), (3, refused(413)), (99, other)] {
            add(&mut traffic, &line, part);
        }
        let counts = (
            traffic.batches,
            traffic.failed_batches,
            traffic.refused_batches,
            traffic.received,
            traffic.delivered,
        );
        assert_eq!(counts, (3, 1, 1, 5, 3));
        assert_eq!((traffic.spilled, traffic.rejected), (1, 1));
        let series = &traffic.series;
        assert_eq!((series.step_seconds, series.batches.len()), (2, 30));
        assert_eq!((series.batches[0], series.batches[3], series.received[0]), (1, 2, 5));
        assert_eq!(series.failed_batches[3], 1);
    }
}
