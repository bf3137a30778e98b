//! The policies that `up` writes: enough, and needed, with IAM enforced.

use serde_json::{Value, json};

use crate::deployer::actions;
use crate::support::emulator::Emulator;

const SPEC: &str = "name: it-iam\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";
const ROLE: &str = "it-iam-handler-us-east-1";

async fn post_one(url: &str) -> (u16, Value) {
    let body = r#"[{"key":"k","split":"s","treatment":"on"}]"#;
    let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

/// The function's policy: its name and its document.
async fn policy(iam: &aws_sdk_iam::Client) -> (String, Value) {
    let listed = iam.list_role_policies().role_name(ROLE).send().await.unwrap();
    let [name] = listed.policy_names() else { panic!("{:?}", listed.policy_names()) };
    let policy = iam.get_role_policy().role_name(ROLE).policy_name(name).send().await.unwrap();
    let text = percent_encoding::percent_decode_str(policy.policy_document()).decode_utf8().unwrap();
    (name.clone(), serde_json::from_str(&text).unwrap())
}

/// Removes these actions from the function's policy.
async fn remove_actions(iam: &aws_sdk_iam::Client, removed: &[&str]) {
    let (name, mut document) = policy(iam).await;
    let (mut left, mut found) = (Vec::new(), 0);
    for mut statement in document["Statement"].as_array().unwrap().clone() {
        let actions = match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            action => vec![action.clone()],
        };
        let before = actions.len();
        let is_removed = |action: &Value| removed.iter().any(|it| action.as_str() == Some(*it));
        let kept: Vec<_> = actions.into_iter().filter(|action| !is_removed(action)).collect();
        found += before - kept.len();
        if !kept.is_empty() {
            statement["Action"] = json!(kept);
            left.push(statement);
        }
    }
    assert_eq!(found, removed.len(), "the policy has no {removed:?}: {document}");
    document["Statement"] = json!(left);
    let put = iam.put_role_policy().role_name(ROLE).policy_name(name);
    put.policy_document(document.to_string()).send().await.unwrap();
}

#[tokio::test]
async fn the_function_needs_each_action_that_the_emulator_asks_for() {
    let emulator = Emulator::start();
    let iam = aws_sdk_iam::Client::new(&emulator.sdk().await);
    let up = emulator.local(SPEC, ["up", "--yes"]).exits_with(0);
    let url = up.stdout.trim();
    let (status, answer) = post_one(url).await;
    assert_eq!((status, &answer["delivered"]), (200, &json!(1)), "{answer}");

    // MiniStack writes the function's log itself, without the function's role: what `logs:` is for shows on AWS only.
    let asked_for = ["kinesis:PutRecords", "s3:PutObject"];
    let actions = actions(&policy(&iam).await.1);
    let others: Vec<_> = actions.iter().filter(|it| !asked_for.contains(&it.as_str())).collect();
    assert_eq!(others, ["logs:CreateLogStream", "logs:PutLogEvents"]);

    remove_actions(&iam, &["kinesis:PutRecords"]).await;
    let (status, answer) = post_one(url).await;
    assert_eq!((status, &answer["spilled"]), (200, &json!(1)), "{answer}");

    remove_actions(&iam, &["s3:PutObject"]).await;
    let (status, answer) = post_one(url).await;
    assert_eq!(status, 500, "{answer}");

    let status = emulator.local(SPEC, ["status", "--output", "json"]).exits_with(3).json();
    let drifted = status["resources"].as_array().unwrap().iter().filter(|it| it["state"] == "drifted");
    let kinds: Vec<_> = drifted.map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["function_role"], "{status}");
    emulator.local(SPEC, ["up"]).exits_with(0);
    let (status, answer) = post_one(url).await;
    assert_eq!((status, &answer["delivered"]), (200, &json!(1)), "{answer}");
}
