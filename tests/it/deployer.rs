//! What `permissions` prints is enough, and no action of it is too much: each is removed in turn, and a command fails and
//! names it. The emulator enforces IAM; the exceptions are `NOT_ASKED_FOR` and what `Deployer::permissions` widens.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_iam::types::AccessKey;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::FunctionUrlAuthType;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    VersioningConfiguration,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::archive::{X86_64, header_only, zip_of};
use crate::support::command::{Run, against};
use crate::support::emulator::Emulator;

/// The pipeline before a change and after it; each way of it, other actions are needed.
const BEFORE: &str = "name: it-deployer\n\
    iam: {permissions_boundary: \"arn:aws:iam::aws:policy/PowerUserAccess\"}\n\
    stream: {encryption: none}\n\
    delivery: {format: parquet, buffer_seconds: 0}\n\
    monitoring: {alarms: true, emails: [one@example.com], dashboard: true}\n";
const AFTER: &str = "name: it-deployer\n\
    tags: {team: growth}\n\
    iam: {permissions_boundary: \"arn:aws:iam::aws:policy/PowerUserAccess\"}\n\
    stream: {shards: 2, retention_hours: 48}\n\
    delivery: {format: parquet, buffer_seconds: 60, versioning: true, expire_days: 30}\n\
    handler: {fields: [key, split, time], memory_mib: 512, reserved_concurrency: 5, log_retention_days: 30}\n\
    webhook: {rate_limit: 50}\n\
    monitoring: {alarms: true, emails: [other@example.com], quiet_minutes: null}\n";

/// What the emulator does not ask for, or the tests do not do; AWS asks for it (Service Authorization Reference).
/// SECURITY.md points here.
const NOT_ASKED_FOR: [&str; 13] = [
    // To give a role to a service.
    "iam:PassRole",
    // To bound a role.
    "iam:PutRolePermissionsBoundary",
    "lambda:DeleteFunctionConcurrency",
    // To look for URLs of a function.
    "lambda:ListFunctionUrlConfigs",
    // To create with tags, besides the call itself.
    "s3:TagResource",
    // To get the tags with the function.
    "lambda:ListTags",
    // To create or change an API that has a policy.
    "apigateway:UpdateRestApiPolicy",
    // It does not know this call.
    "lambda:PutResourcePolicy",
    // It does not describe what a stream measures of its shards.
    "kinesis:DisableEnhancedMonitoring",
    // It lets ACLs end while one gives the bucket away.
    "s3:PutBucketAcl",
    // It cannot switch a stream's mode.
    "kinesis:UpdateStreamMode",
    // There are no parts of uploads and no versions to delete.
    "s3:AbortMultipartUpload",
    "s3:DeleteObjectVersion",
];

/// What the emulator asks for where `up` deletes a URL of the function.
const DELETE_URL: &str = "lambda:CreateFunctionUrlConfig";

/// What `up` deletes only to recreate it, which these tests do not ask for; the test of `down` takes these away.
const NOT_DELETED_BY_UP: [&str; 4] =
    ["firehose:DeleteDeliveryStream", "iam:DeleteRole", "lambda:DeleteFunction", "sns:DeleteTopic"];

/// Somebody who may do what a policy says.
struct Deployer<'a> {
    emulator: &'a Emulator,
    config: SdkConfig,
    key: AccessKey,
    handler: tempfile::NamedTempFile,
}

impl<'a> Deployer<'a> {
    async fn new(emulator: &'a Emulator) -> Self {
        let config = emulator.sdk().await;
        let iam = aws_sdk_iam::Client::new(&config);
        iam.create_user().user_name("deployer").send().await.unwrap();
        let key = iam.create_access_key().user_name("deployer").send().await.unwrap();
        Self { emulator, config, key: key.access_key.unwrap(), handler: header_only(X86_64) }
    }

    fn run(&self, spec: &str, arguments: &[&str]) -> Run {
        let endpoint = self.emulator.endpoint();
        let handler = ["--handler", self.handler.path().to_str().unwrap()];
        let handler = handler.iter().filter(|_| arguments[0] == "up" || arguments[0] == "status");
        against(&endpoint, spec, arguments.iter().chain(handler))
    }

