//! A batch's way from the webhook to S3, and what is left when the pipeline goes.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::StatusCode;
use serde_json::Value;

use crate::replay::forbid_put_records;
use crate::support::emulator::{ACCOUNT, Emulator};
use crate::support::inventory;

const SPEC: &str = "name: it-pipeline\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

/// Impressions that a parser by string splits would break.
const AWKWARD: &str = r#"[
  {"key":"üñí-码-🙂","split":"a","treatment":"on","time":1700000000000,"label":"quote \" and \\ and \u0041"},
  {"key":"k2","split":"b","treatment":"}, {","time":12345678901234567890,"properties":{"a":{"b":[1,null,2.50]}}},
  {"key":"k3","split":"c","treatment":"x=1,y=2","rule":null,"changeNumber":1E3,"extra":-0.0},
  {"key":"k3","split":"c","treatment":"x=1,y=2","rule":null,"changeNumber":1E3,"extra":-0.0}
]"#;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

async fn post(url: &str, body: impl Into<reqwest::Body>, encoding: Option<&str>) -> (StatusCode, Value) {
    let mut request = reqwest::Client::new().post(url).header("content-type", "application/json").body(body);
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

#[tokio::test]
async fn every_impression_reaches_s3_unchanged_and_down_leaves_what_it_says() {
    let emulator = Emulator::start();
    let empty = inventory::of(&emulator.sdk().await).await;

    let up = emulator.local(SPEC, ["up", "--yes"]).exits_with(0);
    let url = up.stdout.strip_suffix('\n').unwrap();
    assert!(url.starts_with(&format!("{}/restapis/", emulator.endpoint())), "{url}");
    assert!(!url.contains('\n'));
    up.says("paste it into Split").says("press Test").says("curl");
    assert_eq!(emulator.local(SPEC, ["url"]).exits_with(0).stdout, up.stdout);

    bodies_of_every_shape_are_answered(url).await;
    awkward_impressions_come_out_unchanged(&emulator);

    let status = emulator.local(SPEC, ["status", "--output", "json"]).exits_with(0).json();
    assert_eq!(status["healthy"], true, "{status}");
    assert_eq!(status["webhook_url"], url);
    let traffic = &status["traffic"];
    for (count, want) in [("refused_batches", 4), ("failed_batches", 0), ("delivered", 9), ("rejected", 1)] {
        assert_eq!(traffic[count], want, "{count} in {traffic}");
    }

    what_down_keeps_and_deletes(&emulator);
    assert_eq!(inventory::of(&emulator.sdk().await).await, empty);
}

async fn bodies_of_every_shape_are_answered(url: &str) {
    let one = r#"[{"key":"k","split":"s","treatment":"on"}]"#;
    for (body, encoding) in [
        (one.as_bytes().to_vec(), None),
        (gzip(one), None),
        (gzip(one), Some("gzip")),
        (one.trim_matches(['[', ']']).as_bytes().to_vec(), None),
    ] {
        let (status, answer) = post(url, body, encoding).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["delivered"], 1, "{answer}");
    }
    for nothing in ["[]", "{}", ""] {
        let (status, answer) = post(url, nothing, None).await;
        assert_eq!((status, &answer["received"]), (StatusCode::OK, &Value::from(0)), "{nothing:?}");
    }
    for broken in [b"nope".to_vec(), b"[1,".to_vec(), b"\x1f\x8b\x08broken".to_vec(), b"\"text\"".to_vec()] {
        let (status, answer) = post(url, broken, None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    let (status, answer) = post(url, r#"[1, {"key":"k","split":"s"}]"#, None).await;
    assert_eq!((status, &answer["rejected"]), (StatusCode::OK, &Value::from(1)), "{answer}");
    let (without_secret, _) = url.rsplit_once('/').unwrap();
    let elsewhere = reqwest::Client::new().post(without_secret).body("[]").send().await.unwrap();
    assert!(elsewhere.status().is_client_error(), "{}", elsewhere.status());
}

/// `smoke` compares what it finds in S3 with what it sent, byte for byte.
fn awkward_impressions_come_out_unchanged(emulator: &Emulator) {
    let payload = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(payload.path(), AWKWARD).unwrap();
    let path = payload.path().to_str().unwrap();
    let smoke = emulator.local(SPEC, ["smoke", "--output", "json", "--payload", path]).exits_with(0);
    let smoke = smoke.json();
    for (field, want) in [("sent", 4), ("delivered", 4), ("missing", 0), ("duplicated", 0)] {
        assert_eq!(smoke[field], want, "{field} in {smoke}");
    }
    let objects = smoke["objects"].as_array().unwrap();
    assert!(objects.iter().all(|key| key.as_str().unwrap().ends_with(".ndjson.gz")), "{smoke}");
}

fn what_down_keeps_and_deletes(emulator: &Emulator) {
    let unasked = emulator.local(SPEC, ["down"]).exits_with(2);
    unasked.says("nothing was deleted").says("its impressions stay");
    let unasked = emulator.local(SPEC, ["down", "--purge-data"]).exits_with(2);
    let (bucket, goes) =
        (format!("the bucket it-pipeline-{ACCOUNT}-us-east-1 goes too"), "WITH EVERYTHING IN IT: ");
    unasked.says("nothing was deleted").says(&bucket).says(goes).says(" objects, ");
    let protected = format!("{SPEC}protect: true\n");
    let protected = emulator.local(&protected, ["down", "--yes"]).exits_with(1);
    protected.says("protects this pipeline").says("hint: `protect: false`");
    let down = emulator.local(SPEC, ["down", "--yes", "--output", "json"]).exits_with(0).json();
    assert_eq!(down["deleted"].as_array().unwrap().len(), 9, "{down}");
    assert_eq!(down["kept"][0]["name"], format!("it-pipeline-{ACCOUNT}-us-east-1"), "{down}");
    let status = emulator.local(SPEC, ["status", "--output", "json"]).exits_with(3).json();
    assert_eq!(status["webhook_url"], Value::Null);
    let missing = status["resources"].as_array().unwrap().iter().filter(|it| it["state"] == "missing");
    assert_eq!(missing.count(), 9, "{status}");
    emulator.local(SPEC, ["down", "--yes", "--purge-data"]).exits_with(0);
    let again =
        emulator.local(SPEC, ["down", "--yes", "--purge-data", "--output", "json"]).exits_with(0).json();
    assert_eq!(again["deleted"].as_array().unwrap().len(), 0, "{again}");
}

#[test]
fn a_smoke_test_with_what_is_no_impression_fails_at_once() {
    let emulator = Emulator::start();
    emulator.local(SPEC, ["up"]).exits_with(0);
    let payload = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(payload.path(), r#"[{"key":"a","split":"b"},{"x":1}]"#).unwrap();
    let smoke = ["smoke", "--payload", payload.path().to_str().unwrap()];
    let smoke = emulator.local(SPEC, smoke).exits_with(1);
    smoke.says("1 of 2 elements").says("rejected/");
}

#[tokio::test]
async fn a_smoke_test_of_a_pipeline_that_spills_everything_fails() {
    let emulator = Emulator::start();
    emulator.local(SPEC, ["up"]).exits_with(0);
    forbid_put_records(&emulator.sdk().await, "it-pipeline").await;
    let junit = tempfile::NamedTempFile::new().unwrap();
    let junit = junit.path().to_str().unwrap();
    let smoke = ["smoke", "--count", "50", "--output", "json", "--junit", junit];
    let failed = emulator.local(SPEC, smoke).exits_with(1);
    let smoke = failed.json();
    for (field, want) in [("sent", 50), ("delivered", 0), ("spilled", 50), ("missing", 0)] {
        assert_eq!(smoke[field], want, "{field} in {smoke}");
    }
    failed
        .says("50 of 50 impressions were spilled, not delivered")
        .says("`split-pipeline logs`")
        .says("`split-pipeline replay`");
    let report = std::fs::read_to_string(junit).unwrap();
    assert!(
        report.contains(r#"failures="1""#) && report.contains("50 of 50 impressions were spilled"),
        "{report}"
    );
}

#[tokio::test]
async fn an_ephemeral_smoke_test_leaves_nothing_behind() {
    let emulator = Emulator::start();
    let empty = inventory::of(&emulator.sdk().await).await;
    let junit = tempfile::NamedTempFile::new().unwrap();
    let junit = junit.path().to_str().unwrap();
    let smoke = ["smoke", "--ephemeral", "--count", "2500", "--output", "json", "--junit", junit];
    let smoke = emulator.local(SPEC, smoke).exits_with(0).json();
    assert_eq!((&smoke["sent"], &smoke["delivered"]), (&Value::from(2500), &Value::from(2500)), "{smoke}");
    let report = std::fs::read_to_string(junit).unwrap();
    assert!(
        report.contains("every impression arrives in S3") && report.contains(r#"failures="0""#),
        "{report}"
    );
    assert_eq!(inventory::of(&emulator.sdk().await).await, empty);
}

#[tokio::test]
async fn an_ephemeral_smoke_test_that_fails_leaves_nothing_behind() {
    let emulator = Emulator::start();
    let empty = inventory::of(&emulator.sdk().await).await;
    let payload = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(payload.path(), r#"[{"key":"a","split":"b"},{"x":1}]"#).unwrap();
    let smoke = ["smoke", "--ephemeral", "--payload", payload.path().to_str().unwrap()];
    emulator.local(SPEC, smoke).exits_with(1).says("1 of 2 elements");
    assert_eq!(inventory::of(&emulator.sdk().await).await, empty);
}

#[test]
fn a_smoke_test_without_a_pipeline_says_how_to_get_one() {
    let emulator = Emulator::start();
    let junit = tempfile::NamedTempFile::new().unwrap();
    let junit = junit.path().to_str().unwrap();
    let smoke = emulator.local(SPEC, ["smoke", "--junit", junit]).exits_with(1);
    let report = std::fs::read_to_string(junit).unwrap();
    assert!(report.contains(r#"failures="1""#) && report.contains("no webhook"), "{report}");
    smoke.says("no webhook").says("hint: `split-pipeline up` makes it");
    assert_eq!(smoke.stdout, "");
}
