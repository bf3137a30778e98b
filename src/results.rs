//! What commands give: the JSON that scripts rely on. `ui` shows the same values to people.
//!
//! Must not compute or print.

use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};
use split_pipeline_handler::log::Level;

use crate::export::Format;
use crate::kind::{Action, Kind};
use crate::moment;
use crate::objects::Skipped;
use crate::resource::FieldChange;
use crate::spec::StreamMode;
use crate::undelivered::Undelivered;

mod status;

pub use status::{
    AlarmState, Detail, Metrics, NewestObject, Problem, Resource, Series, State, Status, Traffic,
};

/// What `up` gives.
#[derive(Debug, Serialize)]
pub struct Up {
    /// The pipeline.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// The URL to paste into Split.
    pub webhook_url: String,
    /// Every resource.
    pub resources: Vec<Made>,
    /// How long it took.
    pub elapsed_ms: u128,
}

/// One resource after `up`.
#[derive(Debug, Serialize)]
pub struct Made {
    /// Which resource.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What AWS calls it.
    pub id: String,
    /// `created`, `updated`, `replaced`, `unchanged` or `adopted`.
    pub action: &'static str,
}

/// What `plan` gives.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// The pipeline.
    pub name: String,
    /// What would be done, without what is as it should be.
    pub changes: Vec<Change>,
    /// What was answered 200 and is not delivered.
    pub undelivered: Undelivered,
}

/// One resource that would be changed.
#[derive(Debug, Serialize)]
pub struct Change {
    /// Which resource.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What would be done.
    pub action: Action,
    /// The fields that differ.
    pub fields: Vec<FieldChange>,
    /// Why it is replaced or refused, and what `up` asks about.
    pub notes: Vec<String>,
}

/// What `url` gives.
#[derive(Debug, Serialize)]
pub struct Url {
    /// The URL to paste into Split.
    pub webhook_url: String,
}

/// One line of what `logs` gives.
#[derive(Debug, Serialize)]
pub struct LogLine {
    /// When it was written.
    #[serde(serialize_with = "as_rfc3339")]
    pub time: SystemTime,
    /// Who wrote it.
    pub source: LogSource,
    /// How much attention it wants.
    pub level: Level,
    /// The line.
    pub message: String,
    /// The same where it is a JSON object, for those who look for what is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Map<String, Value>>,
}

/// Who wrote a line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// The function, or Lambda about it.
    Function,
    /// The delivery stream.
    Delivery,
}

pub(crate) fn as_rfc3339<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(moment::writable(*time)))
}

/// Writes a time that may be absent, then as null.
#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
pub(crate) fn as_optional_rfc3339<S: serde::Serializer>(
    time: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => as_rfc3339(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// What `estimate` gives.
#[derive(Debug, Serialize)]
pub struct Estimate {
    /// Impressions a second.
    pub per_second: f64,
    /// Impressions in a month of 730 hours.
    pub impressions_a_month: f64,
    /// Impressions in each post: every 10 seconds for each environment, or as the pipeline receives them.
    pub impressions_a_post: f64,
    /// What the stream needs.
    pub sizing: Sizing,
    /// Objects that are written to S3 in a day.
    pub objects_per_day: f64,
    /// How near every limit is.
    pub limits: Vec<Headroom>,
    /// What does not fit, and what to do about it.
    pub problems: Vec<String>,
    /// Dollars a month, by service.
    pub monthly: Vec<Cost>,
    /// Dollars a month, with impressions packed into records.
    pub total_packed: f64,
    /// Dollars a month, with a record for each impression.
    pub total_unpacked: f64,
    /// What was reckoned with.
    pub prices: Prices,
}

/// What the stream needs.
#[derive(Debug, Serialize)]
pub struct Sizing {
    /// Shards that the rate needs.
    pub shards_needed: f64,
    /// Shards that the spec has; absent where AWS sees to them.
    pub shards: Option<u32>,
    /// How the spec sets the capacity.
    pub mode: StreamMode,
    /// Whether the same in `on_demand` mode costs less than so many shards.
    pub on_demand_is_cheaper: bool,
}

/// How near a limit is.
#[derive(Debug, Serialize)]
pub struct Headroom {
    /// Which limit.
    pub limit: String,
    /// What is used of it.
    pub used: f64,
    /// What there is.
    pub allowed: f64,
    /// The part that is used.
    pub share: f64,
    /// What helps if it is too little.
    pub remedy: &'static str,
}

/// Dollars a month for one service.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// The service.
    pub service: &'static str,
    /// With impressions packed into records.
    pub packed: f64,
    /// With a record for each impression.
    pub unpacked: f64,
}

/// Which prices were reckoned with.
#[derive(Debug, Serialize)]
pub struct Prices {
    /// The region that they are of.
    pub region: &'static str,
    /// When they were looked up.
    pub as_of: &'static str,
    /// Where.
    pub source: &'static str,
}

/// What `athena` gives.
#[derive(Debug, Serialize)]
pub struct Athena {
    /// The table's name.
    pub table: String,
    /// `CREATE EXTERNAL TABLE`; absent where the pipeline has made the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<String>,
    /// Example queries.
    pub queries: Vec<Query>,
}

/// An example query.
#[derive(Debug, Serialize)]
pub struct Query {
    /// What it answers.
    pub about: &'static str,
    /// The query.
    pub sql: String,
}

/// What `export` gives.
#[derive(Debug, Serialize)]
pub struct Export {
    /// The tool that it is for.
    pub format: Format,
    /// The pipeline in that tool's language.
    pub text: String,
}

/// What `rotate` gives.
#[derive(Debug, Serialize)]
pub struct Rotate {
    /// The pipeline.
    pub name: String,
    /// The URL to paste into Split.
    pub webhook_url: String,
    /// The URL before, while it works too.
    pub old_webhook_url: Option<String>,
}

/// What `permissions` gives: an IAM policy.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Permissions {
    /// The policy document.
    pub policy: Value,
}

