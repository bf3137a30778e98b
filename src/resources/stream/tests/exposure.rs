//! Unit tests of what an emulator does not show: who else reads a stream and what else is measured of it is named, and what costs
//! is switched off.

use std::sync::{Arc, Mutex};

use aws_sdk_kinesis::operation::delete_resource_policy::DeleteResourcePolicyOutput;
use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryOutput;
use aws_sdk_kinesis::operation::disable_enhanced_monitoring::DisableEnhancedMonitoringOutput;
use aws_sdk_kinesis::operation::get_resource_policy::GetResourcePolicyOutput;
use aws_sdk_kinesis::operation::list_tags_for_stream::ListTagsForStreamOutput;
use aws_sdk_kinesis::types::{EnhancedMetrics, MetricsName, StreamDescriptionSummary};
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::DateTime;
use serde_json::json;

use super::*;
use crate::aws::testing::aws;
use crate::resource::Target;
use crate::resource::differences;
use crate::resources::stream;
use crate::resources::testing::wanted;

fn stream() -> Target<Stream> {
    wanted("name: flags\nstream: {encryption: none}\n", stream::want)
}

/// What Kinesis describes: the stream as it should be, with these shard-level metrics and so many readers.
fn described(metrics: &[MetricsName], consumers: i32, channels: i32) -> DescribeStreamSummaryOutput {
    let metrics = EnhancedMetrics::builder().set_shard_level_metrics(Some(metrics.to_vec()));
    let mode = StreamModeDetails::builder().stream_mode(StreamMode::Provisioned);
    let summary = StreamDescriptionSummary::builder()
        .stream_name("flags")
        .stream_arn("arn")
        .stream_status(StreamStatus::Active)
        .stream_mode_details(mode.build().unwrap())
        .retention_period_hours(24)
        .stream_creation_timestamp(DateTime::from_secs(0))
        .enhanced_monitoring(metrics.build())
        .open_shard_count(1)
        .consumer_count(consumers)
        .channel_count(channels);
    DescribeStreamSummaryOutput::builder().stream_description_summary(summary.build().unwrap()).build()
}

fn tags() -> Rule {
    mock!(aws_sdk_kinesis::Client::list_tags_for_stream).then_output(|| {
        let tags = stream().tags.into_iter().map(|(key, value)| {
            let tag = aws_sdk_kinesis::types::Tag::builder().key(key).value(value);
            tag.build().unwrap()
        });
        let tags = tags.collect();
        ListTagsForStreamOutput::builder().set_tags(Some(tags)).has_more_tags(false).build().unwrap()
    })
}

fn policy(text: &'static str) -> Rule {
    mock!(aws_sdk_kinesis::Client::get_resource_policy)
        .then_output(move || GetResourcePolicyOutput::builder().policy(text).build().unwrap())
}

#[tokio::test]
async fn a_policy_and_shard_metrics_are_drift_and_go() {
    let describe = mock!(aws_sdk_kinesis::Client::describe_stream_summary)
        .then_output(|| described(&[MetricsName::OutgoingBytes, MetricsName::IncomingBytes], 0, 0));
    let policy = policy(r#"{"Version": "2012-10-17", "Statement": []}"#);
    let delete = mock!(aws_sdk_kinesis::Client::delete_resource_policy)
        .then_output(|| DeleteResourcePolicyOutput::builder().build());
    let disabled = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&disabled);
    let disable = mock!(aws_sdk_kinesis::Client::disable_enhanced_monitoring).then_compute_output(
        move |input: &aws_sdk_kinesis::operation::disable_enhanced_monitoring::DisableEnhancedMonitoringInput| {
            let metrics = input.shard_level_metrics().iter();
            record.lock().unwrap().extend(metrics.map(|it| it.as_str().to_owned()));
            DisableEnhancedMonitoringOutput::builder().build()
        },
    );
    let aws = aws(&[&describe, &tags(), &policy, &delete, &disable], &[]);
    let want = stream();
    let have = want.observe(&aws).await.unwrap().unwrap();
    let drift = serde_json::to_value(differences(&want, &have)).unwrap();
    assert_eq!(
        drift,
        json!([
            {"path": "policy", "have": {"Version": "2012-10-17", "Statement": []}, "want": null},
            {"path": "shard_metrics", "have": ["IncomingBytes", "OutgoingBytes"], "want": []},
        ])
    );
    let step = Step::new(&aws, stream::KIND, "flags");
    want.update(have, &step).await.unwrap();
    assert_eq!(delete.num_calls(), 1);
    assert_eq!(*disabled.lock().unwrap(), ["IncomingBytes", "OutgoingBytes"]);
}

#[tokio::test]
async fn whoever_else_reads_the_stream_is_named_and_no_drift() {
    for (consumers, channels, named) in [(0, 0, 0), (2, 0, 1), (0, 1, 1), (1, 1, 2)] {
        let describe = mock!(aws_sdk_kinesis::Client::describe_stream_summary)
            .then_output(move || described(&[], consumers, channels));
        let aws = aws(&[&describe, &tags(), &policy("{}")], &[]);
        let want = stream();
        let have = want.observe(&aws).await.unwrap().unwrap();
        assert_eq!(differences(&want, &have), []);
        assert_eq!(Stream::left_alone(&have.state).len(), named);
    }
}
