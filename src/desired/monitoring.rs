//! What watches over a pipeline: which alarms there are, who is told of them, what the dashboard shows.
//!
//! Each alarm has a heading of its name in `docs/operations.md`, which its description links to.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use split_pipeline_handler::log::NAMESPACE;

use super::policies;
use crate::names::Names;
use crate::resource::Tags;
use crate::resources::alarm::{self, Alarm};
use crate::resources::alarm_topic::{self, AlarmTopic};
use crate::resources::dashboard::{self, Dashboard};
use crate::spec::{Bounded, Email, Format, Spec, TopicArn};

/// What is late: so long behind what it should be. Firehose tries again for 24 hours, so this is long before loss.
pub(crate) const LATE_SECONDS: u32 = 600;

/// Over what time values are gathered, but for those that are about silence.
const PERIOD_SECONDS: i32 = 300;

/// The topic that alarms go to, unless they go to the user's own.
pub(super) fn topic(spec: &Spec, names: &Names, tags: &Tags) -> AlarmTopic {
    let monitoring = &spec.monitoring;
    let mut emails: Vec<_> = monitoring.emails.iter().map(Email::to_string).collect();
    emails.sort();
    emails.dedup();
    AlarmTopic {
        name: names.alarm_topic(),
        arn: names.alarm_topic_arn(),
        wanted: monitoring.alarms && monitoring.topic_arn.is_none(),
        state: alarm_topic::State {
            policy: policies::alarms_publish(names),
            encryption_key: None,
            emails,
            others: Vec::new(),
        },
        tags: tags.clone(),
    }
}

/// Every alarm that there can be, wanted or not.
pub(super) fn alarms(spec: &Spec, names: &Names, tags: &Tags) -> Vec<Alarm> {
    let topic = spec.monitoring.topic_arn.as_ref();
    let topic = topic.map_or_else(|| names.alarm_topic_arn(), TopicArn::to_string);
    let watches = watches(spec, names).into_iter().map(|watch| {
        let name = names.alarm(watch.about);
        Alarm {
            arn: names.alarm_arn(&name),
            name,
            wanted: spec.monitoring.alarms && watch.wanted,
            state: watch.state(&topic),
            tags: tags.clone(),
        }
    });
    watches.collect()
}

/// How many alarms a spec asks for.
pub(crate) fn alarms_wanted(spec: &Spec) -> usize {
    let anywhere = Names::new(spec.name.as_str(), "", "aws", "us-east-1");
    let alarms = alarms(spec, &anywhere, &Tags::new());
    alarms.iter().filter(|alarm| alarm.wanted).count()
}

/// The dashboard: what comes in, what goes wrong, how late it is, what is set aside.
pub(super) fn dashboard(spec: &Spec, names: &Names, tags: &Tags) -> Dashboard {
    Dashboard {
        name: names.dashboard(),
        arn: names.dashboard_arn(),
        wanted: spec.monitoring.dashboard,
        state: dashboard::State {
            widgets: widgets(spec, names),
        },
        tags: tags.clone(),
    }
}

/// A metric of something that the pipeline is made of.
#[derive(Clone)]
pub(crate) struct Metric {
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    pub(crate) dimensions: BTreeMap<String, String>,
    pub(crate) statistic: &'static str,
}

impl Metric {
    fn new<const N: usize>(
        namespace: &'static str,
        name: &'static str,
        dimensions: [(&str, String); N],
        statistic: &'static str,
    ) -> Self {
        let dimensions = dimensions.map(|(name, value)| (name.to_owned(), value));
        Self {
            namespace,
            name,
            dimensions: dimensions.into(),
            statistic,
        }
    }

    /// A metric of the webhook's stage, summed up.
    pub(crate) fn webhook(name: &'static str, spec: &Spec, names: &Names) -> Self {
        let stage = spec.webhook.stage.to_string();
        let dimensions = [("ApiName", names.rest_api()), ("Stage", stage)];
        Self::new("AWS/ApiGateway", name, dimensions, "Sum")
    }

