//! `rotate` changes the secret path alone, or refuses.

use crate::support::emulator::Emulator;
use crate::support::proxy::{Fault, Proxy};

const SPEC: &str = "name: it-rotation\n";

/// What `up` would change about the webhook besides its secret path.
const OTHER_CHANGES: [(&str, &str); 5] = [
    ("webhook: {allow_cidrs: [192.0.2.0/24]}\n", "policy"),
    ("webhook: {rate_limit: 3}\n", "rate_limit"),
    ("webhook: {stage: v2}\n", "name"),
    ("webhook: {burst_limit: 3}\n", "burst_limit"),
    ("tags: {team: growth}\n", "tags.team"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pending_change_of_the_webhook_is_not_applied_along_the_way() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    let url = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    for (more, field) in OTHER_CHANGES {
        proxy.take_calls();
        let spec = format!("{SPEC}{more}");
        let refused = proxy.local(&spec, ["rotate"]).exits_with(1);
        refused.says("other pending changes").says(field);
        refused.says("hint: run `split-pipeline up` first");
        assert_eq!(proxy.take_changes(), [""; 0], "{more}");
    }
    assert_eq!(proxy.local(SPEC, ["url"]).exits_with(0).stdout, url);
    proxy.local(SPEC, ["rotate"]).exits_with(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_that_an_up_left_undeployed_is_not_deployed_along_the_way() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    proxy.local(SPEC, ["up"]).exits_with(0);
    let restricted = format!("{SPEC}webhook: {{allow_cidrs: [192.0.2.0/24]}}\n");
    proxy.inject(&[Fault {
        call: "POST /restapis/",
        end: "/deployments",
        status: 403,
        code: "AccessDeniedException",
        body: r#"{"message":"not authorized to perform: apigateway:POST"}"#,
    }]);
    proxy.local(&restricted, ["up"]).exits_with(1);
    assert!(proxy.pending_faults().is_empty());
    for (spec, field) in [(restricted.as_str(), "deployment"), (SPEC, "policy")] {
        proxy.take_calls();
        proxy.local(spec, ["rotate"]).exits_with(1).says(field);
        assert_eq!(proxy.take_changes(), [""; 0], "{spec}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_interrupted_rotation_is_finished_by_the_next_one() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    let old = proxy.local(SPEC, ["up"]).exits_with(0).stdout;
    // Each call that a rotation makes fails once, and the next rotation takes over from there.
    let calls = [
        ("POST /restapis/", ""),
        ("PUT /restapis/", ""),
        ("POST /restapis/", "/deployments"),
        ("PATCH /restapis/", "/stages/prod"),
    ];
    for (call, end) in calls {
        proxy.inject(&[Fault {
            call,
            end,
            status: 403,
            code: "AccessDeniedException",
            body: r#"{"message":"not authorized to perform: apigateway:POST"}"#,
        }]);
        proxy.local(SPEC, ["rotate"]).exits_with(1);
        assert!(proxy.pending_faults().is_empty(), "{call}{end}");
        let rotated = proxy.local(SPEC, ["rotate", "--output", "json"]).exits_with(0).json();
        assert_ne!(rotated["webhook_url"], rotated["old_webhook_url"], "{call}{end}");
        proxy.local(SPEC, ["rotate", "--revoke"]).exits_with(0);
        proxy.local(SPEC, ["plan", "--check"]).exits_with(0);
    }
    assert_ne!(proxy.local(SPEC, ["url"]).exits_with(0).stdout, old);
}
