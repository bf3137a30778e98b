//! Where and how the delivery stream writes, as Firehose takes it, and what of it nobody but us should have changed.

use aws_sdk_firehose::types::{
    BufferingHints, CloudWatchLoggingOptions, CompressionFormat, DataFormatConversionConfiguration,
    EncryptionConfiguration, ExtendedS3DestinationConfiguration, ExtendedS3DestinationDescription,
    ExtendedS3DestinationUpdate, KinesisStreamSourceConfiguration, NoEncryptionConfig,
    ProcessingConfiguration, S3BackupMode, S3DestinationDescription,
};

use super::{Conversion, DeliveryStream, Id};
use crate::aws::AwsError;
use crate::resource::Target;

/// The time zone of the times in prefixes: Firehose's default, and what everything counts on that looks for objects.
pub const TIME_ZONE: &str = "UTC";

/// The bucket that gets every record as it came, if any does.
pub(super) fn backup(s3: &ExtendedS3DestinationDescription) -> Option<String> {
    let is_on = s3.s3_backup_mode() == Some(&S3BackupMode::Enabled);
    let bucket = s3.s3_backup_description().map(S3DestinationDescription::bucket_arn);
    is_on.then(|| bucket.unwrap_or("another bucket").to_owned())
}

/// The KMS key with which Firehose encrypts objects, if it does.
pub(super) fn encryption_key(s3: &ExtendedS3DestinationDescription) -> Option<String> {
    let by_kms = s3.encryption_configuration()?.kms_encryption_config()?;
    Some(by_kms.awskms_key_arn().to_owned())
}

impl Target<DeliveryStream> {
    pub(super) fn source(&self) -> Result<KinesisStreamSourceConfiguration, AwsError> {
        KinesisStreamSourceConfiguration::builder()
            .kinesis_stream_arn(&self.state.source)
            .role_arn(&self.state.source_role)
            .build()
            .map_err(AwsError::from)
    }

    pub(super) fn destination(&self) -> Result<ExtendedS3DestinationConfiguration, AwsError> {
        ExtendedS3DestinationConfiguration::builder()
            .role_arn(&self.state.role)
            .bucket_arn(&self.state.bucket)
            .prefix(&self.state.prefix)
            .error_output_prefix(&self.state.error_prefix)
            .buffering_hints(self.buffering())
            .compression_format(CompressionFormat::from(self.state.compression.as_str()))
            .cloud_watch_logging_options(self.error_log())
            .set_file_extension(self.state.file_extension.clone())
            .set_data_format_conversion_configuration(
                self.state.conversion.as_ref().map(Conversion::configuration),
            )
            .build()
            .map_err(AwsError::from)
    }

    pub(super) fn destination_update(&self, have: &Id) -> ExtendedS3DestinationUpdate {
        let no_encryption =
            EncryptionConfiguration::builder().no_encryption_config(NoEncryptionConfig::NoEncryption).build();
        let untouched = ProcessingConfiguration::builder().enabled(false).build();
        ExtendedS3DestinationUpdate::builder()
            .processing_configuration(untouched)
            .data_format_conversion_configuration(self.conversion(have))
            .role_arn(&self.state.role)
            .bucket_arn(&self.state.bucket)
            .prefix(&self.state.prefix)
            .error_output_prefix(&self.state.error_prefix)
            .buffering_hints(self.buffering())
            .compression_format(CompressionFormat::from(self.state.compression.as_str()))
            .cloud_watch_logging_options(self.error_log())
            .set_file_extension(self.state.file_extension.clone())
            .encryption_configuration(no_encryption)
            .custom_time_zone(&self.state.time_zone)
            .build()
    }

    /// What to convert to; to convert no longer is said too, since Firehose keeps what an update does not mention. The table by
    /// which that was done is repeated, so that it stays known whether an update is merged in depth or not.
    fn conversion(&self, have: &Id) -> DataFormatConversionConfiguration {
        let off = || {
            let had = have.conversion.clone();
            let (schema, input, output) = had.map_or((None, None, None), |had| {
                (had.schema_configuration, had.input_format_configuration, had.output_format_configuration)
            });
            DataFormatConversionConfiguration::builder()
                .enabled(false)
                .set_schema_configuration(schema)
                .set_input_format_configuration(input)
                .set_output_format_configuration(output)
                .build()
        };
        let on = self.state.conversion.as_ref().map(Conversion::configuration);
        on.unwrap_or_else(off)
    }

    fn buffering(&self) -> BufferingHints {
        BufferingHints::builder()
            .size_in_mbs(self.state.buffer_mib)
            .interval_in_seconds(self.state.buffer_seconds)
            .build()
    }

    fn error_log(&self) -> CloudWatchLoggingOptions {
        let options = CloudWatchLoggingOptions::builder().enabled(self.state.error_log.is_some());
        match &self.state.error_log {
            Some((group, stream)) => options.log_group_name(group).log_stream_name(stream).build(),
            None => options.build(),
        }
    }
}
