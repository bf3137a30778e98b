//! What is done by hand to the stream and the delivery stream.

use aws_config::SdkConfig;
use aws_sdk_firehose::types::{
    BufferingHints, CloudWatchLoggingOptions, CompressionFormat, DataFormatConversionConfiguration,
    DeliveryStreamType, EncryptionConfiguration, ExtendedS3DestinationConfiguration,
    ExtendedS3DestinationUpdate, KmsEncryptionConfig, ProcessingConfiguration, Processor, ProcessorType,
    S3BackupMode, S3DestinationUpdate,
};
use aws_sdk_kinesis::types::{EncryptionType, ScalingType};

use super::{Drift, NAME};

/// The fields of a conversion.
const CONVERSION: [&str; 7] = [
    "conversion.compression",
    "conversion.database",
    "conversion.deserializer",
    "conversion.region",
    "conversion.role",
    "conversion.serializer",
    "conversion.table",
];

/// How a delivery stream is replaced. The stream's tag keeps when nothing delivered: from before it is deleted until the next one
/// is ACTIVE.
const REPLACED: [&str; 4] =
    ["AddTagsToStream", "DeleteDeliveryStream", "CreateDeliveryStream", "AddTagsToStream"];

pub(super) struct Clients {
    kinesis: aws_sdk_kinesis::Client,
    firehose: aws_sdk_firehose::Client,
}

