//! The spec: what a user may write, as types that hold only what is allowed.
//!
//! Owns the spec's keys, their defaults and rules, its JSON Schema, and the diagnosis of a text that breaks them. It is
//! the only place that knows YAML. It must not know ARNs of what the pipeline makes, derive names, or do IO.
//!
//! The serde types here are the one definition of the schema: parsing, diagnosis, defaults, serialization and the JSON
//! Schema follow from them. The doc comments of keys are what an editor shows, so they are written for users.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use split_pipeline_handler::settings::{DEFAULT_RECORD_KIB, MAX_RECORD_KIB};

mod access;
mod bounded;
mod diagnose;
mod ephemeral;
mod fault;
mod lists;
mod monitoring;
mod prefix;
mod problem;
mod section;
mod text;
mod tree;
mod values;
mod yaml;

#[cfg(test)]
mod tests;

pub use access::{BucketEncryption, PolicyArn, RolePath, StreamEncryption};
pub use bounded::{Bounded, LogRetentionDays};
pub use diagnose::{IMPRESSION_FIELDS, Parsed};
use diagnose::{PARQUET_BUFFER_MIB, ReservedName};
pub use ephemeral::RUN_BYTES;
pub use lists::{FieldsSpec, GAPS_TAG, OWNERSHIP_TAGS, UserTags};
pub use monitoring::{Email, Monitoring, TopicArn};
pub use prefix::{ErrorPrefix, Prefix};
pub use problem::{SpecError, SpecProblem};
use section::section;
pub use values::{BucketName, Cidr, LONGEST_NAME, Name, Region, StageName, is_account, is_partition};
pub use yaml::MAX_BYTES;

/// The most shards that a spec takes.
pub const MAX_SHARDS: u32 = 500;

/// The shards of a spec that asks for none.
const DEFAULT_SHARDS: u32 = 1;

/// A whole spec: what one pipeline is to look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "keys and values, such as `name: my-impressions`")]
pub struct Spec {
    /// The pipeline's name: 3 to 32 of a-z, 0-9 and -, starting with a letter. Resources are named after it: another name is
    /// another pipeline.
    pub name: Name,
    /// The AWS region. Default: the AWS configuration's. `--region` wins over both.
    #[serde(default)]
    pub region: Option<Region>,
    /// Tags put on everything that takes tags. Example: `{ team: growth }`.
    #[serde(default)]
    pub tags: UserTags,
    /// Whether `down` refuses to delete anything.
    #[serde(default)]
    pub protect: bool,
    /// The roles that the pipeline makes.
    #[serde(default)]
    pub iam: Iam,
    /// The Kinesis stream that impressions go through. Other consumers can read it, too.
    #[serde(default)]
    pub stream: StreamSpec,
    /// The delivery of impressions into S3.
    #[serde(default)]
    pub delivery: DeliverySpec,
    /// The Lambda function that takes impressions from the webhook.
    #[serde(default)]
    pub handler: Handler,
    /// The URL that Split posts to.
    #[serde(default)]
    pub webhook: WebhookSpec,
    /// What watches over the pipeline: alarms, who is told of them, a dashboard. Each alarm costs about $0.10 a month, a
    /// dashboard $3 beyond your first three.
    #[serde(default)]
    pub monitoring: Monitoring,
}

section! {
    /// The roles that the pipeline makes.
    pub struct Iam, such as "keys and values, such as `role_path: /pipelines/`" {
        /// The ARN of a policy that bounds what the roles may do, where your account asks for one. Default: none.
        pub permissions_boundary: Option<PolicyArn> = None,
        /// The path of the roles, such as `/pipelines/`. Another path means other roles.
        pub role_path: RolePath = RolePath::default(),
    }
}

