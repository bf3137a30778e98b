//! The Kinesis stream that carries impressions from the function to the delivery stream.

use std::time::SystemTime;

use aws_sdk_kinesis::types::{EncryptionType, StreamMode, StreamModeDetails, StreamStatus};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Blueprint, signed, tags_from};
use crate::aws::{Aws, AwsError, Outcome};
use crate::kind::Kind;
use crate::moment;
use crate::names::{GAPS_TAG, Tags};
use crate::resource::{Changes, Described, Observed, Phase, Resource, Step, TagChanges, Target, gone, ready};
use crate::spec;

mod access;
mod change;
mod export;
mod grants;

pub const KIND: Kind = Kind::new("stream");

#[derive(Clone, Copy, Debug)]
pub struct Stream;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// `PROVISIONED` or `ON_DEMAND`.
    pub mode: String,
    /// Open shards; absent where the mode leaves them to AWS.
    pub shards: Option<i32>,
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

/// The alias of the KMS key that AWS manages for Kinesis.
const AWS_MANAGED_KEY: &str = "alias/aws/kinesis";

pub(crate) fn want(blueprint: &Blueprint<'_>) -> Target<Stream> {
    let Blueprint { spec, names, .. } = blueprint;
    let (mode, shards) = match spec.stream.mode {
        spec::StreamMode::Provisioned => ("PROVISIONED", Some(signed(spec.stream.shards()))),
        spec::StreamMode::OnDemand => ("ON_DEMAND", None),
    };
    let state = State {
        mode: mode.to_owned(),
        shards,
        retention_hours: signed(spec.stream.retention_hours.get()),
        encryption_key: match &spec.stream.encryption {
            spec::StreamEncryption::AwsManaged => Some(AWS_MANAGED_KEY.to_owned()),
            spec::StreamEncryption::Key(key) => Some(key.clone()),
            spec::StreamEncryption::None => None,
        },
        policy: Value::Null,
        shard_metrics: Vec::new(),
        readers: Vec::new(),
        created: None,
    };
    blueprint.target(KIND, (names.stream(), names.stream_arn()), state, ())
}