impl Clients {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            kinesis: aws_sdk_kinesis::Client::new(config),
            firehose: aws_sdk_firehose::Client::new(config),
        }
    }

    pub(super) fn drifts(&self) -> Vec<Drift<'_>> {
        let mut drifts = self.stream();
        drifts.extend(self.delivery_stream());
        drifts
    }

    fn stream(&self) -> Vec<Drift<'_>> {
        let kinesis = &self.kinesis;
        vec![
            Drift::new("stream", ["encryption_key"], ["StartStreamEncryption"], async move {
                let call = kinesis.stop_stream_encryption().stream_name(NAME);
                let call = call.encryption_type(EncryptionType::Kms).key_id("alias/aws/kinesis");
                call.send().await.unwrap();
            }),
            Drift::new("stream", ["retention_hours"], ["DecreaseStreamRetentionPeriod"], async move {
                let call = kinesis.increase_stream_retention_period().stream_name(NAME);
                call.retention_period_hours(48).send().await.unwrap();
            }),
            Drift::new("stream", ["policy"], ["DeleteResourcePolicy"], async move {
                let (arn, policy) = for_another_account(NAME);
                let call = kinesis.put_resource_policy().resource_arn(arn);
                call.policy(policy).send().await.unwrap();
            }),
            Drift::new("stream", ["shards"], ["UpdateShardCount"], async move {
                let call = kinesis.update_shard_count().stream_name(NAME).target_shard_count(2);
                let call = call.scaling_type(ScalingType::UniformScaling);
                call.send().await.unwrap();
            }),
            Drift::new("stream", ["tags.team"], ["AddTagsToStream"], async move {
                let call = kinesis.add_tags_to_stream().stream_name(NAME);
                call.tags("team", "another").send().await.unwrap();
            }),
            Drift::new("stream", ["tags.extra"], ["RemoveTagsFromStream"], async move {
                let call = kinesis.add_tags_to_stream().stream_name(NAME);
                call.tags("extra", "").send().await.unwrap();
            }),
        ]
    }

    fn delivery_stream(&self) -> Vec<Drift<'_>> {
        let firehose = &self.firehose;
        vec![
            Drift::new(
                "delivery_stream",
                [
                    &CONVERSION[..],
                    &[
                        "bucket",
                        "buffer_mib",
                        "buffer_seconds",
                        "compression",
                        "encryption_key",
                        "error_log",
                        "error_prefix",
                        "prefix",
                        "processors",
                        "role",
                    ],
                ]
                .concat(),
                ["UpdateDestination"],
                self.another_destination(),
            ),
            Drift::new("delivery_stream", ["tags.team"], ["TagDeliveryStream"], async move {
                let call = firehose.untag_delivery_stream().delivery_stream_name(NAME);
                call.tag_keys("team").send().await.unwrap();
            }),
            Drift::new(
                "delivery_stream",
                [&CONVERSION[..], &["error_log", "processors", "source", "source_role"]].concat(),
                REPLACED,
                self.another_source(),
            ),
            Drift::new("delivery_stream", ["backup"], REPLACED, self.a_second_copy()),
        ]
    }

    async fn another_destination(&self) {
        let firehose = &self.firehose;
        let described = firehose.describe_delivery_stream().delivery_stream_name(NAME);
        let described = described.send().await.unwrap();
        let described = described.delivery_stream_description().unwrap();
        let processing = ProcessingConfiguration::builder().enabled(true).processors(lambda());
        let destination = ExtendedS3DestinationUpdate::builder()
            .bucket_arn("arn:aws:s3:::somebodys")
            .role_arn("arn:aws:iam::000000000000:role/somebodys")
            .prefix("elsewhere/")
            .error_output_prefix("elsewhere-errors/")
            .buffering_hints(BufferingHints::builder().size_in_mbs(1).interval_in_seconds(0).build())
            .compression_format(CompressionFormat::Gzip)
            .encryption_configuration(by_theirs())
            .data_format_conversion_configuration(
                DataFormatConversionConfiguration::builder().enabled(false).build(),
            )
            .cloud_watch_logging_options(CloudWatchLoggingOptions::builder().enabled(false).build())
            .processing_configuration(processing.build());
        let call = firehose.update_destination().delivery_stream_name(NAME);
        let call = call
            .current_delivery_stream_version_id(described.version_id())
            .destination_id(described.destinations()[0].destination_id());
        let call = call.extended_s3_destination_update(destination.build());
        call.send().await.unwrap();
    }

    /// Lets Firehose keep a copy of every record in somebody's bucket.
    async fn a_second_copy(&self) {
        let firehose = &self.firehose;
        let described = firehose.describe_delivery_stream().delivery_stream_name(NAME);
        let described = described.send().await.unwrap();
        let described = described.delivery_stream_description().unwrap();
        let backup = S3DestinationUpdate::builder()
            .bucket_arn("arn:aws:s3:::somebodys")
            .role_arn("arn:aws:iam::000000000000:role/somebodys");
        let destination = ExtendedS3DestinationUpdate::builder()
            .s3_backup_mode(S3BackupMode::Enabled)
            .s3_backup_update(backup.build());
        let call = firehose.update_destination().delivery_stream_name(NAME);
        let call = call
            .current_delivery_stream_version_id(described.version_id())
            .destination_id(described.destinations()[0].destination_id());
        let call = call.extended_s3_destination_update(destination.build());
        call.send().await.unwrap();
    }

    /// Makes one in its place that reads no stream but takes what is put to it.
    async fn another_source(&self) {
        let firehose = &self.firehose;
        let described = firehose.describe_delivery_stream().delivery_stream_name(NAME);
        let described = described.send().await.unwrap();
        let described = described.delivery_stream_description().unwrap();
        let had = described.destinations()[0].extended_s3_destination_description().unwrap();
        let destination = ExtendedS3DestinationConfiguration::builder()
            .bucket_arn(had.bucket_arn())
            .role_arn(had.role_arn())
            .set_prefix(had.prefix().map(str::to_owned))
            .set_error_output_prefix(had.error_output_prefix().map(str::to_owned))
            .set_buffering_hints(had.buffering_hints().cloned())
            .compression_format(had.compression_format().clone())
            .processing_configuration(
                ProcessingConfiguration::builder().enabled(true).processors(lambda()).build(),
            );
        let call = firehose.delete_delivery_stream().delivery_stream_name(NAME);
        call.send().await.unwrap();
        let call = firehose.create_delivery_stream().delivery_stream_name(NAME);
        let call = call.delivery_stream_type(DeliveryStreamType::DirectPut);
        let call = call.extended_s3_destination_configuration(destination.build().unwrap());
        let call = call.set_tags(Some(
            [("managed-by", "split-pipeline"), ("split-pipeline", NAME), ("team", "growth")]
                .map(|(key, value)| {
                    aws_sdk_firehose::types::Tag::builder().key(key).value(value).build().unwrap()
                })
                .to_vec(),
        ));
        call.send().await.unwrap();
    }
}

fn by_theirs() -> EncryptionConfiguration {
    let key = KmsEncryptionConfig::builder().awskms_key_arn("arn:aws:kms:us-east-1:111111111111:key/theirs");
    let encryption = EncryptionConfiguration::builder().kms_encryption_config(key.build().unwrap());
    encryption.build()
}

fn lambda() -> Processor {
    Processor::builder().r#type(ProcessorType::Lambda).build().unwrap()
}

/// The ARN of a stream, and a policy by which another account reads it.
pub(crate) fn for_another_account(name: &str) -> (String, String) {
    let arn = format!("arn:aws:kinesis:us-east-1:000000000000:stream/{name}");
    let actions = r#"["kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"]"#;
    let statement = format!(
        r#"{{"Sid": "All", "Effect": "Allow", "Principal": {{"AWS": "arn:aws:iam::111111111111:root"}},
            "Action": {actions}, "Resource": "{arn}"}}"#
    );
    let policy = format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#);
    (arn, policy)
}
