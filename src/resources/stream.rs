//! The Kinesis stream that carries impressions from the function to the delivery stream.

use std::time::SystemTime;

use aws_sdk_kinesis::types::{EncryptionType, StreamMode, StreamModeDetails, StreamStatus};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{retag, tags_from};
use crate::aws::{Aws, AwsError, Outcome};
use crate::moment;
use crate::names::GAPS_TAG;
use crate::resource::{About, Described, Kind, Observed, Phase, Resource, Step, Tags, gone, ready};

mod access;
mod change;

/// The stream as it should be.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Its ARN, by which its mode is changed.
    pub arn: String,
    /// What is compared.
    pub state: State,
    /// Its tags.
    pub tags: Tags,
}

/// What is compared.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// `PROVISIONED` or `ON_DEMAND`.
    pub mode: String,
    /// Open shards; absent where the mode leaves them to AWS.
    pub shards: Option<i32>,
    /// How long records are kept.
    pub retention_hours: i32,
    /// The KMS key that encrypts the records; absent where they are not.
    pub encryption_key: Option<String>,
    /// Which accounts and services besides the pipeline's roles may use it: nobody.
    pub policy: Value,
    /// Metrics of single shards, which cost: none.
    pub shard_metrics: Vec<String>,
    /// Who else reads it; not compared.
    #[serde(skip)]
    pub readers: Vec<String>,
    /// When it was created, if that is known; not compared.
    #[serde(skip)]
    pub created: Option<SystemTime>,
}

impl Resource for Stream {
    type State = State;
    type Id = String;
    type Parent = ();
    type Needs = ();

    fn about(&self) -> About<'_, State> {
        About {
            kind: Kind::Stream,
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
        let Some(mut described) = self.describe(aws, &()).await? else {
            return Ok(None);
        };
        let (tags, policy) = futures_util::try_join!(self.read_tags(aws), self.policy(aws))?;
        described.state.policy = policy;
        Ok(tags.map(|tags| described.tagged(tags)))
    }

    async fn describe(&self, aws: &Aws, (): &()) -> Result<Option<Described<Self>>, AwsError> {
        let call = "kinesis:DescribeStreamSummary";
        let request = || {
            aws.kinesis
                .describe_stream_summary()
                .stream_name(&self.name)
                .send()
        };
        let Some(answer) = aws.call(call, request).await.found()? else {
            return Ok(None);
        };
        let summary = answer
            .stream_description_summary()
            .ok_or_else(|| AwsError::incomplete(call, "summary"))?;
        let mode = summary
            .stream_mode_details()
            .map_or(StreamMode::Provisioned, |mode| mode.stream_mode().clone());
        let encrypted = summary.encryption_type() == Some(&EncryptionType::Kms);
        let state = State {
            shards: (mode == StreamMode::Provisioned).then(|| summary.open_shard_count()),
            mode: mode.as_str().to_owned(),
            retention_hours: summary.retention_period_hours(),
            encryption_key: summary.key_id().filter(|_| encrypted).map(str::to_owned),
            // It takes a call of its own.
            policy: Value::Null,
            shard_metrics: access::shard_metrics(summary),
            readers: access::readers(summary, &self.arn),
            created: Some(moment::from_aws(*summary.stream_creation_timestamp())),
        };
        let phase = match summary.stream_status() {
            StreamStatus::Active => Phase::Ready,
            StreamStatus::Deleting => Phase::Deleting,
            other => Phase::Pending(other.as_str().to_owned()),
        };
        let id = self.arn.clone();
        Ok(Some(Described { id, state, phase }))
    }

    async fn create(&self, (): &(), step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let mode = StreamModeDetails::builder().stream_mode(self.mode()).build()?;
        let create = async || {
            let request = || {
                let call = step
                    .aws
                    .kinesis
                    .create_stream()
                    .stream_name(&self.name)
                    .stream_mode_details(mode.clone());
                let call = call.set_shard_count(self.state.shards);
                call.set_tags(Some(self.tags.clone().into_iter().collect()))
                    .send()
            };
            step.aws.call("kinesis:CreateStream", request).await
        };
        step.settle(create).await?;
        // The tags went with the call, but not every endpoint keeps those. Without tags nobody would know whose the
        // stream is, so they belong to its creation, which an interruption lets finish.
        if step.aws.is_emulator() {
            let aws = step.aws.with_interrupt(CancellationToken::new());
            self.retag(&Tags::new(), &aws).await?;
        }
        Ok(ready(self, &(), step).await?.tagged(self.tags.clone()))
    }

