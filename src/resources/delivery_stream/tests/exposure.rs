//! Unit tests of what an emulator does not describe: a time zone that prefixes are written in.

use std::sync::{Arc, Mutex};

use aws_sdk_firehose::operation::describe_delivery_stream::DescribeDeliveryStreamOutput;
use aws_sdk_firehose::operation::list_tags_for_delivery_stream::ListTagsForDeliveryStreamOutput;
use aws_sdk_firehose::operation::update_destination::{UpdateDestinationInput, UpdateDestinationOutput};
use aws_sdk_firehose::types::{
    CloudWatchLoggingOptions, CompressionFormat, DestinationDescription, EncryptionConfiguration,
    KinesisStreamSourceDescription, KmsEncryptionConfig, SourceDescription,
};
use aws_smithy_mocks::{Rule, mock};
use serde_json::json;

use super::*;
use crate::aws::testing::every_service;
use crate::resource::differences;
use crate::resources::delivery_stream;
use crate::resources::testing::wanted;

const KEY: &str = "arn:aws:kms:us-east-1:111111111111:key/theirs";

fn plain() -> Target<DeliveryStream> {
    wanted("name: flags\n", delivery_stream::want)
}

/// What Firehose describes: the delivery stream as it should be, but for the time zone and the key.
fn described() -> DescribeDeliveryStreamOutput {
    let want = plain().state;
    let buffer =
        BufferingHints::builder().size_in_mbs(want.buffer_mib).interval_in_seconds(want.buffer_seconds);
    let (group, stream) = want.error_log.unwrap();
    let log = CloudWatchLoggingOptions::builder().enabled(true).log_group_name(group).log_stream_name(stream);
    let key = KmsEncryptionConfig::builder().awskms_key_arn(KEY).build().unwrap();
    let encryption = EncryptionConfiguration::builder().kms_encryption_config(key);
    let s3 = ExtendedS3DestinationDescription::builder()
        .role_arn(want.role)
        .bucket_arn(want.bucket)
        .prefix(want.prefix)
        .error_output_prefix(want.error_prefix)
        .buffering_hints(buffer.build())
        .compression_format(CompressionFormat::from(want.compression.as_str()))
        .encryption_configuration(encryption.build())
        .cloud_watch_logging_options(log.build())
        .set_file_extension(want.file_extension)
        .custom_time_zone("America/New_York");
    let destination = DestinationDescription::builder()
        .destination_id("d")
        .extended_s3_destination_description(s3.build().unwrap());
    let source =
        KinesisStreamSourceDescription::builder().kinesis_stream_arn(want.source).role_arn(want.source_role);
    let source = SourceDescription::builder().kinesis_stream_source_description(source.build());
    let description = DeliveryStreamDescription::builder()
        .delivery_stream_name("flags")
        .delivery_stream_arn("arn")
        .delivery_stream_status(DeliveryStreamStatus::Active)
        .delivery_stream_type(DeliveryStreamType::KinesisStreamAsSource)
        .version_id("1")
        .source(source.build())
        .destinations(destination.build().unwrap())
        .has_more_destinations(false);
    DescribeDeliveryStreamOutput::builder().delivery_stream_description(description.build().unwrap()).build()
}

fn tags() -> Rule {
    mock!(aws_sdk_firehose::Client::list_tags_for_delivery_stream).then_output(|| {
        let tags = firehose_tags(&plain().tags).unwrap();
        ListTagsForDeliveryStreamOutput::builder().set_tags(Some(tags)).has_more_tags(false).build().unwrap()
    })
}

#[tokio::test]
async fn a_time_zone_and_a_key_that_somebody_sets_are_drift_and_go_with_one_update() {
    let describe = mock!(aws_sdk_firehose::Client::describe_delivery_stream).then_output(described);
    let sent = Arc::new(Mutex::new(None));
    let record = Arc::clone(&sent);
    let update = mock!(aws_sdk_firehose::Client::update_destination).then_compute_output(
        move |input: &UpdateDestinationInput| {
            *record.lock().unwrap() = input.extended_s3_destination_update().cloned();
            UpdateDestinationOutput::builder().build()
        },
    );
    let tags = tags();
    let aws = every_service(&[&describe, &tags, &update]);
    let want = plain();
    let have = want.observe(&aws).await.unwrap().unwrap();
    let drift = serde_json::to_value(differences(&want, &have)).unwrap();
    assert_eq!(
        drift,
        json!([
            {"path": "encryption_key", "have": KEY, "want": null},
            {"path": "time_zone", "have": "America/New_York", "want": "UTC"},
        ])
    );
    let step = Step::new(&aws, delivery_stream::KIND, "flags");
    want.update(have, &step).await.unwrap();
    let sent = sent.lock().unwrap().take().unwrap();
    assert_eq!(sent.custom_time_zone(), Some("UTC"));
    let encryption = sent.encryption_configuration().unwrap();
    assert!(encryption.no_encryption_config().is_some() && encryption.kms_encryption_config().is_none());
}
