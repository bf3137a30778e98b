//! What whoever runs `up`, `status` or `down` has to be allowed, and nothing more.
//!
//! Owns the list of actions; a test takes each of them away and sees a command fail. Pure: values in, values out.

use serde_json::{Value, json};
use split_pipeline_handler::spill::{SPILL_PREFIX, spill_prefix};

use crate::names::Names;
use crate::resources::policy::{allow, document, use_key, use_own_keys};
use crate::spec::{BucketEncryption, Format, Spec};

/// A command that needs permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Look, make and change.
    Up,
    /// Only look.
    Status,
    /// Look and delete.
    Down,
    /// Find impressions in the bucket.
    Smoke,
    /// Send impressions again, or copy them.
    Replay,
}

/// The REST APIs that a policy is about. AWS chooses an API's id, so a policy that is written before cannot name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestApis {
    /// All of the region: there is none of the pipeline's yet, or nobody knows.
    OfRegion,
    /// Those with these ids.
    WithIds(Vec<String>),
}

/// What is needed of one kind of resource: to look at it, to make and change it, to delete it.
struct Needs {
    sid: &'static str,
    resources: Vec<String>,
    look: &'static [&'static str],
    make: &'static [&'static str],
    delete: &'static [&'static str],
}

impl Needs {
    fn statement(&self, purposes: &[Purpose]) -> Option<Value> {
        let mut actions = self.look.to_vec();
        if purposes.contains(&Purpose::Up) {
            actions.extend(self.make);
        }
        if purposes.contains(&Purpose::Down) {
            actions.extend(self.delete);
        }
        actions.sort_unstable();
        actions.dedup();
        let statement = allow_on(self.sid, &actions, &self.resources);
        (!actions.is_empty()).then_some(statement)
    }
}

/// The policy of somebody who runs these commands on this pipeline.
pub fn policy(purposes: &[Purpose], spec: &Spec, names: &Names, apis: &RestApis) -> Value {
    let needs = [
        bucket(spec, names),
        objects(spec, names),
        stream(names),
        stream_encryption(names),
        roles(spec, names),
        any_log_group(names),
        log_groups(names),
        catalog(spec, names),
        delivery_stream(names),
        function(names),
        all_rest_apis(names, apis),
        rest_apis(names, apis),
        api_tags(names, apis),
        alarms(names),
        metrics(),
        alarm_topic(names),
        subscriptions(),
        dashboard(names),
    ];
    let looks = purposes.iter().any(|purpose| *purpose != Purpose::Replay);
    let needs = needs.iter().filter(|_| looks);
    let mut statements: Vec<_> = needs.filter_map(|needs| needs.statement(purposes)).collect();
    if purposes.contains(&Purpose::Smoke) {
        statements.push(find_impressions(spec, names));
        if let BucketEncryption::Key(key) = &spec.delivery.encryption {
            statements.push(use_key("ReadImpressions", key, "s3", &["kms:Decrypt"], names));
        }
    }
    if purposes.contains(&Purpose::Up) {
        statements.push(powers(spec, names));
        let role = names.delivery_role_arn(spec);
        statements.push(pass("PassDeliveryRole", &role, "firehose.amazonaws.com"));
        let role = names.function_role_arn(spec);
        statements.push(pass("PassFunctionRole", &role, "lambda.amazonaws.com"));
    }
    if purposes.contains(&Purpose::Replay) {
        statements.extend(replay(spec, names));
    }
    if purposes.contains(&Purpose::Down) {
        statements.extend(drain(spec, names));
    }
    // Two purposes may need the same.
    let mut unique = Vec::new();
    for statement in statements {
        if !unique.contains(&statement) {
            unique.push(statement);
        }
    }
    document(&unique)
}

/// To read what was spilled or what the stream has, put it into the stream or where it would have been delivered, and delete
/// what was spilled.
fn replay(spec: &Spec, names: &Names) -> Vec<Value> {
    let bucket = names.bucket_arn(&names.bucket(spec));
    let spilled = spilled(spec, names);
    let delivered = format!("{bucket}/{}*", spec.delivery.prefix.fixed_part());
    let through_stream = [
        "kinesis:AddTagsToStream",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
        "kinesis:ListTagsForStream",
        "kinesis:PutRecords",
        "kinesis:RemoveTagsFromStream",
    ];
    let mut statements = vec![
        allow("FindSpilled", &["s3:ListBucket"], &bucket),
        allow_on("ReplaySpilled", &["s3:DeleteObject", "s3:GetObject"], &spilled),
        allow("ReplayIntoBucket", &["s3:PutObject"], &delivered),
        allow("ReplayStream", &through_stream, &names.stream_arn()),
    ];
    statements.extend(keep_misfits(spec, &bucket));
    let keys = ["kms:Decrypt", "kms:GenerateDataKey"];
    statements.extend(use_own_keys(spec, names, &keys, &keys));
    statements
}