    /// A command of somebody who may do everything.
    fn admin(&self, spec: &str, arguments: &[&str]) -> Run {
        let run = self.run(spec, arguments).credentials("test", "test");
        run.session_token(&self.emulator.token())
    }

    /// A command of whom the policy is for.
    fn deployer(&self, spec: &str, arguments: &[&str]) -> Run {
        let (id, secret) = (self.key.access_key_id(), self.key.secret_access_key());
        self.run(spec, arguments).credentials(id, secret)
    }

    fn policy(&self, command: &str) -> Value {
        self.permissions(AFTER, &["permissions", "--for", command])
    }

    fn permissions(&self, spec: &str, arguments: &[&str]) -> Value {
        let mut policy = self.admin(spec, arguments).exits_with(0).json();
        let statements = policy["Statement"].as_array_mut().unwrap();
        for statement in statements.iter_mut() {
            // AWS asks for the log groups of the account and region, the emulator for all there are.
            if statement["Sid"] == "FindLogGroups" {
                let groups = "arn:aws:logs:us-east-1:000000000000:log-group:*";
                assert_eq!(statement["Resource"], groups);
                statement["Resource"] = json!("*");
            }
            // The emulator does not know which alarm, topic, dashboard or table most of these are about.
            if let Some("Alarms" | "AlarmTopic" | "Dashboard" | "Catalog") = statement["Sid"].as_str() {
                let resource = statement["Resource"].to_string();
                let is_ours = resource.contains("it-deployer-") || resource.contains("/it_deployer/");
                assert!(is_ours, "{resource}");
                statement["Resource"] = json!("*");
            }
            // The emulator does not say which boundary a role has.
            if statement["Sid"] == "RolePowers" && !statement["Condition"].is_null() {
                let bound = json!({"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/PowerUserAccess"});
                assert_eq!(statement["Condition"].take(), json!({ "StringEquals": bound }));
                statement.as_object_mut().unwrap().remove("Condition");
            }
        }
        // The emulator takes the deletion of a function's URL for its creation.
        for statement in policy["Statement"].as_array_mut().unwrap() {
            let actions = statement["Action"].as_array_mut().into_iter().flatten();
            for action in actions.filter(|it| **it == "lambda:DeleteFunctionUrlConfig") {
                *action = json!(DELETE_URL);
            }
        }
        // A call of this has an iterator and no stream, which AWS knows it is of.
        if actions(&policy).contains("kinesis:GetRecords") {
            let statements = policy["Statement"].as_array_mut().unwrap();
            let read = json!({"Effect": "Allow", "Action": "kinesis:GetRecords", "Resource": "*"});
            statements.push(read);
        }
        // AWS asks for the function that is to be, the emulator knows it only from a call's path.
        if actions(&policy).contains("lambda:CreateFunction") {
            let statements = policy["Statement"].as_array_mut().unwrap();
            let create = json!({"Effect": "Allow", "Action": "lambda:CreateFunction", "Resource": "*"});
            statements.push(create);
        }
        policy
    }

    async fn permit(&self, policy: &Value) {
        let iam = aws_sdk_iam::Client::new(&self.config);
        let call = iam.put_user_policy().user_name("deployer").policy_name("deploy");
        call.policy_document(policy.to_string()).send().await.unwrap();
    }

    /// Changes what only somebody else changes, so that it has to be repaired.
    async fn tamper(&self) {
        let iam = aws_sdk_iam::Client::new(&self.config);
        let role = "it-deployer-handler-us-east-1";
        let nobody = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"});
        let nobody = json!({"Version": "2012-10-17", "Statement": [nobody]});
        let call = iam.update_assume_role_policy().role_name(role);
        call.policy_document(nobody.to_string()).send().await.unwrap();
        let nothing = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
        let nothing = json!({"Version": "2012-10-17", "Statement": [nothing]});
        let call = iam.put_role_policy().role_name(role).policy_name("more");
        call.policy_document(nothing.to_string()).send().await.unwrap();
        let call = iam.attach_role_policy().role_name(role);
        call.policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess").send().await.unwrap();

        let s3 = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(true);
        let s3 = aws_sdk_s3::Client::from_conf(s3.build());
        let bucket = "it-deployer-000000000000-us-east-1";
        s3.delete_public_access_block().bucket(bucket).send().await.unwrap();
        let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::ObjectWriter);
        let controls = OwnershipControls::builder().rules(rule.build().unwrap());
        let call = s3.put_bucket_ownership_controls().bucket(bucket);
        call.ownership_controls(controls.build().unwrap()).send().await.unwrap();
        s3.delete_bucket_policy().bucket(bucket).send().await.unwrap();
        let call = s3.put_bucket_encryption().bucket(bucket);
        call.server_side_encryption_configuration(crate::drift::by_kms()).send().await.unwrap();

