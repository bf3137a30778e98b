//! Sends spilled impressions again: only this pipeline's objects, each of which is deleted once all of it is stored elsewhere.
//! An object that cannot be replayed is kept and named, and the others are replayed.

use std::time::Duration;

use split_pipeline_handler::deliver::{Delivery, deliver};
use split_pipeline_handler::elements::stored;
use split_pipeline_handler::pack::{PackedRecords, pack, requests};
use split_pipeline_handler::request::Bodies;
use split_pipeline_handler::spill::{SPILL_PREFIX, SPILLED_EXTENSION};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::chunks::{ImpressionCounts, chunks, count};
use super::interruptible::interruptible;
use super::{Mode, OBJECT_BYTES, Place, ReplayError, ReplayReport, WrittenObjects, broken, delete_hint};
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::objects::content::{Caps, ReadError, fetch};
use crate::objects::{self, Skipped, Spilled, SpilledObject};
use crate::progress::Event;

/// How long a chunk of an object's impressions is sent again: a shard takes 1 MB per second, and a chunk has some 8.
const SENDING: Duration = Duration::from_mins(2);

/// The error codes by which Kinesis refuses a record rather than the caller or the moment (Kinesis API reference, `PutRecords`).
const REFUSES_RECORD: [&str; 3] =
    ["InvalidArgumentException", "SerializationException", "ValidationException"];

/// How many objects that cannot be deleted are sent while none could be: then the credentials may not delete, and every object
/// would be sent twice.
const MOST_UNDELETED: usize = 3;

enum ObjectOutcome {
    Stored,
    /// Another `replay` was faster.
    Gone,
    Kept(String),
    /// It stays since the stream accepts no records, so the others would stay as well.
    Hopeless(String),
}

/// Sends this pipeline's spilled impressions again, oldest first, or says which objects it would send.
pub async fn replay(aws: &Aws, place: &Place, mode: Mode) -> Result<ReplayReport, ReplayError> {
    let spilled = objects::spilled(aws, &place.bucket, &place.name, place.ownership).await?;
    let result = ReplayReport {
        name: place.name.clone(),
        dry_run: mode == Mode::DryRun,
        bucket: place.bucket.clone(),
        ..ReplayReport::default()
    };
    let mut replaying =
        Replaying { aws, place, mode, kinesis: interruptible(&aws.kinesis, &aws.interrupt), result };
    replaying.all(&spilled.objects).await?;
    let mut result = replaying.result;
    leave_unclaimed(&spilled, place, &mut result);
    Ok(result)
}

/// Names the objects that may be somebody else's.
fn leave_unclaimed(spilled: &Spilled, place: &Place, result: &mut ReplayReport) {
    result.skipped.extend(
        spilled
            .unclaimed
            .iter()
            .map(|object| Skipped { key: object.key.clone(), why: object.reason.text().to_owned() }),
    );
    if let Some(command) = spilled.claim_command(&place.bucket, &place.name) {
        let name = &place.name;
        let hint = format!(
            "if the objects without a pipeline in their keys are {name}'s, run `{command}` and `replay` again"
        );
        result.hints.push(hint);
    }
}

struct Replaying<'a> {
    aws: &'a Aws,
    place: &'a Place,
    mode: Mode,
    kinesis: aws_sdk_kinesis::Client,
    result: ReplayReport,
}