/// The objects that the pipeline's handler spilled.
fn spilled(spec: &Spec, names: &Names) -> Vec<String> {
    let bucket = names.bucket_arn(&names.bucket(spec));
    let mut spilled = vec![format!("{bucket}/{}*", spill_prefix(&names.function()))];
    if !spec.delivery.existing_bucket {
        // What older handlers spilled names no pipeline.
        spilled.push(format!("{bucket}/{SPILL_PREFIX}dt=*"));
    }
    spilled
}

/// To find what was sent, delivered or spilled.
fn find_impressions(spec: &Spec, names: &Names) -> Value {
    let bucket = names.bucket_arn(&names.bucket(spec));
    let delivered = format!("{bucket}/{}*", spec.delivery.prefix.fixed_part());
    let objects: Vec<_> = [delivered].into_iter().chain(spilled(spec, names)).collect();
    allow_on("FindImpressions", &["s3:GetObject"], &objects)
}

/// A statement on several resources.
fn allow_on(sid: &str, actions: &[&str], resources: &[String]) -> Value {
    let mut statement = allow(sid, actions, "");
    statement["Resource"] = json!(resources);
    statement
}

/// To find in the bucket what the stream holds, and to copy there what is missing, before the stream is deleted.
fn drain(spec: &Spec, names: &Names) -> Vec<Value> {
    let bucket = names.bucket_arn(&names.bucket(spec));
    let delivered = format!("{bucket}/{}*", spec.delivery.prefix.fixed_part());
    let read = [
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ];
    let mut statements = vec![
        allow("DrainStream", &read, &names.stream_arn()),
        allow("DrainIntoBucket", &["s3:GetObject", "s3:PutObject"], &delivered),
    ];
    statements.extend(keep_misfits(spec, &bucket));
    let keys = ["kms:Decrypt", "kms:GenerateDataKey"];
    statements.extend(use_own_keys(spec, names, &keys, &keys));
    statements
}

/// To put what fits no table where Firehose puts such.
fn keep_misfits(spec: &Spec, bucket: &str) -> Option<Value> {
    let misfits = spec.delivery.error_prefix.of_failed_conversions();
    let misfits = format!("{bucket}/{}*", misfits.fixed_part());
    let is_parquet = spec.delivery.format == Format::Parquet;
    is_parquet.then(|| allow("KeepMisfits", &["s3:PutObject"], &misfits))
}

fn pass(sid: &str, role: &str, service: &str) -> Value {
    let mut statement = allow(sid, &["iam:PassRole"], role);
    statement["Condition"] = json!({ "StringEquals": { "iam:PassedToService": service } });
    statement
}

fn bucket(spec: &Spec, names: &Names) -> Needs {
    let resources = vec![names.bucket_arn(&names.bucket(spec))];
    if spec.delivery.existing_bucket {
        return Needs {
            sid: "Bucket",
            resources,
            look: &["s3:ListBucket"],
            make: &[],
            delete: &[],
        };
    }
    Needs {
        sid: "Bucket",
        resources,
        look: &[
            "s3:GetBucketLogging",
            "s3:GetBucketNotification",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:GetInventoryConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:GetReplicationConfiguration",
            "s3:ListBucket",
        ],
        make: &[
            "s3:CreateBucket",
            "s3:PutBucketAcl",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
            "s3:PutReplicationConfiguration",
            "s3:TagResource",
        ],
        delete: &[
            "s3:DeleteBucket",
            "s3:ListBucketMultipartUploads",
            "s3:ListBucketVersions",
        ],
    }
}

fn objects(spec: &Spec, names: &Names) -> Needs {
    let purge: &[_] = &[
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
    ];
    Needs {
        sid: "PurgeData",
        resources: vec![format!("{}/*", names.bucket_arn(&names.bucket(spec)))],
        look: &[],
        make: &[],
        delete: if spec.delivery.existing_bucket { &[] } else { purge },
    }
}

fn stream(names: &Names) -> Needs {
    Needs {
        sid: "Stream",
        resources: vec![names.stream_arn()],
        look: &[
            "kinesis:DescribeStreamSummary",
            "kinesis:GetResourcePolicy",
            "kinesis:ListTagsForStream",
        ],
        make: &[
            "kinesis:AddTagsToStream",
            "kinesis:CreateStream",
            "kinesis:DecreaseStreamRetentionPeriod",
            "kinesis:DeleteResourcePolicy",
            "kinesis:DisableEnhancedMonitoring",
            "kinesis:IncreaseStreamRetentionPeriod",
            "kinesis:RemoveTagsFromStream",
            "kinesis:UpdateShardCount",
            "kinesis:UpdateStreamMode",
        ],
        delete: &["kinesis:DeleteStream"],
    }
}

