//! Tells which objects under `spill/` this pipeline's handler wrote, and how much they hold.
//!
//! Must not read, move or delete an object.

use std::collections::BTreeSet;
use std::time::SystemTime;

use aws_sdk_s3::types::Object;
use serde::Serialize;
use split_pipeline_handler::spill::{SPILL_PREFIX, SPILLED_EXTENSION, spill_prefix};

use super::{for_each, written_at};
use crate::aws::{Aws, AwsError, Outcome as _};
use crate::foreign::shell_word;
use crate::spec::Spec;

/// Hexadecimal digits at the end of the handler's object names.
const UNIQUE_DIGITS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketOwnership {
    /// The pipeline's own: `up` created it.
    Pipeline,
    /// The user's (`delivery.existing_bucket: true`), which several pipelines and other writers may share.
    User,
}

impl BucketOwnership {
    pub fn of(spec: &Spec) -> Self {
        if spec.delivery.existing_bucket { Self::User } else { Self::Pipeline }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpilledObject {
    pub key: String,
    pub bytes: u64,
    pub written: SystemTime,
}

/// An object that was left alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    pub key: String,
    pub why: String,
}

/// What lies under `spill/`, as far as it concerns one pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spilled {
    /// The objects of this pipeline, oldest first.
    pub objects: Vec<SpilledObject>,
    /// The objects that this pipeline's handler may not have written, by key.
    pub unclaimed: Vec<Unclaimed>,
}

/// An object under `spill/` that is not known to be this pipeline's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclaimed {
    pub key: String,
    pub reason: UnclaimedReason,
}

/// Why an object under `spill/` is not counted as this pipeline's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnclaimedReason {
    NamesNoPipeline,
    NotFromHandler,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpilledPile {
    pub objects: usize,
    pub bytes: u64,
    #[serde(serialize_with = "crate::moment::as_rfc3339")]
    pub oldest: SystemTime,
    #[serde(serialize_with = "crate::moment::as_rfc3339")]
    pub newest: SystemTime,
}

impl SpilledPile {
    fn of(object: &SpilledObject) -> Self {
        Self { objects: 1, bytes: object.bytes, oldest: object.written, newest: object.written }
    }

    fn with(self, other: &Self) -> Self {
        Self {
            objects: self.objects + other.objects,
            bytes: self.bytes.saturating_add(other.bytes),
            oldest: self.oldest.min(other.oldest),
            newest: self.newest.max(other.newest),
        }
    }
}

impl Spilled {
    /// The command that moves the objects without a pipeline in their keys to this pipeline; none if there are no such objects.
    pub fn claim_command(&self, bucket: &str, pipeline: &str) -> Option<String> {
        let mut days = BTreeSet::new();
        for object in &self.unclaimed {
            if object.reason == UnclaimedReason::NamesNoPipeline {
                let rest = object.key.strip_prefix(SPILL_PREFIX).unwrap_or_default();
                days.extend(rest.split_once('/').map(|(day, _)| day));
            }
        }
        let day = days.pop_first()?;
        let (from, to) = (format!("s3://{bucket}/{SPILL_PREFIX}"), spill_prefix(pipeline));
        let to = format!("s3://{bucket}/{to}");
        Some(if days.is_empty() {
            let (from, to) = (shell_word(&format!("{from}{day}")), shell_word(&format!("{to}{day}")));
            format!("aws s3 mv {from} {to} --recursive")
        } else {
            let (from, to) = (shell_word(&from), shell_word(&to));
            format!("aws s3 mv {from} {to} --recursive --exclude '*' --include 'dt=*'")
        })
    }
}

impl UnclaimedReason {
    pub fn text(self) -> &'static str {
        match self {
            Self::NamesNoPipeline => "its key names no pipeline, and another pipeline may use this bucket",
            Self::NotFromHandler => "not written by this pipeline's handler",
        }
    }
}

/// Lists what a pipeline's handler spilled; a bucket that does not exist holds nothing.
pub async fn spilled(
    aws: &Aws,
    bucket: &str,
    pipeline: &str,
    ownership: BucketOwnership,
) -> Result<Spilled, AwsError> {
    let mut spilled = Spilled::default();
    for_each_found(aws, bucket, pipeline, ownership, |found| match found {
        ListedObject::Spilled(object) => spilled.objects.push(object),
        ListedObject::Unclaimed(object) => spilled.unclaimed.push(object),
    })
    .await?;
    spilled.objects.sort_by(|one, other| (one.written, &one.key).cmp(&(other.written, &other.key)));
    Ok(spilled)
}

