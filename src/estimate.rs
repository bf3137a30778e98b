//! What a rate of impressions needs, and costs a month: shards, headroom to every limit, objects, money by service.
//!
//! Pure: values in, values out. Owns the limits and the prices, each with its source.

use serde::Serialize;

use crate::resources::alarm;
use crate::spec::{Architecture, Format, MAX_SHARDS, Spec, StreamMode};

mod price;

/// An impression as Split sends it, with the end of its line.
pub const IMPRESSION_BYTES: f64 = 371.0;

/// How often Split posts, for each environment (Harness: "Webhook for Impressions").
pub const POST_EVERY_SECONDS: f64 = 10.0;

/// A shard (Kinesis, "Quotas and limits").
const SHARD_BYTES: f64 = 1e6;
const SHARD_RECORDS: f64 = 1000.0;

/// A new on-demand stream (Kinesis, "Choose the data stream capacity mode").
const ON_DEMAND_BYTES: f64 = 4e6;
const ON_DEMAND_RECORDS: f64 = 4000.0;

/// Impressions that fit Lambda's 6 MB request as plain JSON, should API Gateway have inflated the body: base64 and the
/// rest of the event leave some 4.4 MB.
const POST_IMPRESSIONS: f64 = 4.4e6 / IMPRESSION_BYTES;

/// Executions at once that an account has at first (Lambda, "Quotas").
const LAMBDA_CONCURRENCY: f64 = 1000.0;

/// What a second of one whole processor handles, and the memory that brings one (measured; Lambda, "Configure memory").
const IMPRESSIONS_A_PROCESSOR_SECOND: f64 = 0.97e6;
const PROCESSOR_MIB: f64 = 1769.0;

const WAITING_SECONDS: f64 = 0.02;

const LOG_BYTES: f64 = 900.0;

const GZIP: f64 = 10.0;

const MONTH_HOURS: f64 = 730.0;
const MONTH_SECONDS: f64 = MONTH_HOURS * 3600.0;
pub const DAY_SECONDS: f64 = 86_400.0;
const DAY_HOURS: f64 = 24.0;
const WEEK_HOURS: f64 = 168.0;
const KIB: f64 = 1024.0;
const GB: f64 = 1e9;

/// Metrics of the function's log (the handler's, by function).
const METRICS: f64 = 10.0;

/// What a rate of impressions needs and costs.
#[derive(Debug, Serialize)]
pub struct Estimate {
    pub per_second: f64,
    /// Impressions in a month of 730 hours.
    pub impressions_a_month: f64,
    /// Impressions in each post: every 10 seconds for each environment, or as the pipeline receives them.
    pub impressions_a_post: f64,
    pub sizing: Sizing,
    /// Objects that are written to S3 in a day.
    pub objects_per_day: f64,
    pub limits: Vec<Headroom>,
    pub problems: Vec<String>,
    pub monthly: Vec<Cost>,
    pub total_packed: f64,
    pub total_unpacked: f64,
    pub prices: Prices,
}

#[derive(Debug, Serialize)]
pub struct Sizing {
    pub shards_needed: f64,
    /// Shards that the spec has; absent where AWS sees to them.
    pub shards: Option<u32>,
    pub mode: StreamMode,
    /// Whether the same in `on_demand` mode costs less than so many shards.
    pub on_demand_is_cheaper: bool,
}

#[derive(Debug, Serialize)]
pub struct Headroom {
    pub limit: String,
    pub used: f64,
    pub allowed: f64,
    pub share: f64,
    pub remedy: &'static str,
}

#[derive(Debug, Serialize)]
pub struct Cost {
    pub service: &'static str,
    pub packed: f64,
    pub unpacked: f64,
}

#[derive(Debug, Serialize)]
pub struct Prices {
    pub region: &'static str,
    pub as_of: &'static str,
    pub source: &'static str,
}

#[derive(Clone, Copy, Debug)]
struct RecordRate {
    rate: f64,
    bytes: f64,
}

