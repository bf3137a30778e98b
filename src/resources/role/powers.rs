//! What the two roles may do, and who may assume them.

use serde_json::{Value, json};
use split_pipeline_handler::spill::{rejected_prefix, spill_prefix};

use super::{OF_DELIVERY, OF_FUNCTION, Role, State};
use crate::access::{allow, allow_on};
use crate::names::Names;
use crate::resource::Target;
use crate::resources::Blueprint;
use crate::resources::policy::{document, use_own_keys};
use crate::spec::{PolicyArn, Spec};

pub(crate) fn of_delivery(blueprint: &Blueprint<'_>) -> Target<Role> {
    let Blueprint { spec, names, .. } = blueprint;
    let name = (names.delivery_role(), names.delivery_role_arn(spec));
    blueprint.target(OF_DELIVERY, name, delivery_role(spec, names), ())
}

pub(crate) fn of_function(blueprint: &Blueprint<'_>) -> Target<Role> {
    let Blueprint { spec, names, .. } = blueprint;
    let name = (names.function_role(), names.function_role_arn(spec));
    blueprint.target(OF_FUNCTION, name, function_role(spec, names), ())
}

/// The role of the delivery stream: read the stream, write to the bucket, log errors.
fn delivery_role(spec: &Spec, names: &Names) -> State {
    let bucket = names.bucket_arn(&names.bucket(spec));
    let errors = format!(
        "{}:log-stream:{}",
        names.log_group_arn(&names.delivery_log_group()),
        names.delivery_log_stream()
    );
    let mut statements = vec![
        allow(
            "ReadStream",
            &[
                "kinesis:DescribeStream",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
            ],
            &names.stream_arn(),
        ),
        allow(
            "FindBucket",
            &["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
            &bucket,
        ),
        allow(
            "WriteObjects",
            &["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
            &format!("{bucket}/*"),
        ),
        allow("LogErrors", &["logs:PutLogEvents"], &errors),
        read_table(names),
    ];
    let write = ["kms:Decrypt", "kms:GenerateDataKey"];
    statements.extend(use_own_keys(spec, names, &["kms:Decrypt"], &write));
    // The external id is how Firehose says for which account it acts (AWS: "Grant Firehose access to an Amazon S3
    // destination").
    let condition = json!({ "StringEquals": { "sts:ExternalId": names.account() } });
    role(spec, trust("firehose.amazonaws.com", Some(condition)), document(&statements))
}

/// What a conversion takes. Firehose may go on with one for minutes after it was told not to, so this is not taken away with it.
fn read_table(names: &Names) -> Value {
    allow_on(
        "ReadTable",
        &["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"],
        &[names.catalog_arn(), names.database_arn(), names.table_arn()],
    )
}

/// The role of the function: put records, spill what the stream refuses, log.
fn function_role(spec: &Spec, names: &Names) -> State {
    let bucket = names.bucket_arn(&names.bucket(spec));
    let logs = format!("{}:log-stream:*", names.log_group_arn(&names.function_log_group()));
    let pipeline = names.function();
    let objects = [spill_prefix(&pipeline), rejected_prefix(&pipeline)];
    let mut statements = vec![
        allow("PutRecords", &["kinesis:PutRecords"], &names.stream_arn()),
        json!({
            "Sid": "SetAside",
            "Effect": "Allow",
            "Action": ["s3:PutObject"],
            "Resource": objects.map(|prefix| format!("{bucket}/{prefix}*")),
        }),
        allow("Log", &["logs:CreateLogStream", "logs:PutLogEvents"], &logs),
    ];
    let write = ["kms:GenerateDataKey"];
    statements.extend(use_own_keys(spec, names, &write, &write));
    role(spec, trust("lambda.amazonaws.com", None), document(&statements))
}

fn role(spec: &Spec, trust: Value, policy: Value) -> State {
    State {
        path: spec.iam.role_path.to_string(),
        permissions_boundary: spec.iam.permissions_boundary.as_ref().map(PolicyArn::to_string),
        trust,
        policy,
        other_policies: Vec::new(),
    }
}

fn trust(service: &str, condition: Option<Value>) -> Value {
    let mut statement =
        json!({ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    document(&[statement])
}
