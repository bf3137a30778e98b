//! The Firehose delivery stream from the Kinesis stream to the bucket.

use std::fmt;
use std::time::SystemTime;

use aws_sdk_firehose::types::{
    BufferingHints, DataFormatConversionConfiguration, DeliveryStreamDescription, DeliveryStreamStatus,
    DeliveryStreamType, ExtendedS3DestinationDescription, FailureDescription, ProcessingConfiguration, Tag,
};
use serde::Serialize;

use super::{Blueprint, signed, tags_from};
use crate::aws::{Aws, AwsError, Outcome};
use crate::foreign;
use crate::kind::Kind;
use crate::moment;
use crate::names::Tags;
use crate::resource::{
    Changes, Described, Observed, Phase, Replacement, Resource, Step, TagChanges, Target, gone, ready,
    settled,
};
use crate::rows::PARQUET_EXTENSION;
use crate::spec::{Compression, Format};

mod conversion;
mod destination;
mod export;
mod grants;

pub use conversion::{Conversion, OPENX_JSON, PARQUET};
pub use destination::TIME_ZONE;

/// What is told where objects of two formats would have the same prefix.
pub const NO_TABLE: &str = "no table can read both";

pub const KIND: Kind = Kind::new("delivery_stream");

#[derive(Clone, Copy, Debug)]
pub struct DeliveryStream;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    pub source: String,
    /// The role with which it reads the stream.
    pub source_role: String,
    pub bucket: String,
    /// The role with which it writes.
    pub role: String,
    pub prefix: String,
    pub error_prefix: String,
    /// `GZIP`, `Snappy`, `ZIP` or `UNCOMPRESSED`.
    pub compression: String,
    /// What object names end with; absent where the endpoint does not report it.
    pub file_extension: Option<String>,
    /// How much is gathered before an object is written.
    pub buffer_mib: i32,
    /// How long is gathered before an object is written.
    pub buffer_seconds: i32,
    /// What changes the records on their way, such as `Lambda`: nothing should.
    pub processors: Vec<String>,
    /// What records are converted to; absent where they are delivered as they are.
    pub conversion: Option<Conversion>,
    /// Where errors are logged: log group and log stream.
    pub error_log: Option<(String, String)>,
    /// The bucket that gets a second copy of every record as it came: none.
    pub backup: Option<String>,
    /// The KMS key with which Firehose itself encrypts objects: none, since the bucket says how.
    pub encryption_key: Option<String>,
    pub time_zone: String,
}

/// What there is to know of an existing one to change it.
#[derive(Clone, Debug)]
pub struct Id {
    arn: String,
    destination: String,
    version: String,
    conversion: Option<DataFormatConversionConfiguration>,
    pub created: Option<SystemTime>,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

impl Id {
    /// Whether it converts by a table, or did once: Firehose keeps that in mind.
    pub fn knows_a_table(&self) -> bool {
        let schema = self.conversion.as_ref().and_then(|it| it.schema_configuration());
        schema.is_some_and(|schema| schema.table_name().is_some())
    }
}

pub(crate) fn want(blueprint: &Blueprint<'_>) -> Target<DeliveryStream> {
    let Blueprint { spec, names, .. } = blueprint;
    let (compression, extension) = match (spec.delivery.format, spec.delivery.compression) {
        // Parquet is compressed within.
        (Format::Parquet, _) => ("UNCOMPRESSED", PARQUET_EXTENSION),
        (Format::Json, Compression::Gzip) => ("GZIP", ".ndjson.gz"),
        (Format::Json, Compression::Snappy) => ("Snappy", ".ndjson.snappy"),
        (Format::Json, Compression::Zip) => ("ZIP", ".ndjson.zip"),
        (Format::Json, Compression::None) => ("UNCOMPRESSED", ".ndjson"),
    };
    let role = names.delivery_role_arn(spec);
    let state = State {
        source: names.stream_arn(),
        source_role: role.clone(),
        bucket: names.bucket_arn(&names.bucket(spec)),
        role,
        prefix: spec.delivery.prefix.as_str().to_owned(),
        error_prefix: spec.delivery.error_prefix.as_str().to_owned(),
        compression: compression.to_owned(),
        file_extension: Some(extension.to_owned()),
        buffer_mib: signed(spec.delivery.buffer_mib.get()),
        buffer_seconds: signed(spec.delivery.buffer_seconds.get()),
        processors: Vec::new(),
        conversion: conversion::wanted(spec, names),
        error_log: Some((names.delivery_log_group(), names.delivery_log_stream())),
        backup: None,
        encryption_key: None,
        time_zone: TIME_ZONE.to_owned(),
    };
    blueprint.target(KIND, (names.delivery_stream(), names.delivery_stream_arn()), state, ())
}

impl Resource for DeliveryStream {
    type State = State;
    type Id = Id;
    type Extra = ();

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let Some(described) = Self::describe(want, aws).await? else {
            return Ok(None);
        };
        let call = "firehose:ListTagsForDeliveryStream";
        let request =
            || aws.firehose.list_tags_for_delivery_stream().delivery_stream_name(&want.name).limit(50).send();
        let Some(answer) = aws.call(call, request).await.found()? else {
            return Ok(None);
        };
        let tags = answer.tags().iter();
        let tags = tags_from(tags.map(|tag| (tag.key(), tag.value().unwrap_or_default())));
        Ok(Some(described.tagged(tags)))
    }