impl RecordRate {
    fn of(per_second: f64, record_kib: u32) -> Self {
        let size = f64::from(record_kib) * KIB;
        let together = (size / IMPRESSION_BYTES).floor().max(1.0);
        // A record is not longer than what comes in one post.
        let together = together.min((per_second * POST_EVERY_SECONDS).max(1.0));
        Self { rate: per_second / together, bytes: together * IMPRESSION_BYTES }
    }

    fn rounded_gb_a_month(self, step: f64) -> f64 {
        (self.bytes / step).ceil() * step * self.rate * MONTH_SECONDS / GB
    }
}

/// What a rate of impressions, and of the posts that they come in, a second, needs and costs with this spec.
pub fn estimate(spec: &Spec, per_second: f64, posts: f64) -> Estimate {
    let record_kib = spec.handler.record_kib.get();
    let (packed, unpacked) = (RecordRate::of(per_second, record_kib.max(1)), RecordRate::of(per_second, 0));
    let records = if record_kib == 0 { unpacked } else { packed };
    // Nothing is posted without an impression.
    let posts = posts.min(per_second);
    let post = per_second / posts;
    let objects_per_day = objects_a_day(spec, per_second);
    let needed = shards(records);
    let monthly = costs(spec, per_second, posts, post, objects_per_day, packed, unpacked);
    let limits = limits(spec, needed, records, posts, post);
    Estimate {
        per_second,
        impressions_a_month: per_second * MONTH_SECONDS,
        impressions_a_post: post,
        sizing: Sizing {
            shards_needed: needed,
            shards: provisioned(spec),
            mode: spec.stream.mode,
            on_demand_is_cheaper: on_demand(spec, records) < provisioned_cost(spec, needed, records),
        },
        objects_per_day,
        problems: problems(&limits),
        limits,
        total_packed: monthly.iter().map(|cost| cost.packed).sum(),
        total_unpacked: monthly.iter().map(|cost| cost.unpacked).sum(),
        monthly,
        prices: Prices { region: price::REGION, as_of: price::AS_OF, source: price::SOURCE },
    }
}

fn provisioned(spec: &Spec) -> Option<u32> {
    (spec.stream.mode == StreamMode::Provisioned).then(|| spec.stream.shards())
}

fn shards(records: RecordRate) -> f64 {
    let by_bytes = records.rate * records.bytes / SHARD_BYTES;
    let by_count = records.rate / SHARD_RECORDS;
    by_bytes.max(by_count).ceil().max(1.0)
}

/// How many objects Firehose writes a day: each time the buffer is full, or its time is over.
fn objects_a_day(spec: &Spec, per_second: f64) -> f64 {
    let buffer_bytes = f64::from(spec.delivery.buffer_mib.get()) * KIB * KIB;
    let full_after = buffer_bytes / (per_second * IMPRESSION_BYTES);
    // With no time to wait, Firehose writes about once a second; and never more often than something comes in.
    let time = f64::from(spec.delivery.buffer_seconds.get()).max(1.0);
    let every = full_after.min(time).max((1.0 / per_second).min(DAY_SECONDS));
    (DAY_SECONDS / every).ceil()
}

/// What it costs that a stream of so many shards, where it has any to choose, keeps records for more than a day.
fn retention(mode: StreamMode, spec: &Spec, records: RecordRate, shards: f64) -> f64 {
    let hours = f64::from(spec.stream.retention_hours.get());
    let kept_gb =
        |from: f64, to: f64| (hours.min(to) - from).max(0.0) * 3600.0 * records.rate * records.bytes / GB;
    let extended = match mode {
        StreamMode::OnDemand => kept_gb(DAY_HOURS, WEEK_HOURS) * price::EXTENDED_GB_MONTH,
        StreamMode::Provisioned if hours > DAY_HOURS => shards * MONTH_HOURS * price::EXTENDED_SHARD_HOUR,
        StreamMode::Provisioned => 0.0,
    };
    extended + kept_gb(WEEK_HOURS, f64::INFINITY) * price::LONG_TERM_GB_MONTH
}

