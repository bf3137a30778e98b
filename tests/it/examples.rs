//! Every file in `examples/`: it plans, comes up, and then there is nothing left to do.

use std::path::PathBuf;

use crate::support::command::{root, split_pipeline};
use crate::support::emulator::Emulator;
use crate::support::proxy::Proxy;

pub(crate) fn examples() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("examples")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    assert!(paths.len() >= 5, "{paths:?}");
    paths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_up_changes_nothing() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    for example in examples() {
        let run = |command: &[&str]| {
            let file = ["--local", "--file", example.to_str().unwrap()];
            split_pipeline(file.iter().chain(command))
                .env("SPLIT_PIPELINE_LOCAL_PORT", proxy.port.to_string())
        };
        run(&["validate"]).exits_with(0);
        run(&["plan", "--check"]).exits_with(3);
        assert_eq!(proxy.take_changes(), [""; 0], "`plan` changed something");
        let first = run(&["up", "--yes"]).exits_with(0);
        assert!(proxy.take_changes().len() > 15);
        let second = run(&["up"]).exits_with(0);
        assert_eq!(proxy.take_changes(), [""; 0], "{}", example.display());
        assert_eq!(first.stdout, second.stdout);
        run(&["plan", "--check"]).exits_with(0);
        run(&["status"]).exits_with(0);
        run(&["down", "--yes", "--purge-data"]).exits_with(0);
        proxy.take_calls();
    }
}
