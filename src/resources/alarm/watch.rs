//! Which alarms a pipeline can have.
//!
//! Each alarm has a heading of its name in `docs/operations.md`, which its description links to.

use super::State;
use crate::names::Names;
use crate::resources::metric::{Metric, PERIOD_SECONDS};
use crate::resources::signed;
use crate::spec::{Bounded, Format, Spec};

/// What is late: so long behind what it should be. Firehose tries again for 24 hours, so this is long before loss.
pub(crate) const LATE_SECONDS: u32 = 600;

/// Where it is written what to do about an alarm.
pub(crate) fn what_to_do(about: &str) -> String {
    format!("{}/blob/main/docs/operations.md#{about}", env!("CARGO_PKG_REPOSITORY"))
}

pub(super) struct Watch {
    pub(super) about: &'static str,
    what: String,
    metric: Metric,
    period_seconds: i32,
    periods: i32,
    threshold: f64,
    comparison: &'static str,
    missing_data: &'static str,
    pub(super) wanted: bool,
}

impl Watch {
    /// Goes off once the metric reaches the threshold within five minutes.
    fn at_least(about: &'static str, what: &str, metric: Metric, threshold: u32) -> Self {
        Self {
            about,
            what: what.to_owned(),
            metric,
            period_seconds: PERIOD_SECONDS,
            periods: 1,
            threshold: f64::from(threshold),
            comparison: "GreaterThanOrEqualToThreshold",
            missing_data: "notBreaching",
            wanted: true,
        }
    }

    /// Goes off where it is so for a quarter of an hour.
    fn lasting(self) -> Self {
        Self { periods: 3, ..self }
    }

    pub(super) fn state(&self, topic: &str) -> State {
        State {
            description: format!("{} What to do: {}", self.what, what_to_do(self.about)),
            namespace: self.metric.namespace.to_owned(),
            metric: self.metric.name.to_owned(),
            dimensions: self.metric.dimensions.clone(),
            statistic: self.metric.statistic.to_owned(),
            unit: None,
            period_seconds: self.period_seconds,
            evaluation_periods: self.periods,
            datapoints_to_alarm: None,
            comparison: self.comparison.to_owned(),
            threshold: self.threshold,
            missing_data: self.missing_data.to_owned(),
            actions_enabled: true,
            alarm_actions: vec![topic.to_owned()],
            ok_actions: vec![topic.to_owned()],
            insufficient_data_actions: Vec::new(),
        }
    }
}

pub(super) fn watches(spec: &Spec, names: &Names) -> Vec<Watch> {
    let fresh = spec.delivery.buffer_seconds.get() + LATE_SECONDS;
    let at_least = Watch::at_least;
    vec![
        at_least(
            "webhook-4xx",
            "API Gateway or the function refused ten requests or more within five minutes.",
            Metric::webhook("4XXError", spec, names),
            10,
        ),
        at_least(
            "webhook-5xx",
            "The webhook failed, so Split had to send a batch again.",
            Metric::webhook("5XXError", spec, names),
            1,
        ),
        at_least(
            "function-errors",
            "The function died of an error, or ran out of time or memory.",
            Metric::function("Errors", names),
            1,
        ),
        at_least(
            "function-throttles",
            "Lambda refused to run the function, since too many were running.",
            Metric::function("Throttles", names),
            1,
        ),
        at_least(
            "spilled",
            "The stream refused impressions; they are below spill/ in the bucket.",
            Metric::handler("spilled", names),
            1,
        ),
        at_least(
            "iterator-age",
            "The delivery stream is ten minutes behind the stream or more.",
            Metric::iterator_age(names),
            LATE_SECONDS * 1000,
        )
        .lasting(),
        at_least(
            "delivery-freshness",
            "Impressions reach S3 ten minutes later than the buffer explains, or not at all.",
            Metric::freshness(names),
            fresh,
        )
        .lasting(),
        unconverted(spec, names),
        quiet(spec, names),
    ]
}

/// Watches for what Firehose sets aside since it is no Parquet; it counts that where it converts alone.
fn unconverted(spec: &Spec, names: &Names) -> Watch {
    let what = "Firehose could not convert impressions; they are below the error prefix in the bucket.";
    Watch {
        wanted: spec.delivery.format == Format::Parquet,
        ..Watch::at_least("unconverted", what, Metric::unconverted(names), 1)
    }
}

/// Watches for silence: Split posts every ten seconds for an environment with traffic.
fn quiet(spec: &Spec, names: &Names) -> Watch {
    let minutes = spec.monitoring.quiet_minutes.map(Bounded::get);
    let period = minutes.unwrap_or_default().max(1) * 60;
    let what = format!("Nobody has posted to the webhook for {} minutes.", period / 60);
    // Whoever guesses at URLs does not reach the function, so this counts Split alone.
    let posts = Metric::function("Invocations", names);
    Watch {
        period_seconds: signed(period),
        comparison: "LessThanThreshold",
        missing_data: "breaching",
        wanted: minutes.is_some(),
        ..Watch::at_least("quiet", &what, posts, 1)
    }
}