/// Shards by the hour, what is put into them, and what they keep.
fn provisioned_cost(spec: &Spec, shards: f64, records: RecordRate) -> f64 {
    let units = (records.bytes / (25.0 * KIB)).ceil() * records.rate * MONTH_SECONDS / 1e6;
    shards * MONTH_HOURS * price::SHARD_HOUR
        + units * price::PUT_UNITS
        + retention(StreamMode::Provisioned, spec, records, shards)
}

fn on_demand(spec: &Spec, records: RecordRate) -> f64 {
    let gb = records.rounded_gb_a_month(KIB);
    MONTH_HOURS * price::ON_DEMAND_HOUR
        + gb * (price::ON_DEMAND_IN_GB + price::ON_DEMAND_OUT_GB)
        + retention(StreamMode::OnDemand, spec, records, 0.0)
}

fn costs(
    spec: &Spec,
    per_second: f64,
    posts: f64,
    post: f64,
    objects_per_day: f64,
    packed: RecordRate,
    unpacked: RecordRate,
) -> Vec<Cost> {
    let stream = |records: RecordRate| match spec.stream.mode {
        StreamMode::OnDemand => on_demand(spec, records),
        StreamMode::Provisioned => {
            let shards = shards(records).max(f64::from(spec.stream.shards()));
            provisioned_cost(spec, shards, records)
        }
    };
    let both = |service, cost: f64| Cost { service, packed: cost, unpacked: cost };
    let posts_a_month = posts * MONTH_SECONDS / 1e6;
    let memory_gb = f64::from(spec.handler.memory_mib.get()) / KIB;
    let gb_second = match spec.handler.architecture {
        Architecture::X86_64 => price::LAMBDA_X86_GB_SECOND,
        Architecture::Arm64 => price::LAMBDA_ARM_GB_SECOND,
    };
    let busy = posts * invocation_seconds(spec, post) * MONTH_SECONDS;
    let stored_gb = per_second * IMPRESSION_BYTES * MONTH_SECONDS / GZIP / GB;
    let log_gb = posts * LOG_BYTES * MONTH_SECONDS / GB;
    vec![
        both("API Gateway", posts_a_month * price::API_REQUESTS),
        both("Lambda", posts_a_month * price::LAMBDA_REQUESTS + busy * memory_gb * gb_second),
        Cost { service: "Kinesis", packed: stream(packed), unpacked: stream(unpacked) },
        Cost { service: "Firehose", packed: delivery(spec, packed), unpacked: delivery(spec, unpacked) },
        // What came in during a month stays; each month adds as much again.
        both(
            "S3",
            objects_per_day * MONTH_HOURS / 24.0 / 1000.0 * price::S3_PUTS + stored_gb * price::S3_GB_MONTH,
        ),
        both("CloudWatch", log_gb * price::LOGS_GB + METRICS * price::METRIC + watching(spec)),
    ]
}

/// What is delivered, each record rounded up, and converted if the spec asks for that.
fn delivery(spec: &Spec, records: RecordRate) -> f64 {
    let conversion = match spec.delivery.format {
        Format::Json => 0.0,
        Format::Parquet => price::CONVERSION_GB,
    };
    records.rounded_gb_a_month(5.0 * KIB) * (price::FIREHOSE_GB + conversion)
}

/// Alarms and dashboard; the first ten alarms and three dashboards of an account are free, which others may have used.
fn watching(spec: &Spec) -> f64 {
    let alarms = u32::try_from(alarm::wanted(spec)).map_or(0.0, f64::from);
    let dashboards = if spec.monitoring.dashboard { 1.0 } else { 0.0 };
    alarms * price::ALARM + dashboards * price::DASHBOARD
}

fn invocation_seconds(spec: &Spec, post: f64) -> f64 {
    let processors = f64::from(spec.handler.memory_mib.get()) / PROCESSOR_MIB;
    WAITING_SECONDS + post / (IMPRESSIONS_A_PROCESSOR_SECOND * processors.min(1.0))
}

fn headroom(limit: impl Into<String>, used: f64, allowed: f64, remedy: &'static str) -> Headroom {
    Headroom { limit: limit.into(), used, allowed, share: used / allowed, remedy }
}