impl Resource for Stream {
    type State = State;
    type Id = String;
    type Extra = ();

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let Some(mut described) = Self::describe(want, aws).await? else {
            return Ok(None);
        };
        let (tags, policy) = futures_util::try_join!(want.read_tags(aws), want.policy(aws))?;
        described.state.policy = policy;
        Ok(tags.map(|tags| described.tagged(tags)))
    }

    async fn describe(want: &Target<Self>, aws: &Aws) -> Result<Option<Described<Self>>, AwsError> {
        let call = "kinesis:DescribeStreamSummary";
        let request = || aws.kinesis.describe_stream_summary().stream_name(&want.name).send();
        let Some(answer) = aws.call(call, request).await.found()? else {
            return Ok(None);
        };
        let summary =
            answer.stream_description_summary().ok_or_else(|| AwsError::incomplete(call, "summary"))?;
        let mode =
            summary.stream_mode_details().map_or(StreamMode::Provisioned, |mode| mode.stream_mode().clone());
        let encrypted = summary.encryption_type() == Some(&EncryptionType::Kms);
        let state = State {
            shards: (mode == StreamMode::Provisioned).then(|| summary.open_shard_count()),
            mode: mode.as_str().to_owned(),
            retention_hours: summary.retention_period_hours(),
            encryption_key: summary.key_id().filter(|_| encrypted).map(str::to_owned),
            // It takes a call of its own.
            policy: Value::Null,
            shard_metrics: access::shard_metrics(summary),
            readers: access::readers(summary, &want.arn),
            created: Some(moment::from_aws(*summary.stream_creation_timestamp())),
        };
        let phase = match summary.stream_status() {
            StreamStatus::Active => Phase::Ready,
            StreamStatus::Deleting => Phase::Deleting,
            other => Phase::Pending(other.as_str().to_owned()),
        };
        let id = want.arn.clone();
        Ok(Some(Described { id, state, phase }))
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let mode = StreamModeDetails::builder().stream_mode(want.mode()).build()?;
        let request = || {
            let call =
                step.aws.kinesis.create_stream().stream_name(&want.name).stream_mode_details(mode.clone());
            let call = call.set_shard_count(want.state.shards);
            call.set_tags(Some(want.tags.clone().into_iter().collect())).send()
        };
        step.call("kinesis:CreateStream", request).await?;
        // The tags went with the call, but not every endpoint keeps those. Without tags nobody would know whose the
        // stream is, so they belong to its creation, which an interruption lets finish.
        if step.aws.is_emulator() {
            let aws = step.aws.with_interrupt(CancellationToken::new());
            let step = Step::new(&aws, want.kind, &want.name);
            let set = want.tags.clone();
            let tags = TagChanges { set, removed: Vec::new() };
            Self::retag(want, &want.arn, &tags, &step).await?;
        }
        Ok(ready(want, step).await?.tagged(want.tags.clone()))
    }

    async fn update(
        want: &Target<Self>,
        have: &Observed<Self>,
        changes: &Changes,
        step: &Step<'_>,
    ) -> Result<String, AwsError> {
        if changes.has("policy") {
            want.delete_policy(step).await?;
        }
        if changes.has("mode") {
            want.switch_mode(step).await?;
        }
        if changes.has("shards") {
            want.reshard(step).await?;
        }
        want.retain(have.state.retention_hours, step).await?;
        want.encrypt(have.state.encryption_key.as_deref(), step).await?;
        if changes.has("shard_metrics") {
            want.measure_no_shards(&have.state.shard_metrics, step).await?;
        }
        Ok(want.arn.clone())
    }

    async fn delete(want: &Target<Self>, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            step.aws.kinesis.delete_stream().stream_name(&want.name).enforce_consumer_deletion(true).send()
        };
        step.remove("kinesis:DeleteStream", request).await?;
        gone(want, step).await
    }

    fn left_alone(have: &State) -> &[String] {
        &have.readers
    }

    fn caution(want: &Target<Self>, have: &State) -> Option<String> {
        let (name, want) = (&want.name, &want.state);
        let mut cautions = Vec::new();
        if want.retention_hours < have.retention_hours {
            cautions.push(format!(
                "stream {name}: retention shrinks from {} to {} hours, and older records are dropped",
                have.retention_hours, want.retention_hours
            ));
        }
        let own_key = have.encryption_key.as_deref().filter(|key| !key.contains("alias/aws/"));
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

    async fn retag(
        want: &Target<Self>,
        _id: &String,
        tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        let TagChanges { set, removed } = tags;
        if !set.is_empty() {
            let request = || {
                let call = step.aws.kinesis.add_tags_to_stream().stream_name(&want.name);
                call.set_tags(Some(set.clone().into_iter().collect())).send()
            };
            step.call("kinesis:AddTagsToStream", request).await?;
        }
        if !removed.is_empty() {
            let request = || {
                let call = step.aws.kinesis.remove_tags_from_stream().stream_name(&want.name);
                call.set_tag_keys(Some(removed.clone())).send()
            };
            step.call("kinesis:RemoveTagsFromStream", request).await?;
        }
        Ok(())
    }
}

impl Target<Stream> {
    pub async fn keep_gaps(&self, tag: &str, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.kinesis.add_tags_to_stream().stream_name(&self.name);
            call.tags(GAPS_TAG, tag).send()
        };
        let call = "kinesis:AddTagsToStream";
        step.call(call, request).await.map(drop)
    }

    pub async fn forget_gaps(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.kinesis.remove_tags_from_stream().stream_name(&self.name);
            call.tag_keys(GAPS_TAG).send()
        };
        let call = "kinesis:RemoveTagsFromStream";
        step.call(call, request).await.map(drop)
    }

    fn mode(&self) -> StreamMode {
        StreamMode::from(self.state.mode.as_str())
    }

    pub async fn read_tags(&self, aws: &Aws) -> Result<Option<Tags>, AwsError> {
        let request = || aws.kinesis.list_tags_for_stream().stream_name(&self.name).limit(50).send();
        let answer = aws.call("kinesis:ListTagsForStream", request).await.found()?;
        Ok(answer.map(|answer| {
            let tags = answer.tags().iter();
            tags_from(tags.map(|tag| (tag.key(), tag.value().unwrap_or_default())))
        }))
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