/// Summarizes what a pipeline's handler spilled, without holding the objects: how much it is, and how many objects name no
/// pipeline.
pub async fn spilled_pile(
    aws: &Aws,
    bucket: &str,
    pipeline: &str,
    ownership: BucketOwnership,
) -> Result<(Option<SpilledPile>, usize), AwsError> {
    let (mut pile, mut name_none) = (None, 0);
    for_each_found(aws, bucket, pipeline, ownership, |found| match found {
        ListedObject::Spilled(object) => {
            let one = SpilledPile::of(&object);
            pile = Some(pile.take().map_or(one.clone(), |pile: SpilledPile| pile.with(&one)));
        }
        ListedObject::Unclaimed(object) => {
            name_none += usize::from(object.reason == UnclaimedReason::NamesNoPipeline);
        }
    })
    .await?;
    Ok((pile, name_none))
}

enum ListedObject {
    Spilled(SpilledObject),
    Unclaimed(Unclaimed),
}

async fn for_each_found(
    aws: &Aws,
    bucket: &str,
    pipeline: &str,
    ownership: BucketOwnership,
    mut each: impl FnMut(ListedObject),
) -> Result<(), AwsError> {
    let prefixes = match ownership {
        BucketOwnership::Pipeline => vec![SPILL_PREFIX.to_owned()],
        // The rest may be any number of objects of others.
        BucketOwnership::User => vec![spill_prefix(pipeline), format!("{SPILL_PREFIX}dt=")],
    };
    for prefix in prefixes {
        let listed = for_each(aws, bucket, &prefix, |object| {
            if let Some(found) = ListedObject::new(object, pipeline, ownership) {
                each(found);
            }
        });
        listed.await.found()?;
    }
    Ok(())
}

impl ListedObject {
    fn new(object: Object, pipeline: &str, ownership: BucketOwnership) -> Option<Self> {
        let (written, bytes) = (written_at(&object), object.size().unwrap_or_default());
        let key = object.key.unwrap_or_default();
        match KeyOwner::of(&key, pipeline, ownership) {
            KeyOwner::Other => None,
            KeyOwner::Unknown(reason) => Some(Self::Unclaimed(Unclaimed { key, reason })),
            KeyOwner::Pipeline => Some(Self::Spilled(SpilledObject {
                bytes: u64::try_from(bytes).unwrap_or_default(),
                // S3 always says when it stored an object.
                written: written.unwrap_or(SystemTime::UNIX_EPOCH),
                key,
            })),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyOwner {
    Pipeline,
    Other,
    /// It cannot be told, or nobody's that should be there.
    Unknown(UnclaimedReason),
}

impl KeyOwner {
    fn of(key: &str, pipeline: &str, ownership: BucketOwnership) -> Self {
        let Some(rest) = key.strip_prefix(SPILL_PREFIX) else {
            return Self::Other;
        };
        let is_users = ownership == BucketOwnership::User;
        if is_handlers(rest) {
            return if is_users { Self::Unknown(UnclaimedReason::NamesNoPipeline) } else { Self::Pipeline };
        }
        match rest.split_once('/') {
            Some((owner, rest)) if owner == pipeline && is_handlers(rest) => Self::Pipeline,
            // A pipeline's name has no `=`, so this is never a day.
            Some((owner, rest)) if is_handlers(rest) && !owner.contains('=') => Self::Other,
            parts if is_users && parts.is_none_or(|(owner, _)| owner != pipeline) => Self::Other,
            _ => Self::Unknown(UnclaimedReason::NotFromHandler),
        }
    }
}

/// Whether the end of a key is as the handler makes it: `dt=YYYY-MM-DD/<request id>-<16 hex>.ndjson.gz`.
fn is_handlers(key: &str) -> bool {
    let parts = key.strip_prefix("dt=").and_then(|key| key.split_once('/'));
    parts.is_some_and(|(day, name)| is_day(day) && is_handlers_name(name))
}

fn is_day(text: &str) -> bool {
    let is_as = |(byte, like): (u8, u8)| {
        if like == b'0' { byte.is_ascii_digit() } else { byte == like }
    };
    text.len() == 10 && text.bytes().zip(*b"0000-00-00").all(is_as)
}

fn is_handlers_name(name: &str) -> bool {
    let Some((request, unique)) = name.strip_suffix(SPILLED_EXTENSION).and_then(|name| name.rsplit_once('-'))
    else {
        return false;
    };
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    // The handler writes a `-` in place of anything else.
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !request.is_empty()
        && request.bytes().all(is_safe)
        && unique.len() == UNIQUE_DIGITS
        && unique.bytes().all(is_hex)
}

#[cfg(test)]
mod tests;