    /// A metric of Lambda's about the function, summed up.
    pub(crate) fn function(name: &'static str, names: &Names) -> Self {
        Self::new("AWS/Lambda", name, [("FunctionName", names.function())], "Sum")
    }

    /// A metric of the handler's own, summed up.
    pub(crate) fn handler(name: &'static str, names: &Names) -> Self {
        Self::new(NAMESPACE, name, [("function", names.function())], "Sum")
    }

    fn firehose(name: &'static str, names: &Names, statistic: &'static str) -> Self {
        let dimensions = [("DeliveryStreamName", names.delivery_stream())];
        Self::new("AWS/Firehose", name, dimensions, statistic)
    }

    /// How far the delivery is behind the stream, in milliseconds: the age that its iterator has, and no other reader's.
    pub(crate) fn iterator_age(names: &Names) -> Self {
        Self::firehose("KinesisMillisBehindLatest", names, "Maximum")
    }

    /// How old the oldest record is that is not in S3 yet, in seconds.
    pub(crate) fn freshness(names: &Names) -> Self {
        Self::firehose("DeliveryToS3.DataFreshness", names, "Maximum")
    }

    /// How many records could not be converted.
    fn unconverted(names: &Names) -> Self {
        Self::firehose("FailedConversion.Records", names, "Sum")
    }
}

/// Where it is written what to do about an alarm.
pub(crate) fn what_to_do(about: &str) -> String {
    format!(
        "{}/blob/main/docs/operations.md#{about}",
        env!("CARGO_PKG_REPOSITORY")
    )
}

/// What an alarm watches for.
struct Watch {
    about: &'static str,
    what: String,
    metric: Metric,
    period_seconds: i32,
    periods: i32,
    threshold: f64,
    comparison: &'static str,
    missing_data: &'static str,
    wanted: bool,
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

    fn state(&self, topic: &str) -> alarm::State {
        alarm::State {
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

fn watches(spec: &Spec, names: &Names) -> Vec<Watch> {
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
        period_seconds: super::signed(period),
        comparison: "LessThanThreshold",
        missing_data: "breaching",
        wanted: minutes.is_some(),
        ..Watch::at_least("quiet", &what, posts, 1)
    }
}

/// How wide and high a graph is, of a dashboard that is 24 wide.
const GRAPH: (u32, u32) = (12, 6);

/// Where the graphs start, below the text that names the owner.
const TOP: u32 = 2;

fn widgets(spec: &Spec, names: &Names) -> Vec<Value> {
    let webhook = |name| Metric::webhook(name, spec, names);
    let function = |name| Metric::function(name, names);
    let handler = |name| Metric::handler(name, names);
    let graphs = [
        ("Impressions", vec![handler("received"), handler("delivered")]),
        ("Set aside", vec![handler("spilled"), handler("rejected")]),
        (
            "Requests, and those that failed",
            vec![webhook("Count"), webhook("4XXError"), webhook("5XXError")],
        ),
        (
            "Function errors and throttles",
            vec![function("Errors"), function("Throttles")],
        ),
        ("Behind the stream, ms", vec![Metric::iterator_age(names)]),
        ("Oldest record not in S3, s", vec![Metric::freshness(names)]),
    ];
    let graphs = (0..).zip(graphs).map(|(index, (title, metrics))| {
        let metrics: Vec<_> = metrics.iter().map(graphed).collect();
        json!({
            "type": "metric",
            "x": (index % 2) * GRAPH.0, "y": TOP + (index / 2) * GRAPH.1,
            "width": GRAPH.0, "height": GRAPH.1,
            "properties": {
                "title": title, "region": names.region(), "view": "timeSeries",
                "period": PERIOD_SECONDS, "metrics": metrics,
            },
        })
    });
    graphs.collect()
}

/// A metric as dashboards have it: namespace, name, each dimension's name and value, then how it is shown.
fn graphed(metric: &Metric) -> Value {
    let mut parts = vec![json!(metric.namespace), json!(metric.name)];
    for (name, value) in &metric.dimensions {
        parts.extend([json!(name), json!(value)]);
    }
    parts.push(json!({ "stat": metric.statistic }));
    Value::Array(parts)
}
