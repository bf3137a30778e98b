//! A CloudWatch log group with a retention: the function's and the delivery stream's.

use std::time::SystemTime;

use aws_sdk_cloudwatchlogs::types::LogGroup as Found;
use serde::Serialize;

use super::{retag, tags_from};
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::resource::{About, Kind, Observed, Phase, Resource, Step, Tags};

/// A log group as it should be.
#[derive(Clone, Debug)]
pub struct LogGroup {
    /// Whose log group.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its ARN, by which it is tagged.
    pub arn: String,
    /// What is compared.
    pub state: State,
    /// Its tags.
    pub tags: Tags,
}

/// What is compared.
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

impl Resource for LogGroup {
    type State = State;
    type Id = String;
    type Parent = ();
    type Needs = ();

    fn about(&self) -> About<'_, State> {
        About {
            kind: self.kind,
            name: &self.name,
            state: &self.state,
            tags: &self.tags,
        }
    }

    fn display_id(id: &String) -> String {
        id.clone()
    }

    fn parent((): &()) {}

    async fn observe(&self, aws: &Aws, (): &()) -> Result<Option<Observed<Self>>, AwsError> {
        let request = || {
            aws.logs
                .describe_log_groups()
                .log_group_name_prefix(&self.name)
                .send()
        };
        let answer = aws.call("logs:DescribeLogGroups", request).await?;
        let group = answer
            .log_groups()
            .iter()
            .find(|group| group.log_group_name() == Some(self.name.as_str()));
        let Some(group) = group else { return Ok(None) };
        let tags = || aws.logs.list_tags_for_resource().resource_arn(&self.arn).send();
        let (tags, log_stream, subscriptions) = futures_util::try_join!(
            aws.call("logs:ListTagsForResource", tags),
            self.log_stream(aws),
            self.subscriptions(aws)
        )?;
        let tags = tags
            .tags()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone()));
        let state = State {
            retention_days: group.retention_in_days(),
            log_stream,
            left_alone: additions(group, subscriptions),
            age_days: group.creation_time().and_then(days_since),
        };
        Ok(Some(Observed {
            id: self.arn.clone(),
            state,
            tags: tags_from(tags),
            phase: Phase::Ready,
        }))
    }

    async fn create(&self, (): &(), step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let request = || {
            let call = step.aws.logs.create_log_group().log_group_name(&self.name);
            call.set_tags(Some(self.tags.clone().into_iter().collect()))
                .send()
        };
        let create = async || step.aws.call("logs:CreateLogGroup", request).await;
        step.settle(create).await?;
        let state = State {
            retention_days: None,
            log_stream: None,
            left_alone: Vec::new(),
            age_days: Some(0),
        };
        Ok(Observed {
            id: self.arn.clone(),
            state,
            tags: self.tags.clone(),
            phase: Phase::Ready,
        })
    }

    async fn update(&self, have: &Observed<Self>, (): &(), step: &Step<'_>) -> Result<String, AwsError> {
        let aws = step.aws;
        self.retag(&have.tags, aws).await?;
        if have.state.retention_days != self.state.retention_days {
            let request = || {
                let call = aws.logs.put_retention_policy().log_group_name(&self.name);
                call.set_retention_in_days(self.state.retention_days).send()
            };
            step.settle(async || aws.call("logs:PutRetentionPolicy", request).await)
                .await?;
        }
        if let Some(stream) = self
            .state
            .log_stream
            .as_deref()
            .filter(|_| have.state.log_stream.is_none())
        {
            let request = || {
                aws.logs
                    .create_log_stream()
                    .log_group_name(&self.name)
                    .log_stream_name(stream)
                    .send()
            };
            match step
                .settle(async || aws.call("logs:CreateLogStream", request).await)
                .await
            {
                Err(error) if error.kind != ErrorKind::Exists => return Err(error),
                _ => {}
            }
        }
        Ok(self.arn.clone())
    }

    async fn delete(&self, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || step.aws.logs.delete_log_group().log_group_name(&self.name).send();
        let delete = async || step.aws.call("logs:DeleteLogGroup", request).await.found();
        step.settle(delete).await.map(drop)
    }

    fn left_alone<'a>(&self, have: &'a State) -> &'a [String] {
        &have.left_alone
    }

    fn caution(&self, have: &State) -> Option<String> {
        let want = self.state.retention_days?;
        let deletes = match have.retention_days {
            Some(had) => want < had,
            // A log group younger than that has no line to delete: `up` may just have created it.
            None => have.age_days.is_none_or(|age| age >= i64::from(want)),
        };
        deletes.then(|| {
            format!(
                "log group {}: CloudWatch Logs deletes lines older than {want} days",
                self.name
            )
        })
    }
}

impl LogGroup {
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
        let request = || {
            aws.logs
                .describe_log_streams()
                .log_group_name(&self.name)
                .log_stream_name_prefix(want)
                .send()
        };
        let answer = aws.call("logs:DescribeLogStreams", request).await.found()?;
        let found = answer.is_some_and(|answer| {
            answer
                .log_streams()
                .iter()
                .any(|stream| stream.log_stream_name() == Some(want.as_str()))
        });
        Ok(found.then(|| want.clone()))
    }

    async fn retag(&self, have: &Tags, aws: &Aws) -> Result<(), AwsError> {
        let set = async |tags: Tags| {
            let request = || {
                let call = aws.logs.tag_resource().resource_arn(&self.arn);
                call.set_tags(Some(tags.clone().into_iter().collect())).send()
            };
            aws.call("logs:TagResource", request).await.map(drop)
        };
        let remove = async |keys: Vec<String>| {
            let request = || {
                let call = aws.logs.untag_resource().resource_arn(&self.arn);
                call.set_tag_keys(Some(keys.clone())).send()
            };
            aws.call("logs:UntagResource", request).await.map(drop)
        };
        retag(&self.tags, have, set, remove).await
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