/// Kinesis checks these against the key as well; they allow nothing to be done with it.
fn stream_encryption(names: &Names) -> Needs {
    Needs {
        sid: "StreamEncryption",
        resources: vec![names.stream_arn(), names.any_key_arn()],
        look: &[],
        make: &["kinesis:StartStreamEncryption", "kinesis:StopStreamEncryption"],
        delete: &[],
    }
}

fn role_arns(spec: &Spec, names: &Names) -> Vec<String> {
    vec![names.delivery_role_arn(spec), names.function_role_arn(spec)]
}

fn roles(spec: &Spec, names: &Names) -> Needs {
    Needs {
        sid: "Roles",
        resources: role_arns(spec, names),
        look: &[
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
        ],
        make: &[
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
        ],
        delete: &["iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy"],
    }
}

/// What gives a role its power: where there is a boundary, only within it, and nobody may take it away.
fn powers(spec: &Spec, names: &Names) -> Value {
    let mut actions = vec![
        "iam:CreateRole",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
    ];
    let boundary = spec.iam.permissions_boundary.as_ref();
    if boundary.is_none() {
        actions.push("iam:DeleteRolePermissionsBoundary");
        actions.sort_unstable();
    }
    let mut statement = allow("RolePowers", &actions, "");
    statement["Resource"] = json!(role_arns(spec, names));
    if let Some(boundary) = boundary {
        statement["Condition"] = json!({ "StringEquals": { "iam:PermissionsBoundary": boundary.as_str() } });
    }
    statement
}

/// Log groups are found by listing those with a prefix, which AWS does not allow for single ones.
fn any_log_group(names: &Names) -> Needs {
    Needs {
        sid: "FindLogGroups",
        resources: vec![names.log_group_arn("*")],
        look: &["logs:DescribeLogGroups"],
        make: &[],
        delete: &[],
    }
}

fn log_groups(names: &Names) -> Needs {
    let groups = [names.function_log_group(), names.delivery_log_group()];
    let arns = groups.iter().map(|group| names.log_group_arn(group));
    Needs {
        sid: "LogGroups",
        // Some actions are on the group, and some on what is in it.
        resources: arns.flat_map(|arn| [format!("{arn}:*"), arn]).collect(),
        look: &[
            "logs:DescribeLogStreams",
            "logs:DescribeSubscriptionFilters",
            "logs:FilterLogEvents",
            "logs:ListTagsForResource",
        ],
        make: &[
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
            "logs:UntagResource",
        ],
        delete: &["logs:DeleteLogGroup"],
    }
}

/// Glue checks the catalog besides what is in it, and everything that a database has when it is deleted.
fn catalog(spec: &Spec, names: &Names) -> Needs {
    let mut needs = Needs {
        sid: "Catalog",
        resources: vec![
            names.catalog_arn(),
            names.database_arn(),
            names.any_table_arn("*"),
            names.any_database_function_arn(),
        ],
        look: &[],
        make: &[],
        delete: &[],
    };
    if spec.delivery.format == Format::Parquet {
        needs.look = &["glue:GetDatabase", "glue:GetTable", "glue:GetTags"];
        needs.make = &[
            "glue:CreateDatabase",
            "glue:CreateTable",
            "glue:TagResource",
            "glue:UntagResource",
            "glue:UpdateTable",
        ];
        needs.delete = &["glue:DeleteDatabase", "glue:DeleteTable", "glue:GetTables"];
    }
    needs
}

fn delivery_stream(names: &Names) -> Needs {
    Needs {
        sid: "DeliveryStream",
        resources: vec![names.delivery_stream_arn()],
        look: &[
            "firehose:DescribeDeliveryStream",
            "firehose:ListTagsForDeliveryStream",
        ],
        make: &[
            "firehose:CreateDeliveryStream",
            "firehose:DeleteDeliveryStream",
            "firehose:TagDeliveryStream",
            "firehose:UntagDeliveryStream",
            "firehose:UpdateDestination",
        ],
        delete: &["firehose:DeleteDeliveryStream"],
    }
}

