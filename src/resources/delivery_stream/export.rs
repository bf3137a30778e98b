//! The delivery stream for other tools.

use hcl::{Block, Expression};
use serde_json::{Value, json};

use super::{Conversion, DeliveryStream, OPENX_JSON, PARQUET};
use crate::export::cloudformation::{self, Templates, after};
use crate::export::terraform::{Chapter, block, reference, references, resource};
use crate::export::{Page, Reference};
use crate::resource::Target;
use crate::resources::{Blueprint, Exported};

impl Exported for DeliveryStream {
    fn reference(_want: &Target<Self>) -> Option<Reference> {
        None
    }

    fn terraform(want: &Target<Self>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
        let state = &want.state;
        let source = block(
            "kinesis_source_configuration",
            [
                ("kinesis_stream_arn", page.hcl_text(&state.source)),
                ("role_arn", page.hcl_text(&state.source_role)),
            ],
        );
        // The role is of use only with its policy.
        let after = references(["aws_iam_role_policy.delivery"]);
        let stream = resource("aws_kinesis_firehose_delivery_stream", "impressions")
            .add_attribute(("name", want.name.as_str()))
            .add_attribute(("destination", "extended_s3"))
            .add_attribute(("tags", reference("local.tags")))
            .add_block(source)
            .add_block(destination(want, page))
            .add_attribute(("depends_on", after));
        (Chapter::Delivery, vec![stream.build()])
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        let state = &want.state;
        let logs = state.error_log.as_ref();
        let properties = json!({
            "DeliveryStreamName": want.name,
            "DeliveryStreamType": "KinesisStreamAsSource",
            "KinesisStreamSourceConfiguration": {
                "KinesisStreamARN": page.template_text(&state.source),
                "RoleARN": page.template_text(&state.source_role),
            },
            "ExtendedS3DestinationConfiguration": {
                "BucketARN": page.template_text(&state.bucket),
                "RoleARN": page.template_text(&state.role),
                "Prefix": state.prefix,
                "ErrorOutputPrefix": state.error_prefix,
                "CompressionFormat": state.compression,
                "FileExtension": state.file_extension,
                "BufferingHints": { "SizeInMBs": state.buffer_mib, "IntervalInSeconds": state.buffer_seconds },
                "CloudWatchLoggingOptions": logs.map(|(group, stream)| {
                    json!({ "Enabled": true, "LogGroupName": group, "LogStreamName": stream })
                }),
                "DataFormatConversionConfiguration": state.conversion.as_ref().map(|it| template_conversion(page, it)),
            },
            "Tags": page.template_tags(),
        });
        let stream = cloudformation::resource("AWS::KinesisFirehose::DeliveryStream", &properties);
        vec![("DeliveryStream".to_owned(), after(&["DeliveryLogStream"], stream))]
    }
}

fn destination(want: &Target<DeliveryStream>, page: &Page<'_>) -> Block {
    let state = &want.state;
    let extension = state.file_extension.as_deref();
    let logs = state.error_log.as_ref().map(|_| {
        let group = reference("aws_cloudwatch_log_group.delivery.name");
        let stream = reference("aws_cloudwatch_log_stream.delivery.name");
        let enabled = Expression::from(true);
        let attributes = [("enabled", enabled), ("log_group_name", group), ("log_stream_name", stream)];
        block("cloudwatch_logging_options", attributes)
    });
    Block::builder("extended_s3_configuration")
        .add_attribute(("bucket_arn", page.hcl_text(&state.bucket)))
        .add_attribute(("role_arn", page.hcl_text(&state.role)))
        .add_attribute(("prefix", state.prefix.as_str()))
        .add_attribute(("error_output_prefix", state.error_prefix.as_str()))
        .add_attribute(("compression_format", state.compression.as_str()))
        .add_attributes(extension.map(|extension| ("file_extension", extension)))
        .add_attribute(("buffering_size", state.buffer_mib))
        .add_attribute(("buffering_interval", state.buffer_seconds))
        .add_blocks(logs)
        .add_blocks(state.conversion.as_ref().map(|it| conversion(page, it)))
        .build()
}

fn conversion(page: &Page<'_>, want: &Conversion) -> Block {
    let nested = |outer: &str, inner: &str, block: Block| {
        let inner = Block::builder(inner).add_block(block).build();
        Block::builder(outer).add_block(inner).build()
    };
    let compression = [("compression", want.compression.as_str().into())];
    let schema = [
        ("database_name", reference("aws_glue_catalog_database.impressions.name")),
        ("table_name", reference("aws_glue_catalog_table.impressions.name")),
        ("region", want.region.as_str().into()),
        ("role_arn", page.hcl_text(&want.role)),
    ];
    Block::builder("data_format_conversion_configuration")
        .add_block(nested("input_format_configuration", "deserializer", block("open_x_json_ser_de", [])))
        .add_block(nested("output_format_configuration", "serializer", block("parquet_ser_de", compression)))
        .add_block(block("schema_configuration", schema))
        .build()
}

fn template_conversion(page: &Page<'_>, want: &Conversion) -> Value {
    json!({
        "Enabled": true,
        "InputFormatConfiguration": { "Deserializer": { (OPENX_JSON): {} } },
        "OutputFormatConfiguration": { "Serializer": { (PARQUET): { "Compression": want.compression } } },
        "SchemaConfiguration": {
            "DatabaseName": { "Ref": "Database" },
            "TableName": { "Ref": "Table" },
            "Region": want.region,
            "RoleARN": page.template_text(&want.role),
        },
    })
}
