//! What `status` gives.
//!
//! Must not compute or print.

use std::time::SystemTime;

use serde::Serialize;

use crate::kind::Kind;
use crate::resource::FieldChange;
use crate::undelivered::Undelivered;

/// What `status` gives.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The pipeline.
    pub name: String,
    /// Its region.
    pub region: String,
    /// When it was looked at.
    #[serde(serialize_with = "super::as_rfc3339")]
    pub time: SystemTime,
    /// How much people are told of it.
    #[serde(skip)]
    pub detail: Detail,
    /// Whether every resource is as it should be, every batch was stored, Firehose reports no errors, and no alarm goes off.
    pub healthy: bool,
    /// What is wrong or worth knowing, the worst first.
    pub problems: Vec<Problem>,
    /// The URL to paste into Split; absent where there is none.
    pub webhook_url: Option<String>,
    /// Whether the URL before works too, until `rotate --revoke`.
    pub rotating: bool,
    /// Every resource.
    pub resources: Vec<Resource>,
    /// What the alarms say, where there are any.
    pub alarms: Vec<AlarmState>,
    /// What was answered 200 and is not delivered.
    pub undelivered: Undelivered,
    /// What went through.
    pub traffic: Traffic,
}

/// How much people are told of the resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Each of them.
    Every,
    /// Those that are not as they should be.
    Differing,
}

/// Something that is wrong or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether the pipeline is not healthy for it.
    pub serious: bool,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// What one alarm says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlarmState {
    /// The alarm.
    pub name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
    /// Why, in CloudWatch's words.
    pub why: String,
}

/// One resource as it is.
#[derive(Clone, Debug, Serialize)]
pub struct Resource {
    /// Which resource.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What AWS calls it; absent where it is missing.
    pub id: Option<String>,
    /// How it is.
    pub state: State,
    /// Why it is so, where there is more to say: what AWS gives for a failure, what it is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The fields that differ.
    pub drift: Vec<FieldChange>,
    /// What somebody added that `up` does not change; absent where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_alone: Vec<String>,
}

/// How a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As the spec says.
    Ok,
    /// Not there.
    Missing,
    /// There, but different.
    Drifted,
    /// Being made or changed.
    Pending,
    /// AWS could not make it.
    Failed,
    /// Somebody else's.
    Foreign,
}

/// What went through the webhook in a span of time, and how it is delivered.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Traffic {
    /// The span.
    pub since_seconds: u64,
    /// Batches that Split posted.
    pub batches: u64,
    /// Batches that could not be stored, or whose invocation died, so that Split had to send them again.
    pub failed_batches: u64,
    /// Bodies that were no batch: not JSON, or too large.
    pub refused_batches: u64,
    /// Elements that came in.
    pub received: u64,
    /// Impressions that went into the stream.
    pub delivered: u64,
    /// Impressions that were set aside in the bucket because the stream refused them.
    pub spilled: u64,
    /// Elements that were no impressions.
    pub rejected: u64,
    /// Records that were sent again.
    pub retried: u64,
    /// Errors that Firehose reported when it delivered.
    pub delivery_errors: u64,
    /// What CloudWatch has measured.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// The newest object that was delivered in the span; absent where there is none, or the prefix does not say where to look.
    pub newest_object: Option<NewestObject>,
    /// How it went over the span.
    pub series: Series,
}

/// What CloudWatch has measured over the span; absent where it has no values.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Metrics {
    /// Invocations that Lambda refused, since too many were running.
    pub throttles: Option<u64>,
    /// How far the delivery was behind the stream when last measured, in milliseconds.
    pub iterator_age_ms: Option<u64>,
    /// How old the oldest record was that was not in S3, when last measured, in seconds.
    pub freshness_seconds: Option<u64>,
}

/// An object in the bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewestObject {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// How long ago it was written, in seconds.
    pub age_seconds: u64,
}

/// Counts of equal parts of the span, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Series {
    /// How long each part is.
    pub step_seconds: u64,
    /// Batches that Split posted.
    pub batches: Vec<u64>,
    /// Batches that could not be stored.
    pub failed_batches: Vec<u64>,
    /// Elements that came in.
    pub received: Vec<u64>,
    /// Impressions that went into the stream.
    pub delivered: Vec<u64>,
    /// Impressions that were set aside.
    pub spilled: Vec<u64>,
    /// Elements that were no impressions.
    pub rejected: Vec<u64>,
}