section! {
    /// The Kinesis stream.
    #[schemars(rename = "Stream")]
    pub struct StreamSpec, such as "keys and values, such as `shards: 1`" {
        /// How the stream's capacity is set: `provisioned` shards, or `on_demand` (dearer when small).
        pub mode: StreamMode = StreamMode::default(),
        // `None` after parsing in on-demand mode only.
        /// Provisioned only: the number of shards. Packed, one carries about 2,700 impressions a second.
        #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Bounded<1, MAX_SHARDS>", extend("default" = DEFAULT_SHARDS))]
        pub shards: Option<Bounded<1, MAX_SHARDS>> = Some(Bounded::of::<DEFAULT_SHARDS>()),
        /// How long the stream keeps impressions, in hours. Consumers can catch up for so long.
        pub retention_hours: Bounded<24, 8760> = Bounded::of::<24>(),
        /// How the stream is encrypted at rest: `aws_managed`, `none`, or a KMS key's ARN or alias.
        pub encryption: StreamEncryption = StreamEncryption::default(),
    }
}

/// How a stream's capacity is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StreamMode {
    /// A number of shards, paid by the hour.
    #[default]
    Provisioned,
    /// Capacity that follows the traffic.
    OnDemand,
}

section! {
    /// The delivery into S3.
    #[schemars(rename = "Delivery")]
    pub struct DeliverySpec, such as "keys and values, such as `compression: gzip`" {
        /// The bucket. Default: `<name>-<account>-<region>`.
        pub bucket: Option<BucketName> = None,
        /// True where the bucket is yours: it is then never created, changed or deleted.
        pub existing_bucket: bool = false,
        /// What delivered objects' keys start with; `!{timestamp:...}` is when the oldest impression of the object came in, in
        /// UTC. The date pattern is Java's. Athena and Spark read folders such as `dt=.../hour=.../` as partitions.
        pub prefix: Prefix = Prefix::default(),
        /// What the keys of undeliverable records start with; it must contain `!{firehose:error-output-type}`.
        pub error_prefix: ErrorPrefix = ErrorPrefix::default(),
        /// What delivered objects are: `json`, an impression a line, or `parquet`, which Firehose converts them to ($0.018 a GB)
        /// and queries read less of; the Glue table that it takes is made as well.
        pub format: Format = Format::default(),
        /// How delivered objects are compressed; `parquet`: within the objects, and not as `zip`.
        pub compression: Compression = Compression::default(),
        /// Deliver once this much has come together, in MiB; at least 64 where `format` is `parquet`. Larger objects cost less to
        /// keep and to query, but come later.
        pub buffer_mib: Bounded<1, 128> = Bounded::of::<PARQUET_BUFFER_MIB>(),
        /// Deliver at the latest after so many seconds.
        pub buffer_seconds: Bounded<0, 900> = Bounded::of::<300>(),
        /// How objects are encrypted: `s3_managed`, or a KMS key's ARN or alias. The roles may then use the key. An existing bucket
        /// is never changed, so name the key that it has.
        pub encryption: BucketEncryption = BucketEncryption::default(),
        /// Whether the bucket keeps the versions of objects that are overwritten or deleted.
        pub versioning: bool = false,
        /// Delete delivered objects after so many days. Default: never.
        pub expire_days: Option<Bounded<1, 36500>> = None,
    }
}

/// What delivered objects are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Format {
    /// NDJSON, as Split has sent it.
    #[default]
    Json,
    /// Apache Parquet, with a column for each field that there is a column for.
    Parquet,
}

/// How delivered objects are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Compression {
    /// `.gz` objects, which Athena, Spark and `zcat` read.
    #[default]
    Gzip,
    /// Snappy in Firehose's own framing.
    Snappy,
    /// A zip archive per object.
    Zip,
    /// Plain NDJSON.
    None,
}

section! {
    /// The Lambda function.
    pub struct Handler, such as "keys and values, such as `memory_mib: 256`" {
        /// The processor: `x86_64`, or `arm64` (20 % cheaper per ms). `--local` uses this machine's.
        pub architecture: Architecture = Architecture::default(),
        /// The function's memory, in MiB; processor time grows with it.
        pub memory_mib: Bounded<128, 10240> = Bounded::of::<256>(),
        /// How long one batch may take, in seconds; API Gateway waits 29. All retries are in it.
        pub timeout_seconds: Bounded<1, 29> = Bounded::of::<20>(),
        /// How long the function's log is kept, in days.
        pub log_retention_days: LogRetentionDays = LogRetentionDays::default(),
        /// How many batches may be handled at once, set aside from the account's limit. Default: none set aside.
        pub reserved_concurrency: Option<Bounded<1, 100_000>> = None,
        /// `all`, or a list of the impression fields to keep. Example: `[key, split, treatment, time]`.
        pub fields: FieldsSpec = FieldsSpec::default(),
        /// How many KiB of impressions are packed into one Kinesis record, as NDJSON; 0 is one impression a record. Packing makes
        /// Kinesis and Firehose far cheaper. Some consumers of the stream expect 0; the objects in S3 are the same.
        pub record_kib: Bounded<0, MAX_RECORD_KIB> = Bounded::of::<DEFAULT_RECORD_KIB>(),
    }
}