/// What `down` gives.
#[derive(Debug, Serialize)]
pub struct Down {
    /// The pipeline.
    pub name: String,
    /// What is gone.
    pub deleted: Vec<Deleted>,
    /// What was left.
    pub kept: Vec<Kept>,
    /// How many impressions were copied from the stream to the bucket before the stream was deleted.
    pub copied: usize,
}

/// One resource that is gone.
#[derive(Debug, Serialize)]
pub struct Deleted {
    /// Which resource.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

/// One resource that was left.
#[derive(Debug, Serialize)]
pub struct Kept {
    /// Which resource.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Why it was left.
    pub why: String,
}

/// What `smoke` gives.
#[derive(Debug, Default, Serialize)]
pub struct Smoke {
    /// Impressions that were posted.
    pub sent: usize,
    /// Impressions that were delivered to S3, each counted once.
    pub delivered: usize,
    /// Impressions that are in `spill/` and were not delivered.
    pub spilled: usize,
    /// Impressions that are in neither place.
    pub missing: usize,
    /// Copies beyond the first.
    pub duplicated: usize,
    /// The slowest answer of the webhook.
    pub webhook_ms: u128,
    /// From the first post until the last impression was found.
    pub delivery_ms: u128,
    /// Where they were found.
    pub bucket: String,
    /// The objects that they were found in.
    pub objects: Vec<String>,
    /// New objects that could not be read, and why. What is missing may be in them.
    pub skipped: Vec<Skipped>,
}

/// What `replay` gives.
#[derive(Debug, Default, Serialize)]
pub struct Replay {
    /// The pipeline.
    pub name: String,
    /// Whether this only says what would be done.
    pub dry_run: bool,
    /// Where it was done.
    pub bucket: String,
    /// Spilled objects that were sent again and deleted, or objects that were written.
    pub objects: Vec<String>,
    /// Impressions that went into the stream again.
    pub delivered: usize,
    /// Impressions that were written to S3 directly.
    pub copied: usize,
    /// Impressions that do not fit into the table, and were put where Firehose puts what it cannot convert.
    pub misfits: usize,
    /// Objects that were left alone, and why. The command then fails.
    pub skipped: Vec<Skipped>,
    /// What to do about them.
    #[serde(skip)]
    pub hints: Vec<String>,
}

/// What `validate` gives.
#[derive(Debug, Serialize)]
pub struct Validate {
    /// The pipeline.
    pub name: String,
}

/// What `init` gives.
#[derive(Debug, Serialize)]
pub struct Init {
    /// The file that was written.
    pub path: PathBuf,
}

/// What `build` gives.
#[derive(Debug, Serialize)]
pub struct Build {
    /// The zip that was written.
    pub path: PathBuf,
    /// The processor it is for.
    pub architecture: &'static str,
    /// Base64 of its SHA-256, as Lambda reports it.
    pub code_sha256: String,
    /// Its size.
    pub bytes: usize,
}

/// What `local` gives.
#[derive(Debug, Serialize)]
pub struct Local {
    /// Whether the emulator runs.
    pub running: bool,
    /// Where.
    pub endpoint: Option<String>,
    /// Its process, where it is ours.
    pub pid: Option<u32>,
    /// Its version.
    pub version: Option<String>,
    /// The file with its credentials, for AWS's own tools (`AWS_SHARED_CREDENTIALS_FILE`).
    pub credentials_file: Option<PathBuf>,
}

/// Text that is the result as it stands: a schema, a completion script.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Text(pub Value);
