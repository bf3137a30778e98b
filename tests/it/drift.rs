//! Whatever somebody changes behind our back, `status` names it, and `up` repairs it in the fewest calls.

use std::collections::BTreeSet;
use std::pin::Pin;

use aws_config::SdkConfig;
use serde_json::Value;

use crate::support::command::Outcome;
use crate::support::emulator::Emulator;
use crate::support::proxy::Proxy;

mod api;
mod bucket;
mod catalog;
mod data;
mod function;
mod monitoring;
mod roles;
mod stage;

pub(crate) use bucket::{by_kms, to_theirs};
pub(crate) use data::for_another_account;

/// A spec with every field that a resource can have.
const SPEC: &str = "name: it-drift\n\
    tags: {team: growth}\n\
    iam: {permissions_boundary: \"arn:aws:iam::aws:policy/PowerUserAccess\"}\n\
    delivery: {format: parquet, expire_days: 30, versioning: true}\n\
    handler: {reserved_concurrency: 5}\n\
    webhook: {allow_cidrs: [192.0.2.0/24], access_log: true}\n\
    monitoring: {alarms: true, emails: [on-call@example.com], dashboard: true}\n";

/// The pipeline's name, and that of most of its resources.
const NAME: &str = "it-drift";

/// Fields that the table need not have.
const OTHERS: [(&str, &str); 13] = [
    // What is not tagged as ours is foreign, not drifted: `foreign.rs`.
    ("", "tags.managed-by"),
    ("", "tags.split-pipeline"),
    // Nobody can move a role: it would be another one.
    ("delivery_role", "path"),
    ("function_role", "path"),
    // A stage of another name is another stage: `every_key.rs`.
    ("stage", "name"),
    // MiniStack cannot change these, but the other emulator can: `second_emulator.rs`.
    ("stream", "mode"),
    ("rest_api", "binary_media_types"),
    ("rest_api", "endpoint"),
    // Neither can change or describe these. A unit test of `rest_api/patch.rs` holds the first; no test holds the second.
    ("rest_api", "disable_execute_api_endpoint"),
    // It takes these, but does not describe them: `stream/tests.rs`.
    ("stream", "shard_metrics"),
    // It keeps no copy of what was deployed: `stage/deployed.rs`.
    ("stage", "deployed_elsewhere"),
    // It describes no time zone: `delivery_stream/tests.rs`.
    ("delivery_stream", "time_zone"),
    ("delivery_stream", "file_extension"),
];

/// One thing that somebody does by hand.
struct Drift<'a> {
    /// The resource that it is done to.
    kind: &'static str,
    /// The fields that are then different.
    fields: Vec<&'static str>,
    /// The calls that repair it; `*` stands for any id.
    repair: Vec<&'static str>,
    change: Pin<Box<dyn Future<Output = ()> + 'a>>,
}

impl<'a> Drift<'a> {
    fn new(
        kind: &'static str,
        fields: impl Into<Vec<&'static str>>,
        repair: impl Into<Vec<&'static str>>,
        change: impl Future<Output = ()> + 'a,
    ) -> Self {
        Self { kind, fields: fields.into(), repair: repair.into(), change: Box::pin(change) }
    }
}

/// Whoever changes things by hand.
struct Somebody {
    bucket: bucket::Clients,
    data: data::Clients,
    catalog: catalog::Clients,
    roles: roles::Clients,
    function: function::Clients,
    api: api::Clients,
    stage: stage::Clients,
    monitoring: monitoring::Clients,
}

impl Somebody {
    async fn new(config: &SdkConfig) -> Self {
        let api = api::Clients::new(config).await;
        Self {
            bucket: bucket::Clients::new(config),
            data: data::Clients::new(config),
            catalog: catalog::Clients::new(config),
            roles: roles::Clients::new(config),
            function: function::Clients::new(config),
            stage: stage::Clients::new(config, &api.api),
            api,
            monitoring: monitoring::Clients::new(config),
        }
    }

