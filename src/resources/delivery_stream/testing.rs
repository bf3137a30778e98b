//! A delivery stream in memory, for unit tests.

use std::sync::{Arc, Mutex};

use aws_sdk_firehose::Client;
use aws_sdk_firehose::operation::create_delivery_stream::CreateDeliveryStreamOutput;
use aws_sdk_firehose::operation::delete_delivery_stream::DeleteDeliveryStreamOutput;
use aws_sdk_firehose::operation::describe_delivery_stream::{
    DescribeDeliveryStreamError, DescribeDeliveryStreamOutput,
};
use aws_sdk_firehose::operation::list_tags_for_delivery_stream::ListTagsForDeliveryStreamOutput;
use aws_sdk_firehose::operation::tag_delivery_stream::TagDeliveryStreamOutput;
use aws_sdk_firehose::operation::untag_delivery_stream::UntagDeliveryStreamOutput;
use aws_sdk_firehose::operation::update_destination::{UpdateDestinationInput, UpdateDestinationOutput};
use aws_sdk_firehose::primitives::DateTime;
use aws_sdk_firehose::types::{
    DestinationDescription, EncryptionConfiguration, ExtendedS3DestinationConfiguration,
    ExtendedS3DestinationUpdate, KinesisStreamSourceConfiguration, KinesisStreamSourceDescription,
    SourceDescription,
};
use aws_smithy_mocks::{MockResponse, Rule, mock};
use aws_smithy_types::error::ErrorMetadata;

use super::*;
use crate::resource::Target;

const DESTINATION: &str = "destinationId-000000000001";

#[derive(Clone, Default)]
pub(crate) struct Firehose(Arc<Mutex<FirehoseWorld>>);

#[derive(Default)]
pub(crate) struct FirehoseWorld {
    pub(crate) stream: Option<Existing>,
    pub(crate) tags: Tags,
    /// The states that the next looks find, and what failed if it did.
    pub(crate) next: Vec<DeliveryStreamStatus>,
    pub(crate) failure: Option<FailureDescription>,
    /// When it was created, in seconds since 1970.
    pub(crate) created: i64,
    /// What was done, in order.
    pub(crate) done: Vec<&'static str>,
}

pub(crate) struct Existing {
    pub(crate) source: KinesisStreamSourceDescription,
    pub(crate) s3: ExtendedS3DestinationDescription,
    pub(crate) version: u32,
}

impl Firehose {
    pub(crate) fn with(want: &Target<DeliveryStream>) -> Self {
        let firehose = Self::default();
        firehose.world(|world| {
            let (source, destination) = (want.source().unwrap(), want.destination().unwrap());
            world.stream = Some(existing(&source, &destination));
            world.tags = want.tags.clone();
        });
        firehose
    }

