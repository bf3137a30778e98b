//! Reads CloudWatch's metrics of a pipeline, where the logs do not say it.
//!
//! Only reads. Each call costs a hundredth of a cent for ten metrics or so, and values are a minute apart.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy};
use aws_smithy_types::DateTime;
use serde::Serialize;

use crate::aws::{Aws, AwsError, Outcome as _};
use crate::moment;
use crate::names::Names;
use crate::resources::metric;

/// For how long CloudWatch keeps values, and how far apart they are then at least ("Metrics retention" in its guide).
const RETENTION: [(Duration, i32); 3] = [
    (Duration::from_hours(15 * 24), 60),
    (Duration::from_hours(63 * 24), 300),
    (Duration::from_hours(455 * 24), 3600),
];

/// What was measured so long ago says nothing of how it is; older spans have a value an hour.
const CURRENT: Duration = Duration::from_mins(75);

/// What CloudWatch has measured over the span; absent where it has no values.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Metrics {
    /// Invocations that Lambda refused, since too many were running.
    pub throttles: Option<u64>,
    /// How far the delivery was behind the stream when last measured, in milliseconds.
    pub iterator_age_ms: Option<u64>,
    /// How old the oldest record was that was not in S3, when last measured, in seconds.
    pub freshness_seconds: Option<u64>,
}

/// Reads what was measured since `since` ago.
pub async fn read(aws: &Aws, names: &Names, since: Duration) -> Result<Metrics, AwsError> {
    let (throttles, age, freshness) = (
        metric::Metric::function("Throttles", names),
        metric::Metric::iterator_age(names),
        metric::Metric::freshness(names),
    );
    let period = period(since);
    let queries = [("throttles", &throttles), ("age", &age), ("freshness", &freshness)];
    let queries = queries.map(|(id, metric)| query(id, metric, period));
    let now = SystemTime::now();
    let results = data(aws, &queries, since, now).await?;
    Ok(metrics(&results, now))
}

/// How far the delivery stream was behind at most in the last hour: the oldest record that it had not read, or not delivered.
pub async fn longest_lag(aws: &Aws, names: &Names) -> Result<Duration, AwsError> {
    const SPAN: Duration = Duration::from_hours(1);
    let (age, freshness) = (metric::Metric::iterator_age(names), metric::Metric::freshness(names));
    let queries = [query("age", &age, period(SPAN)), query("freshness", &freshness, period(SPAN))];
    let results = data(aws, &queries, SPAN, SystemTime::now()).await?;
    let longest = |id: &str| {
        let result = results.iter().find(|result| result.id() == Some(id));
        let values = result.map(MetricDataResult::values).unwrap_or_default();
        values.iter().copied().map(whole).max().unwrap_or_default()
    };
    let (age, freshness) = (longest("age"), longest("freshness"));
    Ok(Duration::from_millis(age).max(Duration::from_secs(freshness)))
}

/// The values of these metrics since `since` ago, the newest first, so that one page always has them.
async fn data(
    aws: &Aws,
    queries: &[MetricDataQuery],
    since: Duration,
    now: SystemTime,
) -> Result<Vec<MetricDataResult>, AwsError> {
    let start = now.checked_sub(since).unwrap_or(UNIX_EPOCH);
    let request = || {
        let call = aws.cloudwatch.get_metric_data();
        call.set_metric_data_queries(Some(queries.to_vec()))
            .start_time(DateTime::from(start))
            .end_time(DateTime::from(now))
            .scan_by(ScanBy::TimestampDescending)
            .send()
    };
    // An emulator without CloudWatch has no values.
    let answer = aws.call("cloudwatch:GetMetricData", request).await.found()?;
    let results = answer.and_then(|answer| answer.metric_data_results);
    Ok(results.unwrap_or_default())
}

fn metrics(results: &[MetricDataResult], now: SystemTime) -> Metrics {
    let result = |id: &str| results.iter().find(|result| result.id() == Some(id));
    let throttles = result("throttles").filter(|result| !result.values().is_empty());
    let current = |id: &str| {
        let result = result(id)?;
        let (value, at) = (result.values().first()?, result.timestamps().first()?);
        let age = now.duration_since(moment::from_aws(*at)).unwrap_or_default();
        (age <= CURRENT).then(|| whole(*value))
    };
    Metrics {
        throttles: throttles.map(|result| whole(result.values().iter().sum())),
        iterator_age_ms: current("age"),
        freshness_seconds: current("freshness"),
    }
}

fn period(since: Duration) -> i32 {
    let kept = RETENTION.iter().find(|(kept, _)| since < *kept);
    kept.map_or(RETENTION[2].1, |(_, seconds)| *seconds)
}

fn query(id: &str, metric: &metric::Metric, period: i32) -> MetricDataQuery {
    let dimensions = metric.dimensions.iter();
    let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
    let what = Metric::builder()
        .namespace(metric.namespace)
        .metric_name(metric.name)
        .set_dimensions(Some(dimensions.collect()));
    let stat = MetricStat::builder().metric(what.build()).period(period).stat(metric.statistic);
    MetricDataQuery::builder().id(id).metric_stat(stat.build()).build()
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
        let now = UNIX_EPOCH + Duration::from_hours(500_000);
        let result = |id: &str, values: &[f64], minutes_ago: u64| {
            let at = now - Duration::from_mins(minutes_ago);
            let result = MetricDataResult::builder().id(id);
            let result = values
                .iter()
                .fold(result, |result, value| result.values(*value).timestamps(DateTime::from(at)));
            result.build()
        };
        let read = |results: &[MetricDataResult]| metrics(results, now);
        let some = read(&[
            result("throttles", &[1.0, 0.0, 2.0], 600),
            result("age", &[1200.4, 9.0], 2),
            result("freshness", &[], 0),
        ]);
        assert_eq!(some.throttles, Some(3));
        assert_eq!(some.iterator_age_ms, Some(1200));
        assert_eq!(some.freshness_seconds, None);
        // What was late hours ago need not be late.
        let old = read(&[result("age", &[1_200_000.0], 600)]);
        assert_eq!(old.iterator_age_ms, None);
    }

    #[test]
    fn what_is_no_count_does_not_wrap() {
        let values = [-1.0, f64::NEG_INFINITY, f64::NAN, 1e300, f64::INFINITY];
        assert_eq!(values.map(whole), [0, 0, 0, u64::MAX, u64::MAX]);
    }

    #[test]
    fn values_are_asked_for_that_are_still_kept() {
        let days = |days: u64| Duration::from_hours(days * 24);
        assert_eq!([1, 30, 90].map(|it| period(days(it))), [60, 300, 3600]);
    }
}
