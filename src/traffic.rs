//! What went through the webhook and what Firehose could not deliver, read from the pipeline's own logs.
//!
//! Only reads. The function writes one line a batch; its fields are defined by the handler.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use split_pipeline_handler::log::{BATCH, Line, STARTUP_FAILED};

use crate::aws::{Aws, AwsError};
use crate::log_events;
use crate::names::Names;
use crate::results::Traffic;

/// Reads what happened since `since` ago.
pub async fn read(aws: &Aws, names: &Names, since: Duration) -> Result<Traffic, AwsError> {
    let (function, delivery) = (names.function_log_group(), names.delivery_log_group());
    let start = SystemTime::now().checked_sub(since).unwrap_or(UNIX_EPOCH);
    let (lines, errors) =
        futures_util::try_join!(messages(aws, &function, start), messages(aws, &delivery, start))?;
    let mut traffic = Traffic {
        since_seconds: since.as_secs(),
        ..Traffic::default()
    };
    for line in &lines {
        match serde_json::from_str(line) {
            Ok(line) => add(&mut traffic, &line),
            Err(_) => traffic.failed_batches += u64::from(is_failed_invocation(line)),
        }
    }
    traffic.delivery_errors = count(errors.len());
    Ok(traffic)
}

/// Whether a line of Lambda's own says that an invocation died: out of time, of memory, of a bug.
pub(crate) fn is_failed_invocation(line: &str) -> bool {
    line.starts_with("REPORT ") && line.contains("Status: ")
}

fn add(traffic: &mut Traffic, line: &Line) {
    if line.message == STARTUP_FAILED {
        traffic.failed_batches += 1;
    }
    if line.message != BATCH {
        return;
    }
    traffic.batches += 1;
    traffic.refused_batches += u64::from((400..500).contains(&line.status));
    traffic.failed_batches += u64::from(line.status >= 500);
    traffic.received += count(line.received);
    traffic.delivered += count(line.delivered);
    traffic.spilled += count(line.spilled);
    traffic.rejected += count(line.rejected);
    traffic.retried += count(line.retried);
}

/// The messages of a log group.
async fn messages(aws: &Aws, group: &str, since: SystemTime) -> Result<Vec<String>, AwsError> {
    let events = log_events::list(aws, group, since).await?;
    Ok(events.into_iter().filter_map(|event| event.message).collect())
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
    fn only_lines_about_batches_count() {
        let mut traffic = Traffic::default();
        let batch = Line {
            status: 200,
            received: 5,
            delivered: 3,
            spilled: 1,
            rejected: 1,
            ..Line::batch("f", "r")
        };
        add(&mut traffic, &batch);
        add(
            &mut traffic,
            &Line {
                status: 500,
                ..Line::batch("f", "r")
            },
        );
        add(
            &mut traffic,
            &Line {
                status: 413,
                ..Line::batch("f", "r")
            },
        );
        add(
            &mut traffic,
            &Line {
                received: 9,
                ..Line::default()
            },
        );
        let counts = (
            traffic.batches,
            traffic.failed_batches,
            traffic.refused_batches,
            traffic.received,
            traffic.delivered,
        );
        assert_eq!(counts, (3, 1, 1, 5, 3));
        assert_eq!((traffic.spilled, traffic.rejected), (1, 1));
    }
}
