//! Many senders at once: every answer is 200, and everything is delivered.
//!
//! `SPLIT_PIPELINE_LOAD_SECONDS=60 cargo test --test it -- load --nocapture` is the long run; it prints its figures.

use std::collections::HashSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::emulator::{ACCOUNT, Emulator};
use crate::support::objects;

/// With limits that this machine does not reach: what is beyond a stage's is answered 429 before the function runs.
const SPEC: &str = "name: it-load\n\
    webhook: {rate_limit: 10000, burst_limit: 5000}\n\
    delivery: {buffer_mib: 1, buffer_seconds: 0}\n";

const SENDERS: usize = 24;

/// Impressions a post.
const BATCH: usize = 200;

/// Posts of each sender where no time is given.
const POSTS: usize = 3;

/// How long to send, if that is given.
fn duration() -> Option<Duration> {
    let seconds = std::env::var("SPLIT_PIPELINE_LOAD_SECONDS").ok()?;
    Some(Duration::from_secs(seconds.parse().unwrap()))
}

fn impressions(sender: usize, post: usize) -> Vec<String> {
    let impression = |index| {
        format!(
            r#"{{"key":"user-{sender}-{post}-{index}","split":"flag","environmentName":"Production","treatment":"on","time":1700000000000,"label":"default rule","properties":null}}"#
        )
    };
    (0..BATCH).map(impression).collect()
}

fn gzipped(sender: usize, post: usize) -> Vec<u8> {
    let body = format!("[{}]", impressions(sender, post).join(","));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Posts one batch after the other, and gives how long each answer took.
async fn send(url: String, sender: usize) -> Vec<Duration> {
    let client = reqwest::Client::new();
    let started = Instant::now();
    let mut latencies = Vec::new();
    let more = |posts: usize| duration().map_or(posts < POSTS, |until| started.elapsed() < until);
    while more(latencies.len()) {
        let body = gzipped(sender, latencies.len());
        let sent = Instant::now();
        let request = client.post(&url).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        latencies.push(sent.elapsed());
        assert_eq!(status, 200, "{text}");
        assert!(text.contains(&format!("\"received\":{BATCH},")), "{text}");
    }
    latencies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_at_once_are_all_answered_and_lose_nothing() {
    let emulator = Emulator::start();
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let started = Instant::now();
    let senders: Vec<_> =
        (0..SENDERS).map(|sender| tokio::spawn(send(url.trim().to_owned(), sender))).collect();
    let mut latencies = Vec::new();
    let mut want = HashSet::new();
    for (index, sender) in senders.into_iter().enumerate() {
        let own = sender.await.unwrap();
        want.extend((0..own.len()).flat_map(|post| impressions(index, post)));
        latencies.extend(own);
    }
    let elapsed = started.elapsed();
    let (config, bucket) = (emulator.sdk().await, format!("it-load-{ACCOUNT}-us-east-1"));
    let found = objects::lines(&config, &bucket, "impressions/", |lines| lines.len() >= want.len()).await;
    let unique: HashSet<_> = found.iter().collect();
    let lost = want.iter().filter(|line| !unique.contains(line)).count();
    latencies.sort();
    let per_second = |count: usize| count as u128 * 1000 / elapsed.as_millis().max(1);
    let percentile = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_millis();
    let figures = format!(
        "{} posts and {} impressions in {} ms: {} posts/s, {} impressions/s; answers in ms: p50 {}, p90 {}, p99 {}, \
         slowest {}; {lost} lost, {} duplicated",
        latencies.len(),
        want.len(),
        elapsed.as_millis(),
        per_second(latencies.len()),
        per_second(want.len()),
        percentile(50),
        percentile(90),
        percentile(99),
        percentile(100),
        found.len() + lost - want.len(),
    );
    assert_eq!((lost, found.len()), (0, want.len()), "{figures}");
    #[expect(clippy::print_stderr, reason = "the figures of a long run")]
    {
        eprintln!("{figures}");
    }
}
