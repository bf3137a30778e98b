//! Every policy document: who may assume the roles, what they may do, who may reach bucket and webhook.

use serde_json::{Value, json};
use split_pipeline_handler::spill::{rejected_prefix, spill_prefix};

use super::Transport;
use crate::names::Names;
use crate::resources::{canonical, role};
use crate::spec::{BucketEncryption, PolicyArn, Spec, StreamEncryption};

/// The role of the delivery stream: read the stream, write to the bucket, log errors.
pub(super) fn delivery_role(spec: &Spec, names: &Names) -> role::State {
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
            &[
                "s3:GetBucketLocation",
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
            ],
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
    role(
        spec,
        trust("firehose.amazonaws.com", Some(condition)),
        document(&statements),
    )
}

/// What a conversion takes. Firehose may go on with one for minutes after it was told not to, so this is not taken away with it.
fn read_table(names: &Names) -> Value {
    let mut statement = allow(
        "ReadTable",
        &["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"],
        "",
    );
    statement["Resource"] = json!([names.catalog_arn(), names.database_arn(), names.table_arn()]);
    statement
}

/// The role of the function: put records, spill what the stream refuses, log.
pub(super) fn function_role(spec: &Spec, names: &Names) -> role::State {
    let bucket = names.bucket_arn(&names.bucket(spec));
    let logs = format!(
        "{}:log-stream:*",
        names.log_group_arn(&names.function_log_group())
    );
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

fn role(spec: &Spec, trust: Value, policy: Value) -> role::State {
    role::State {
        path: spec.iam.role_path.to_string(),
        permissions_boundary: spec.iam.permissions_boundary.as_ref().map(PolicyArn::to_string),
        trust,
        policy,
        other_policies: Vec::new(),
    }
}

/// The addresses that an emulator's clients have, and a client of AWS never.
const PRIVATE_ADDRESSES: [&str; 4] = ["10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/// The bucket policy that refuses every request without TLS. Where there is no TLS to be had, it lets the machines
/// nearby in all the same: nothing could reach the bucket otherwise.
pub(super) fn tls_only(bucket_arn: &str, transport: Transport) -> Value {
    let mut statement = json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, format!("{bucket_arn}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    });
    if transport == Transport::Plain {
        statement["Condition"]["NotIpAddress"] = json!({ "aws:SourceIp": PRIVATE_ADDRESSES });
    }
    document(&[statement])
}

/// The resource policy of the REST API that lets only these sources in.
pub(super) fn allow_cidrs(cidrs: &[&str]) -> Value {
    let statement = |effect: &str| {
        json!({
            "Effect": effect,
            "Principal": "*",
            "Action": "execute-api:Invoke",
            "Resource": "execute-api:/*",
        })
    };
    let mut deny = statement("Deny");
    deny["Condition"] = json!({ "NotIpAddress": { "aws:SourceIp": cidrs } });
    document(&[statement("Allow"), deny])
}

/// The policy of the topic that lets the account's alarms publish, and nobody else.
pub(super) fn alarms_publish(names: &Names) -> Value {
    document(&[json!({
        "Sid": "Alarms",
        "Effect": "Allow",
        "Principal": { "Service": "cloudwatch.amazonaws.com" },
        "Action": "sns:Publish",
        "Resource": names.alarm_topic_arn(),
        "Condition": { "StringEquals": { "aws:SourceAccount": names.account() } },
    })])
}

/// What a role needs of the user's own keys: the stream's, and the bucket's.
pub(super) fn use_own_keys(spec: &Spec, names: &Names, stream: &[&str], bucket: &[&str]) -> Vec<Value> {
    let mut statements = Vec::new();
    if let StreamEncryption::Key(key) = &spec.stream.encryption {
        statements.push(use_key("UseStreamKey", key, "kinesis", stream, names));
    }
    if let BucketEncryption::Key(key) = &spec.delivery.encryption {
        statements.push(use_key("UseBucketKey", key, "s3", bucket, names));
    }
    statements
}

/// What a service needs of a key of the user's, on behalf of a role; keys that AWS manages need nothing.
pub(super) fn use_key(sid: &str, key: &str, service: &str, actions: &[&str], names: &Names) -> Value {
    let mut conditions = json!({ "StringEquals": { "kms:ViaService": names.service_host(service) } });
    let mut resource = key.to_owned();
    // Policies cannot name a key by its alias, but they can ask for the alias of any key.
    if let Some(at) = key.find("alias/") {
        resource = names.any_key_arn();
        conditions["ForAnyValue:StringEquals"] = json!({ "kms:ResourceAliases": &key[at..] });
    }
    let mut statement = allow(sid, actions, &resource);
    statement["Condition"] = conditions;
    statement
}

pub(super) fn allow(sid: &str, actions: &[&str], resource: &str) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource })
}

fn trust(service: &str, condition: Option<Value>) -> Value {
    let mut statement =
        json!({ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    document(&[statement])
}

pub(super) fn document(statements: &[Value]) -> Value {
    canonical(json!({ "Version": "2012-10-17", "Statement": statements }))
}
