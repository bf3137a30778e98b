//! The spec: what a user may write, as types that hold only what is allowed.
//!
//! Owns the spec's keys, their defaults and rules, its JSON Schema, and the diagnosis of a text that breaks them. It is
//! the only place that knows YAML. It must not know ARNs of what the pipeline makes, derive names, or do IO.
//!
//! The serde types here are the one definition of the schema: parsing, diagnosis, defaults, serialization and the JSON
//! Schema follow from them. The doc comments of keys are what an editor shows, so they are written for users.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

mod bounded;
mod diagnose;
mod ephemeral;
mod fault;
mod lists;
mod monitoring;
mod prefix;
mod problem;
mod tree;
mod values;
mod yaml;

#[cfg(test)]
mod tests;

pub use bounded::{Bounded, LogRetentionDays};
use diagnose::ReservedName;
pub use diagnose::{IMPRESSION_FIELDS, Parsed};
pub use ephemeral::RUN_BYTES;
pub use lists::{Fields, GAPS_TAG, Tags};
pub use monitoring::{Email, Monitoring, TopicArn};
pub use prefix::{ErrorPrefix, Prefix};
pub use problem::{Problem, SpecError};
pub use values::{
    BucketEncryption, BucketName, Cidr, Encryption, Name, PolicyArn, Region, RolePath, StageName, is_account,
    is_partition,
};
pub use yaml::MAX_BYTES;

/// A whole spec: what one pipeline is to look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "keys and values, such as `name: my-impressions`"
)]
pub struct Spec {
    /// The pipeline's name: 3 to 32 of a-z, 0-9 and -, starting with a letter. Resources are named after it.
    pub name: Name,
    /// The AWS region. Default: the AWS configuration's.
    #[serde(default)]
    pub region: Option<Region>,
    /// Tags put on everything that takes tags.
    #[serde(default)]
    pub tags: Tags,
    /// Whether `down` refuses to delete anything.
    #[serde(default)]
    pub protect: bool,
    /// The roles that the pipeline makes.
    #[serde(default)]
    pub iam: Iam,
    /// The Kinesis stream that impressions go through.
    #[serde(default)]
    pub stream: Stream,
    /// The delivery of impressions into S3.
    #[serde(default)]
    pub delivery: Delivery,
    /// The Lambda function that takes impressions from the webhook.
    #[serde(default)]
    pub handler: Handler,
    /// The URL that Split posts to.
    #[serde(default)]
    pub webhook: Webhook,
    /// What watches over the pipeline: alarms, who is told of them, a dashboard.
    #[serde(default)]
    pub monitoring: Monitoring,
}

/// The roles that the pipeline makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "keys and values, such as `role_path: /pipelines/`"
)]
pub struct Iam {
    /// The ARN of a policy that bounds what the roles may do, where your account asks for one. Default: none.
    pub permissions_boundary: Option<PolicyArn>,
    /// The path of the roles, such as `/pipelines/`.
    pub role_path: RolePath,
}

/// The Kinesis stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "keys and values, such as `shards: 1`"
)]
pub struct Stream {
    /// How the stream's capacity is set: `provisioned` shards, or `on_demand` (dearer when small).
    pub mode: StreamMode,
    /// Provisioned only: the number of shards. Packed, one carries about 2,700 impressions a second.
    ///
    /// `None` after parsing in on-demand mode only.
    #[serde(
        default,
        deserialize_with = "not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(
        with = "Bounded<1, 500>",
        extend("default" = 1),
        description = "Provisioned only: the number of shards. Packed, one carries about 2,700 impressions a second."
    )]
    pub shards: Option<Bounded<1, 500>>,
    /// How long the stream keeps impressions, in hours.
    pub retention_hours: Bounded<24, 8760>,
    /// How the stream is encrypted at rest: `aws_managed`, `none`, or a KMS key's ARN or alias.
    pub encryption: Encryption,
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