fn limits(spec: &Spec, needed: f64, records: RecordRate, posts: f64, post: f64) -> Vec<Headroom> {
    let mut limits = stream_limits(spec, records);
    let seconds = invocation_seconds(spec, post);
    let reserved = spec.handler.reserved_concurrency.map(|it| f64::from(it.get()));
    limits.extend([
        headroom(
            "shards that this takes, of those that a spec may have",
            needed,
            f64::from(MAX_SHARDS),
            "here the design ends: a pipeline for each group of environments",
        ),
        headroom(
            "impressions in a post, of those that fit Lambda's 6 MB",
            post,
            POST_IMPRESSIONS.floor(),
            "a pipeline, and so a webhook, for each environment: Split posts those apart (`--environments` says how many there are)",
        ),
        headroom(
            "posts a second, of `webhook.rate_limit`",
            posts,
            f64::from(spec.webhook.rate_limit.get()),
            "a higher `webhook.rate_limit`",
        ),
        headroom(
            "invocations at once",
            posts * seconds,
            reserved.unwrap_or(LAMBDA_CONCURRENCY),
            "a higher `handler.reserved_concurrency`, or Lambda quota",
        ),
        headroom(
            "seconds that a batch takes, of `handler.timeout_seconds`",
            seconds,
            f64::from(spec.handler.timeout_seconds.get()),
            "more `handler.memory_mib`, which brings processor time",
        ),
    ]);
    limits
}

fn stream_limits(spec: &Spec, records: RecordRate) -> Vec<Headroom> {
    let more = "more `stream.shards`, or `stream.mode: on_demand` whose capacity follows the traffic";
    let (bytes, count, name) = match provisioned(spec).map(f64::from) {
        Some(shards) => (shards * SHARD_BYTES, shards * SHARD_RECORDS, "stream.shards"),
        None => (ON_DEMAND_BYTES, ON_DEMAND_RECORDS, "a new on-demand stream"),
    };
    vec![
        headroom(format!("bytes a second into {name}"), records.rate * records.bytes, bytes, more),
        headroom(format!("records a second into {name}"), records.rate, count, more),
    ]
}

