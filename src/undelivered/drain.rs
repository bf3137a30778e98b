//! Makes sure that all impressions of a stream are in the bucket, before `down` deletes the stream.
//!
//! Looks for each impression of the newest records in the bucket, waits while Firehose delivers, and copies out of the
//! stream what is left then. Must not delete anything.

use std::time::{Duration, SystemTime};

use super::gaps::Gaps;
use super::tail::{self, Tail};
use crate::aws::{Aws, AwsError, ErrorKind, Look};
use crate::objects::Skipped;
use crate::replay::{Mode, Place, ReplayError, Span, stream};
use crate::smoke::delivered::{Search, SearchArea};
use crate::smoke::known::Shape;

/// The longest that Firehose gathers records before it writes an object (Firehose API reference, `BufferingHints`).
const LONGEST_BUFFER: Duration = Duration::from_mins(15);

/// How far before the look at which everything was found a late record can have arrived, by this machine's clock.
const LATE: Duration = Duration::from_mins(2);

/// Further ahead than any clock may be of this machine's.
const NEVER_YET: Duration = Duration::from_hours(24);

/// The records of a stream that may be undelivered.
#[derive(Clone, Debug)]
pub struct Unproven {
    /// The spans of time when no delivery stream read the stream.
    pub gaps: Gaps,
    /// Whatever arrived since then may still be on its way.
    pub since: SystemTime,
    /// The prefix under which the delivery stream delivers.
    pub prefix: String,
    /// The longest that a delivery still takes; absent if nothing delivers.
    pub delivers_within: Option<Duration>,
}

/// A stream, and the bucket to which its impressions are delivered.
pub struct Drain<'a> {
    /// Where to look.
    pub aws: &'a Aws,
    /// Where the impressions are.
    pub place: &'a Place,
    pub waiting: &'a dyn Fn(&str),
}

impl Drain<'_> {
    /// Returns once every impression of the stream is in the bucket; gives how many were copied there.
    pub async fn run(&self, unproven: &Unproven) -> Result<usize, ReplayError> {
        let mut copied = 0;
        for gap in unproven.gaps.iter() {
            if let Some(until) = gap.until {
                copied += self.copy(gap.from, until).await?;
            }
        }
        if !self.is_delivered(unproven).await? {
            // Up to the newest record, whatever this machine's clock says.
            copied += self.copy(unproven.since, SystemTime::now() + NEVER_YET).await?;
        }
        Ok(copied)
    }

    /// Copies what arrived after a look at which everything was found: a request that the function had begun before it was
    /// deleted. Nothing delivers any more. Gives how many were copied.
    pub async fn late(&self, unproven: &Unproven, looked: SystemTime) -> Result<usize, ReplayError> {
        let late = Unproven {
            gaps: Gaps::default(),
            since: looked - LATE,
            prefix: unproven.prefix.clone(),
            delivers_within: None,
        };
        self.run(&late).await
    }

    async fn copy(&self, since: SystemTime, until: SystemTime) -> Result<usize, ReplayError> {
        (self.waiting)("undelivered impressions to be copied to the bucket");
        let copied = stream::copy(self.aws, self.place, Span { since, until }, Mode::Do).await?;
        match copied.skipped.first() {
            None => Ok(copied.copied + copied.misfits),
            Some(Skipped { key, why }) => {
                let message = format!("the record {key} cannot be copied: {why}");
                Err(ReplayError::Copy(AwsError::new("down", ErrorKind::Unusable, message)))
            }
        }
    }

    /// Waits, as long as Firehose may take, until everything that arrived since then is in the bucket; tells whether it is.
    async fn is_delivered(&self, unproven: &Unproven) -> Result<bool, AwsError> {
        let mut known = Vec::new();
        loop {
            match tail::read(self.aws, &self.place.stream, unproven.since).await? {
                // A request that was under way may have added records during the search.
                Tail::Lines(lines) if lines.len() == known.len() => return Ok(true),
                Tail::Lines(lines) => known = lines,
                Tail::TooLong => return Ok(false),
            }
            let limit = unproven.delivers_within.unwrap_or_default();
            if !self.finds(&known, unproven, limit).await? {
                return Ok(false);
            }
        }
    }

    /// Looks for each of these impressions in the bucket until all are found or the time is up.
    async fn finds(&self, lines: &[String], unproven: &Unproven, limit: Duration) -> Result<bool, AwsError> {
        let mut search = Search::among(self.area(unproven), unproven.since, lines);
        let look = async || {
            match search.look(self.aws).await {
                Ok(()) if search.is_complete() => return Ok(Look::Ready(true)),
                Ok(()) => {}
                // Without a bucket nothing is found, and there is nowhere to copy to, which the copy then says.
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(Look::Ready(false)),
                Err(error) => return Err(error),
            }
            (self.waiting)("the last impressions to be delivered");
            Ok(Look::Pending("not all found in the bucket".to_owned()))
        };
        match self.aws.wait_until("the last impressions to be delivered", limit, look).await {
            Err(error) if error.kind == ErrorKind::TimedOut => Ok(false),
            found => found,
        }
    }

    /// Where impressions of the stream are once they are delivered.
    fn area(&self, unproven: &Unproven) -> SearchArea {
        let place = self.place;
        SearchArea {
            pipeline: place.name.clone(),
            bucket: place.bucket.clone(),
            ownership: place.ownership,
            prefix: unproven.prefix.clone(),
            gathered: LONGEST_BUFFER,
            shape: place.columns.clone().map_or(Shape::Lines, Shape::Rows),
        }
    }
}

#[cfg(test)]
mod tests;