        let sns = aws_sdk_sns::Client::new(&self.config);
        let topic = "arn:aws:sns:us-east-1:000000000000:it-deployer-alarms";
        let call = sns.set_topic_attributes().topic_arn(topic);
        let call = call.attribute_name("KmsMasterKeyId").attribute_value("alias/aws/sns");
        call.send().await.unwrap();

        let apigateway = aws_sdk_apigateway::Client::new(&self.config);
        let apis = apigateway.get_rest_apis().send().await.unwrap();
        let api = &apis.items()[0];
        let call = apigateway.put_method().rest_api_id(api.id().unwrap());
        let call = call.resource_id(api.root_resource_id().unwrap()).http_method("GET");
        call.authorization_type("NONE").send().await.unwrap();

        self.tamper_with_the_function().await;
        self.give_away(&s3).await;
    }

    /// Gives impressions and log lines to others.
    async fn give_away(&self, s3: &aws_sdk_s3::Client) {
        let bucket = "it-deployer-000000000000-us-east-1";
        let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
        let call = s3.put_bucket_versioning().bucket(bucket);
        let call = call.versioning_configuration(versions.build());
        call.send().await.unwrap();
        let call = s3.put_bucket_replication().bucket(bucket);
        call.replication_configuration(crate::drift::to_theirs()).send().await.unwrap();

        let kinesis = aws_sdk_kinesis::Client::new(&self.config);
        let (stream, policy) = crate::drift::for_another_account("it-deployer");
        let call = kinesis.put_resource_policy().resource_arn(stream);
        call.policy(policy).send().await.unwrap();

        let logs = aws_sdk_cloudwatchlogs::Client::new(&self.config);
        let call = logs.put_subscription_filter().log_group_name("/aws/lambda/it-deployer");
        let call = call.filter_name("all").filter_pattern("");
        let theirs = "arn:aws:logs:us-east-1:111111111111:destination:theirs";
        call.destination_arn(theirs).send().await.unwrap();
    }

    async fn tamper_with_the_function(&self) {
        let lambda = aws_sdk_lambda::Client::new(&self.config);
        let call = lambda.update_function_code().function_name("it-deployer");
        call.zip_file(Blob::new(zip_of(b"#!/bin/sh\n"))).send().await.unwrap();
        let call = lambda.remove_permission().function_name("it-deployer");
        call.statement_id("split-pipeline-webhook").send().await.unwrap();
        let call = lambda.add_permission().function_name("it-deployer").principal("*");
        let call = call.statement_id("split-pipeline-webhook").action("lambda:InvokeFunction");
        call.send().await.unwrap();
        let call = lambda.create_function_url_config();
        let call = call.function_name("it-deployer");
        call.auth_type(FunctionUrlAuthType::None).send().await.unwrap();
    }
}

pub(crate) fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| match &statement["Action"] {
        Value::Array(actions) => actions.clone(),
        action => vec![action.clone()],
    });
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

fn without(policy: &Value, action: &str) -> Value {
    let mut policy = policy.clone();
    let statements = policy["Statement"].as_array_mut().unwrap();
    for statement in statements.iter_mut() {
        let left = match statement["Action"].take() {
            Value::Array(actions) => actions,
            action => vec![action],
        };
        let left: Vec<_> = left.into_iter().filter(|it| it != action).collect();
        statement["Action"] = json!(left);
    }
    statements.retain(|statement| statement["Action"] != json!([]));
    policy
}

/// The actions that nobody missed, but for those that the emulator does not ask for.
fn unneeded(tried: impl IntoIterator<Item = String>) -> Vec<String> {
    // Nor does it ask for anything of CloudWatch where it is called in CBOR, as the SDK does.
    let known =
        |action: &String| NOT_ASKED_FOR.contains(&action.as_str()) || action.starts_with("cloudwatch:");
    tried.into_iter().filter(|action| !known(action)).collect()
}