fn problems(limits: &[Headroom]) -> Vec<String> {
    let over = limits.iter().filter(|limit| limit.share > 1.0);
    over.map(|over| format!("{}: {}", over.limit, over.remedy)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, per_second: f64) -> Estimate {
        estimate(&Spec::parse(text, "s.yaml").unwrap().spec, per_second, 0.1)
    }

    fn cost<'a>(estimate: &'a Estimate, service: &str) -> &'a Cost {
        estimate.monthly.iter().find(|cost| cost.service == service).unwrap()
    }

    #[track_caller]
    fn near(have: f64, want: f64) {
        assert!((have - want).abs() <= want * 0.01, "{have}, not {want}");
    }

    /// Worked out by hand: a month has 730 h = 2,628,000 s.
    #[test]
    fn a_hundred_a_second() {
        let estimate = of("name: abc", 100.0);
        near(estimate.impressions_a_month, 262.8e6);
        near(estimate.sizing.shards_needed, 1.0);
        // 37 kB a second fill no 64 MiB in 300 s.
        near(estimate.objects_per_day, 288.0);
        assert!(estimate.problems.is_empty(), "{:?}", estimate.problems);
        // A post of 1,000 every 10 s: 262,800 posts at $3.50 a million.
        near(cost(&estimate, "API Gateway").packed, 0.92);
        // One shard $10.95; 276 impressions a record of 102,396 bytes: 952,174 records of 4 units = 3.81 M.
        near(cost(&estimate, "Kinesis").packed, 10.95 + 3.81 * 0.014);
        near(cost(&estimate, "Kinesis").unpacked, 10.95 + 262.8 * 0.014);
        // 20 times 5 KiB a record: 97.5 GB. Unpacked, 5 KiB an impression: 1,345.5 GB.
        near(cost(&estimate, "Firehose").packed, 97.5 * 0.029);
        near(cost(&estimate, "Firehose").unpacked, 1345.5 * 0.029);
        // 262,800 requests; 20 ms + 1,000 / 140,373 s each, of a quarter GB.
        near(cost(&estimate, "Lambda").packed, 0.0526 + 262_800.0 * 0.027_12 * 0.25 * 0.000_016_666_7);
        // 8,760 objects; 97.5 GB of text are 9.75 GB.
        near(cost(&estimate, "S3").packed, 0.0438 + 9.75 * 0.023);
    }

    #[test]
    fn what_the_stream_keeps_beyond_a_day_is_in_the_price() {
        let cost = |stream: &str| {
            let spec = format!("name: abc\nstream: {{{stream}}}");
            cost(&of(&spec, 1000.0), "Kinesis").packed
        };
        let without = cost("");
        near(cost("retention_hours: 72") - without, 730.0 * 0.02);
        // 371 KB a second: 1.336 GB an hour, for the 24 hours after a week.
        near(cost("retention_hours: 192") - without, 14.6 + 32.05 * 0.023);
        let without = cost("mode: on_demand");
        near(cost("mode: on_demand, retention_hours: 72") - without, 64.1 * 0.10);
    }

    #[test]
    fn conversion_is_in_the_price() {
        // 97.5 GB packed and 1,345.5 GB unpacked, as above.
        let parquet = of("name: abc\ndelivery: {format: parquet}", 100.0);
        near(cost(&parquet, "Firehose").packed, 97.5 * 0.047);
        near(cost(&parquet, "Firehose").unpacked, 1345.5 * 0.047);
    }

    #[test]
    fn alarms_and_a_dashboard_are_in_the_price() {
        let cost = |monitoring: &str| {
            let spec = format!("name: abc\nmonitoring: {{{monitoring}}}");
            cost(&of(&spec, 100.0), "CloudWatch").packed
        };
        let without = cost("");
        near(cost("alarms: true, dashboard: true") - without, 3.8);
        near(cost("alarms: true, quiet_minutes: null") - without, 0.7);
    }

    #[test]
    fn ten_thousand_a_second() {
        let estimate = of("name: abc\nstream: {shards: 4}", 10_000.0);
        // 3.71 MB a second.
        near(estimate.sizing.shards_needed, 4.0);
        near(estimate.limits[0].share, 3.71 / 4.0);
        // 64 MiB are full after 18.1 s.
        near(estimate.objects_per_day, 4777.0);
        // 100,000 impressions in a post are nine times what fits.
        assert_eq!(estimate.problems.len(), 1, "{:?}", estimate.problems);
        assert!(estimate.problems[0].contains("for each environment"));
        // Four shards; 36.23 records a second of 4 units.
        near(cost(&estimate, "Kinesis").packed, 43.8 + 380.9 * 0.014);
        // Ten shards, by the count of records.
        near(cost(&estimate, "Kinesis").unpacked, 109.5 + 26_280.0 * 0.014);
    }

    #[test]
    fn a_million_a_second_is_where_the_design_ends() {
        let estimate = of("name: abc\nstream: {shards: 500}", 1e6);
        near(estimate.sizing.shards_needed, 371.0);
        assert!(estimate.problems.iter().any(|it| it.contains("6 MB")), "{:?}", estimate.problems);
        let estimate = of("name: abc\nstream: {shards: 500}\nhandler: {record_kib: 0}", 1e6);
        near(estimate.sizing.shards_needed, 1000.0);
        assert!(estimate.problems.iter().any(|it| it.contains("the design ends")), "{:?}", estimate.problems);
    }

    #[test]
    fn on_demand_has_limits_and_prices_of_its_own() {
        let estimate = of("name: abc\nstream: {mode: on_demand}", 100.0);
        assert_eq!(estimate.sizing.shards, None);
        // $29.20 for the stream; 97.5 GB in and out, packed.
        near(cost(&estimate, "Kinesis").packed, 29.2 + 97.5 * 0.12);
        // 1 KiB an impression.
        near(cost(&estimate, "Kinesis").unpacked, 29.2 + 269.1 * 0.12);
        assert!(!estimate.sizing.on_demand_is_cheaper);
        let much = of("name: abc\nstream: {mode: on_demand}", 20_000.0);
        assert!(much.problems.iter().any(|it| it.contains("bytes a second")), "{:?}", much.problems);
    }
}
