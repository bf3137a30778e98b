//! Keeps impressions safe while `up` and `down` work: `Closing` records when a new delivery stream started to read, `Draining` delays
//! the deletion of the stream until its impressions are in the bucket.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::drain::{Drain, Unproven};
use super::gaps::Gaps;
use super::kept;
use crate::aws::{AwsError, ErrorKind};
use crate::engine::apply::Follow;
use crate::engine::destroy::Guard;
use crate::engine::{Done, Run};
use crate::foreign::whole_chain;
use crate::kind::Kind;
use crate::moment;
use crate::pipeline::Desired;
use crate::replay::{Place, ReplayError};
use crate::resource::{Step, Target};
use crate::resources::delivery_stream;
use crate::resources::stream::Stream;

/// Writes to a tag of the stream when a new delivery stream started to read, whatever else fails.
pub struct Closing {
    stream: Target<Stream>,
    gaps: Gaps,
}

impl Closing {
    pub fn of(want: &Desired) -> Self {
        Self { stream: want.stream.clone(), gaps: kept(want) }
    }
}

impl Follow for Closing {
    async fn follow(&self, done: &Done, run: &Run<'_>) {
        if done.kind != delivery_stream::KIND || !self.gaps.is_open() {
            return;
        }
        // It was created since this run started, by AWS's clock; this machine's may be behind.
        let now = SystemTime::now();
        let active =
            done.created.map_or(now, |created| now.max(moment::later(created, run.started.elapsed())));
        let stream = &self.stream;
        let tag = self.gaps.clone().closed(active).write().unwrap_or_default();
        let step = Step::new(run.aws, stream.kind, &stream.name);
        // An interruption is no failure: the next look takes the time when the delivery stream was created.
        if let Err(error) = stream.keep_gaps(&tag, &step).await
            && error.kind != ErrorKind::Interrupted
        {
            run.failed(stream.kind, &stream.name, error);
        }
    }
}

/// Whether all impressions of a stream are in the bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drained {
    /// Nothing looked: the data is deleted, or there is no stream.
    #[default]
    NotAsked,
    Yes {
        copied: usize,
    },
    /// They may not be, so the stream is kept.
    No,
}

impl Drained {
    /// With so many more impressions copied.
    fn and(self, copied: usize) -> Self {
        match self {
            Self::Yes { copied: before } => Self::Yes { copied: before + copied },
            Self::NotAsked | Self::No => Self::Yes { copied },
        }
    }
}

/// Holds back the deletion of delivery stream and stream until all impressions of the stream are in the bucket: the
/// delivery stream is needed until then, and the function may still have been writing when it was deleted.
pub struct Draining<'a> {
    want: &'a Desired,
    place: &'a Place,
    unproven: Option<Unproven>,
    drained: Mutex<Drained>,
    /// When the stream was looked into for the first time.
    looked: Mutex<SystemTime>,
}

impl<'a> Draining<'a> {
    /// Without unproven records, nothing is looked for.
    pub fn new(want: &'a Desired, place: &'a Place, unproven: Option<Unproven>) -> Self {
        Self { want, place, unproven, drained: Mutex::default(), looked: Mutex::new(SystemTime::UNIX_EPOCH) }
    }

    pub fn drained(&self) -> Drained {
        *lock(&self.drained)
    }
}

impl Guard for Draining<'_> {
    async fn may_delete(&self, kind: Kind, run: &Run<'_>) -> bool {
        let (stream, delivery) = (&self.want.stream, self.want.delivery_stream.kind);
        let Some(unproven) = &self.unproven else {
            return true;
        };
        if kind != stream.kind && kind != delivery {
            return true;
        }
        let step = Step::new(run.aws, stream.kind, &stream.name);
        let drain = Drain { aws: run.aws, place: self.place, waiting: &|what| step.waiting(what) };
        let looked = std::mem::replace(&mut *lock(&self.looked), SystemTime::now());
        let copied =
            if kind == delivery { drain.run(unproven).await } else { drain.late(unproven, looked).await };
        let drained = match copied {
            Ok(copied) => self.drained().and(copied),
            Err(ReplayError::Aws(error) | ReplayError::Copy(error))
                if error.kind == ErrorKind::Interrupted =>
            {
                run.not_started(stream.kind, &stream.name, error.to_string());
                Drained::No
            }
            Err(error) => {
                run.failed(stream.kind, &stream.name, not_drained(error));
                Drained::No
            }
        };
        *lock(&self.drained) = drained;
        drained != Drained::No
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_drained(error: ReplayError) -> AwsError {
    const WHY: &str = "the stream is kept, because impressions in it may not be in S3";
    match error {
        ReplayError::Aws(mut error) | ReplayError::Copy(mut error) => {
            error.message = format!("{}; {WHY}", error.message);
            error
        }
        other => {
            let why = whole_chain(&other);
            AwsError::new("down", ErrorKind::Unusable, format!("{why}; {WHY}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_copied_adds_up() {
        let yes = |copied| Drained::Yes { copied };
        assert_eq!(Drained::NotAsked.and(3), yes(3));
        assert_eq!(yes(5).and(3), yes(8));
        assert_eq!(yes(5).and(0), yes(5));
    }
}
