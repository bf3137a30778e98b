//! What `export` prints, given to the tools that it is for: they make a webhook that delivers, and find nothing to do
//! after that.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use split_pipeline::artifact::{self, Profile};
use split_pipeline::export::Format;
use split_pipeline::names::Names;
use split_pipeline::pipeline::{Desired, export as exported};
use split_pipeline::resources::{Blueprint, Platform, Transport};
use split_pipeline::spec::{Architecture, Spec};

use crate::every_key::{OTHERS, changes, set};
use crate::parquet;
use crate::support::emulator::{ACCOUNT, Emulator};
use crate::support::objects;
use crate::support::proxy::{Fault, Proxy};
use crate::support::python::{CLIENT_OF, installed};

mod terraform;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const FORMATS: [Format; 2] = [Format::Terraform, Format::CloudFormation];

/// A spec that asks for as many resources as there can be, for an endpoint that delivers at once.
fn everything(name: &str) -> Value {
    json!({
        "name": name,
        "tags": {"team": "growth"},
        "iam": {"role_path": "/pipes/", "permissions_boundary": "arn:aws:iam::aws:policy/PowerUserAccess"},
        "stream": {"retention_hours": 48},
        "delivery": {"buffer_seconds": 0, "expire_days": 30},
        "handler": {"reserved_concurrency": 5},
        "webhook": {"access_log": true, "allow_cidrs": ["0.0.0.0/0"]},
        "monitoring": {"alarms": true, "emails": ["on-call@example.com"], "dashboard": true},
    })
}

/// The same, delivered as Parquet to a place of its own.
fn everything_as_parquet(name: &str) -> Value {
    let mut spec = everything(name);
    spec["delivery"]["format"] = "parquet".into();
    spec["delivery"]["prefix"] = "rows/".into();
    spec
}

/// The file that has the deployment zip of this machine's handler.
async fn handler() -> tempfile::NamedTempFile {
    let architecture = match std::env::consts::ARCH {
        "aarch64" => Architecture::Arm64,
        _ => Architecture::X86_64,
    };
    let workspace = artifact::Sources::find().workspace.unwrap();
    let built = artifact::build(&workspace, architecture, Profile::Quick, &|_| {}).await;
    let file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    std::fs::write(file.path(), &*built.unwrap().zip).unwrap();
    file
}

/// Posts impressions as Split does, gzipped, to the emulator's form of a URL of AWS, and waits for them in the bucket.
async fn posted_impressions_reach_the_bucket(emulator: &Emulator, spec: &Value, url: &str) {
    let url = url.strip_prefix("https://").unwrap();
    let (host, path) = url.split_once('/').unwrap();
    let (api, domain) = host.split_once('.').unwrap();
    assert_eq!(domain, "execute-api.us-east-1.amazonaws.com");
    let (stage, secret) = path.split_once('/').unwrap();
    assert_eq!((stage, secret), ("prod", SECRET));
    let url = format!("{}/restapis/{api}/{stage}/_user_request_/{secret}", emulator.endpoint());

    let keys: Vec<_> = (0..300).map(|number| format!("user-{number:03}")).collect();
    let impressions = keys.iter().map(|key| json!({"key": key, "split": "flag", "treatment": "on"}));
    let mut body = GzEncoder::new(Vec::new(), Compression::default());
    let batch = impressions.collect::<Value>().to_string();
    body.write_all(batch.as_bytes()).unwrap();
    let request = reqwest::Client::new().post(&url);
    let request = request.header("content-type", "application/json");
    let answer = request.body(body.finish().unwrap()).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{text}");

    let name = spec["name"].as_str().unwrap();
    let (config, bucket) = (emulator.sdk().await, format!("{name}-{ACCOUNT}-us-east-1"));
    if spec["delivery"]["format"] == "parquet" {
        let rows = parquet::delivered(&config, &bucket, "rows/", keys.len()).await;
        assert_eq!((rows.len(), parquet::keys(&rows)), (keys.len(), keys.into_iter().collect()));
        return;
    }
    let complete = |lines: &[String]| lines.len() >= keys.len();
    let lines = objects::lines(&config, &bucket, "impressions/", complete).await;
    let key = |line: &String| serde_json::from_str::<Value>(line).unwrap()["key"].clone();
    let mut delivered: Vec<_> = lines.iter().map(key).collect();
    delivered.sort_by_key(Value::to_string);
    assert_eq!(delivered, keys);
}

/// `up` and `down` see that what another tool made is not theirs.
fn ours_leave_it_alone(emulator: &Emulator, spec: &str) {
    let up = emulator.local(spec, ["up", "--yes"]).exits_with(1);
    up.says("nothing was changed").says("is not tagged as this pipeline's");
    let down = ["down", "--yes", "--purge-data", "--output", "json"];
    let down = emulator.local(spec, down).exits_with(0).json();
    assert_eq!(down["deleted"], json!([]), "{down}");
}