    fn drifts(&self) -> Vec<Drift<'_>> {
        let mut drifts = self.bucket.drifts();
        drifts.extend(self.data.drifts());
        drifts.extend(self.catalog.drifts());
        drifts.extend(self.roles.drifts());
        drifts.extend(self.function.drifts());
        drifts.extend(self.api.drifts());
        drifts.extend(self.stage.drifts());
        drifts.extend(self.monitoring.drifts());
        drifts
    }
}

/// Every field that a plan names for what is not there, as kind and path.
fn every_field(plan: &Value) -> BTreeSet<(String, String)> {
    let changes = plan["changes"].as_array().unwrap();
    let fields = changes.iter().flat_map(|change| {
        let kind = change["kind"].as_str().unwrap();
        let fields = change["fields"].as_array().unwrap().iter();
        fields.map(move |field| (kind.to_owned(), field["path"].as_str().unwrap().to_owned()))
    });
    fields.collect()
}

/// The drift that a status reports, as kind and path.
fn drift(status: &Value) -> BTreeSet<(String, String)> {
    let resources = status["resources"].as_array().unwrap();
    let fields = resources.iter().flat_map(|resource| {
        let kind = resource["kind"].as_str().unwrap();
        let fields = resource["drift"].as_array().unwrap().iter();
        fields.map(move |field| (kind.to_owned(), field["path"].as_str().unwrap().to_owned()))
    });
    fields.collect()
}

fn is_meant(pattern: &str, call: &str) -> bool {
    let mut rest = call;
    let mut parts = pattern.split('*');
    let start = parts.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(start) else {
        return false;
    };
    rest = after;
    for part in parts {
        // An id has no slash.
        let id = rest.find(['/', '?']).unwrap_or(rest.len());
        let Some(after) = rest[id..].strip_prefix(part) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty()
}

/// Insists that nothing is wrong after an `up`, once the gap is copied that a replaced delivery stream leaves.
fn is_healthy(proxy: &Proxy, up: &Outcome) {
    if up.stderr.contains("replay --stream") {
        let copy = ["replay", "--stream", "--since", "1h"];
        proxy.local(SPEC, copy).exits_with(0);
    }
    proxy.local(SPEC, ["status"]).exits_with(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_field_that_is_changed_by_hand_is_named_and_repaired() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let plan = proxy.local(SPEC, ["plan", "--output", "json"]).exits_with(0);
    let mut untested = every_field(&plan.json());
    untested.retain(|(kind, path)| {
        !OTHERS.iter().any(|(other, field)| path == field && (other.is_empty() || kind == other))
    });
    proxy.local(SPEC, ["up"]).exits_with(0);

    let somebody = Somebody::new(&config).await;
    let rows = somebody.drifts();
    let mut failures = Vec::new();
    for row in rows {
        row.change.await;
        let about = format!("{} {:?}", row.kind, row.fields);
        let status = proxy.local(SPEC, ["status", "--output", "json"]).outcome();
        let drifted = drift(&status.json());
        let want = row.fields.iter().map(|path| {
            let (kind, path) = path.split_once(": ").unwrap_or((row.kind, path));
            (kind.to_owned(), path.to_owned())
        });
        let want: BTreeSet<_> = want.collect();
        if (status.code, &drifted) != (3, &want) {
            failures.push(format!("{about}: `status` exits {} and says {drifted:?}", status.code));
        }
        untested.retain(|(kind, path)| {
            // A list's own field covers the fields of its elements, and the other way round.
            !want.iter().any(|(other, field)| {
                kind == other && (field == path || field.starts_with(&format!("{path}[")))
            })
        });

        proxy.take_calls();
        let up = proxy.local(SPEC, ["up", "--yes"]).exits_with(0);
        let repair = proxy.take_changes();
        let meant = repair.len() == row.repair.len()
            && repair.iter().zip(&row.repair).all(|(call, want)| is_meant(want, call));
        if !meant {
            failures.push(format!("{about}: `up` called {repair:?}\n{}", up.stderr));
        }
        is_healthy(&proxy, &up);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(untested.is_empty(), "nobody changed {untested:#?}");
}
