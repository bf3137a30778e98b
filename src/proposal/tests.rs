//! Every change after which data that exists now may be deleted or become unreadable has to be confirmed.

use std::collections::BTreeSet;

use crate::pipeline::{Desired, testing};
use crate::resources::bucket::Lifecycle;
use crate::spec::Spec;

/// Which data is there, and what somebody did to the pipeline besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum World {
    /// Objects under the prefix that is to expire, and old log lines.
    Data,
    /// No object, and new log groups.
    Empty,
    /// Like `Data`, and somebody removed what expires objects and log lines.
    NothingExpires,
    /// Like `Empty`, as a first `up` leaves it that was interrupted.
    Unfinished,
}

/// A change, and what is asked about it; nothing where the text is empty.
struct Case {
    key: &'static str,
    from: &'static str,
    to: &'static str,
    world: World,
    asked: &'static str,
}

const fn case(
    key: &'static str,
    from: &'static str,
    to: &'static str,
    world: World,
    asked: &'static str,
) -> Case {
    Case { key, from, to, world, asked }
}

use World::{Data, Empty, NothingExpires, Unfinished};

const OWN_KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000";

const CASES: &[Case] = &[
    case("delivery.expire_days", "{}", "{expire_days: 30}", Data, "older than 30 days"),
    case("delivery.expire_days", "{expire_days: 30}", "{expire_days: 7}", Data, "older than 7 days"),
    case("delivery.expire_days", "{expire_days: 30}", "{expire_days: 7}", Empty, "older than 7 days"),
    case("delivery.expire_days", "{expire_days: 7}", "{expire_days: 30}", Data, ""),
    case("delivery.expire_days", "{expire_days: 7}", "{}", Data, ""),
    case("delivery.expire_days", "{expire_days: 7}", "{expire_days: 7}", Data, ""),
    case("delivery.expire_days", "{expire_days: 7}", "{expire_days: 7}", NothingExpires, "older than 7 days"),
    case("delivery.expire_days", "{expire_days: 7}", "{expire_days: 7}", Unfinished, ""),
    case("delivery.prefix", "{expire_days: 7}", "{expire_days: 7, prefix: views/}", Data, "under views/"),
    case("delivery.prefix", "{expire_days: 7, prefix: a/}", "{expire_days: 7, prefix: a/b/}", Data, ""),
    case(
        "delivery.prefix",
        "{expire_days: 7, prefix: a/b/}",
        "{expire_days: 7, prefix: a/}",
        Data,
        "under a/",
    ),
    case("delivery.prefix", "{expire_days: 7, prefix: a/}", "{prefix: b/}", Data, ""),
    case(
        "delivery.prefix",
        "{format: parquet, prefix: a/}",
        "{format: parquet, prefix: b/}",
        Data,
        "no longer reads them",
    ),
    case(
        "delivery.prefix",
        "{format: parquet, prefix: 'a/dt=!{timestamp:yyyy-MM-dd}/'}",
        "{format: parquet, prefix: 'a/day=!{timestamp:yyyy-MM-dd}/'}",
        Data,
        "partitions change",
    ),
    case("delivery.format", "{}", "{format: parquet}", Data, "no table can read both"),
    case("delivery.format", "{format: parquet}", "{}", Data, "no table can read both"),
    case("delivery.format", "{prefix: a/}", "{format: parquet, prefix: b/}", Data, ""),
    case("delivery.bucket", "{}", "{bucket: elsewhere}", Data, "delivers to arn:aws:s3:::elsewhere"),
    case(
        "stream.retention_hours",
        "{retention_hours: 48}",
        "{retention_hours: 24}",
        Data,
        "from 48 to 24 hours",
    ),
    case("stream.retention_hours", "{retention_hours: 24}", "{retention_hours: 48}", Data, ""),
    case("stream.encryption", "{encryption: OWN}", "{encryption: none}", Data, "may not use any more"),
    case("stream.encryption", "{encryption: OWN}", "{}", Data, "may not use any more"),
    case("stream.encryption", "{}", "{encryption: OWN}", Data, ""),
    case("stream.shards", "{shards: 4}", "{shards: 2}", Data, "from 4 to 2 shards"),
    case("stream.shards", "{shards: 2}", "{shards: 4}", Data, ""),
    case("stream.mode", "{mode: on_demand}", "{}", Data, "shrinks"),
    case("stream.mode", "{}", "{mode: on_demand}", Data, ""),
    case(
        "handler.log_retention_days",
        "{log_retention_days: 30}",
        "{log_retention_days: 7}",
        Data,
        "older than 7 days",
    ),
    case("handler.log_retention_days", "{log_retention_days: 7}", "{log_retention_days: 30}", Data, ""),
    case("handler.log_retention_days", "{}", "{}", NothingExpires, "older than 14 days"),
    case("handler.log_retention_days", "{}", "{}", Unfinished, ""),
    case("handler.fields", "{fields: [key, split, label]}", "{fields: [key, split]}", Data, ""),
];