    async fn update(&self, have: &Observed<Self>, (): &(), step: &Step<'_>) -> Result<String, AwsError> {
        if have.state.policy != self.state.policy {
            self.delete_policy(step).await?;
        }
        self.retag(&have.tags, step.aws).await?;
        if have.state.mode != self.state.mode {
            self.switch_mode(step).await?;
        }
        if have.state.shards != self.state.shards {
            self.reshard(step).await?;
        }
        self.retain(have.state.retention_hours, step).await?;
        self.encrypt(have.state.encryption_key.as_deref(), step).await?;
        if have.state.shard_metrics != self.state.shard_metrics {
            self.measure_no_shards(&have.state.shard_metrics, step).await?;
        }
        Ok(self.arn.clone())
    }

    async fn delete(&self, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let delete = async || {
            let request = || {
                step.aws
                    .kinesis
                    .delete_stream()
                    .stream_name(&self.name)
                    .enforce_consumer_deletion(true)
                    .send()
            };
            step.aws.call("kinesis:DeleteStream", request).await.found()
        };
        step.settle(delete).await?;
        gone(self, &(), step).await
    }

    fn left_alone<'a>(&self, have: &'a State) -> &'a [String] {
        &have.readers
    }

    fn caution(&self, have: &State) -> Option<String> {
        let (name, want) = (&self.name, &self.state);
        let mut cautions = Vec::new();
        if want.retention_hours < have.retention_hours {
            cautions.push(format!(
                "stream {name}: retention shrinks from {} to {} hours, and older records are dropped",
                have.retention_hours, want.retention_hours
            ));
        }
        let own_key = have
            .encryption_key
            .as_deref()
            .filter(|key| !key.contains("alias/aws/"));
        if let Some(key) = own_key.filter(|key| want.encryption_key.as_deref() != Some(*key)) {
            cautions.push(format!(
                "stream {name}: what is in it and not delivered yet was encrypted with {key}, which the delivery stream may \
                 not use any more"
            ));
        }
        match (have.shards, want.shards) {
            (Some(have), Some(want)) if want < have => {
                cautions.push(format!("stream {name}: shrinks from {have} to {want} shards"));
            }
            (None, Some(want)) => cautions.push(format!(
                "stream {name}: shrinks from what AWS scaled it to by the traffic to {want} shards"
            )),
            _ => {}
        }
        (!cautions.is_empty()).then(|| cautions.join("\n"))
    }
}

impl Stream {
    /// Writes the tag that keeps the stream's gaps.
    pub async fn keep_gaps(&self, tag: &str, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.kinesis.add_tags_to_stream().stream_name(&self.name);
            call.tags(GAPS_TAG, tag).send()
        };
        let call = "kinesis:AddTagsToStream";
        step.settle(async || step.aws.call(call, request).await)
            .await
            .map(drop)
    }

    /// Removes the tag that keeps the stream's gaps.
    pub async fn forget_gaps(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.kinesis.remove_tags_from_stream().stream_name(&self.name);
            call.tag_keys(GAPS_TAG).send()
        };
        let call = "kinesis:RemoveTagsFromStream";
        step.settle(async || step.aws.call(call, request).await)
            .await
            .map(drop)
    }

    fn mode(&self) -> StreamMode {
        StreamMode::from(self.state.mode.as_str())
    }

    /// Reads its tags, if it is there.
    pub async fn read_tags(&self, aws: &Aws) -> Result<Option<Tags>, AwsError> {
        let request = || {
            aws.kinesis
                .list_tags_for_stream()
                .stream_name(&self.name)
                .limit(50)
                .send()
        };
        let answer = aws.call("kinesis:ListTagsForStream", request).await.found()?;
        Ok(answer.map(|answer| {
            let tags = answer.tags().iter();
            tags_from(tags.map(|tag| (tag.key(), tag.value().unwrap_or_default())))
        }))
    }

    async fn retag(&self, have: &Tags, aws: &Aws) -> Result<(), AwsError> {
        let set = async |tags: Tags| {
            let request = || {
                let call = aws.kinesis.add_tags_to_stream().stream_name(&self.name);
                call.set_tags(Some(tags.clone().into_iter().collect())).send()
            };
            aws.call("kinesis:AddTagsToStream", request).await.map(drop)
        };
        let remove = async |keys: Vec<String>| {
            let request = || {
                let call = aws.kinesis.remove_tags_from_stream().stream_name(&self.name);
                call.set_tag_keys(Some(keys.clone())).send()
            };
            aws.call("kinesis:RemoveTagsFromStream", request).await.map(drop)
        };
        retag(&self.tags, have, set, remove).await
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