    async fn describe(want: &Target<Self>, aws: &Aws) -> Result<Option<Described<Self>>, AwsError> {
        let call = "firehose:DescribeDeliveryStream";
        let request = || aws.firehose.describe_delivery_stream().delivery_stream_name(&want.name).send();
        let Some(answer) = aws.call(call, request).await.found()? else {
            return Ok(None);
        };
        let described =
            answer.delivery_stream_description().ok_or_else(|| AwsError::incomplete(call, "description"))?;
        let destination = described.destinations().first();
        let s3 = destination.and_then(|it| it.extended_s3_destination_description());
        let id = Id {
            arn: described.delivery_stream_arn().to_owned(),
            version: described.version_id().to_owned(),
            destination: destination.map_or("", |it| it.destination_id()).to_owned(),
            conversion: s3.and_then(|s3| s3.data_format_conversion_configuration().cloned()),
            created: described.create_timestamp().copied().map(moment::from_aws),
        };
        let phase = match described.delivery_stream_status() {
            DeliveryStreamStatus::Active => Phase::Ready,
            DeliveryStreamStatus::Deleting => Phase::Deleting,
            DeliveryStreamStatus::CreatingFailed | DeliveryStreamStatus::DeletingFailed => {
                Phase::Failed(failure(described))
            }
            other => Phase::Pending(other.as_str().to_owned()),
        };
        let state = want.state_of(described, aws);
        Ok(Some(Described { id, state, phase }))
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let (aws, source, destination) = (step.aws, want.source()?, want.destination()?);
        let tags = firehose_tags(&want.tags)?;
        let request = || {
            let call = aws.firehose.create_delivery_stream().delivery_stream_name(&want.name);
            let call = call.delivery_stream_type(DeliveryStreamType::KinesisStreamAsSource);
            let call = call.kinesis_stream_source_configuration(source.clone());
            let call = call.extended_s3_destination_configuration(destination.clone());
            call.set_tags(Some(tags.clone())).send()
        };
        step.call("firehose:CreateDeliveryStream", request).await?;
        Ok(ready(want, step).await?.tagged(want.tags.clone()))
    }

    async fn update(
        want: &Target<Self>,
        have: &Observed<Self>,
        _changes: &Changes,
        step: &Step<'_>,
    ) -> Result<Id, AwsError> {
        // Described anew each time: the version changes with every update, whoever made it.
        let id = ready(want, step).await?.id;
        let request = || {
            let call = step.aws.firehose.update_destination().delivery_stream_name(&want.name);
            let call = call.current_delivery_stream_version_id(&id.version).destination_id(&id.destination);
            call.extended_s3_destination_update(want.destination_update(&id)).send()
        };
        step.call("firehose:UpdateDestination", request).await?;
        Ok(have.id.clone())
    }

    async fn delete(want: &Target<Self>, _id: &Id, step: &Step<'_>) -> Result<(), AwsError> {
        // Firehose refuses to delete one that it is still making.
        settled(want, step).await?;
        let request = || {
            let call = step.aws.firehose.delete_delivery_stream();
            // Forced, or one whose key is gone could never be deleted.
            call.delivery_stream_name(&want.name).allow_force_delete(true).send()
        };
        step.remove("firehose:DeleteDeliveryStream", request).await?;
        gone(want, step).await
    }

    fn caution(want: &Target<Self>, have: &State) -> Option<String> {
        let (name, want) = (&want.name, &want.state);
        if have.bucket != want.bucket {
            return Some(format!(
                "delivery stream {name}: delivers to {} from now on; {} stays with what is in it, and `down` will not know it",
                want.bucket, have.bucket
            ));
        }
        let other_format = have.conversion.is_some() != want.conversion.is_some();
        (other_format && have.prefix == want.prefix).then(|| {
            let [before, after] = [have, want].map(|state| match state.conversion {
                Some(_) => "Parquet",
                None => "JSON",
            });
            format!(
                "delivery stream {name}: delivers {after} from now on, to where there is {before}, and {NO_TABLE}: \
                 another `delivery.prefix` keeps them apart"
            )
        })
    }