/// The delivery into S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "keys and values, such as `compression: gzip`"
)]
pub struct Delivery {
    /// The bucket. Default: `<name>-<account>-<region>`.
    pub bucket: Option<BucketName>,
    /// True where the bucket is yours: it is then never created, changed or deleted.
    pub existing_bucket: bool,
    /// What delivered objects' keys start with; `!{timestamp:...}` is when the oldest impression of the object came in, in UTC.
    pub prefix: Prefix,
    /// What the keys of undeliverable records start with; it must contain `!{firehose:error-output-type}`.
    pub error_prefix: ErrorPrefix,
    /// What delivered objects are: `json`, an impression a line, or `parquet`, which Firehose converts them to ($0.018 a GB) and
    /// queries read less of; the Glue table that it takes is made as well.
    pub format: Format,
    /// How delivered objects are compressed; `parquet`: within the objects, and not as `zip`.
    pub compression: Compression,
    /// Deliver once this much has come together, in MiB; at least 64 where `format` is `parquet`.
    pub buffer_mib: Bounded<1, 128>,
    /// Deliver at the latest after so many seconds.
    pub buffer_seconds: Bounded<0, 900>,
    /// How objects are encrypted: `s3_managed`, or a KMS key's ARN or alias.
    pub encryption: BucketEncryption,
    /// Whether the bucket keeps the versions of objects that are overwritten or deleted.
    pub versioning: bool,
    /// Delete delivered objects after so many days. Default: never.
    pub expire_days: Option<Bounded<1, 36500>>,
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

/// The Lambda function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "keys and values, such as `memory_mib: 256`"
)]
pub struct Handler {
    /// The processor: `x86_64`, or `arm64` (20 % cheaper per ms).
    pub architecture: Architecture,
    /// The function's memory, in MiB; processor time grows with it.
    pub memory_mib: Bounded<128, 10240>,
    /// How long one batch may take, in seconds; API Gateway waits 29.
    pub timeout_seconds: Bounded<1, 29>,
    /// How long the function's log is kept, in days.
    pub log_retention_days: LogRetentionDays,
    /// How many batches may be handled at once, set aside from the account's limit. Default: none set aside.
    pub reserved_concurrency: Option<Bounded<1, 100_000>>,
    /// `all`, or a list of the impression fields to keep.
    pub fields: Fields,
    /// How many KiB of impressions are packed into one Kinesis record, as NDJSON; 0 is one impression a record.
    pub record_kib: Bounded<0, 1000>,
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

/// The webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "keys and values, such as `stage: prod`"
)]
pub struct Webhook {
    /// The API Gateway stage, which is the first segment of the URL's path.
    pub stage: StageName,
    /// Whether the URL has an unguessable path segment; API Gateway then refuses every other path.
    pub secret_path: bool,
    /// Only these sources may call, where given: IPv4 or IPv6 ranges in CIDR notation, or single addresses.
    pub allow_cidrs: Vec<Cidr>,
    /// Whether API Gateway logs every request, those that it refuses too, to the function's log group; without the path.
    pub access_log: bool,
    /// Requests per second. Split sends one about every 10 seconds for each environment, and repeats a failed one once, 300 ms
    /// later: the default serves 100 environments, or 50 while every request is repeated.
    pub rate_limit: Bounded<1, 100_000>,
    /// Requests at once, before the rate limit applies: the default takes those of 20 environments in the same moment.
    pub burst_limit: Bounded<1, 100_000>,
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
}

impl Stream {
    /// Gives the number of shards, 1 where none is chosen; without meaning in on-demand mode.
    #[must_use]
    pub fn shards(&self) -> u32 {
        self.shards.map_or(1, Bounded::get)
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            mode: StreamMode::default(),
            shards: Some(Bounded::of::<1>()),
            retention_hours: Bounded::of::<24>(),
            encryption: Encryption::default(),
        }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            bucket: None,
            existing_bucket: false,
            prefix: Prefix::default(),
            error_prefix: ErrorPrefix::default(),
            format: Format::default(),
            compression: Compression::default(),
            buffer_mib: Bounded::of::<64>(),
            buffer_seconds: Bounded::of::<300>(),
            encryption: BucketEncryption::default(),
            versioning: false,
            expire_days: None,
        }
    }
}

impl Default for Handler {
    fn default() -> Self {
        Self {
            architecture: Architecture::default(),
            memory_mib: Bounded::of::<256>(),
            timeout_seconds: Bounded::of::<20>(),
            log_retention_days: LogRetentionDays::default(),
            reserved_concurrency: None,
            fields: Fields::default(),
            record_kib: Bounded::of::<100>(),
        }
    }
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            stage: StageName::default(),
            secret_path: true,
            allow_cidrs: Vec::new(),
            access_log: false,
            rate_limit: Bounded::of::<10>(),
            burst_limit: Bounded::of::<20>(),
        }
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
