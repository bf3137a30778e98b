//! A CloudWatch alarm on one metric.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricAlarm, StandardUnit, Statistic, Tag};
use serde::{Serialize, Serializer};

use super::{Blueprint, tags_from, unless_there};
use crate::aws::{Aws, AwsError, Outcome as _};
use crate::kind::Kind;
use crate::names::{Names, Tags};
use crate::resource::{Changes, Existence, Observed, Resource, Step, TagChanges, Target};
use crate::spec::{Spec, TopicArn};

mod export;
mod grants;
mod watch;

pub(crate) use watch::{LATE_SECONDS, what_to_do};

pub const KIND: Kind = Kind::new("alarm");

#[derive(Clone, Copy, Debug)]
pub struct Alarm;

#[derive(Clone, Debug, Default, Serialize)]
pub struct State {
    pub description: String,
    pub namespace: String,
    /// Which metric.
    pub metric: String,
    #[serde(serialize_with = "as_text")]
    pub dimensions: BTreeMap<String, String>,
    /// What is made of the metric's values in a period.
    pub statistic: String,
    /// The unit that values must have; absent where any will do.
    pub unit: Option<String>,
    pub period_seconds: i32,
    /// How many consecutive periods are evaluated.
    pub evaluation_periods: i32,
    /// How many of them, where it is not all.
    pub datapoints_to_alarm: Option<i32>,
    pub comparison: String,
    pub threshold: f64,
    /// What a period without a value counts as.
    pub missing_data: String,
    /// Whether anybody is told.
    pub actions_enabled: bool,
    pub alarm_actions: Vec<String>,
    pub ok_actions: Vec<String>,
    /// Who is told when there are no values to judge by.
    pub insufficient_data_actions: Vec<String>,
}

/// Dimensions as one value, so that it is one field that differs.
fn as_text<S: Serializer>(dimensions: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    let pairs: Vec<_> = dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
    serializer.serialize_str(&pairs.join(", "))
}

pub(crate) fn wants(blueprint: &Blueprint<'_>) -> Vec<Target<Alarm>> {
    let Blueprint { spec, names, .. } = blueprint;
    let topic = spec.monitoring.topic_arn.as_ref();
    let topic = topic.map_or_else(|| names.alarm_topic_arn(), TopicArn::to_string);
    let watches = watch::watches(spec, names).into_iter().map(|watch| {
        let name = names.alarm(watch.about);
        let arn = names.alarm_arn(&name);
        Target {
            existence: Existence::wanted_if(spec.monitoring.alarms && watch.wanted),
            ..blueprint.target(KIND, (name, arn), watch.state(&topic), ())
        }
    });
    watches.collect()
}

pub(crate) fn wanted(spec: &Spec) -> usize {
    let anywhere = Names::new(spec.name.as_str(), "", "aws", "us-east-1");
    let watches = watch::watches(spec, &anywhere);
    let wanted = watches.iter().filter(|watch| spec.monitoring.alarms && watch.wanted);
    wanted.count()
}

impl Resource for Alarm {
    type State = State;
    type Id = String;
    type Extra = ();

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        match describe(aws, std::slice::from_ref(&want.name)).await?.first() {
            Some(found) => want.observed(aws, found).await,
            None => Ok(None),
        }
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        unless_there(want, step.aws, "cloudwatch:PutMetricAlarm").await?;
        want.put(step).await?;
        Ok(want.created(want.arn.clone(), want.state.clone()))
    }

    async fn update(
        want: &Target<Self>,
        _have: &Observed<Self>,
        _changes: &Changes,
        step: &Step<'_>,
    ) -> Result<String, AwsError> {
        want.put(step).await?;
        Ok(want.arn.clone())
    }

    async fn delete(want: &Target<Self>, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || step.aws.cloudwatch.delete_alarms().alarm_names(&want.name).send();
        let deleted = step.aws.call("cloudwatch:DeleteAlarms", request).await;
        deleted.found().map(drop)
    }

    async fn observe_all(wants: &[Target<Self>], aws: &Aws) -> Result<Vec<Option<Observed<Self>>>, AwsError> {
        let names: Vec<_> = wants.iter().map(|want| want.name.clone()).collect();
        let found = describe(aws, &names).await?;
        let looks = wants.iter().map(async |want| {
            let named = |found: &&MetricAlarm| found.alarm_name() == Some(want.name.as_str());
            match found.iter().find(named) {
                Some(found) => want.observed(aws, found).await,
                None => Ok(None),
            }
        });
        futures_util::future::try_join_all(looks).await
    }

    async fn retag(
        want: &Target<Self>,
        _id: &String,
        tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        let TagChanges { set, removed } = tags;
        if !set.is_empty() {
            let request = || {
                let call = step.aws.cloudwatch.tag_resource().resource_arn(&want.arn);
                call.set_tags(Some(sdk_tags(set))).send()
            };
            step.call("cloudwatch:TagResource", request).await?;
        }
        if !removed.is_empty() {
            let request = || {
                let call = step.aws.cloudwatch.untag_resource().resource_arn(&want.arn);
                call.set_tag_keys(Some(removed.clone())).send()
            };
            step.call("cloudwatch:UntagResource", request).await?;
        }
        Ok(())
    }
}

