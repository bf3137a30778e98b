//! What CloudWatch has measured of a pipeline, where the logs do not say it.
//!
//! Only reads. Each call costs a hundredth of a cent for ten metrics or so, and values are a minute apart.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy};
use aws_smithy_types::DateTime;

use crate::aws::{Aws, AwsError, Outcome as _};
use crate::desired;
use crate::names::Names;
use crate::results::Metrics;

/// For how long CloudWatch keeps values, and how far apart they are then at least ("Metrics retention" in its guide).
const RETENTION: [(Duration, i32); 3] = [
    (Duration::from_hours(15 * 24), 60),
    (Duration::from_hours(63 * 24), 300),
    (Duration::from_hours(455 * 24), 3600),
];

/// Reads what was measured since `since` ago.
pub async fn read(aws: &Aws, names: &Names, since: Duration) -> Result<Metrics, AwsError> {
    let (throttles, age, freshness) = (
        desired::Metric::function("Throttles", names),
        desired::Metric::iterator_age(names),
        desired::Metric::freshness(names),
    );
    let period = period(since);
    let queries = [
        ("throttles", &throttles),
        ("age", &age),
        ("freshness", &freshness),
    ];
    let queries = queries.map(|(id, metric)| query(id, metric, period));
    let now = SystemTime::now();
    let start = now.checked_sub(since).unwrap_or(UNIX_EPOCH);
    let request = || {
        let call = aws.cloudwatch.get_metric_data();
        call.set_metric_data_queries(Some(queries.to_vec()))
            .start_time(DateTime::from(start))
            .end_time(DateTime::from(now))
            // The newest first, so that one page always has them.
            .scan_by(ScanBy::TimestampDescending)
            .send()
    };
    // An emulator without CloudWatch has no values.
    let answer = aws.call("cloudwatch:GetMetricData", request).await.found()?;
    let results = answer.and_then(|answer| answer.metric_data_results);
    Ok(metrics(&results.unwrap_or_default()))
}

fn metrics(results: &[MetricDataResult]) -> Metrics {
    let values = |id: &str| {
        let result = results.iter().find(|result| result.id() == Some(id));
        result
            .map(MetricDataResult::values)
            .filter(|values| !values.is_empty())
    };
    let newest = |id: &str| values(id).map(|values| whole(values[0]));
    Metrics {
        throttles: values("throttles").map(|values| whole(values.iter().sum())),
        iterator_age_ms: newest("age"),
        freshness_seconds: newest("freshness"),
    }
}

/// The shortest time between values that there still are.
fn period(since: Duration) -> i32 {
    let kept = RETENTION.iter().find(|(kept, _)| since < *kept);
    kept.map_or(RETENTION[2].1, |(_, seconds)| *seconds)
}

fn query(id: &str, metric: &desired::Metric, period: i32) -> MetricDataQuery {
    let dimensions = metric.dimensions.iter();
    let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
    let what = Metric::builder()
        .namespace(metric.namespace)
        .metric_name(metric.name)
        .set_dimensions(Some(dimensions.collect()));
    let stat = MetricStat::builder()
        .metric(what.build())
        .period(period)
        .stat(metric.statistic);
    MetricDataQuery::builder()
        .id(id)
        .metric_stat(stat.build())
        .build()
}

/// A measured value, which is never negative, without its fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is measured is far from the limits"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_up_and_delays_are_the_newest() {
        let result = |id: &str, values: &[f64]| {
            let values = Some(values.to_vec());
            MetricDataResult::builder().id(id).set_values(values).build()
        };
        let some = metrics(&[
            result("throttles", &[1.0, 0.0, 2.0]),
            result("age", &[1200.4, 9.0]),
            result("freshness", &[]),
        ]);
        assert_eq!(some.throttles, Some(3));
        assert_eq!(some.iterator_age_ms, Some(1200));
        assert_eq!(some.freshness_seconds, None);
    }

    #[test]
    fn values_are_asked_for_that_are_still_kept() {
        let days = |days: u64| Duration::from_hours(days * 24);
        assert_eq!([1, 30, 90].map(|it| period(days(it))), [60, 300, 3600]);
    }
}