    fn replacement(want: &Target<Self>, have: &State) -> Option<Replacement> {
        // UpdateDestination changes the destination only, and no backup back.
        if let Some(backup) = &have.backup {
            return Some(Replacement::Recreate(format!(
                "it copies every record to {backup} as well, which Firehose does not switch off; the new one starts at the \
                 newest record of the stream"
            )));
        }
        (have.source != want.state.source || have.source_role != want.state.source_role).then(|| {
            Replacement::Recreate(
                "its source cannot be changed; the new one starts at the newest record of the stream"
                    .to_owned(),
            )
        })
    }

    async fn retag(
        want: &Target<Self>,
        _id: &Id,
        tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        let TagChanges { set, removed } = tags;
        if !set.is_empty() {
            let set = firehose_tags(set)?;
            let request = || {
                let call = step.aws.firehose.tag_delivery_stream().delivery_stream_name(&want.name);
                call.set_tags(Some(set.clone())).send()
            };
            step.call("firehose:TagDeliveryStream", request).await?;
        }
        if !removed.is_empty() {
            let request = || {
                let call = step.aws.firehose.untag_delivery_stream().delivery_stream_name(&want.name);
                call.set_tag_keys(Some(removed.clone())).send()
            };
            step.call("firehose:UntagDeliveryStream", request).await?;
        }
        Ok(())
    }

    fn created(id: &Id) -> Option<SystemTime> {
        id.created
    }
}

impl Target<DeliveryStream> {
    fn state_of(&self, described: &DeliveryStreamDescription, aws: &Aws) -> State {
        let source = described.source().and_then(|source| source.kinesis_stream_source_description());
        let destination = described.destinations().first();
        let s3 = destination.and_then(|destination| destination.extended_s3_destination_description());
        let buffer = s3.and_then(ExtendedS3DestinationDescription::buffering_hints);
        let log = s3.and_then(ExtendedS3DestinationDescription::cloud_watch_logging_options);
        let log = log.filter(|log| log.enabled() == Some(true));
        let processing = s3.and_then(ExtendedS3DestinationDescription::processing_configuration);
        let processing = processing.filter(|processing| processing.enabled() == Some(true));
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let extension = s3.and_then(|s3| s3.file_extension()).map(str::to_owned);
        State {
            source: owned(source.and_then(|source| source.kinesis_stream_arn())),
            source_role: owned(source.and_then(|source| source.role_arn())),
            bucket: owned(s3.map(ExtendedS3DestinationDescription::bucket_arn)),
            role: owned(s3.map(ExtendedS3DestinationDescription::role_arn)),
            prefix: owned(s3.and_then(|s3| s3.prefix())),
            error_prefix: owned(s3.and_then(|s3| s3.error_output_prefix())),
            compression: owned(s3.map(|s3| s3.compression_format().as_str())),
            // Emulators apply the extension but leave it out of the description.
            file_extension: extension
                .or_else(|| self.state.file_extension.clone().filter(|_| aws.is_emulator())),
            buffer_mib: buffer.and_then(BufferingHints::size_in_mbs).unwrap_or_default(),
            buffer_seconds: buffer.and_then(BufferingHints::interval_in_seconds).unwrap_or_default(),
            processors: processing
                .map(ProcessingConfiguration::processors)
                .unwrap_or_default()
                .iter()
                .map(|processor| processor.r#type().as_str().to_owned())
                .collect(),
            conversion: s3
                .and_then(ExtendedS3DestinationDescription::data_format_conversion_configuration)
                .filter(|conversion| conversion.enabled() != Some(false))
                .map(Conversion::of),
            error_log: log.map(|log| (owned(log.log_group_name()), owned(log.log_stream_name()))),
            backup: s3.and_then(destination::backup),
            encryption_key: s3.and_then(destination::encryption_key),
            time_zone: s3.and_then(|s3| s3.custom_time_zone()).unwrap_or(TIME_ZONE).to_owned(),
        }
    }
}

fn failure(described: &DeliveryStreamDescription) -> String {
    let details = described.failure_description().map(FailureDescription::details);
    foreign::line(details.unwrap_or("Firehose could not create it, and does not say why"))
}

fn firehose_tags(tags: &Tags) -> Result<Vec<Tag>, AwsError> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(AwsError::from)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
