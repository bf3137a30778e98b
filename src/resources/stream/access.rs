//! Who else reads the stream: accounts by its policy, registered consumers, channels; and what else is measured of it.

use aws_sdk_kinesis::types::{EnhancedMetrics, MetricsName, StreamDescriptionSummary};
use serde_json::{Value, json};

use super::Stream;
use crate::aws::{Aws, AwsError};
use crate::resource::{Step, Target};
use crate::resources::policy::policy_value;

/// Lists the shard-level metrics of a stream, which cost by the shard.
pub(super) fn shard_metrics(summary: &StreamDescriptionSummary) -> Vec<String> {
    let metrics = summary.enhanced_monitoring().iter();
    let metrics = metrics.flat_map(EnhancedMetrics::shard_level_metrics);
    let mut names: Vec<_> = metrics.map(|name| name.as_str().to_owned()).collect();
    names.sort();
    names
}

/// Says who besides the delivery stream gets every record, if anybody. A stream may well be tapped.
pub(super) fn readers(summary: &StreamDescriptionSummary, arn: &str) -> Vec<String> {
    let consumers = summary.consumer_count().unwrap_or_default();
    let channels = summary.channel_count().unwrap_or_default();
    let mut readers = Vec::new();
    if consumers > 0 {
        readers.push(format!(
            "registered consumers that read every record (enhanced fan-out): {consumers}; \
             `aws kinesis list-stream-consumers --stream-arn {arn}` names them"
        ));
    }
    if channels > 0 {
        readers.push(format!(
            "channels that copy every record to S3: {channels}; `aws kinesis list-channels` names them"
        ));
    }
    readers
}

impl Target<Stream> {
    /// Reads the policy that lets others use the stream, if it has one.
    pub(super) async fn policy(&self, aws: &Aws) -> Result<Value, AwsError> {
        let request = || {
            let call = aws.kinesis.get_resource_policy();
            call.resource_arn(&self.arn).send()
        };
        let answer = aws.look("kinesis:GetResourcePolicy", request).await?;
        let text = answer.map(|answer| answer.policy).filter(|text| !text.is_empty());
        let policy = text.map_or(Value::Null, |text| policy_value(&text));
        // Where there is none, Kinesis answers with an empty one.
        Ok(if policy == json!({}) { Value::Null } else { policy })
    }

    /// Takes the stream from everybody to whom its policy gives it.
    pub(super) async fn delete_policy(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.kinesis.delete_resource_policy();
            call.resource_arn(&self.arn).send()
        };
        let call = "kinesis:DeleteResourcePolicy";
        step.remove(call, request).await
    }

    pub(super) async fn measure_no_shards(
        &self,
        metrics: &[String],
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.kinesis.disable_enhanced_monitoring();
            let metrics = metrics.iter().map(|name| MetricsName::from(name.as_str()));
            call.stream_name(&self.name).set_shard_level_metrics(Some(metrics.collect())).send()
        };
        let call = "kinesis:DisableEnhancedMonitoring";
        step.call(call, request).await.map(drop)
    }
}
