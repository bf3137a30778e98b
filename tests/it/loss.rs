//! What was answered 200 is not lost, whatever happens between the function, Kinesis and S3.
//!
//! `SPLIT_PIPELINE_LOSS_BATCHES=200 cargo test --test it -- loss --nocapture` is the long run; it prints its figures.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_lambda::types::Environment;
use serde_json::Value;

use crate::support::chaos::Chaos;
use crate::support::emulator::{ACCOUNT, Emulator};
use crate::support::objects;

mod everything;

/// Of so little time that an outage of five seconds is longer than Kinesis is tried.
const SPEC: &str = "name: it-loss\n\
    handler: {timeout_seconds: 6, record_kib: 16}\n\
    delivery: {buffer_mib: 1, buffer_seconds: 0}\n";

/// Impressions a batch.
const BATCH: usize = 500;

/// Senders at once.
const SENDERS: usize = 4;

/// When Split tries again (Harness: "Webhook for Impressions").
const RETRY_AFTER: Duration = Duration::from_millis(300);

const OUTAGE: Duration = Duration::from_secs(5);

/// Batches from one outage to the next.
const BETWEEN_OUTAGES: usize = 40;

fn batches() -> usize {
    std::env::var("SPLIT_PIPELINE_LOSS_BATCHES").map_or(24, |count| count.parse().unwrap())
}

/// Sends the function's calls through the proxy. The emulator's own endpoint goes before `AWS_ENDPOINT_URL`.
async fn detour(emulator: &Emulator, port: u16) {
    let lambda = aws_sdk_lambda::Client::new(&emulator.sdk().await);
    let have = lambda.get_function_configuration().function_name("it-loss").send();
    let mut variables = have.await.unwrap().environment.unwrap().variables.unwrap();
    for service in ["KINESIS", "S3"] {
        variables.insert(format!("AWS_ENDPOINT_URL_{service}"), format!("http://127.0.0.1:{port}"));
    }
    let environment = Environment::builder().set_variables(Some(variables)).build();
    let update = lambda.update_function_configuration().function_name("it-loss");
    update.environment(environment).send().await.unwrap();
}

fn impressions(batch: usize) -> Vec<String> {
    let impression = |index| {
        format!(
            r#"{{"key":"user-{batch}-{index}","split":"flag","environmentName":"Production","treatment":"on","time":1700000000000,"label":"default rule","properties":{{"batch":{batch}}}}}"#
        )
    };
    (0..BATCH).map(impression).collect()
}

/// Posts a batch as Split does, and gives its answer if it was 200.
async fn post(client: &reqwest::Client, url: &str, batch: usize) -> Option<Value> {
    let body = format!("[{}]", impressions(batch).join(","));
    for _ in 0..2 {
        let answer = client.post(url).body(body.clone()).send().await.unwrap();
        if answer.status() == 200 {
            return Some(serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap());
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
    None
}

/// Posts every batch with a few senders at once, and gives the answers by batch.
async fn post_all(chaos: &Arc<Chaos>, url: &str) -> HashMap<usize, Value> {
    let url = Arc::new(url.to_owned());
    let count = batches();
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (url, chaos) = (Arc::clone(&url), Arc::clone(chaos));
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                let mut answers = Vec::new();
                for batch in (sender..count).step_by(SENDERS) {
                    if batch % BETWEEN_OUTAGES == 0 {
                        chaos.outage(OUTAGE);
                    }
                    let answer = post(&client, &url, batch).await;
                    answers.extend(answer.map(|answer| (batch, answer)));
                }
                answers
            })
        })
        .collect();
    let mut answers = HashMap::new();
    for sender in senders {
        answers.extend(sender.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_impression_that_was_answered_is_lost() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let chaos = Arc::new(Chaos::start(emulator.port, &config, 42).await);
    detour(&emulator, chaos.port).await;
    // The function's start must not outlast the outage.
    let warm = reqwest::Client::new().post(url.trim()).body("[]").send();
    assert_eq!(warm.await.unwrap().status(), 200);
    let answers = post_all(&chaos, url.trim()).await;
    assert!(answers.len() * 2 > batches(), "hardly anything was answered: {answers:?}");
    let sum = |field: &str| answers.values().map(|answer| answer[field].as_u64().unwrap()).sum::<u64>();
    let (spilled, bucket) = (sum("spilled"), format!("it-loss-{ACCOUNT}-us-east-1"));
    assert!(spilled > 0, "nothing was spilled: {answers:?}");

    let replayed = emulator.local(SPEC, ["replay", "--output", "json"]).exits_with(0).json();
    assert!(replayed["delivered"].as_u64().unwrap() >= spilled, "{replayed}");
    assert_eq!(objects::keys(&config, &bucket, "spill/").await, [""; 0]);
    let want: HashSet<_> = answers.keys().flat_map(|batch| impressions(*batch)).collect();
    let missing = |lines: &[String]| {
        let found: HashSet<_> = lines.iter().collect();
        want.iter().filter(|impression| !found.contains(impression)).count()
    };
    let found = objects::lines(&config, &bucket, "impressions/", |lines| missing(lines) == 0).await;
    let (sent, lost) = (want.len(), missing(&found));
    let duplicated = found.iter().filter(|line| want.contains(*line)).count() - (sent - lost);
    let (unanswered, done) = (batches() - answers.len(), chaos.done());
    let figures = format!(
        "{sent} impressions answered 200, {unanswered} batches not; {spilled} spilled, {} lines in S3, {lost} lost, \
         {duplicated} duplicated; {done:?}",
        found.len()
    );
    assert_eq!(lost, 0, "{figures}");
    assert!(done.answers_lost > 0 && done.records_refused > 0, "{figures}");
    #[expect(clippy::print_stderr, reason = "the figures of a long run")]
    {
        eprintln!("{figures}");
    }
}
