//! Every policy that we write, looked over by somebody else's linter: what it finds is listed here, with the answer.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::emulator::Emulator;
use crate::support::python::installed;

/// Keys of the user's own, and sources, so that every statement there can be is there.
const SPEC: &str = "name: it-linter\n\
    stream: {encryption: alias/ours}\n\
    delivery: {format: parquet, encryption: \"arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab\"}\n\
    webhook: {allow_cidrs: [192.0.2.0/24]}\n";

/// What is found, and why it stays.
const ANSWERED: [(&str, &str); 10] = [
    // A trust policy is about the role it is on, and has no resource.
    ("delivery_role trust", "MALFORMED"),
    ("function_role trust", "MALFORMED"),
    // API Gateway fills in what comes before the slash (its guide: "API Gateway resource policy examples").
    ("rest_api policy", "INVALID_ARN"),
    // Documented for every operation that uses a key (KMS guide: "kms:ResourceAliases").
    ("delivery_role policy", "UNKNOWN_CONDITION_FOR_ACTION"),
    ("function_role policy", "UNKNOWN_CONDITION_FOR_ACTION"),
    ("down", "UNKNOWN_CONDITION_FOR_ACTION"),
    // Who makes roles and policies of the pipeline can change them: that is what `up` is for. All of these actions are
    // on its own roles, function and bucket alone, `iam:PassRole` to one service each; SECURITY.md says how a permissions
    // boundary keeps that from being more.
    ("up", "PERMISSIONS_MANAGEMENT_ACTIONS"),
    ("up", "PRIVILEGE_ESCALATION"),
    ("up", "RESOURCE_POLICY_PRIVILEGE_ESCALATION"),
    // Deleting a role begins with its policies.
    ("down", "PERMISSIONS_MANAGEMENT_ACTIONS"),
];

/// Actions whose resources the linter does not know: AWS checks `logs:DescribeLogGroups` against the log groups of the
/// account and region, and the Kinesis ones against the stream that the call names.
const ON_RESOURCES_ALL_THE_SAME: [&str; 6] = [
    "kinesis:DeleteResourcePolicy",
    "kinesis:DisableEnhancedMonitoring",
    "kinesis:GetResourcePolicy",
    "kinesis:UpdateShardCount",
    "kinesis:UpdateStreamMode",
    "logs:DescribeLogGroups",
];

/// An action that is newer than the linter, which looks at nothing else once it finds one that it does not know.
const NEWER: &str = "\"lambda:PutResourcePolicy\",";

/// What the linter finds in a policy: issues, and what they are about.
fn findings(policy: &Value) -> Vec<Value> {
    let environment = installed("parliament", &["parliament==1.6.4", "setuptools==80.9.0"]);
    let mut linter = Command::new(environment.join("bin/parliament"))
        .args(["--json", "--include-community-auditors"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // It warns of its own dependencies.
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = linter.stdin.take().unwrap();
    write!(stdin, "{}", policy.to_string().replace(NEWER, "")).unwrap();
    drop(stdin);
    let output = linter.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every policy that `up` would write, by resource and field.
fn planned(plan: &Value) -> Vec<(String, Value)> {
    let mut policies = Vec::new();
    for change in plan["changes"].as_array().unwrap() {
        let kind = change["kind"].as_str().unwrap();
        for field in change["fields"].as_array().unwrap() {
            let path = field["path"].as_str().unwrap();
            if let Some(policy) = path.strip_suffix(".Statement") {
                let document = json!({"Version": "2012-10-17", "Statement": field["want"]});
                policies.push((format!("{kind} {policy}"), document));
            }
        }
    }
    policies
}

#[test]
fn what_the_linter_finds_is_answered() {
    let emulator = Emulator::start();
    let plan = emulator.local(SPEC, ["plan", "--output", "json"]).exits_with(0).json();
    let mut policies = planned(&plan);
    assert_eq!(policies.len(), 6, "{policies:#?}");
    for command in ["up", "status", "down"] {
        let policy = emulator.local(SPEC, ["permissions", "--for", command]).exits_with(0).json();
        policies.push((command.to_owned(), policy));
    }
    let mut found = BTreeSet::new();
    for (name, policy) in &policies {
        for finding in findings(policy) {
            let issue = finding["issue"].as_str().unwrap();
            if issue == "RESOURCE_MISMATCH" {
                for mismatch in finding["detail"].as_array().unwrap() {
                    let action = mismatch["action"].as_str().unwrap();
                    assert!(ON_RESOURCES_ALL_THE_SAME.contains(&action), "{name}: {finding}");
                }
            } else {
                found.insert((name.clone(), issue.to_owned()));
            }
        }
    }
    let answered = ANSWERED.map(|(name, issue)| (name.to_owned(), issue.to_owned()));
    assert_eq!(found, BTreeSet::from(answered));
}
