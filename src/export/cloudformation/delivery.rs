//! The stream and its delivery into the bucket; what the delivery has in common with the function.

use serde_json::{Value, json};

use super::super::Pipeline;
use super::{Resources, after, resource, retained};
use crate::names::Names;
use crate::resource::Target;
use crate::resources::delivery_stream::{Conversion, OPENX_JSON, PARQUET};
use crate::resources::log_group::LogGroup;
use crate::resources::role::{POLICY, Role};
use crate::resources::table::Column;

/// The stream, the delivery stream, its role, and where it logs its errors.
pub(super) fn delivery(pipeline: &Pipeline<'_>) -> Resources {
    let want = pipeline.want;
    let mut resources = vec![
        ("Stream".to_owned(), retained(stream(pipeline))),
        (
            "DeliveryLogGroup".to_owned(),
            log_group(pipeline, &want.delivery_log_group),
        ),
        ("DeliveryRole".to_owned(), role(pipeline, &want.delivery_role)),
    ];
    let mut needs = vec!["DeliveryLogGroup"];
    if let Some(name) = &want.delivery_log_group.state.log_stream {
        let properties = json!({ "LogGroupName": { "Ref": "DeliveryLogGroup" }, "LogStreamName": name });
        resources.push((
            "DeliveryLogStream".to_owned(),
            resource("AWS::Logs::LogStream", &properties),
        ));
        needs = vec!["DeliveryLogStream"];
    }
    resources.extend(catalog(pipeline));
    resources.push((
        "DeliveryStream".to_owned(),
        after(&needs, delivery_stream(pipeline)),
    ));
    resources
}

fn stream(pipeline: &Pipeline<'_>) -> Value {
    let want = &pipeline.want.stream;
    let state = &want.state;
    let encryption = state.encryption_key.as_ref();
    let properties = json!({
        "Name": want.name,
        "StreamModeDetails": { "StreamMode": state.mode },
        "ShardCount": state.shards,
        "RetentionPeriodHours": state.retention_hours,
        "StreamEncryption": encryption.map(|key| json!({ "EncryptionType": "KMS", "KeyId": key })),
        "Tags": pipeline.template_tags(),
    });
    resource("AWS::Kinesis::Stream", &properties)
}

fn delivery_stream(pipeline: &Pipeline<'_>) -> Value {
    let want = &pipeline.want.delivery_stream;
    let state = &want.state;
    let logs = state.error_log.as_ref();
    let properties = json!({
        "DeliveryStreamName": want.name,
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {
            "KinesisStreamARN": pipeline.template_text(&state.source),
            "RoleARN": pipeline.template_text(&state.source_role),
        },
        "ExtendedS3DestinationConfiguration": {
            "BucketARN": pipeline.template_text(&state.bucket),
            "RoleARN": pipeline.template_text(&state.role),
            "Prefix": state.prefix,
            "ErrorOutputPrefix": state.error_prefix,
            "CompressionFormat": state.compression,
            "FileExtension": state.file_extension,
            "BufferingHints": { "SizeInMBs": state.buffer_mib, "IntervalInSeconds": state.buffer_seconds },
            "CloudWatchLoggingOptions": logs.map(|(group, stream)| {
                json!({ "Enabled": true, "LogGroupName": group, "LogStreamName": stream })
            }),
            "DataFormatConversionConfiguration": state.conversion.as_ref().map(|it| conversion(pipeline, it)),
        },
        "Tags": pipeline.template_tags(),
    });
    resource("AWS::KinesisFirehose::DeliveryStream", &properties)
}

fn conversion(pipeline: &Pipeline<'_>, want: &Conversion) -> Value {
    json!({
        "Enabled": true,
        "InputFormatConfiguration": { "Deserializer": { (OPENX_JSON): {} } },
        "OutputFormatConfiguration": { "Serializer": { (PARQUET): { "Compression": want.compression } } },
        "SchemaConfiguration": {
            "DatabaseName": { "Ref": "Database" },
            "TableName": { "Ref": "Table" },
            "Region": want.region,
            "RoleARN": pipeline.template_text(&want.role),
        },
    })
}

/// The table of what is delivered and its database, where it has one.
fn catalog(pipeline: &Pipeline<'_>) -> Resources {
    let (database, table) = (&pipeline.want.database, &pipeline.want.table);
    if !table.is_wanted() {
        return Resources::new();
    }
    let state = &table.state;
    let catalog = pipeline.names.account();
    let tags = Names::tags_of("cloudformation", &table.tags);
    let mut parameters = json!(state.parameters);
    for (key, value) in tags {
        parameters[key] = json!(value);
    }
    let columns = |columns: &[Column]| -> Value {
        let columns = columns
            .iter()
            .map(|it| json!({ "Name": it.name, "Type": it.kind }));
        columns.collect()
    };
    let table = json!({
        "CatalogId": catalog,
        "DatabaseName": { "Ref": "Database" },
        "TableInput": {
            "Name": table.extra.table,
            "TableType": state.table_type,
            "Parameters": parameters,
            "PartitionKeys": columns(&state.partitions),
            "StorageDescriptor": {
                "Columns": columns(&state.columns),
                "Location": state.location,
                "InputFormat": state.storage.input_format,
                "OutputFormat": state.storage.output_format,
                "SerdeInfo": { "SerializationLibrary": state.storage.serde },
            },
        },
    });
    let database = json!({ "CatalogId": catalog, "DatabaseInput": { "Name": database.name } });
    vec![
        ("Database".to_owned(), resource("AWS::Glue::Database", &database)),
        ("Table".to_owned(), resource("AWS::Glue::Table", &table)),
    ]
}

/// A role with its policy.
pub(super) fn role(pipeline: &Pipeline<'_>, want: &Target<Role>) -> Value {
    let state = &want.state;
    let properties = json!({
        "RoleName": want.name,
        "Path": state.path,
        "PermissionsBoundary": state.permissions_boundary,
        "AssumeRolePolicyDocument": state.trust,
        "Policies": [{ "PolicyName": POLICY, "PolicyDocument": pipeline.template_value(&state.policy) }],
        "Tags": pipeline.template_tags(),
    });
    resource("AWS::IAM::Role", &properties)
}

/// A log group.
pub(super) fn log_group(pipeline: &Pipeline<'_>, want: &Target<LogGroup>) -> Value {
    let properties = json!({
        "LogGroupName": want.name,
        "RetentionInDays": want.state.retention_days,
        "Tags": pipeline.template_tags(),
    });
    resource("AWS::Logs::LogGroup", &properties)
}
