//! A CloudWatch log group with a retention: the function's and the delivery stream's.

use std::time::SystemTime;

use aws_sdk_cloudwatchlogs::types::LogGroup as Found;
use serde::Serialize;

use super::{Blueprint, signed, tags_from};
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::kind::Kind;
use crate::resource::{Changes, Observed, Resource, Step, TagChanges, Target};

mod export;
mod grants;

pub const OF_DELIVERY: Kind = Kind::new("delivery_log_group");
pub const OF_FUNCTION: Kind = Kind::new("function_log_group");

#[derive(Clone, Copy, Debug)]
pub struct LogGroup;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// How long lines are kept; absent where they are kept for ever.
    pub retention_days: Option<i32>,
    /// The log stream that has to be there because its writer does not make it.
    pub log_stream: Option<String>,
    /// What somebody else makes of its lines; not compared.
    #[serde(skip)]
    pub left_alone: Vec<String>,
    /// How many days ago it was created, if that is known; not compared.
    #[serde(skip)]
    pub age_days: Option<i64>,
}

pub(crate) fn of_function(blueprint: &Blueprint<'_>) -> Target<LogGroup> {
    want(OF_FUNCTION, blueprint, blueprint.names.function_log_group(), None)
}

pub(crate) fn of_delivery(blueprint: &Blueprint<'_>) -> Target<LogGroup> {
    let names = blueprint.names;
    let log_stream = Some(names.delivery_log_stream());
    want(OF_DELIVERY, blueprint, names.delivery_log_group(), log_stream)
}

fn want(kind: Kind, blueprint: &Blueprint<'_>, name: String, log_stream: Option<String>) -> Target<LogGroup> {
    let arn = blueprint.names.log_group_arn(&name);
    let state = State {
        retention_days: Some(signed(blueprint.spec.handler.log_retention_days.get())),
        log_stream,
        left_alone: Vec::new(),
        age_days: None,
    };
    blueprint.target(kind, (name, arn), state, ())
}

impl Resource for LogGroup {
    type State = State;
    type Id = String;
    type Extra = ();

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let request = || aws.logs.describe_log_groups().log_group_name_prefix(&want.name).send();
        let answer = aws.call("logs:DescribeLogGroups", request).await?;
        let group =
            answer.log_groups().iter().find(|group| group.log_group_name() == Some(want.name.as_str()));
        let Some(group) = group else { return Ok(None) };
        let tags = || aws.logs.list_tags_for_resource().resource_arn(&want.arn).send();
        let (tags, log_stream, subscriptions) = futures_util::try_join!(
            aws.call("logs:ListTagsForResource", tags),
            want.log_stream(aws),
            want.subscriptions(aws)
        )?;
        let tags = tags.tags().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
        let state = State {
            retention_days: group.retention_in_days(),
            log_stream,
            left_alone: additions(group, subscriptions),
            age_days: group.creation_time().and_then(days_since),
        };
        Ok(Some(Observed::ready(want.arn.clone(), state, tags_from(tags))))
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let request = || {
            let call = step.aws.logs.create_log_group().log_group_name(&want.name);
            call.set_tags(Some(want.tags.clone().into_iter().collect())).send()
        };
        step.call("logs:CreateLogGroup", request).await?;
        let state =
            State { retention_days: None, log_stream: None, left_alone: Vec::new(), age_days: Some(0) };
        Ok(want.created(want.arn.clone(), state))
    }

    async fn update(
        want: &Target<Self>,
        have: &Observed<Self>,
        changes: &Changes,
        step: &Step<'_>,
    ) -> Result<String, AwsError> {
        let aws = step.aws;
        if changes.has("retention_days") {
            let request = || {
                let call = aws.logs.put_retention_policy().log_group_name(&want.name);
                call.set_retention_in_days(want.state.retention_days).send()
            };
            step.call("logs:PutRetentionPolicy", request).await?;
        }
        if let (Some(stream), None) = (&want.state.log_stream, &have.state.log_stream) {
            let request =
                || aws.logs.create_log_stream().log_group_name(&want.name).log_stream_name(stream).send();
            match step.call("logs:CreateLogStream", request).await {
                Err(error) if error.kind != ErrorKind::Exists => return Err(error),
                _ => {}
            }
        }
        Ok(want.arn.clone())
    }

    async fn delete(want: &Target<Self>, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || step.aws.logs.delete_log_group().log_group_name(&want.name).send();
        step.remove("logs:DeleteLogGroup", request).await
    }

    fn left_alone(have: &State) -> &[String] {
        &have.left_alone
    }

    fn caution(want: &Target<Self>, have: &State) -> Option<String> {
        let days = want.state.retention_days?;
        let deletes = match have.retention_days {
            Some(had) => days < had,
            // A log group younger than that has no line to delete: `up` may just have created it.
            None => have.age_days.is_none_or(|age| age >= i64::from(days)),
        };
        deletes
            .then(|| format!("log group {}: CloudWatch Logs deletes lines older than {days} days", want.name))
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
                let call = step.aws.logs.tag_resource().resource_arn(&want.arn);
                call.set_tags(Some(set.clone().into_iter().collect())).send()
            };
            step.call("logs:TagResource", request).await?;
        }
        if !removed.is_empty() {
            let request = || {
                let call = step.aws.logs.untag_resource().resource_arn(&want.arn);
                call.set_tag_keys(Some(removed.clone())).send()
            };
            step.call("logs:UntagResource", request).await?;
        }
        Ok(())
    }
}

impl Target<LogGroup> {
    /// Lists the filters that send lines elsewhere, maybe to another account. A group has two at most.
    async fn subscriptions(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        let request = || {
            let call = aws.logs.describe_subscription_filters();
            call.log_group_name(&self.name).send()
        };
        let answer = aws.look("logs:DescribeSubscriptionFilters", request).await?;
        let filters = answer.and_then(|answer| answer.subscription_filters);
        let filters = filters.unwrap_or_default().into_iter();
        Ok(filters.filter_map(|filter| filter.filter_name).collect())
    }

    async fn log_stream(&self, aws: &Aws) -> Result<Option<String>, AwsError> {
        let Some(want) = &self.state.log_stream else {
            return Ok(None);
        };
        let request =
            || aws.logs.describe_log_streams().log_group_name(&self.name).log_stream_name_prefix(want).send();
        let answer = aws.call("logs:DescribeLogStreams", request).await.found()?;
        let found = answer.is_some_and(|answer| {
            answer.log_streams().iter().any(|stream| stream.log_stream_name() == Some(want.as_str()))
        });
        Ok(found.then(|| want.clone()))
    }
}

/// Says what somebody set up that may well be meant: a company's own key, metrics made of lines, or the collection of all logs
/// of an account. Lines have no impressions in them.
fn additions(group: &Found, subscriptions: Vec<String>) -> Vec<String> {
    let key = group
        .kms_key_id()
        .map(|key| format!("encrypted with {key}: whoever has this key decides who reads the log"));
    let filters = group.metric_filter_count().filter(|count| *count > 0);
    let filters =
        filters.map(|count| format!("metric filters that make metrics of its lines, billed each: {count}"));
    let subscriptions = subscriptions
        .into_iter()
        .map(|filter| format!("the subscription filter {filter} sends its lines elsewhere"));
    key.into_iter().chain(filters).chain(subscriptions).collect()
}

/// The whole days since a time given in milliseconds since 1970.
fn days_since(epoch_ms: i64) -> Option<i64> {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let now = i64::try_from(now.as_millis()).ok()?;
    Some(now.saturating_sub(epoch_ms) / DAY_MS)
}
