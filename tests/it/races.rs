//! Two commands on one pipeline at once.
//!
//! `SPLIT_PIPELINE_RACES=20 cargo test --test it -- races` is the long run.

use std::thread;

use crate::support::emulator::Emulator;
use crate::support::inventory;

const SPEC: &str = "name: it-races\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

const DOWN: [&str; 3] = ["down", "--yes", "--purge-data"];

fn races() -> usize {
    std::env::var("SPLIT_PIPELINE_RACES").map_or(2, |count| count.parse().unwrap())
}

#[tokio::test]
async fn two_ups_at_once_make_one_of_everything() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let before = inventory::of(&config).await;
    for _ in 0..races() {
        let urls = thread::scope(|scope| {
            let up = || scope.spawn(|| emulator.local(SPEC, ["up", "--yes"]).exits_with(0).stdout);
            let ups = [up(), up()];
            ups.map(|up| up.join().unwrap())
        });
        assert_eq!(urls[0], urls[1]);
        let made = inventory::of(&config).await.len() - before.len();
        assert_eq!(made, 9);
        let apigateway = aws_sdk_apigateway::Client::new(&config);
        let apis = apigateway.get_rest_apis().send().await.unwrap();
        assert_eq!(apis.items().len(), 1, "{apis:?}");
        emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
        assert_eq!(emulator.local(SPEC, ["url"]).exits_with(0).stdout, urls[0]);
        emulator.local(SPEC, DOWN).exits_with(0);
        assert_eq!(inventory::of(&config).await, before);
    }
}

#[tokio::test]
async fn up_against_down_leaves_nothing_that_the_next_one_does_not_see() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let before = inventory::of(&config).await;
    for round in 0..races() {
        emulator.local(SPEC, ["up"]).exits_with(0);
        let codes = thread::scope(|scope| {
            let commands: [&[&str]; 2] = [&["up", "--yes"], &DOWN];
            let run =
                |command: &'static [&'static str]| emulator.local(SPEC, command.iter().copied()).outcome();
            let commands = commands.map(|command| scope.spawn(move || run(command)));
            commands.map(|command| command.join().unwrap())
        });
        // Either may find that the other took something away; neither may crash.
        for outcome in &codes {
            assert!([0, 1].contains(&outcome.code), "{outcome:?}");
            assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        }
        if round % 2 == 0 {
            emulator.local(SPEC, ["up"]).exits_with(0);
            emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
            assert_eq!(inventory::of(&config).await.len() - before.len(), 9);
        }
        emulator.local(SPEC, DOWN).exits_with(0);
        assert_eq!(inventory::of(&config).await, before);
    }
}
