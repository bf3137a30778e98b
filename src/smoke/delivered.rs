//! Finding impressions in S3: every new object is read, delivered or spilled, and every impression in it counted.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::Object;
use bytes::Bytes;
use futures_util::future::try_join_all;
use split_pipeline_handler::spill::{REJECTED_PREFIX, SPILL_PREFIX};

use super::SmokeReport;
use super::known::{FoundIn, SentImpressions, Shape};
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::objects::content::{Caps, ReadError, fetch};
use crate::objects::{self, BucketOwnership, Skipped};
use crate::prefixes;

const CONCURRENT_READS: usize = 16;

/// How many bytes of objects are read at once, unless one object alone is larger.
const CONCURRENT_BYTES: u64 = 64 * 1024 * 1024;

/// Where a pipeline's impressions may be found.
#[derive(Clone, Debug)]
pub struct SearchArea {
    pub pipeline: String,
    pub bucket: String,
    pub ownership: BucketOwnership,
    pub prefix: String,
    /// How long Firehose may gather records: it puts an object where the arrival of its oldest record says.
    pub gathered: Duration,
    pub shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Places {
    Delivered,
    /// There, and where this pipeline's handler spills.
    DeliveredAndSpilled,
}

pub struct Search {
    area: SearchArea,
    from: SystemTime,
    /// Objects that were written before do not count.
    written_since: SystemTime,
    places: Places,
    sent: SentImpressions,
    seen: HashSet<String>,
    objects: Vec<String>,
    unreadable: BTreeMap<String, String>,
    has_read: bool,
}

type ReadObject = Result<Bytes, ReadError>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct NewObject {
    key: String,
    bytes: u64,
    place: FoundIn,
}

impl FoundIn {
    fn caps(self) -> Caps {
        match self {
            Self::Delivered => Caps::DELIVERED,
            Self::Spilled => Caps::SPILLED,
        }
    }
}

impl Search {
    /// Starts a search for impressions that are sent as `lines`; objects that are there already do not count.
    pub async fn start(aws: &Aws, area: SearchArea, lines: &[String]) -> Result<Self, AwsError> {
        let mut search = Self::among(area, SystemTime::now(), lines);
        // Clocks differ, so what is there by now tells which objects are old.
        search.written_since = SystemTime::UNIX_EPOCH;
        search.places = Places::DeliveredAndSpilled;
        let there = search.list(aws).await?;
        search.seen = there.into_iter().map(|object| object.key).collect();
        Ok(search)
    }

    /// A search for impressions among the objects that were delivered since a time.
    pub fn among(area: SearchArea, since: SystemTime, lines: &[String]) -> Self {
        Self {
            from: since - area.gathered,
            written_since: since,
            places: Places::Delivered,
            sent: SentImpressions::new(area.shape.clone(), lines),
            area,
            seen: HashSet::new(),
            objects: Vec::new(),
            unreadable: BTreeMap::new(),
            has_read: false,
        }
    }

    /// Reads the objects that are new since the last look.
    pub async fn look(&mut self, aws: &Aws) -> Result<(), AwsError> {
        let mut new = self.list(aws).await?;
        new.retain(|object| !self.seen.contains(&object.key));
        for group in groups(&new) {
            let bucket = &self.area.bucket;
            let reads = group
                .iter()
                .map(|object| fetch(aws, bucket, &object.key, Some(object.bytes), object.place.caps()));
            let read = try_join_all(reads).await?;
            let read = self.unless_all_denied(read)?;
            for (object, bytes) in group.iter().zip(read) {
                // Looking through a hostile object takes seconds.
                aws.check_interrupt()?;
                let found = bytes.and_then(|bytes| self.sent.found_in(&bytes, object.place.caps()));
                match found {
                    Ok(found) => {
                        self.unreadable.remove(&object.key);
                        self.seen.insert(object.key.clone());
                        self.sent.count(&found, object.place);
                        self.objects.extend((!found.is_empty()).then(|| object.key.clone()));
                    }
                    Err(error) => self.leave_out(object, &error),
                }
            }
        }
        Ok(())
    }

    /// Fails if S3 denies every object, from the first on: then it is the credentials that may not read.
    fn unless_all_denied(&mut self, read: Vec<ReadObject>) -> Result<Vec<ReadObject>, AwsError> {
        self.has_read |= read.iter().any(Result::is_ok);
        let denial = read.iter().find_map(|read| match read {
            Err(ReadError::Refused(error)) if error.kind == ErrorKind::Denied => Some(error.clone()),
            _ => None,
        });
        match denial {
            Some(denial) if !self.has_read => Err(denial),
            _ => Ok(read),
        }
    }

    /// Leaves an object out, for good unless it may be read the next time.
    fn leave_out(&mut self, object: &NewObject, error: &ReadError) {
        match error {
            ReadError::Gone => return,
            ReadError::Incomplete(_) => {}
            ReadError::Refused(_) | ReadError::TooLarge { .. } | ReadError::Malformed(_) => {
                self.seen.insert(object.key.clone());
            }
        }
        self.unreadable.insert(object.key.clone(), error.to_string());
    }

    pub fn is_complete(&self) -> bool {
        self.sent.is_complete()
    }

    pub fn report(self, result: &mut SmokeReport) {
        self.sent.report(result);
        result.bucket = self.area.bucket;
        result.objects = self.objects;
        let skipped = self.unreadable.into_iter();
        result.skipped = skipped.map(|(key, why)| Skipped { key, why }).collect();
    }

    fn is_recent(&self, object: &Object) -> bool {
        objects::written_at(object).is_none_or(|at| at >= self.written_since)
    }

    /// Lists what was delivered since the search started, and what this pipeline spilled.
    async fn list(&self, aws: &Aws) -> Result<Vec<NewObject>, AwsError> {
        let SearchArea { pipeline, bucket, ownership, prefix, .. } = &self.area;
        let mut found = Vec::new();
        for prefix in prefixes::between(prefix, self.from, SystemTime::now()) {
            let add = |object: Object| {
                let size = object.size().and_then(|size| u64::try_from(size).ok());
                let is_recent = self.is_recent(&object);
                let key = object.key.unwrap_or_default();
                // A prefix may be so short that it matches what the handler stores.
                let is_stored = key.starts_with(SPILL_PREFIX) || key.starts_with(REJECTED_PREFIX);
                if is_recent && !is_stored && !self.seen.contains(&key) {
                    found.push(NewObject {
                        key,
                        bytes: size.unwrap_or(Caps::DELIVERED.stored),
                        place: FoundIn::Delivered,
                    });
                }
            };
            objects::for_each(aws, bucket, &prefix, add).await?;
        }
        if self.places == Places::Delivered {
            return Ok(found);
        }
        let spilled = objects::spilled(aws, bucket, pipeline, *ownership).await?;
        found.extend(spilled.objects.into_iter().map(|object| NewObject {
            key: object.key,
            bytes: object.bytes,
            place: FoundIn::Spilled,
        }));
        Ok(found)
    }
}

/// Objects in groups that are few and small enough to be read at once.
fn groups(objects: &[NewObject]) -> Vec<&[NewObject]> {
    let (mut groups, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (index, object) in objects.iter().enumerate() {
        let is_full = index - start == CONCURRENT_READS || bytes + object.bytes > CONCURRENT_BYTES;
        if index > start && is_full {
            groups.push(&objects[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += object.bytes;
    }
    if start < objects.len() {
        groups.push(&objects[start..]);
    }
    groups
}

#[cfg(test)]
mod tests;
