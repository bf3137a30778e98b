//! Impressions that are safe but not delivered come home, once.

use aws_config::SdkConfig;
use serde_json::{Value, json};

use crate::support::emulator::{ACCOUNT, Emulator};
use crate::support::objects;

const SPEC: &str = "name: it-replay\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

fn bucket() -> String {
    format!("it-replay-{ACCOUNT}-us-east-1")
}

/// Forbids the function to put records; the next `up` allows it again.
pub(crate) async fn forbid_put_records(config: &SdkConfig, pipeline: &str) {
    let deny = json!({"Version": "2012-10-17", "Statement":
        [{"Effect": "Deny", "Action": "kinesis:PutRecords", "Resource": "*"}]});
    let iam = aws_sdk_iam::Client::new(config);
    let role = format!("{pipeline}-handler-us-east-1");
    let put = iam.put_role_policy().role_name(role);
    let put = put.policy_name("deny").policy_document(deny.to_string());
    put.send().await.unwrap();
}

async fn post(url: &str, impressions: &[String]) -> Value {
    let body = format!("[{}]", impressions.join(","));
    let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

fn impression(index: usize) -> String {
    format!(r#"{{"key":"k{index}","split":"s","time":12345678901234567890}}"#)
}

#[tokio::test]
async fn what_was_spilled_is_delivered_once_and_then_gone() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let large = format!(r#"{{"key":"large","split":"{}"}}"#, "x".repeat(1024 * 1000));
    let mut impressions: Vec<_> = (0..20).map(impression).collect();
    impressions.push(large);
    forbid_put_records(&config, "it-replay").await;
    assert_eq!(post(url.trim(), &impressions).await["spilled"], 21);

    let replay = |arguments: &[&'static str]| {
        let arguments = ["replay", "--output", "json"].iter().chain(arguments);
        emulator.local(SPEC, arguments.copied())
    };
    let counts = |result: &Value| (result["delivered"].clone(), result["copied"].clone());
    let dry = replay(&["--dry-run"]).exits_with(0).json();
    assert_eq!(counts(&dry), (json!(20), json!(1)), "{dry}");
    let spilled = objects::keys(&config, &bucket(), "spill/").await;
    assert_eq!(dry["objects"], json!(spilled));

    emulator.local(SPEC, ["up"]).exits_with(0);
    let done = replay(&[]).exits_with(0).json();
    assert_eq!((counts(&done), &done["objects"]), (counts(&dry), &dry["objects"]), "{done}");
    impressions.sort();
    assert_eq!(
        objects::lines(&config, &bucket(), "impressions/", |lines| lines.len() >= 21).await,
        impressions
    );
    assert_eq!(objects::keys(&config, &bucket(), "spill/").await, [""; 0]);
    let again = replay(&[]).exits_with(0).json();
    assert_eq!(counts(&again), (json!(0), json!(0)), "{again}");
}

#[tokio::test]
async fn a_spilled_object_stays_until_all_of_it_is_stored() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    forbid_put_records(&config, "it-replay").await;
    post(url.trim(), &[impression(1)]).await;
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    kinesis.delete_stream().stream_name("it-replay").send().await.unwrap();
    let failed = emulator.local(SPEC, ["replay"]).exits_with(1);
    failed
        .says("1 object not replayed")
        .says("1 of 1 impressions not accepted by the stream: ResourceNotFoundException")
        .says("nothing is lost");
    assert_eq!(objects::keys(&config, &bucket(), "spill/").await.len(), 1);
}

#[tokio::test]
async fn what_no_delivery_stream_delivered_is_copied_from_the_stream() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let firehose = aws_sdk_firehose::Client::new(&config);
    let delete = firehose.delete_delivery_stream().delivery_stream_name("it-replay");
    delete.send().await.unwrap();
    let mut impressions: Vec<_> = (0..50).map(impression).collect();
    assert_eq!(post(url.trim(), &impressions).await["delivered"], 50);
    emulator.local(SPEC, ["up"]).exits_with(0).says("replay --stream --since");
    assert_eq!(objects::keys(&config, &bucket(), "impressions/").await, [""; 0]);

    emulator.local(SPEC, ["replay", "--stream"]).exits_with(2);
    let copy = ["replay", "--stream", "--since", "1h", "--output", "json"];
    let dry = emulator.local(SPEC, copy.into_iter().chain(["--dry-run"])).exits_with(0).json();
    assert_eq!((&dry["copied"], &dry["dry_run"]), (&json!(50), &json!(true)), "{dry}");
    assert_eq!(objects::keys(&config, &bucket(), "impressions/").await, [""; 0]);
    let done = emulator.local(SPEC, copy).exits_with(0).json();
    assert_eq!((&done["copied"], &done["objects"]), (&json!(50), &dry["objects"]), "{done}");
    emulator.local(SPEC, copy).exits_with(0);
    impressions.sort();
    assert_eq!(
        objects::lines(&config, &bucket(), "impressions/", |lines| lines.len() >= 50).await,
        impressions
    );

    let before = ["replay", "--stream", "--since", "2h", "--until", "1h", "--output", "json"];
    let before = emulator.local(SPEC, before).exits_with(0).json();
    assert_eq!(before["copied"], 0, "{before}");
}