#[tokio::test]
async fn the_policy_is_enough_and_looking_needs_each_action() {
    let emulator = Emulator::start();
    let somebody = Deployer::new(&emulator).await;
    somebody.permit(&somebody.policy("up")).await;
    somebody.deployer(BEFORE, &["up", "--yes"]).exits_with(0);
    somebody.deployer(AFTER, &["up", "--yes"]).exits_with(0);
    somebody.tamper().await;
    somebody.deployer(AFTER, &["up", "--yes"]).exits_with(0);
    somebody.deployer(BEFORE, &["up", "--yes"]).exits_with(0);

    let status = somebody.policy("status");
    somebody.permit(&status).await;
    somebody.deployer(BEFORE, &["status"]).exits_with(0);
    somebody.deployer(BEFORE, &["up", "--yes"]).exits_with(0);
    somebody.deployer(AFTER, &["up", "--yes"]).exits_with(1);
    let mut missed_by_nobody = Vec::new();
    for action in actions(&status) {
        somebody.permit(&without(&status, &action)).await;
        let looked = somebody.deployer(BEFORE, &["status"]).outcome();
        if looked.code != 1 || !looked.stderr.contains(&format!("allow {action} ")) {
            missed_by_nobody.push(action);
        }
    }
    assert_eq!(unneeded(missed_by_nobody), [""; 0]);

    somebody.permit(&somebody.policy("down")).await;
    let down = ["down", "--yes", "--purge-data"];
    somebody.deployer(BEFORE, &down).exits_with(0);
}

#[tokio::test]
async fn once_the_api_is_there_its_policy_reaches_no_other() {
    let emulator = Emulator::start();
    let somebody = Deployer::new(&emulator).await;
    let first = somebody.admin(AFTER, &["permissions", "--for", "up"]).exits_with(0);
    first.says("it-deployer has no REST API yet");
    let apigateway = aws_sdk_apigateway::Client::new(&somebody.config);
    let strangers = apigateway.create_rest_api().name("other").send().await.unwrap();
    let strangers = strangers.id().unwrap();
    somebody.permit(&somebody.policy("up")).await;
    somebody.deployer(BEFORE, &["up", "--yes"]).exits_with(0);

    let known = somebody.admin(AFTER, &["permissions", "--for", "up,down"]).exits_with(0);
    assert!(!known.stderr.contains("REST API"), "{}", known.stderr);
    let policy = somebody.permissions(AFTER, &["permissions", "--for", "up,down"]);
    assert!(!policy.to_string().contains("/restapis/*"), "{policy}");
    somebody.permit(&policy).await;
    // It is enough to change the API, its stage and their tags, and to find nothing to change.
    somebody.deployer(AFTER, &["up", "--yes"]).exits_with(0);
    somebody.tamper().await;
    somebody.deployer(BEFORE, &["up", "--yes"]).exits_with(0);
    // Nor may its holder make a stranger's API look like the pipeline's own.
    let key = aws_sdk_apigateway::config::Credentials::new(
        somebody.key.access_key_id(),
        somebody.key.secret_access_key(),
        None,
        None,
        "test",
    );
    let holder = aws_sdk_apigateway::config::Builder::from(&somebody.config).credentials_provider(key);
    let holder = aws_sdk_apigateway::Client::from_conf(holder.build());
    let tag = holder.tag_resource().tags("split-pipeline", "it-deployer");
    let tag = tag.resource_arn(format!("arn:aws:apigateway:us-east-1::/restapis/{strangers}"));
    let refused = tag.send().await.unwrap_err().into_service_error();
    assert!(refused.to_string().contains("AccessDenied"), "{refused:?}");
    let delete = holder.delete_rest_api().rest_api_id(strangers).send().await;
    assert!(delete.is_err());

    somebody.deployer(BEFORE, &["down", "--yes", "--purge-data"]).exits_with(0);
    // The next API has another id.
    somebody.deployer(BEFORE, &["up", "--yes"]).exits_with(1).says("hint: allow apigateway:");
    somebody.admin(BEFORE, &["down", "--yes", "--purge-data"]).exits_with(0);
}

