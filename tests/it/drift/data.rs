//! What is done by hand to the bucket, the stream and the delivery stream.

use aws_config::SdkConfig;
use aws_sdk_firehose::types::{
    BufferingHints, CloudWatchLoggingOptions, CompressionFormat, DataFormatConversionConfiguration,
    DeliveryStreamType, ExtendedS3DestinationConfiguration, ExtendedS3DestinationUpdate,
    ProcessingConfiguration, Processor, ProcessorType,
};
use aws_sdk_kinesis::types::{EncryptionType, ScalingType};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus,
    LifecycleRule, LifecycleRuleFilter, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};

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

const BUCKET: &str = "it-drift-000000000000-us-east-1";

pub(super) struct Clients {
    s3: aws_sdk_s3::Client,
    kinesis: aws_sdk_kinesis::Client,
    firehose: aws_sdk_firehose::Client,
}

impl Clients {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(true);
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            kinesis: aws_sdk_kinesis::Client::new(config),
            firehose: aws_sdk_firehose::Client::new(config),
        }
    }

    pub(super) fn drifts(&self) -> Vec<Drift<'_>> {
        let mut drifts = self.bucket_access();
        drifts.extend(self.bucket());
        drifts.push(self.versioning());
        drifts.extend(self.stream());
        drifts.extend(self.delivery_stream());
        drifts
    }

    fn bucket_access(&self) -> Vec<Drift<'_>> {
        vec![
            Drift::new(
                "bucket",
                [
                    "public_access.block_acls",
                    "public_access.block_policy",
                    "public_access.ignore_acls",
                    "public_access.restrict_buckets",
                ],
                ["PUT /it-drift-000000000000-us-east-1/?publicAccessBlock"],
                async {
                    let call = self.s3.delete_public_access_block().bucket(BUCKET);
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "bucket",
                ["policy.Statement", "policy.Version"],
                ["PUT /it-drift-000000000000-us-east-1/?policy"],
                async {
                    let call = self.s3.delete_bucket_policy().bucket(BUCKET);
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "bucket",
                ["policy.Statement[0].Action"],
                ["PUT /it-drift-000000000000-us-east-1/?policy"],
                async {
                    let policy = self.s3.get_bucket_policy().bucket(BUCKET).send().await.unwrap();
                    let policy = policy.policy().unwrap().replace("s3:*", "s3:GetObject");
                    let call = self.s3.put_bucket_policy().bucket(BUCKET).policy(policy);
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "bucket",
                ["object_ownership"],
                ["PUT /it-drift-000000000000-us-east-1/?ownershipControls"],
                async {
                    let rule =
                        OwnershipControlsRule::builder().object_ownership(ObjectOwnership::ObjectWriter);
                    let controls = OwnershipControls::builder().rules(rule.build().unwrap());
                    let call = self.s3.put_bucket_ownership_controls().bucket(BUCKET);
                    let call = call.ownership_controls(controls.build().unwrap());
                    call.send().await.unwrap();
                },
            ),
        ]
    }

    fn bucket(&self) -> Vec<Drift<'_>> {
        vec![
            Drift::new(
                "bucket",
                ["encryption.algorithm", "encryption.bucket_key"],
                ["PUT /it-drift-000000000000-us-east-1/?encryption"],
                async {
                    let call = self.s3.put_bucket_encryption().bucket(BUCKET);
                    let call = call.server_side_encryption_configuration(by_kms());
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "bucket",
                [
                    "lifecycle.abort_uploads_days",
                    "lifecycle.expire_days",
                    "lifecycle.expire_prefix",
                    "lifecycle.expire_versions_days",
                    "lifecycle.other_rules",
                ],
                ["PUT /it-drift-000000000000-us-east-1/?lifecycle"],
                async {
                    let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(1);
                    let rule = LifecycleRule::builder()
                        .id("somebody's")
                        .status(ExpirationStatus::Enabled)
                        .filter(LifecycleRuleFilter::builder().prefix("").build())
                        .abort_incomplete_multipart_upload(abort.build());
                    let rules = BucketLifecycleConfiguration::builder().rules(rule.build().unwrap());
                    let call = self.s3.put_bucket_lifecycle_configuration().bucket(BUCKET);
                    let call = call.lifecycle_configuration(rules.build().unwrap());
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "bucket",
                ["tags.team", "tags.extra"],
                ["PUT /it-drift-000000000000-us-east-1/?tagging"],
                async {
                    let tags = [
                        ("managed-by", "split-pipeline"),
                        ("split-pipeline", NAME),
                        ("extra", ""),
                    ];
                    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build().unwrap());
                    let tagging = Tagging::builder().set_tag_set(Some(tags.to_vec()));
                    let call = self.s3.put_bucket_tagging().bucket(BUCKET);
                    call.tagging(tagging.build().unwrap()).send().await.unwrap();
                },
            ),
        ]
    }

    fn versioning(&self) -> Drift<'_> {
        Drift::new(
            "bucket",
            ["versioning"],
            ["PUT /it-drift-000000000000-us-east-1/?versioning"],
            async {
                let suspended = VersioningConfiguration::builder()
                    .status(BucketVersioningStatus::Suspended)
                    .build();
                let call = self.s3.put_bucket_versioning().bucket(BUCKET);
                let call = call.versioning_configuration(suspended);
                call.send().await.unwrap();
            },
        )
    }

    fn stream(&self) -> Vec<Drift<'_>> {
        let kinesis = &self.kinesis;
        vec![
            Drift::new(
                "stream",
                ["encryption_key"],
                ["StartStreamEncryption"],
                async move {
                    let call = kinesis.stop_stream_encryption().stream_name(NAME);
                    let call = call
                        .encryption_type(EncryptionType::Kms)
                        .key_id("alias/aws/kinesis");
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "stream",
                ["retention_hours"],
                ["DecreaseStreamRetentionPeriod"],
                async move {
                    let call = kinesis.increase_stream_retention_period().stream_name(NAME);
                    call.retention_period_hours(48).send().await.unwrap();
                },
            ),
            Drift::new("stream", ["shards"], ["UpdateShardCount"], async move {
                let call = kinesis
                    .update_shard_count()
                    .stream_name(NAME)
                    .target_shard_count(2);
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
            Drift::new(
                "delivery_stream",
                ["tags.team"],
                ["TagDeliveryStream"],
                async move {
                    let call = firehose.untag_delivery_stream().delivery_stream_name(NAME);
                    call.tag_keys("team").send().await.unwrap();
                },
            ),
            Drift::new(
                "delivery_stream",
                [
                    &CONVERSION[..],
                    &["error_log", "processors", "source", "source_role"],
                ]
                .concat(),
                // The stream's tag keeps when nothing delivered: from before it is deleted until the next one is ACTIVE.
                [
                    "AddTagsToStream",
                    "DeleteDeliveryStream",
                    "CreateDeliveryStream",
                    "AddTagsToStream",
                ],
                self.another_source(),
            ),
        ]
    }

    async fn another_destination(&self) {
        let firehose = &self.firehose;
        let described = firehose.describe_delivery_stream().delivery_stream_name(NAME);
        let described = described.send().await.unwrap();
        let described = described.delivery_stream_description().unwrap();
        let processing = ProcessingConfiguration::builder()
            .enabled(true)
            .processors(lambda());
        let destination = ExtendedS3DestinationUpdate::builder()
            .bucket_arn("arn:aws:s3:::somebodys")
            .role_arn("arn:aws:iam::000000000000:role/somebodys")
            .prefix("elsewhere/")
            .error_output_prefix("elsewhere-errors/")
            .buffering_hints(
                BufferingHints::builder()
                    .size_in_mbs(1)
                    .interval_in_seconds(0)
                    .build(),
            )
            .compression_format(CompressionFormat::Gzip)
            .data_format_conversion_configuration(
                DataFormatConversionConfiguration::builder()
                    .enabled(false)
                    .build(),
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

    /// Makes one in its place that reads no stream but takes what is put to it.
    async fn another_source(&self) {
        let firehose = &self.firehose;
        let described = firehose.describe_delivery_stream().delivery_stream_name(NAME);
        let described = described.send().await.unwrap();
        let described = described.delivery_stream_description().unwrap();
        let had = described.destinations()[0]
            .extended_s3_destination_description()
            .unwrap();
        let destination = ExtendedS3DestinationConfiguration::builder()
            .bucket_arn(had.bucket_arn())
            .role_arn(had.role_arn())
            .set_prefix(had.prefix().map(str::to_owned))
            .set_error_output_prefix(had.error_output_prefix().map(str::to_owned))
            .set_buffering_hints(had.buffering_hints().cloned())
            .compression_format(had.compression_format().clone())
            .processing_configuration(
                ProcessingConfiguration::builder()
                    .enabled(true)
                    .processors(lambda())
                    .build(),
            );
        let call = firehose.delete_delivery_stream().delivery_stream_name(NAME);
        call.send().await.unwrap();
        let call = firehose.create_delivery_stream().delivery_stream_name(NAME);
        let call = call.delivery_stream_type(DeliveryStreamType::DirectPut);
        let call = call.extended_s3_destination_configuration(destination.build().unwrap());
        let call = call.set_tags(Some(
            [
                ("managed-by", "split-pipeline"),
                ("split-pipeline", NAME),
                ("team", "growth"),
            ]
            .map(|(key, value)| {
                aws_sdk_firehose::types::Tag::builder()
                    .key(key)
                    .value(value)
                    .build()
                    .unwrap()
            })
            .to_vec(),
        ));
        call.send().await.unwrap();
    }
}

fn lambda() -> Processor {
    Processor::builder()
        .r#type(ProcessorType::Lambda)
        .build()
        .unwrap()
}

/// Encryption by a key that KMS manages for S3.
pub(crate) fn by_kms() -> ServerSideEncryptionConfiguration {
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms);
    let rule =
        ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default.build().unwrap());
    let rules = ServerSideEncryptionConfiguration::builder().rules(rule.build());
    rules.build().unwrap()
}
