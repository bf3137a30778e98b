//! A pipeline that `smoke --ephemeral` cannot take down is named, with the command that does it.

use crate::support::emulator::Emulator;
use crate::support::inventory;
use crate::support::proxy::{Fault, Proxy};

const SPEC: &str = "name: it-ephemeral\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_left_is_named_with_the_command_that_deletes_it() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let empty = inventory::of(&config).await;
    let proxy = Proxy::start(emulator.port).await;
    proxy.inject(&[Fault {
        call: "DeleteStream",
        end: "",
        status: 400,
        code: "",
        body: r#"{"__type":"AccessDeniedException","message":"not authorized"}"#,
    }]);
    let smoke = proxy.local(SPEC, ["smoke", "--ephemeral", "--count", "10"]);
    let failed = smoke.exits_with(1);
    assert!(proxy.pending_faults().is_empty());
    failed.says("could not be taken down").says("kinesis:DeleteStream");
    let left = inventory::of(&config).await;
    assert_eq!(left.len(), empty.len() + 1, "{left:?}");
    let hint = failed.stderr.lines().find(|line| line.contains("--purge-data")).unwrap();
    let name = hint.split("name: ").nth(1).unwrap().split('\'').next().unwrap();
    assert!(left.iter().any(|it| it.contains(name)), "{hint}: {left:?}");
    let spec = format!("name: {name}\n");
    proxy.local(&spec, ["down", "--yes", "--purge-data"]).exits_with(0);
    assert_eq!(inventory::of(&config).await, empty);
}