/// The processor that the function runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Architecture {
    /// Intel and AMD.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    /// AWS Graviton.
    #[serde(rename = "arm64")]
    Arm64,
}

section! {
    /// The webhook.
    #[schemars(rename = "Webhook")]
    pub struct WebhookSpec, such as "keys and values, such as `stage: prod`" {
        /// The API Gateway stage, which is the first segment of the URL's path.
        pub stage: StageName = StageName::default(),
        /// Whether the URL has an unguessable path segment; API Gateway then refuses every other path. Split signs nothing, so this
        /// is what keeps others out.
        pub secret_path: bool = true,
        /// Only these sources may call, where given: IPv4 or IPv6 ranges in CIDR notation, or single addresses. Split publishes no
        /// addresses, so this is for callers whose addresses you know.
        pub allow_cidrs: Vec<Cidr> = Vec::new(),
        /// Whether API Gateway logs every request, those that it refuses too, to the function's log group; without the path. API
        /// Gateway needs a role for that, once for each account and region; without it, `up` says how to set it.
        pub access_log: bool = false,
        /// Requests per second. Split sends one about every 10 seconds for each environment, and repeats a failed one once, 300 ms
        /// later: the default serves 100 environments, or 50 while every request is repeated.
        pub rate_limit: Bounded<1, 100_000> = Bounded::of::<10>(),
        /// Requests at once, before the rate limit applies: the default takes those of 20 environments in the same moment.
        pub burst_limit: Bounded<1, 100_000> = Bounded::of::<20>(),
    }
}

impl Spec {
    /// Parses a spec from YAML, or JSON, which is YAML; `origin` is the file's name as problems show it.
    ///
    /// # Errors
    ///
    /// Every problem of the text at once, in the order of the text.
    pub fn parse(text: &str, origin: &str) -> Result<Parsed, SpecError> {
        diagnose::parse(text, origin, ReservedName::Refused)
    }

    /// Parses the spec of a pipeline that is to be deleted, which may be an ephemeral one that was left behind.
    ///
    /// # Errors
    ///
    /// Every other problem of the text at once, in the order of the text.
    pub fn parse_to_delete(text: &str, origin: &str) -> Result<Parsed, SpecError> {
        diagnose::parse(text, origin, ReservedName::Allowed)
    }

    /// Gives the spec's JSON Schema, for editors.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// Gives every key, dotted, with its part of the schema, in the order of the spec.
    #[must_use]
    pub fn keys() -> Vec<(String, serde_json::Value)> {
        let schema = Self::schema();
        let of = |value: &serde_json::Value| value["properties"].as_object().cloned().unwrap_or_default();
        let mut keys = Vec::new();
        for (key, value) in of(&schema) {
            match value["$ref"].as_str().and_then(|path| schema.pointer(&path[1..])) {
                Some(section) => {
                    keys.extend(
                        of(section).into_iter().map(|(name, value)| (format!("{key}.{name}"), value)),
                    );
                }
                None => keys.push((key, value)),
            }
        }
        keys
    }
}

impl StreamSpec {
    /// Gives the number of shards, the default where none is chosen; without meaning in on-demand mode.
    #[must_use]
    pub fn shards(&self) -> u32 {
        self.shards.map_or(DEFAULT_SHARDS, Bounded::get)
    }
}

impl Architecture {
    /// Gives the architecture as AWS and the spec spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// Reads a key that may be left out but, unlike a plain `Option`, not be null.
fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