    pub(crate) fn world<T>(&self, look: impl FnOnce(&mut FirehoseWorld) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn describe(&self) -> MockResponse<DescribeDeliveryStreamOutput, DescribeDeliveryStreamError> {
        self.world(|world| {
            let status =
                if world.next.is_empty() { DeliveryStreamStatus::Active } else { world.next.remove(0) };
            let gone = ErrorMetadata::builder().code("ResourceNotFoundException").build();
            let Some(existing) = &world.stream else {
                return MockResponse::Error(DescribeDeliveryStreamError::generic(gone));
            };
            let source =
                SourceDescription::builder().kinesis_stream_source_description(existing.source.clone());
            let destination = DestinationDescription::builder()
                .destination_id(DESTINATION)
                .extended_s3_destination_description(existing.s3.clone());
            let described = DeliveryStreamDescription::builder()
                .delivery_stream_name("flags")
                .delivery_stream_arn("arn:aws:firehose:us-east-1:123456789012:deliverystream/flags")
                .delivery_stream_type(DeliveryStreamType::KinesisStreamAsSource)
                .delivery_stream_status(status.clone())
                .set_failure_description(world.failure.clone())
                .version_id(existing.version.to_string())
                .create_timestamp(DateTime::from_secs(world.created))
                .source(source.build())
                .destinations(destination.build().unwrap())
                .has_more_destinations(false);
            if status == DeliveryStreamStatus::Deleting && world.next.is_empty() {
                world.stream = None;
            }
            let answer = DescribeDeliveryStreamOutput::builder();
            let answer = answer.delivery_stream_description(described.build().unwrap());
            MockResponse::Output(answer.build())
        })
    }

    fn update(&self, input: &UpdateDestinationInput) {
        self.world(|world| {
            let existing = world.stream.as_mut().unwrap();
            let version = existing.version.to_string();
            assert_eq!(input.current_delivery_stream_version_id(), Some(version.as_str()));
            assert_eq!(input.destination_id(), Some(DESTINATION));
            existing.s3 = updated(&existing.s3, input.extended_s3_destination_update().unwrap());
            existing.version += 1;
            world.done.push("update");
        });
    }

    pub(crate) fn rules(&self) -> Vec<Rule> {
        let (describe, list, create, update) = (self.clone(), self.clone(), self.clone(), self.clone());
        let (delete, tag, untag) = (self.clone(), self.clone(), self.clone());
        vec![
            mock!(Client::describe_delivery_stream).then_compute_response(move |_| describe.describe()),
            mock!(Client::list_tags_for_delivery_stream).then_output(move || {
                let tags = list.world(|world| firehose_tags(&world.tags).unwrap());
                let answer = ListTagsForDeliveryStreamOutput::builder().set_tags(Some(tags));
                answer.has_more_tags(false).build().unwrap()
            }),
            mock!(Client::create_delivery_stream).then_compute_output(move |input| {
                let source = input.kinesis_stream_source_configuration().unwrap();
                let s3 = input.extended_s3_destination_configuration().unwrap();
                create.world(|world| {
                    world.stream = Some(existing(source, s3));
                    let tags = input.tags().iter();
                    world.tags = tags_from(tags.map(|tag| (tag.key(), tag.value().unwrap())));
                    world.next = vec![DeliveryStreamStatus::Creating; 2];
                    world.done.push("create");
                });
                CreateDeliveryStreamOutput::builder().build()
            }),
            mock!(Client::update_destination).then_compute_output(move |input| {
                update.update(input);
                UpdateDestinationOutput::builder().build()
            }),
            mock!(Client::delete_delivery_stream).then_output(move || {
                delete.world(|world| {
                    world.next = vec![DeliveryStreamStatus::Deleting; 3];
                    world.done.push("delete");
                });
                DeleteDeliveryStreamOutput::builder().build()
            }),
            mock!(Client::tag_delivery_stream).then_compute_output(move |input| {
                let tags = input.tags().iter();
                let tags = tags.map(|tag| (tag.key().to_owned(), tag.value().unwrap().to_owned()));
                tag.world(|world| world.tags.extend(tags));
                TagDeliveryStreamOutput::builder().build()
            }),
            mock!(Client::untag_delivery_stream).then_compute_output(move |input| {
                untag.world(|world| world.tags.retain(|key, _| !input.tag_keys().contains(key)));
                UntagDeliveryStreamOutput::builder().build()
            }),
        ]
    }
}

fn existing(source: &KinesisStreamSourceConfiguration, s3: &ExtendedS3DestinationConfiguration) -> Existing {
    let source = KinesisStreamSourceDescription::builder()
        .kinesis_stream_arn(source.kinesis_stream_arn())
        .role_arn(source.role_arn());
    let s3 = ExtendedS3DestinationDescription::builder()
        .role_arn(s3.role_arn())
        .bucket_arn(s3.bucket_arn())
        .set_prefix(s3.prefix.clone())
        .set_error_output_prefix(s3.error_output_prefix.clone())
        .set_buffering_hints(s3.buffering_hints.clone())
        .compression_format(s3.compression_format.clone().unwrap())
        .encryption_configuration(EncryptionConfiguration::builder().build())
        .set_cloud_watch_logging_options(s3.cloud_watch_logging_options.clone())
        .set_data_format_conversion_configuration(s3.data_format_conversion_configuration.clone())
        .set_file_extension(s3.file_extension.clone());
    Existing { source: source.build(), s3: s3.build().unwrap(), version: 1 }
}

/// What an update makes of a destination: Firehose keeps what it does not mention.
fn updated(
    had: &ExtendedS3DestinationDescription,
    update: &ExtendedS3DestinationUpdate,
) -> ExtendedS3DestinationDescription {
    let (had, update) = (had.clone(), update.clone());
    ExtendedS3DestinationDescription::builder()
        .role_arn(update.role_arn.unwrap_or(had.role_arn))
        .bucket_arn(update.bucket_arn.unwrap_or(had.bucket_arn))
        .set_prefix(update.prefix.or(had.prefix))
        .set_error_output_prefix(update.error_output_prefix.or(had.error_output_prefix))
        .set_buffering_hints(update.buffering_hints.or(had.buffering_hints))
        .compression_format(update.compression_format.unwrap_or(had.compression_format))
        .encryption_configuration(EncryptionConfiguration::builder().build())
        .set_cloud_watch_logging_options(
            update.cloud_watch_logging_options.or(had.cloud_watch_logging_options),
        )
        .set_processing_configuration(update.processing_configuration.or(had.processing_configuration))
        .set_data_format_conversion_configuration(
            update.data_format_conversion_configuration.or(had.data_format_conversion_configuration),
        )
        .set_file_extension(update.file_extension.or(had.file_extension))
        .build()
        .unwrap()
}