#[test]
fn a_policy_that_is_too_long_for_one_is_said_to_be() {
    let emulator = Emulator::start();
    let spec = format!("name: {}\ndelivery: {{format: parquet}}\n", "n".repeat(32));
    let whole = emulator.local(&spec, ["permissions"]).exits_with(0);
    whole.says("IAM takes 6144 in a managed policy").says("--for");
    assert!(whole.json().to_string().len() <= 10_240);
    let part = emulator.local(&spec, ["permissions", "--for", "down"]).exits_with(0);
    assert!(!part.stderr.contains("warning:"), "{}", part.stderr);
}

/// Whether `up` needs an action only to change what is there.
fn is_for_changes(action: &str) -> bool {
    const VERBS: [&str; 13] = [
        "Decrease",
        "Delete",
        "Detach",
        "Disable",
        "Increase",
        "Remove",
        "Set",
        "Start",
        "Stop",
        "Tag",
        "Unsubscribe",
        "Untag",
        "Update",
    ];
    const OTHERS: [&str; 11] = [
        DELETE_URL,
        "apigateway:DELETE",
        "iam:PutRolePermissionsBoundary",
        "lambda:PutFunctionConcurrency",
        "s3:PutBucketAcl",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutReplicationConfiguration",
    ];
    let (_, name) = action.split_once(':').unwrap();
    OTHERS.contains(&action) || VERBS.iter().any(|verb| name.starts_with(verb))
}

impl Deployer<'_> {
    /// Says in the stream's tag that nothing delivered since so many minutes ago.
    async fn mark_gap(&self, minutes: u64) {
        let from = SystemTime::now() - Duration::from_mins(minutes);
        let [from, until] = [from, SystemTime::now()].map(|at| {
            let at = humantime::format_rfc3339_seconds(at).to_string();
            at.replace(['-', ':'], "")
        });
        let kinesis = aws_sdk_kinesis::Client::new(&self.config);
        let tag = kinesis.add_tags_to_stream().stream_name("it-deployer");
        let tag = tag.tags("split-pipeline-undelivered", format!("{from}/{until}"));
        tag.send().await.unwrap();
    }

    /// Puts an impression into the stream, with a delivery stream that delivers it or without.
    async fn put_impression(&self, is_delivered: bool) {
        if !is_delivered {
            let firehose = aws_sdk_firehose::Client::new(&self.config);
            let delete = firehose.delete_delivery_stream();
            delete.delivery_stream_name("it-deployer").send().await.unwrap();
        }
        let kinesis = aws_sdk_kinesis::Client::new(&self.config);
        let put = kinesis.put_record().stream_name("it-deployer").partition_key("k");
        let impression = br#"{"key":"a","split":"s","time":1}"#;
        put.data(aws_sdk_kinesis::primitives::Blob::new([&impression[..], b"\n"].concat()))
            .send()
            .await
            .unwrap();
    }

    /// Whether `up` fails for want of an action.
    fn misses(&self, spec: &str, action: &str) -> bool {
        let up = self.deployer(spec, &["up", "--yes"]).outcome();
        up.code == 1 && up.stderr.contains(&format!("allow {action} "))
    }
}

#[tokio::test]
async fn making_needs_each_action() {
    let emulator = Emulator::start();
    let somebody = Deployer::new(&emulator).await;
    let policy = somebody.policy("up");
    let looking = actions(&somebody.policy("status"));
    let mut missed_by_nobody = Vec::new();
    for action in actions(&policy).difference(&looking).filter(|it| !is_for_changes(it)) {
        somebody.permit(&without(&policy, action)).await;
        if !somebody.misses(BEFORE, action) {
            missed_by_nobody.push(action.clone());
        }
        emulator.tag_stream("it-deployer").await;
        let down = ["down", "--yes", "--purge-data"];
        somebody.admin(BEFORE, &down).exits_with(0);
    }
    missed_by_nobody.retain(|action| !NOT_DELETED_BY_UP.contains(&action.as_str()));
    assert_eq!(unneeded(missed_by_nobody), [""; 0]);
}