/// Keys after whose change existing data stays where it is, as long, and as readable.
const HARMLESS: [&str; 27] = [
    "delivery.buffer_mib",
    "delivery.buffer_seconds",
    // Each object is named and compressed by itself.
    "delivery.compression",
    // Existing objects keep their own encryption.
    "delivery.encryption",
    "delivery.error_prefix",
    // The bucket is no longer changed, or is not the pipeline's and refused.
    "delivery.existing_bucket",
    // Existing versions stay when it is suspended.
    "delivery.versioning",
    "handler.architecture",
    "handler.memory_mib",
    "handler.record_kib",
    "handler.reserved_concurrency",
    "handler.timeout_seconds",
    "iam.permissions_boundary",
    "iam.role_path",
    "monitoring.alarms",
    "monitoring.dashboard",
    "monitoring.emails",
    "monitoring.quiet_minutes",
    "monitoring.topic_arn",
    // Another pipeline.
    "name",
    "protect",
    "region",
    "tags",
    "webhook.access_log",
    "webhook.allow_cidrs",
    "webhook.burst_limit",
    "webhook.rate_limit",
];

/// Keys that change the URL and no data; they are asked about for that.
const OF_THE_URL: [&str; 2] = ["webhook.secret_path", "webhook.stage"];

fn desired(key: &str, section: &str) -> Desired {
    let (section_name, _) = key.split_once('.').unwrap();
    let section = section.replace("OWN", OWN_KEY);
    testing::desired(&format!("name: abc\n{section_name}: {section}\n"))
}

/// What is asked when a pipeline goes from one state to another.
fn asked(from: &Desired, to: &Desired, world: World) -> String {
    let (mut bucket, stream) = (from.bucket.state.clone(), from.stream.state.clone());
    let mut logs = from.function_log_group.state.clone();
    bucket.holds_expirable = matches!(world, Data | NothingExpires);
    logs.age_days = Some(if bucket.holds_expirable { 400 } else { 0 });
    if matches!(world, NothingExpires | Unfinished) {
        bucket.lifecycle = Lifecycle::default();
        logs.retention_days = None;
    }
    let cautions = [
        to.bucket.caution(&bucket),
        to.stream.caution(&stream),
        to.function_log_group.caution(&logs),
        to.delivery_log_group.caution(&logs),
        to.delivery_stream.caution(&from.delivery_stream.state),
        to.table
            .is_wanted()
            .then(|| to.table.caution(&from.table.state))
            .flatten()
            .filter(|_| from.table.is_wanted()),
    ];
    cautions.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

#[test]
fn what_may_delete_or_hide_existing_data_is_asked_about() {
    for Case { key, from, to, world, asked: want } in CASES {
        let have = asked(&desired(key, from), &desired(key, to), *world);
        let fits = if want.is_empty() { have.is_empty() } else { have.contains(want) };
        assert!(fits, "{key}: {from} -> {to}, {world:?}: asks {have:?}, not {want:?}");
    }
}

#[test]
fn a_column_that_goes_hides_what_existing_objects_have_in_it() {
    let to = desired("delivery.format", "{format: parquet}");
    let mut had = to.table.state.clone();
    assert_eq!(to.table.caution(&had), None);
    had.columns[0].name = "older".to_owned();
    assert!(to.table.caution(&had).unwrap().contains("no longer reads older"));
}

#[test]
fn every_key_is_in_the_table_or_known_to_be_harmless() {
    let mut have: BTreeSet<_> = CASES.iter().map(|case| case.key.to_owned()).collect();
    have.extend(HARMLESS.into_iter().chain(OF_THE_URL).map(str::to_owned));
    let keys: BTreeSet<_> = Spec::keys().into_iter().map(|(key, _)| key).collect();
    assert_eq!(have, keys);
}
