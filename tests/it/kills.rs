//! `kill -9` at any moment of `up` or `down`, and the next run ends where it should.
//!
//! `SPLIT_PIPELINE_KILLS=30 cargo test --test it -- kills --nocapture` is the long run; it prints its figures.

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::emulator::Emulator;
use crate::support::inventory;
use crate::support::proxy::Proxy;

const SPEC: &str = "name: it-kills\ndelivery: {buffer_mib: 1, buffer_seconds: 0}\n";

/// Some more calls than either command makes, so that a few runs are killed too late.
const MOST_CALLS: usize = 60;

fn kills() -> usize {
    std::env::var("SPLIT_PIPELINE_KILLS").map_or(4, |count| count.parse().unwrap())
}

/// Kills a command once it has made so many calls; tells whether it was still running.
async fn kill_after(calls: usize, proxy: &Proxy, mut child: Child) -> bool {
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if proxy.calls() >= calls {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_up_or_down_is_finished_by_the_next_one() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let before = inventory::of(&config).await;
    let mut random = fastrand::Rng::with_seed(7);
    let mut killed = 0;
    for run in 0..kills() {
        let moment = random.usize(1..MOST_CALLS);
        proxy.take_calls();
        let up = proxy.local(SPEC, ["up"]).spawn(Stdio::null());
        killed += usize::from(kill_after(moment, &proxy, up).await);
        emulator.tag_stream("it-kills").await;
        emulator.local(SPEC, ["up"]).exits_with(0);
        emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
        let made = inventory::of(&config).await;
        assert_eq!(made.len() - before.len(), 9, "run {run}, call {moment}: {made:?}");

        let moment = random.usize(1..MOST_CALLS);
        proxy.take_calls();
        let down = ["down", "--yes", "--purge-data"];
        let killed_down = proxy.local(SPEC, down).spawn(Stdio::null());
        killed += usize::from(kill_after(moment, &proxy, killed_down).await);
        emulator.local(SPEC, down).exits_with(0);
        assert_eq!(inventory::of(&config).await, before, "run {run}, call {moment}");
    }
    let figures = format!("{killed} of {} commands killed midway", 2 * kills());
    assert!(killed > kills(), "{figures}");
    #[expect(clippy::print_stderr, reason = "the figures of a long run")]
    {
        eprintln!("{figures}");
    }
}