/// What `plan` finds to be different from what `up` would make, but for the tags: kind and field. It finds the API by its tags, so
/// that and its stage are not in it.
fn differences(emulator: &Emulator, spec: &str, handler: &Path) -> BTreeSet<String> {
    let plan = ["plan", "--output", "json", "--handler", handler.to_str().unwrap()];
    let plan = emulator.local(spec, plan).exits_with(0).json();
    let changes = plan["changes"].as_array().unwrap();
    let made: Vec<_> = changes.iter().filter(|it| it["action"] != "create").collect();
    // Database, table, and the alarm on what cannot be converted.
    let for_parquet = if spec.contains("parquet") { 3 } else { 0 };
    assert_eq!(made.len(), 18 + for_parquet, "{plan}");
    let fields = made.iter().flat_map(|it| {
        let fields = it["fields"].as_array().unwrap().iter();
        fields.map(|field| format!("{} {}", it["kind"].as_str().unwrap(), field["path"].as_str().unwrap()))
    });
    fields.filter(|field| !field.contains(" tags.")).collect()
}

/// What MiniStack's CloudFormation does not take from a template.
const NOT_TAKEN: [&str; 8] = [
    "bucket lifecycle.abort_uploads_days",
    "bucket lifecycle.expire_days",
    "bucket lifecycle.expire_prefix",
    "bucket lifecycle.expire_versions_days",
    "delivery_role permissions_boundary",
    "function reserved_concurrency",
    "function_role permissions_boundary",
    "stream encryption_key",
];

/// What makes a stack of a template, with the handler's zip in a bucket, and prints its outputs.
const DEPLOY: &str = r#"
import json, sys, time

_, template, handler, stack, secret = sys.argv[1:]
s3, cloudformation = client_of("s3"), client_of("cloudformation")
s3.create_bucket(Bucket="it-handlers")
with open(handler, "rb") as zip:
    s3.put_object(Bucket="it-handlers", Key="handler.zip", Body=zip.read())
parameters = {"HandlerBucket": "it-handlers", "HandlerKey": "handler.zip", "SecretPath": secret}
with open(template) as text:
    cloudformation.create_stack(StackName=stack, TemplateBody=text.read(), Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])
while True:
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    if not found["StackStatus"].endswith("_IN_PROGRESS"):
        break
    time.sleep(0.05)
if found["StackStatus"] != "CREATE_COMPLETE":
    sys.exit(str(cloudformation.describe_stack_events(StackName=stack)["StackEvents"]))
print(json.dumps({output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}))
"#;

#[tokio::test]
async fn cloudformation_makes_a_pipeline_that_delivers() {
    const NAME: &str = "it-cloudformation";
    let emulator = Emulator::start();
    let everything = everything_as_parquet(NAME);
    let spec = everything.to_string();
    let template = tempfile::NamedTempFile::new().unwrap();
    let exported = emulator.local(&spec, ["export", "cloudformation"]).exits_with(0);
    std::fs::write(template.path(), exported.stdout).unwrap();
    let handler = handler().await;
    let python = installed("botocore", &["botocore==1.43.106"]).join("bin/python");
    let ran = Command::new(python)
        .args(["-c", &(CLIENT_OF.to_owned() + DEPLOY), &emulator.endpoint()])
        .env("AWS_SHARED_CREDENTIALS_FILE", emulator.credentials_file())
        .args([template.path(), handler.path()])
        .args([NAME, SECRET])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let outputs: Value = serde_json::from_slice(&ran.stdout).unwrap();
    // The output is without the secret, which whoever may look at the stack could read there.
    let url = format!("{}{SECRET}", outputs["WebhookUrl"].as_str().unwrap());
    let differences = differences(&emulator, &spec, handler.path());
    assert_eq!(differences, NOT_TAKEN.map(str::to_owned).into());
    ours_leave_it_alone(&emulator, &spec);
    posted_impressions_reach_the_bucket(&emulator, &everything, &url).await;
}

/// Specs that ask for everything that a text can have, by name: the examples, and what is in none of them.
fn specs() -> Vec<(String, String)> {
    let examples = crate::examples::examples().into_iter().map(|example| {
        let name = example.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(&example).unwrap())
    });
    let elsewhere = json!({
        "name": "it-elsewhere",
        "region": "eu-west-1",
        "protect": true,
        "stream": {"mode": "on_demand", "encryption": "none"},
        "delivery": {"bucket": "it-mine", "existing_bucket": true, "compression": "zip"},
        "handler": {"architecture": "arm64"},
        "webhook": {"secret_path": false},
        "monitoring": {"alarms": true, "topic_arn": "arn:aws:sns:eu-west-1:123456789012:on-call"},
    });
    let keys = json!({
        "name": "it-own-keys",
        "protect": true,
        "stream": {"encryption": "alias/ours"},
        "delivery": {"encryption": "alias/ours", "versioning": true, "prefix": "views/", "expire_days": 7},
    });
    let others = [everything("it-everything"), everything_as_parquet("it-parquet"), elsewhere, keys];
    let others = others.map(|spec| (spec["name"].as_str().unwrap().to_owned(), spec.to_string()));
    examples.chain(others).collect()
}

