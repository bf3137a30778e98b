//! Everything at once: partial failures, outages, a delivery stream that is deleted, an interrupted `replay`, two of them
//! at the same time, and `down` while impressions still come in.
//!
//! Every impression that was answered 200 is in S3 at the end, delivered or where a command said that it is.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use super::*;
use crate::support::command::read_until;

/// Impressions by where they are at the end.
#[derive(Debug, Default)]
struct Places {
    answered: usize,
    delivered: usize,
    spilled: usize,
    lost: usize,
}

/// Deletes the delivery stream while batches come in, and lets `up` create the next one.
async fn replace_delivery_stream(emulator: &Emulator, config: &SdkConfig, port: u16) {
    let firehose = aws_sdk_firehose::Client::new(config);
    let delete = firehose.delete_delivery_stream();
    delete.delivery_stream_name("it-loss").send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let up = emulator.local(SPEC, ["up", "--yes"]);
    let up = tokio::task::spawn_blocking(|| up.exits_with(0)).await.unwrap();
    up.says("replay --stream --since");
    // `up` took the detour for drift.
    detour(emulator, port).await;
}

/// Interrupts a `replay`, runs two at once, and then one that has to finish.
fn replay_with_trouble(emulator: &Emulator) {
    let replay = || emulator.local(SPEC, ["replay"]);
    let mut interrupted = replay().spawn(Stdio::null());
    let _stderr = read_until("sending spilled objects", &mut interrupted);
    kill_process(Pid::from_child(&interrupted), Signal::INT).unwrap();
    let code = interrupted.wait().unwrap().code();
    assert!(matches!(code, Some(0 | 130)), "{code:?}");
    let two = [replay(), replay()].map(|run| run.spawn(Stdio::null()));
    let ended = two.map(|child| child.wait_with_output().unwrap());
    assert!(ended.iter().all(|it| it.status.code() == Some(0)), "{ended:?}");
    replay().exits_with(0);
}

/// Copies every gap that `status` tells.
fn copy_gaps(emulator: &Emulator) -> usize {
    let status = || emulator.local(SPEC, ["status", "--output", "json"]).outcome().json();
    let gaps = status()["undelivered"]["gaps"].take();
    let gaps = gaps.as_array().unwrap().clone();
    for gap in &gaps {
        let (from, until) = (gap["from"].as_str().unwrap(), gap["until"].as_str().unwrap());
        let copy = ["replay", "--stream", "--since", from, "--until", until];
        emulator.local(SPEC, copy).exits_with(0);
    }
    let left = status();
    assert_eq!(left["undelivered"]["gaps"], serde_json::json!([]), "{left}");
    gaps.len()
}

/// Posts batches until the webhook is gone; gives those that were answered.
async fn post_until_gone(
    url: String,
    first: usize,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
) -> Vec<usize> {
    let client = reqwest::Client::new();
    let mut answered = Vec::new();
    for batch in first.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let body = format!("[{}]", impressions(batch).join(","));
        match client.post(&url).body(body).send().await {
            Ok(answer) if answer.status() == 200 => {
                answered.push(batch);
                count.fetch_add(1, Ordering::Relaxed);
            }
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    answered
}

/// Takes the pipeline down while batches come in; gives those that were answered, and what `down` said.
async fn down_midway(emulator: &Emulator, url: &str) -> (Vec<usize>, String) {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let sender =
        tokio::spawn(post_until_gone(url.to_owned(), batches() + 1, Arc::clone(&stop), Arc::clone(&count)));
    while count.load(Ordering::Relaxed) < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let down = emulator.local(SPEC, ["down", "--yes"]);
    let down = tokio::task::spawn_blocking(|| down.exits_with(0)).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    (sender.await.unwrap(), down.stderr)
}

async fn places(config: &SdkConfig, answered: &[usize]) -> Places {
    let bucket = format!("it-loss-{ACCOUNT}-us-east-1");
    let want: HashSet<_> = answered.iter().flat_map(|batch| impressions(*batch)).collect();
    let there = async |prefix: &str| {
        let lines = objects::lines(config, &bucket, prefix, |_| true).await;
        lines.into_iter().filter(|line| want.contains(line)).collect::<HashSet<_>>()
    };
    let (delivered, spilled) = (there("impressions/").await, there("spill/").await);
    let lost = want.iter().filter(|it| !delivered.contains(*it) && !spilled.contains(*it));
    Places {
        answered: want.len(),
        delivered: delivered.len(),
        spilled: spilled.difference(&delivered).count(),
        lost: lost.count(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_everything_happens_at_once() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let url = url.trim();
    let chaos = Arc::new(Chaos::start(emulator.port, &config, 1).await);
    detour(&emulator, chaos.port).await;
    let warm = reqwest::Client::new().post(url).body("[]").send();
    assert_eq!(warm.await.unwrap().status(), 200);
    let (answers, ()) =
        tokio::join!(post_all(&chaos, url), replace_delivery_stream(&emulator, &config, chaos.port));
    let mut batches_answered: Vec<_> = answers.keys().copied().collect();
    let spilled_in = |answer: &Value| answer["spilled"].as_u64().unwrap();
    let mut spilled: u64 = answers.values().map(spilled_in).sum();
    // Kinesis is away for longer than the function tries, whatever the others met.
    let client = reqwest::Client::new();
    let warm = client.post(url).body("[]").send();
    assert_eq!(warm.await.unwrap().status(), 200);
    chaos.outage(OUTAGE);
    let answer = post(&client, url, batches()).await.unwrap();
    assert_eq!(spilled_in(&answer), BATCH as u64, "{answer}");
    batches_answered.push(batches());
    spilled += spilled_in(&answer);
    replay_with_trouble(&emulator);
    let gaps = copy_gaps(&emulator);
    assert!(gaps > 0);
    let (late, said) = down_midway(&emulator, url).await;
    batches_answered.extend(&late);

    let places = places(&config, &batches_answered).await;
    let Places { answered, delivered, spilled: left, lost } = places;
    let (during, done) = (late.len(), chaos.done());
    let figures = format!(
        "{answered} impressions answered 200, {delivered} delivered, {left} in spill/, {lost} lost; {spilled} had been \
         spilled, {gaps} gaps copied, {during} batches answered during `down`; {done:?}"
    );
    assert_eq!(places.lost, 0, "{figures}");
    assert!(places.spilled == 0 || said.contains("under spill/"), "{figures}\n{said}");
    assert!(!late.is_empty(), "{figures}");
    #[expect(clippy::print_stderr, reason = "the figures of a long run")]
    {
        eprintln!("{figures}");
    }
}