#[tokio::test]
async fn changing_needs_each_action() {
    let emulator = Emulator::start();
    let somebody = Deployer::new(&emulator).await;
    let policy = somebody.policy("up");
    let looking = actions(&somebody.policy("status"));
    somebody.admin(BEFORE, &["up", "--yes"]).exits_with(0);
    let mut missed_by_nobody = Vec::new();
    for action in actions(&policy).difference(&looking).filter(|it| is_for_changes(it)) {
        somebody.permit(&without(&policy, action)).await;
        somebody.tamper().await;
        let is_missed = somebody.misses(AFTER, action) || {
            somebody.admin(AFTER, &["up", "--yes"]).exits_with(0);
            somebody.misses(BEFORE, action)
        };
        if !is_missed {
            missed_by_nobody.push(action.clone());
        }
        somebody.admin(BEFORE, &["up", "--yes"]).exits_with(0);
    }
    missed_by_nobody.retain(|action| !NOT_DELETED_BY_UP.contains(&action.as_str()));
    assert_eq!(unneeded(missed_by_nobody), [""; 0]);
}

#[tokio::test]
async fn a_ci_job_needs_no_more_for_a_pipeline_of_its_own() {
    const SPEC: &str = "name: it-deployer-with-a-long-name\n";
    let emulator = Emulator::start();
    let somebody = Deployer::new(&emulator).await;
    let policy = somebody.permissions(SPEC, &["permissions", "--ephemeral"]);
    let stream = "arn:aws:kinesis:us-east-1:000000000000:stream/it-deployer-with-a--eph-????????";
    let statements = policy["Statement"].as_array().unwrap();
    assert!(statements.iter().any(|it| it["Resource"] == stream), "{policy}");
    somebody.permit(&policy).await;
    let smoke = ["smoke", "--ephemeral", "--count", "10"];
    somebody.deployer(SPEC, &smoke).exits_with(0);
    somebody.permit(&without(&policy, "s3:GetObject")).await;
    somebody.deployer(SPEC, &smoke).exits_with(1).says("allow s3:GetObject");
    // What it has made for itself it may do to no other pipeline.
    somebody.permit(&policy).await;
    somebody.deployer(SPEC, &["up"]).exits_with(1).says("hint: allow");
}

#[tokio::test]
async fn replaying_needs_each_action() {
    const SPILLED: &str = "spill/it-deployer/dt=2026-01-31/one-0123456789abcdef.ndjson.gz";
    let emulator = Emulator::start();
    let somebody = Deployer::new(&emulator).await;
    somebody.admin(BEFORE, &["up", "--yes"]).exits_with(0);
    let (small, large) = (json!({"key": "a", "split": "s"}), "x".repeat(1024 * 1000));
    let misfit = json!({"key": "c", "split": large, "time": "noon"});
    let large = json!({"key": "b", "split": large});
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    write!(gzip, "{small}\n{large}\n{misfit}\n").unwrap();
    let gzip = aws_sdk_s3::primitives::ByteStream::from(gzip.finish().unwrap());
    let s3 = aws_sdk_s3::config::Builder::from(&somebody.config).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(s3.build());
    let call = s3.put_object().bucket("it-deployer-000000000000-us-east-1");
    call.key(SPILLED).body(gzip).send().await.unwrap();

    let policy = somebody.policy("replay");
    let (spilled, stream) = (vec!["replay"], vec!["replay", "--stream", "--since", "1h"]);
    let (of_stream, of_spilled): (Vec<_>, Vec<_>) = actions(&policy)
        .into_iter()
        .partition(|action| action.starts_with("kinesis:") && action != "kinesis:PutRecords");
    for (command, needed) in [(spilled, of_spilled), (stream, of_stream)] {
        for action in needed {
            // What is copied is the last hour: the whole gap, or a part of it.
            let minutes = if action == "kinesis:RemoveTagsFromStream" { 30 } else { 180 };
            somebody.mark_gap(minutes).await;
            somebody.permit(&without(&policy, &action)).await;
            let failed = somebody.deployer(BEFORE, &command).exits_with(1);
            // The sender of records says what Kinesis refused, not by its whole name.
            let said = failed.stderr.contains(&format!("allow {action} "));
            assert!(said || action == "kinesis:PutRecords", "{action}: {}", failed.stderr);
        }
        somebody.permit(&policy).await;
        let done =
            somebody.deployer(BEFORE, &[&command[..], &["--output", "json"]].concat()).exits_with(0).json();
        // What was sent again, and could then not be deleted, is in the stream twice.
        assert!(done["copied"].as_u64().unwrap() >= 1, "{done}");
    }
}