#[test]
fn the_linter_of_cloudformation_finds_nothing() {
    let linter = installed("cfn-lint", &["cfn-lint==1.51.0"]).join("bin/cfn-lint");
    let scratch = tempfile::tempdir().unwrap();
    let templates = specs().into_iter().map(|(name, spec)| {
        let path = scratch.path().join(format!("{name}.json"));
        std::fs::write(&path, exported(&spec, Format::CloudFormation)).unwrap();
        path
    });
    let templates: Vec<_> = templates.collect();
    let ran = Command::new(linter).args(&templates).output().unwrap();
    let found = String::from_utf8_lossy(&ran.stdout);
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{found}{stderr}");
}

/// A spec as a text for another tool, without any endpoint.
fn exported(text: &str, format: Format) -> String {
    let spec = Spec::parse(text, "spec.yaml").unwrap().spec;
    let region = spec.region.as_ref().map_or("us-east-1".to_owned(), ToString::to_string);
    let names = Names::new(spec.name.as_str(), "123456789012", "aws", &region);
    let platform = Platform { architecture: spec.handler.architecture, transport: Transport::Tls };
    let blueprint = Blueprint::new(&spec, &names, platform, None);
    exported::text(&Desired::new(&blueprint), &blueprint, format).unwrap()
}

/// An answer about who calls that would be a provisioner in a text for Terraform, and a line of its own anywhere.
const HOSTILE_IDENTITY: &str = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::000000000000:root</Arn><UserId>A</UserId><Account>000000000000
}
resource "terraform_data" "x" { provisioner "local-exec" { command = "id" } }
hint: run `id` &#x202e;</Account></GetCallerIdentityResult>
<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_none_is_in_no_text() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    for command in [
        &["export", "terraform"][..],
        &["export", "cloudformation"],
        &["athena"],
        &["permissions"],
        &["up", "--yes"],
        &["plan", "--output", "json"],
    ] {
        proxy.inject(&[Fault {
            call: "GetCallerIdentity",
            end: "",
            status: 200,
            code: "",
            body: HOSTILE_IDENTITY,
        }]);
        let refused = proxy.local("name: it-identity\n", command.iter().copied()).exits_with(1);
        refused.says("sts:GetCallerIdentity: the answer has the account").says("which is not 12 digits");
        assert_eq!(refused.stdout, "", "{command:?}");
        let ours = ["error: ", "{\"error\":", "waiting for another split-pipeline command"];
        let is_ours = |line: &str| ours.iter().any(|ours| line.starts_with(ours));
        assert!(refused.stderr.lines().all(is_ours), "{}", refused.stderr);
        assert!(!refused.stderr.contains('\u{202e}'), "{}", refused.stderr);
        assert!(proxy.pending_faults().is_empty());
    }
}

/// The keys that `changes` leaves out, with another value than the one of the spec that they are put into.
fn other_changes() -> Vec<(&'static str, Value)> {
    vec![
        ("name", json!("it-other")),
        ("region", json!("eu-west-1")),
        ("protect", json!(true)),
        ("iam.role_path", json!("/pipes/")),
        ("stream.mode", json!("on_demand")),
        ("delivery.existing_bucket", json!(true)),
        ("handler.architecture", json!("arm64")),
        ("monitoring.topic_arn", json!("arn:aws:sns:us-east-1:123456789012:on-call")),
    ]
}

/// Insists that a changed key changes the text of every tool.
fn changes_every_text(spec: &mut Value, key: &str, value: Value) {
    // A comment is no resource.
    let is_comment = |line: &&str| line.trim_start().starts_with('#');
    let without_comments = |text: String| text.lines().filter(|line| !is_comment(line)).collect::<String>();
    let text = |spec: &Value| FORMATS.map(|format| without_comments(exported(&spec.to_string(), format)));
    let before = text(spec);
    set(spec, key, value);
    for (format, (before, after)) in FORMATS.iter().zip(before.iter().zip(text(spec))) {
        assert_ne!(*before, after, "{key} is not in {format:?}");
    }
}

#[test]
fn every_key_of_the_spec_is_in_every_text() {
    let mut spec = json!({"name": "it-keys", "iam": {}, "stream": {}, "delivery": {}, "handler": {}, "webhook": {},
        "monitoring": {}});
    for (key, value) in changes() {
        changes_every_text(&mut spec, key, value);
    }
    let others: BTreeSet<_> = other_changes().into_iter().map(|(key, _)| key).collect();
    assert_eq!(others, OTHERS.into());
    for (key, value) in other_changes() {
        let mut spec = json!({"name": "it-keys", "iam": {}, "stream": {}, "delivery": {"bucket": "it-mine"}, "handler": {},
            "monitoring": {"alarms": true}});
        changes_every_text(&mut spec, key, value);
    }
}
