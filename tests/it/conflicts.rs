//! What is somebody else's, or not allowed: nothing of it is changed, and the user is told what had been done.

use std::process::Stdio;

use aws_sdk_iam::types::{AccessKey, Tag};
use serde_json::json;

use crate::support::command::{against, read_until};
use crate::support::emulator::Emulator;
use crate::support::inventory;
use crate::support::proxy::{Fault, Proxy};

const SPEC: &str = "name: it-conflict\n";

#[tokio::test]
async fn what_another_up_has_made_and_not_tagged_yet_is_not_foreign() {
    let emulator = Emulator::start();
    let kinesis = aws_sdk_kinesis::Client::new(&emulator.sdk().await);
    let create = kinesis.create_stream().stream_name("it-conflict").shard_count(1);
    create.send().await.unwrap();
    let mut up = emulator.local(SPEC, ["up", "--yes"]).spawn(Stdio::null());
    let stderr = read_until("stream it-conflict has no tags", &mut up);
    let tag = kinesis.add_tags_to_stream().stream_name("it-conflict");
    let tag = tag.tags("managed-by", "split-pipeline");
    tag.tags("split-pipeline", "it-conflict").send().await.unwrap();
    let said = std::io::read_to_string(stderr).unwrap();
    assert_eq!(up.wait().unwrap().code(), Some(0), "{said}");
    emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
}

#[tokio::test]
async fn a_bucket_name_that_is_taken_is_said_so() {
    let emulator = Emulator::start();
    let config = emulator.sdk_of("111111111111").await;
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(config);
    s3.create_bucket().bucket("it-taken").send().await.unwrap();
    let spec = "name: it-conflict\ndelivery: {bucket: it-taken}\n";
    let refused = emulator.local(spec, ["up", "--yes"]).exits_with(1);
    refused.says("it-taken").says("hint:");
}

/// Lambda's answer about a function that is not there.
const NO_FUNCTION: Fault = Fault {
    call: "GET ",
    // The whole path: what else is looked up of the function is below it.
    end: "/functions/it-conflict",
    status: 404,
    code: "ResourceNotFoundException",
    body: r#"{"Type":"User","Message":"Function not found"}"#,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_comes_up_between_looking_and_creating_is_taken_only_if_it_is_ours() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    proxy.local(SPEC, ["up"]).exits_with(0);
    proxy.inject(&[NO_FUNCTION]);
    proxy.local(SPEC, ["up"]).exits_with(0);
    assert!(proxy.pending_faults().is_empty());

    let lambda = aws_sdk_lambda::Client::new(&emulator.sdk().await);
    let function = lambda.get_function().function_name("it-conflict").send().await.unwrap();
    let arn = function.configuration().unwrap().function_arn().unwrap().to_owned();
    let tags = lambda.tag_resource().resource(arn).tags("split-pipeline", "another");
    tags.send().await.unwrap();
    proxy.take_calls();
    proxy.inject(&[NO_FUNCTION]);
    let refused = proxy.local(SPEC, ["up"]).exits_with(1);
    refused.says("failed: function it-conflict").says("not tagged as this pipeline's");
    let created = "POST /2015-03-31/functions";
    assert_eq!(proxy.take_changes(), [created], "{}", refused.stderr);
}

#[tokio::test]
async fn a_function_whose_role_is_gone_is_made_anew_with_it() {
    let emulator = Emulator::start();
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let iam = aws_sdk_iam::Client::new(&emulator.sdk().await);
    let role = "it-conflict-handler-us-east-1";
    let policies = iam.list_role_policies().role_name(role).send().await.unwrap();
    for policy in policies.policy_names() {
        let delete = iam.delete_role_policy().role_name(role).policy_name(policy);
        delete.send().await.unwrap();
    }
    iam.delete_role().role_name(role).send().await.unwrap();
    let asked = emulator.local(SPEC, ["up"]).exits_with(2);
    asked.says("function it-conflict is replaced").says("nothing was changed");
    let up = emulator.local(SPEC, ["up", "--yes", "--output", "json"]).exits_with(0).json();
    let actions: Vec<_> = up["resources"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["action"] != "unchanged")
        .map(|it| format!("{} {}", it["kind"].as_str().unwrap(), it["action"].as_str().unwrap()))
        .collect();
    let mut actions = actions;
    actions.sort();
    assert_eq!(actions, ["function replaced", "function_role created", "stage updated"], "{up}");
    assert_eq!(up["webhook_url"], url.trim());
    emulator.local(SPEC, ["smoke", "--count", "10"]).exits_with(0);
    emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
}