/// Describes the alarms of these names, as far as they are there.
pub async fn describe(aws: &Aws, names: &[String]) -> Result<Vec<MetricAlarm>, AwsError> {
    let request = || {
        let call = aws.cloudwatch.describe_alarms();
        call.set_alarm_names(Some(names.to_vec())).send()
    };
    // An emulator without CloudWatch has no alarms.
    let answer = aws.call("cloudwatch:DescribeAlarms", request).await.found()?;
    Ok(answer.and_then(|answer| answer.metric_alarms).unwrap_or_default())
}

impl Target<Alarm> {
    /// What was found, with its tags; nothing where it went away meanwhile.
    async fn observed(&self, aws: &Aws, found: &MetricAlarm) -> Result<Option<Observed<Alarm>>, AwsError> {
        let request = || aws.cloudwatch.list_tags_for_resource().resource_arn(&self.arn).send();
        let tags = aws.call("cloudwatch:ListTagsForResource", request).await;
        Ok(tags
            .found()?
            .map(|answer| Observed::ready(self.arn.clone(), state_of(found), tags_of(answer.tags()))))
    }

    /// Creates or overwrites the alarm. The call sets every field; CloudWatch ignores its tags for an existing alarm.
    async fn put(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let State {
            description,
            namespace,
            metric,
            dimensions,
            statistic,
            unit,
            period_seconds,
            evaluation_periods,
            datapoints_to_alarm,
            comparison,
            threshold,
            missing_data,
            actions_enabled,
            alarm_actions,
            ok_actions,
            insufficient_data_actions,
        } = &self.state;
        let dimensions =
            dimensions.iter().map(|(name, value)| Dimension::builder().name(name).value(value).build());
        let dimensions: Vec<_> = dimensions.collect();
        let request = || {
            let call = step.aws.cloudwatch.put_metric_alarm().alarm_name(&self.name);
            call.alarm_description(description)
                .namespace(namespace)
                .metric_name(metric)
                .set_dimensions(Some(dimensions.clone()))
                .statistic(Statistic::from(statistic.as_str()))
                .set_unit(unit.as_deref().map(StandardUnit::from))
                .period(*period_seconds)
                .evaluation_periods(*evaluation_periods)
                .set_datapoints_to_alarm(*datapoints_to_alarm)
                .comparison_operator(ComparisonOperator::from(comparison.as_str()))
                .threshold(*threshold)
                .treat_missing_data(missing_data)
                .actions_enabled(*actions_enabled)
                .set_alarm_actions(Some(alarm_actions.clone()))
                .set_ok_actions(Some(ok_actions.clone()))
                .set_insufficient_data_actions(Some(insufficient_data_actions.clone()))
                .set_tags(Some(sdk_tags(&self.tags)))
                .send()
        };
        step.call("cloudwatch:PutMetricAlarm", request).await.map(drop)
    }
}

pub(super) fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect()
}

fn tags_of(tags: &[Tag]) -> Tags {
    let pairs = tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?)));
    tags_from(pairs)
}

fn state_of(found: &MetricAlarm) -> State {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let dimensions = found.dimensions().iter();
    let dimensions = dimensions.filter_map(|it| Some((it.name()?.to_owned(), it.value()?.to_owned())));
    State {
        description: text(found.alarm_description()),
        namespace: text(found.namespace()),
        metric: text(found.metric_name()),
        dimensions: dimensions.collect(),
        statistic: text(found.statistic().map(Statistic::as_str)),
        unit: found.unit().map(|unit| unit.as_str().to_owned()),
        period_seconds: found.period().unwrap_or_default(),
        evaluation_periods: found.evaluation_periods().unwrap_or_default(),
        datapoints_to_alarm: found.datapoints_to_alarm(),
        comparison: text(found.comparison_operator().map(ComparisonOperator::as_str)),
        threshold: found.threshold().unwrap_or_default(),
        missing_data: found.treat_missing_data().unwrap_or("missing").to_owned(),
        actions_enabled: found.actions_enabled().unwrap_or(true),
        alarm_actions: found.alarm_actions().to_vec(),
        ok_actions: found.ok_actions().to_vec(),
        insufficient_data_actions: found.insufficient_data_actions().to_vec(),
    }
}