#[tokio::test]
async fn deleting_needs_each_action() {
    let emulator = Emulator::start();
    let somebody = Deployer::new(&emulator).await;
    let policy = somebody.policy("down");
    let looking = actions(&somebody.policy("status"));
    let mut missed_by_nobody = Vec::new();
    let s3 = aws_sdk_s3::config::Builder::from(&somebody.config).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(s3.build());
    // What is to be purged is not looked for in the stream, nor copied.
    let to_keep = |action: &&String| {
        let keeps = ["kinesis:Get", "kinesis:ListShards", "s3:GetObject", "s3:PutObject"];
        keeps.iter().any(|start| action.starts_with(start))
    };
    for action in actions(&policy).difference(&looking).filter(|it| !to_keep(it)) {
        somebody.permit(&without(&policy, action)).await;
        somebody.admin(BEFORE, &["up", "--yes"]).exits_with(0);
        let call = s3.put_object().bucket("it-deployer-000000000000-us-east-1");
        call.key("impressions/one").send().await.unwrap();
        let iam = aws_sdk_iam::Client::new(&somebody.config);
        let call = iam.attach_role_policy().role_name("it-deployer-handler-us-east-1");
        call.policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess").send().await.unwrap();
        let down = ["down", "--yes", "--purge-data"];
        let outcome = somebody.deployer(BEFORE, &down).outcome();
        if outcome.code != 1 || !outcome.stderr.contains(&format!("allow {action} ")) {
            missed_by_nobody.push(action.clone());
        }
        somebody.admin(BEFORE, &down).exits_with(0);
    }
    assert_eq!(unneeded(missed_by_nobody), [""; 0]);
}

#[tokio::test]
async fn keeping_the_data_needs_each_action_that_finds_and_copies_it() {
    const ACTIONS: [&str; 5] = [
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
        "s3:GetObject",
        "s3:PutObject",
    ];
    let emulator = Emulator::start();
    let somebody = Deployer::new(&emulator).await;
    let policy = somebody.policy("down");
    let down = ["down", "--yes"];
    for action in ACTIONS {
        somebody.admin(BEFORE, &["up", "--yes"]).exits_with(0);
        somebody.put_impression(action != "s3:PutObject").await;
        somebody.permit(&without(&policy, action)).await;
        let failed = somebody.deployer(BEFORE, &down).exits_with(1);
        failed.says(&format!("allow {action} ")).says("the stream is kept");
        somebody.permit(&policy).await;
        somebody.deployer(BEFORE, &down).exits_with(0);
    }
}

#[tokio::test]
async fn a_former_table_that_nobody_may_look_at_stays_and_is_named() {
    let json = BEFORE.replace("format: parquet", "prefix: lines/");
    let emulator = Emulator::start();
    let somebody = Deployer::new(&emulator).await;
    somebody.admin(BEFORE, &["up", "--yes"]).exits_with(0);
    somebody.admin(&json, &["up", "--yes"]).exits_with(0);
    let policy = without(&somebody.policy("down"), "glue:GetTable");
    somebody.permit(&policy).await;
    let down = ["down", "--yes", "--output", "json"];
    let kinds = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|it| it["kind"].as_str().unwrap().to_owned()).collect()
    };
    let first = somebody.deployer(&json, &down).exits_with(0).json();
    assert_eq!(kinds(&first["kept"]), ["bucket", "table"], "{first}");
    let why = first["kept"][1]["why"].as_str().unwrap();
    assert!(why.contains("could not be looked at") && why.contains("glue:GetTable"), "{why}");
    // Who made no table needs no permission to look for one.
    let second = somebody.deployer(&json, &down).exits_with(0).json();
    assert_eq!(kinds(&second["kept"]), ["bucket"], "{second}");
    let third = somebody.admin(&json, &down).exits_with(0).json();
    assert_eq!(kinds(&third["deleted"]), ["table", "database"], "{third}");
}