/// A user who may do everything but what is denied.
async fn user_without(emulator: &Emulator, denied: &[&str]) -> AccessKey {
    let iam = aws_sdk_iam::Client::new(&emulator.sdk().await);
    iam.create_user().user_name("deployer").tags(tag()).send().await.unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": denied, "Resource": "*"},
    ]});
    let put = iam.put_user_policy().user_name("deployer").policy_name("deploy");
    put.policy_document(policy.to_string()).send().await.unwrap();
    let key = iam.create_access_key().user_name("deployer").send().await.unwrap();
    key.access_key.unwrap()
}

fn tag() -> Tag {
    Tag::builder().key("for").value("a test").build().unwrap()
}

#[tokio::test]
async fn access_denied_midway_says_what_was_done_and_what_was_not() {
    let emulator = Emulator::start();
    let key = user_without(&emulator, &["firehose:CreateDeliveryStream"]).await;
    let endpoint = emulator.endpoint();
    let run = |arguments: &[&str]| {
        let run = against(&endpoint, SPEC, arguments);
        run.credentials(key.access_key_id(), key.secret_access_key())
    };
    let failed = run(&["up", "--yes"]).exits_with(1);
    failed
        .says("failed: delivery_stream it-conflict")
        .says("not done: stage prod")
        .says("done: ")
        .says("hint: allow firehose:CreateDeliveryStream")
        .says("hint: running `up` again is safe");
    assert_eq!(failed.stdout, "");
    let left = inventory::of(&emulator.sdk().await).await;
    assert!(left.contains("stream it-conflict") && left.contains("function it-conflict"), "{left:?}");
    emulator.local(SPEC, ["up"]).exits_with(0);
    emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
}

#[tokio::test]
async fn every_failure_is_reported_and_siblings_finish() {
    let emulator = Emulator::start();
    let key = user_without(&emulator, &["firehose:CreateDeliveryStream", "lambda:CreateFunction"]).await;
    let endpoint = emulator.endpoint();
    let up = against(&endpoint, SPEC, ["up"])
        .credentials(key.access_key_id(), key.secret_access_key())
        .exits_with(1);
    up.says("failed: delivery_stream it-conflict")
        .says("failed: function it-conflict")
        .says("not done: stage prod: what it needs is not there")
        .says("hint: allow firehose:CreateDeliveryStream")
        .says("hint: allow lambda:CreateFunction");
    let mut lines = up.stderr.lines();
    let done = lines.find_map(|line| line.trim().strip_prefix("done: ")).unwrap();
    let mut done: Vec<_> = done.split(", ").collect();
    done.sort_unstable();
    let want = [
        "bucket",
        "delivery_log_group",
        "delivery_role",
        "function_log_group",
        "function_role",
        "rest_api",
        "stream",
    ];
    assert_eq!(done, want);
    emulator.local(SPEC, ["up"]).exits_with(0);
}

#[tokio::test]
async fn wrong_credentials_are_told_from_missing_rights() {
    let emulator = Emulator::start();
    let endpoint = emulator.endpoint();
    let wrong = against(&endpoint, SPEC, ["up"]).credentials("AKIAIOSFODNN7EXAMPLE", "wrong").exits_with(1);
    wrong.says("hint: check the credentials");
}

#[tokio::test]
async fn what_is_still_used_is_not_deleted() {
    let emulator = Emulator::start();
    emulator.local(SPEC, ["up"]).exits_with(0);
    let key = user_without(&emulator, &["firehose:DeleteDeliveryStream"]).await;
    let endpoint = emulator.endpoint();
    let down = against(&endpoint, SPEC, ["down", "--yes", "--purge-data"])
        .credentials(key.access_key_id(), key.secret_access_key())
        .exits_with(1);
    down.says("failed: delivery_stream it-conflict")
        .says("not done: stream it-conflict: what uses it is still there")
        .says("not done: bucket")
        .says("hint: allow firehose:DeleteDeliveryStream");
    let left = inventory::of(&emulator.sdk().await).await;
    assert!(left.contains("stream it-conflict") && !left.contains("function it-conflict"), "{left:?}");
    emulator.local(SPEC, ["down", "--yes", "--purge-data"]).exits_with(0);
    let left = inventory::of(&emulator.sdk().await).await;
    assert!(!left.iter().any(|it| it.contains("it-conflict")), "{left:?}");
}