fn function(names: &Names) -> Needs {
    Needs {
        sid: "Function",
        resources: vec![names.function_arn()],
        // `GetFunction` leaves the tags out where `ListTags` is not allowed.
        look: &[
            "lambda:GetFunction",
            "lambda:GetPolicy",
            "lambda:ListAliases",
            "lambda:ListFunctionUrlConfigs",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
        ],
        make: &[
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:DeleteFunctionConcurrency",
            "lambda:DeleteFunctionUrlConfig",
            "lambda:PutFunctionConcurrency",
            "lambda:PutResourcePolicy",
            "lambda:RemovePermission",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ],
        delete: &["lambda:DeleteFunction"],
    }
}

/// Alarms that the spec does not ask for are looked for too, to delete them.
fn alarms(names: &Names) -> Needs {
    Needs {
        sid: "Alarms",
        resources: vec![names.alarm_arn(&names.alarm("*"))],
        look: &["cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"],
        make: &[
            "cloudwatch:DeleteAlarms",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
        ],
        delete: &["cloudwatch:DeleteAlarms"],
    }
}

/// CloudWatch has no ARNs of metrics.
fn metrics() -> Needs {
    Needs {
        sid: "Metrics",
        resources: vec!["*".to_owned()],
        look: &["cloudwatch:GetMetricData"],
        make: &[],
        delete: &[],
    }
}

fn alarm_topic(names: &Names) -> Needs {
    Needs {
        sid: "AlarmTopic",
        resources: vec![names.alarm_topic_arn()],
        look: &[
            "sns:GetTopicAttributes",
            "sns:ListSubscriptionsByTopic",
            "sns:ListTagsForResource",
        ],
        make: &[
            "sns:CreateTopic",
            "sns:DeleteTopic",
            "sns:SetTopicAttributes",
            "sns:Subscribe",
            "sns:TagResource",
            "sns:UntagResource",
        ],
        delete: &["sns:DeleteTopic"],
    }
}

/// A subscription's ARN is AWS's own, and policies cannot name it.
fn subscriptions() -> Needs {
    Needs {
        sid: "Subscriptions",
        resources: vec!["*".to_owned()],
        look: &[],
        make: &["sns:Unsubscribe"],
        delete: &[],
    }
}

fn dashboard(names: &Names) -> Needs {
    Needs {
        sid: "Dashboard",
        resources: vec![names.dashboard_arn()],
        look: &["cloudwatch:GetDashboard"],
        make: &[
            "cloudwatch:DeleteDashboards",
            "cloudwatch:PutDashboard",
            // To create with tags, besides the call itself.
            "cloudwatch:TagResource",
        ],
        delete: &["cloudwatch:DeleteDashboards"],
    }
}

/// To find the pipeline's API among all, and to create it where there is none.
fn all_rest_apis(names: &Names, apis: &RestApis) -> Needs {
    Needs {
        sid: "RestApis",
        resources: vec![names.api_gateway_arn("/restapis")],
        look: &["apigateway:GET"],
        make: match apis {
            RestApis::OfRegion => &["apigateway:POST", "apigateway:UpdateRestApiPolicy"],
            RestApis::WithIds(_) => &[],
        },
        delete: &[],
    }
}

fn rest_apis(names: &Names, apis: &RestApis) -> Needs {
    Needs {
        sid: "RestApi",
        resources: match apis {
            RestApis::OfRegion => vec![names.api_gateway_arn("/restapis/*")],
            RestApis::WithIds(ids) => {
                let paths = ids
                    .iter()
                    .flat_map(|id| [format!("/restapis/{id}"), format!("/restapis/{id}/*")]);
                paths.map(|path| names.api_gateway_arn(&path)).collect()
            }
        },
        look: &["apigateway:GET"],
        make: &[
            "apigateway:DELETE",
            "apigateway:PATCH",
            "apigateway:POST",
            "apigateway:PUT",
            "apigateway:UpdateRestApiPolicy",
        ],
        delete: &["apigateway:DELETE"],
    }
}

/// What is tagged is in the path as an ARN, which AWS compares encoded or not. No name in it has a slash or a percent sign, so
/// no ARN of another API matches.
fn api_tags(names: &Names, apis: &RestApis) -> Needs {
    Needs {
        sid: "RestApiTags",
        resources: match apis {
            RestApis::OfRegion => vec![names.api_gateway_arn("/tags/*restapis*")],
            RestApis::WithIds(ids) => {
                let paths = ids.iter().flat_map(|id| {
                    [
                        format!("/tags/*restapis/{id}*"),
                        format!("/tags/*restapis%2F{id}*"),
                    ]
                });
                paths.map(|path| names.api_gateway_arn(&path)).collect()
            }
        },
        look: &[],
        make: &["apigateway:DELETE", "apigateway:PUT"],
        delete: &[],
    }
}