impl Replaying<'_> {
    async fn all(&mut self, spilled: &[SpilledObject]) -> Result<(), ReplayError> {
        let mut undeleted = 0;
        for (index, object) in spilled.iter().enumerate() {
            let progress = format!("sending spilled objects again: {} of {}", index + 1, spilled.len());
            self.aws.event(Event::Working(progress));
            let stopped = |source| ReplayError::Stopped { done: index, all: spilled.len(), source };
            let outcome = self.one(object).await.map_err(stopped)?;
            match outcome {
                ObjectOutcome::Gone => {}
                ObjectOutcome::Stored => match self.delete(&object.key).await {
                    Ok(()) => self.result.objects.push(object.key.clone()),
                    Err(source) if concerns_all(&source) => {
                        let (bucket, key) = (self.place.bucket.clone(), object.key.clone());
                        return Err(ReplayError::NotDeleted { bucket, key, source });
                    }
                    Err(error) => {
                        self.keep_sent(&object.key, &error);
                        undeleted += 1;
                        if self.result.objects.is_empty() && undeleted == MOST_UNDELETED {
                            self.leave("S3 deletes none of them", &spilled[index + 1..]);
                            break;
                        }
                    }
                },
                ObjectOutcome::Kept(why) => self.skip(&object.key, why),
                ObjectOutcome::Hopeless(why) => {
                    self.skip(&object.key, why.clone());
                    self.leave("the stream accepts no records", &spilled[index + 1..]);
                    break;
                }
            }
        }
        Ok(())
    }

    fn leave(&mut self, why: &str, rest: &[SpilledObject]) {
        for object in rest {
            self.skip(&object.key, format!("not tried: {why}"));
        }
    }

    /// Names an object that was sent, and is still there.
    fn keep_sent(&mut self, key: &str, error: &AwsError) {
        self.result.hints.extend(error.hints());
        self.result.hints.push(delete_hint(&self.place.bucket, key));
        self.skip(key, format!("sent again, but it could not be deleted: {error}"));
    }

    fn skip(&mut self, key: &str, why: String) {
        let key = key.to_owned();
        self.result.skipped.push(Skipped { key, why });
    }

    async fn one(&mut self, object: &SpilledObject) -> Result<ObjectOutcome, AwsError> {
        self.aws.check_interrupt()?;
        let (bucket, key) = (&self.place.bucket, &object.key);
        let fetched = fetch(self.aws, bucket, key, Some(object.bytes), Caps::SPILLED).await?;
        let counted = fetched.and_then(|gzip| count(&gzip, self.place).map(|counted| (gzip, counted)));
        let (gzip, counted) = match counted {
            Ok(read) => read,
            Err(ReadError::Gone) => return Ok(ObjectOutcome::Gone),
            Err(error) => return Ok(self.unreadable(&error)),
        };
        let written = match self.put_oversized(object, &gzip, counted).await {
            Ok(written) => written,
            Err(error) if concerns_all(&error) => return Err(error),
            Err(error) => {
                self.result.hints.extend(error.hints());
                return Ok(ObjectOutcome::Kept(error.to_string()));
            }
        };
        let outcome = self.send(&gzip, counted.sendable).await?;
        if matches!(outcome, ObjectOutcome::Stored) {
            self.result.delivered += counted.sendable;
            self.result.copied += written.copied;
            self.result.misfits += written.misfits;
        }
        Ok(outcome)
    }

    fn unreadable(&mut self, error: &ReadError) -> ObjectOutcome {
        if let ReadError::Refused(error) = error {
            self.result.hints.extend(error.hints());
        } else {
            let hint = "an object that cannot be read stays in `spill/`: move it out of there, or delete it";
            self.result.hints.push(hint.to_owned());
        }
        ObjectOutcome::Kept(format!("cannot be read: {error}"))
    }

    /// Puts impressions that no record can hold where they would have been delivered when they were spilled, so that they are
    /// written over if that is done again.
    async fn put_oversized(
        &self,
        object: &SpilledObject,
        gzip: &[u8],
        counted: ImpressionCounts,
    ) -> Result<WrittenObjects, AwsError> {
        let (mut written, mut parts) = (WrittenObjects::default(), 0);
        let (mut lines, mut chunks) = (String::new(), chunks(gzip));
        let mut left = counted.oversized;
        while left > 0 {
            let chunk = chunks.next().map_err(|error| broken(&error))?.unwrap_or_default();
            let mut impressions = stored(&chunk);
            let oversized =
                pack(&mut impressions, self.place.record_kib, &self.place.number_fields).oversized;
            for line in &oversized {
                lines.push_str(line);
                lines.push('\n');
            }
            left = if chunk.is_empty() { 0 } else { left - oversized.len() };
            if left == 0 || lines.len() >= OBJECT_BYTES {
                parts += 1;
                let name = oversized_name(&object.key, parts);
                let put = self.place.put(object.written, &name, lines.as_bytes(), self.mode, self.aws);
                written.add(put.await?);
                lines.clear();
            }
        }
        Ok(written)
    }

    /// Sends the impressions of an object that records can hold.
    async fn send(&mut self, gzip: &[u8], sendable: usize) -> Result<ObjectOutcome, AwsError> {
        if self.mode == Mode::DryRun {
            return Ok(ObjectOutcome::Stored);
        }
        let (mut delivered, mut chunks) = (0, chunks(gzip));
        while let Some(chunk) = chunks.next().map_err(|error| broken(&error))? {
            let mut impressions = stored(&chunk);
            let packed = pack(&mut impressions, self.place.record_kib, &self.place.number_fields);
            let sent = self.send_records(packed.records).await?;
            delivered += sent.delivered;
            if sent.undelivered.is_empty() {
                continue;
            }
            // The client refused what was to start after the interruption.
            self.aws.check_interrupt()?;
            let code = sent.error.unwrap_or_default();
            return Ok(self.not_accepted(delivered, sendable, &code));
        }
        Ok(ObjectOutcome::Stored)
    }

    async fn send_records<'r>(&self, records: PackedRecords<'r>) -> Result<Delivery<'r>, AwsError> {
        let bodies = Bodies::default();
        let stream = &self.place.stream;
        let deadline = Instant::now() + SENDING;
        let sending = deliver(&self.kinesis, &bodies, stream, requests(records), deadline);
        tokio::select! {
            sent = sending => Ok(sent),
            () = self.aws.grace_expired() => Err(interrupted()),
        }
    }

    /// What becomes of an object of which Kinesis accepted so many impressions, and no more.
    fn not_accepted(&mut self, delivered: usize, impressions: usize, code: &str) -> ObjectOutcome {
        let left = impressions - delivered;
        let why = format!("{left} of {impressions} impressions not accepted by the stream: {code}");
        let hint = "the objects stay in `spill/`, so nothing is lost: run `split-pipeline replay` again once the stream accepts them";
        self.result.hints.push(hint.to_owned());
        if delivered == 0 && !REFUSES_RECORD.contains(&code) {
            ObjectOutcome::Hopeless(why)
        } else {
            ObjectOutcome::Kept(why)
        }
    }

    /// Deletes an object that is stored elsewhere, even after an interruption: otherwise it would be sent twice.
    async fn delete(&self, key: &str) -> Result<(), AwsError> {
        if self.mode == Mode::DryRun {
            return Ok(());
        }
        let (aws, bucket) = (self.aws.with_interrupt(CancellationToken::new()), &self.place.bucket);
        let request = || aws.s3.delete_object().bucket(bucket).key(key).send();
        aws.call("s3:DeleteObject", request).await.map(drop)
    }
}

/// The name of an object with what no record can hold, the first of them as if there were no more.
fn oversized_name(key: &str, part: usize) -> String {
    let name = key.trim_start_matches(SPILL_PREFIX).replace('/', "-");
    let name = name.trim_end_matches(SPILLED_EXTENSION);
    match part {
        1 => format!("oversized-{name}"),
        part => format!("oversized-{name}-{part}"),
    }
}

/// Whether an error of one object's means that no other object can be replayed either.
fn concerns_all(error: &AwsError) -> bool {
    use ErrorKind::{Credentials, Interrupted, Throttled, TimedOut, Unreachable};
    matches!(error.kind, Credentials | Interrupted | Throttled | TimedOut | Unreachable)
}

fn interrupted() -> AwsError {
    AwsError::new("replay", ErrorKind::Interrupted, "interrupted")
}

#[cfg(test)]
mod tests;
