//! The stream and its delivery into the bucket.

use hcl::{Block, Expression};

use super::super::Pipeline;
use super::access::{log_group, role};
use super::writing::{Section, block, reference, references, resource};
use crate::resources::delivery_stream::Conversion;

/// The Kinesis stream.
pub(super) fn stream(pipeline: &Pipeline<'_>) -> Section {
    let want = &pipeline.want.stream;
    let state = &want.state;
    let (encryption, key) = match &state.encryption_key {
        Some(key) => ("KMS", Some(("kms_key_id", key.as_str()))),
        None => ("NONE", None),
    };
    let stream = resource("aws_kinesis_stream", "impressions")
        .add_attribute(("name", want.name.as_str()))
        .add_attributes(state.shards.map(|shards| ("shard_count", shards)))
        .add_attribute(("retention_period", state.retention_hours))
        .add_attribute(("encryption_type", encryption))
        .add_attributes(key)
        .add_attribute(("tags", reference("local.tags")))
        .add_block(block(
            "stream_mode_details",
            [("stream_mode", state.mode.as_str().into())],
        ))
        .add_blocks(super::kept(pipeline));
    Section::new(
        "The stream that carries impressions from the function to the delivery stream.",
        [stream.build()],
    )
}

/// The delivery stream, its role, and where it logs its errors.
pub(super) fn delivery(pipeline: &Pipeline<'_>) -> Section {
    let want = &pipeline.want.delivery_stream;
    let state = &want.state;
    let source = block(
        "kinesis_source_configuration",
        [
            ("kinesis_stream_arn", pipeline.hcl_text(&state.source)),
            ("role_arn", pipeline.hcl_text(&state.source_role)),
        ],
    );
    // The role is of use only with its policy.
    let after = references(["aws_iam_role_policy.delivery"]);
    let stream = resource("aws_kinesis_firehose_delivery_stream", "impressions")
        .add_attribute(("name", want.name.as_str()))
        .add_attribute(("destination", "extended_s3"))
        .add_attribute(("tags", reference("local.tags")))
        .add_block(source)
        .add_block(destination(pipeline))
        .add_attribute(("depends_on", after));
    let mut blocks = log_group("delivery", &pipeline.want.delivery_log_group);
    blocks.extend(role(pipeline, "delivery", &pipeline.want.delivery_role));
    blocks.push(stream.build());
    Section::new(
        "The delivery into the bucket, its role, and where it logs its errors.",
        blocks,
    )
}

fn destination(pipeline: &Pipeline<'_>) -> Block {
    let state = &pipeline.want.delivery_stream.state;
    let extension = state.file_extension.as_deref();
    let logs = state.error_log.as_ref().map(|_| {
        let group = reference("aws_cloudwatch_log_group.delivery.name");
        let stream = reference("aws_cloudwatch_log_stream.delivery.name");
        let enabled = Expression::from(true);
        let attributes = [
            ("enabled", enabled),
            ("log_group_name", group),
            ("log_stream_name", stream),
        ];
        block("cloudwatch_logging_options", attributes)
    });
    Block::builder("extended_s3_configuration")
        .add_attribute(("bucket_arn", pipeline.hcl_text(&state.bucket)))
        .add_attribute(("role_arn", pipeline.hcl_text(&state.role)))
        .add_attribute(("prefix", state.prefix.as_str()))
        .add_attribute(("error_output_prefix", state.error_prefix.as_str()))
        .add_attribute(("compression_format", state.compression.as_str()))
        .add_attributes(extension.map(|extension| ("file_extension", extension)))
        .add_attribute(("buffering_size", state.buffer_mib))
        .add_attribute(("buffering_interval", state.buffer_seconds))
        .add_blocks(logs)
        .add_blocks(state.conversion.as_ref().map(|it| conversion(pipeline, it)))
        .build()
}

fn conversion(pipeline: &Pipeline<'_>, want: &Conversion) -> Block {
    let nested = |outer: &str, inner: &str, block: Block| {
        let inner = Block::builder(inner).add_block(block).build();
        Block::builder(outer).add_block(inner).build()
    };
    let compression = [("compression", want.compression.as_str().into())];
    let schema = [
        (
            "database_name",
            reference("aws_glue_catalog_database.impressions.name"),
        ),
        ("table_name", reference("aws_glue_catalog_table.impressions.name")),
        ("region", want.region.as_str().into()),
        ("role_arn", pipeline.hcl_text(&want.role)),
    ];
    Block::builder("data_format_conversion_configuration")
        .add_block(nested(
            "input_format_configuration",
            "deserializer",
            block("open_x_json_ser_de", []),
        ))
        .add_block(nested(
            "output_format_configuration",
            "serializer",
            block("parquet_ser_de", compression),
        ))
        .add_block(block("schema_configuration", schema))
        .build()
}
