//! A CloudWatch alarm on one metric.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricAlarm, StandardUnit, Statistic, Tag};
use serde::{Serialize, Serializer};

use super::{retag, tags_from, unless_there};
use crate::aws::{Aws, AwsError, Outcome as _};
use crate::resource::{About, Kind, Observed, Phase, Resource, Step, Tags};

/// An alarm as it should be.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its ARN, by which it is tagged.
    pub arn: String,
    /// Whether the spec asks for it.
    pub wanted: bool,
    /// What is compared.
    pub state: State,
    /// Its tags.
    pub tags: Tags,
}

/// What is compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct State {
    /// What it means, for whoever is told of it.
    pub description: String,
    /// Whose metric it watches.
    pub namespace: String,
    /// Which metric.
    pub metric: String,
    /// Of what.
    #[serde(serialize_with = "as_text")]
    pub dimensions: BTreeMap<String, String>,
    /// What is made of the metric's values in a period.
    pub statistic: String,
    /// The unit that values must have; absent where any will do.
    pub unit: Option<String>,
    /// How long a period is.
    pub period_seconds: i32,
    /// How many periods must be over the threshold, one after the other.
    pub evaluation_periods: i32,
    /// How many of them, where it is not all.
    pub datapoints_to_alarm: Option<i32>,
    /// How a value is compared with the threshold.
    pub comparison: String,
    /// The threshold.
    pub threshold: f64,
    /// What a period without a value counts as.
    pub missing_data: String,
    /// Whether anybody is told.
    pub actions_enabled: bool,
    /// Who is told when it goes off.
    pub alarm_actions: Vec<String>,
    /// Who is told when it is over.
    pub ok_actions: Vec<String>,
    /// Who is told when there are no values to judge by.
    pub insufficient_data_actions: Vec<String>,
}

/// Dimensions as one value, so that it is one field that differs.
fn as_text<S: Serializer>(dimensions: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    let pairs: Vec<_> = dimensions
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    serializer.serialize_str(&pairs.join(", "))
}

impl Resource for Alarm {
    type State = State;
    type Id = String;
    type Parent = ();
    type Needs = ();

    fn about(&self) -> About<'_, State> {
        About {
            kind: Kind::Alarm,
            name: &self.name,
            state: &self.state,
            tags: &self.tags,
        }
    }

    fn display_id(id: &String) -> String {
        id.clone()
    }

    fn parent((): &()) {}

    fn wanted(&self) -> bool {
        self.wanted
    }

    async fn observe(&self, aws: &Aws, (): &()) -> Result<Option<Observed<Self>>, AwsError> {
        match describe(aws, std::slice::from_ref(&self.name)).await?.first() {
            Some(found) => self.observed(aws, found).await,
            None => Ok(None),
        }
    }

    async fn create(&self, (): &(), step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        unless_there(self, step.aws, "cloudwatch:PutMetricAlarm").await?;
        self.put(step).await?;
        Ok(Observed {
            id: self.arn.clone(),
            state: self.state.clone(),
            tags: self.tags.clone(),
            phase: Phase::Ready,
        })
    }

    async fn update(&self, have: &Observed<Self>, (): &(), step: &Step<'_>) -> Result<String, AwsError> {
        self.retag(&have.tags, step.aws).await?;
        if have.state != self.state {
            self.put(step).await?;
        }
        Ok(self.arn.clone())
    }

    async fn delete(&self, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || step.aws.cloudwatch.delete_alarms().alarm_names(&self.name).send();
        let deleted = step.aws.call("cloudwatch:DeleteAlarms", request).await;
        deleted.found().map(drop)
    }
}

/// Looks at all alarms of a pipeline with one call, and one more for the tags of each that is there.
pub async fn observe_all(aws: &Aws, alarms: &[Alarm]) -> Result<Vec<Option<Observed<Alarm>>>, AwsError> {
    let names: Vec<_> = alarms.iter().map(|alarm| alarm.name.clone()).collect();
    let found = describe(aws, &names).await?;
    let looks = alarms.iter().map(async |alarm| {
        let named = |found: &&MetricAlarm| found.alarm_name() == Some(alarm.name.as_str());
        match found.iter().find(named) {
            Some(found) => alarm.observed(aws, found).await,
            None => Ok(None),
        }
    });
    futures_util::future::try_join_all(looks).await
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

impl Alarm {
    /// What was found, with its tags; nothing where it went away meanwhile.
    async fn observed(&self, aws: &Aws, found: &MetricAlarm) -> Result<Option<Observed<Self>>, AwsError> {
        let request = || {
            aws.cloudwatch
                .list_tags_for_resource()
                .resource_arn(&self.arn)
                .send()
        };
        let tags = aws.call("cloudwatch:ListTagsForResource", request).await;
        Ok(tags.found()?.map(|answer| Observed {
            id: self.arn.clone(),
            state: state_of(found),
            tags: tags_of(answer.tags()),
            phase: Phase::Ready,
        }))
    }

    /// Makes it, or makes it anew in place: the call says all of it, but for the tags, which count for a new one only.
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
        let dimensions = dimensions
            .iter()
            .map(|(name, value)| Dimension::builder().name(name).value(value).build());
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
        let put = async || step.aws.call("cloudwatch:PutMetricAlarm", request).await;
        step.settle(put).await.map(drop)
    }

    async fn retag(&self, have: &Tags, aws: &Aws) -> Result<(), AwsError> {
        let set = async |tags: Tags| {
            let request = || {
                let call = aws.cloudwatch.tag_resource().resource_arn(&self.arn);
                call.set_tags(Some(sdk_tags(&tags))).send()
            };
            aws.call("cloudwatch:TagResource", request).await.map(drop)
        };
        let remove = async |keys: Vec<String>| {
            let request = || {
                let call = aws.cloudwatch.untag_resource().resource_arn(&self.arn);
                call.set_tag_keys(Some(keys.clone())).send()
            };
            aws.call("cloudwatch:UntagResource", request).await.map(drop)
        };
        retag(&self.tags, have, set, remove).await
    }
}

/// Tags as CloudWatch takes them.
pub(super) fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    let tags = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
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
