//! Deletes what `up` made, each resource as soon as nothing uses it any more.
//!
//! Deletes only what carries the pipeline's tags, and the data only when told to.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use futures_util::future::{FutureExt, LocalBoxFuture, Shared};
use futures_util::join;
use serde::Serialize;

use crate::apply::{Report, Run};
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::desired::Desired;
use crate::observe::Snapshot;
use crate::replay::{Place, ReplayError};
use crate::resource::{Action, Kind, Observed, Resource, Step, is_ours};
use crate::resources::bucket::Bucket;
use crate::resources::database::Database;
use crate::undelivered::drain::{Drain, Unproven};

/// What happens to the impressions in the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// They stay, and the bucket with them.
    Keep,
    /// They are deleted with the bucket.
    Purge,
}

impl Drained {
    /// With so many more impressions copied.
    fn and(self, copied: usize) -> Self {
        match self {
            Self::Yes { copied: before } => Self::Yes {
                copied: before + copied,
            },
            Self::NotAsked | Self::No => Self::Yes { copied },
        }
    }
}

/// A resource that was left where it is.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// Which resource.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// What a destroy left behind.
pub struct Destroyed {
    /// How it went.
    pub report: Report,
    /// What was left where it is.
    pub kept: Vec<Kept>,
    /// Whether all impressions of the stream are in the bucket.
    pub drained: Drained,
}

/// Whether all impressions of a stream are in the bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drained {
    /// Nothing looked: the data is deleted, or there is no stream.
    #[default]
    NotAsked,
    /// They are.
    Yes {
        /// How many impressions were copied there.
        copied: usize,
    },
    /// They may not be, so the stream was kept.
    No,
}

/// A stream whose impressions may not all be in the bucket.
pub struct Undrained<'a> {
    /// Where the impressions are.
    pub place: &'a Place,
    /// Which of its records may be undelivered.
    pub unproven: Unproven,
}

/// Deletes every resource in `have` that the pipeline manages. Deletes the stream only after its undelivered impressions
/// are in the bucket.
pub async fn destroy(
    aws: &Aws,
    want: &Desired,
    have: Snapshot,
    data: Data,
    undelivered: Option<Undrained<'_>>,
) -> Destroyed {
    let destroy = Destroy {
        run: Run::new(aws),
        kept: Mutex::default(),
        drained: Mutex::default(),
        looked: Mutex::new(SystemTime::UNIX_EPOCH),
    };
    let destroy_ref = &destroy;
    let alarms = want.alarms.iter().zip(have.alarms);
    let alarms = alarms.map(|(want, have)| destroy.delete(want, have, nothing()));
    let alarms = futures_util::future::join_all(alarms)
        .map(|uses| every_use(&uses))
        .shared();
    let alarm_topic = destroy.delete(&want.alarm_topic, have.alarm_topic, alarms);
    let dashboard = destroy.delete(&want.dashboard, have.dashboard, nothing());
    // The door closes first, so that nothing is taken which cannot be delivered any more.
    let stage = destroy.delete(&want.stage, have.stage, nothing());
    let rest_api = destroy.delete(&want.rest_api, have.rest_api, stage.clone());
    let function = destroy.delete(&want.function, have.function, stage);
    // Late lines would make the log group anew, so it goes after its writer.
    let function_logs = &want.function_log_group;
    let function_logs = destroy.delete(function_logs, have.function_log_group, function.clone());
    let function_role = destroy.delete(&want.function_role, have.function_role, function.clone());

    // The delivery stream is needed until all impressions of the stream are in the bucket.
    let writer = function.clone();
    let undelivered = undelivered.as_ref();
    let drained = async move {
        match (writer.await, undelivered) {
            (Use::Over, Some(undelivered)) => destroy_ref.drain(want, undelivered, Pass::First).await,
            (writer, _) => writer,
        }
    };
    let drained = drained.boxed_local().shared();
    let delivery_stream = destroy.delete(&want.delivery_stream, have.delivery_stream, drained.clone());
    let stream_used = both(delivery_stream.clone(), drained);
    let stream_used = async move {
        match (stream_used.await, undelivered) {
            (Use::Over, Some(undelivered)) => destroy_ref.drain(want, undelivered, Pass::Late).await,
            (used, _) => used,
        }
    };
    let stream = destroy.delete(&want.stream, have.stream, stream_used);
    let table = destroy.delete(&want.table, have.table, delivery_stream.clone());
    let database = destroy.delete_database(&want.database, have.database, table);
    let delivery_logs = &want.delivery_log_group;
    let delivery_logs = destroy.delete(delivery_logs, have.delivery_log_group, delivery_stream.clone());
    let delivery_role = destroy.delete(&want.delivery_role, have.delivery_role, delivery_stream.clone());

    let written = both(function, delivery_stream);
    let bucket = destroy.delete_bucket(&want.bucket, have.bucket, data, written);
    join!(
        rest_api,
        function_logs,
        function_role,
        stream,
        delivery_logs,
        delivery_role,
        bucket,
        database,
        alarm_topic,
        dashboard
    );
    destroy.outcome()
}

/// What uses a resource that nothing uses.
fn nothing() -> std::future::Ready<Use> {
    std::future::ready(Use::Over)
}

/// Whether any of two goes on.
async fn both(one: impl Future<Output = Use>, other: impl Future<Output = Use>) -> Use {
    let (one, other) = join!(one, other);
    every_use(&[one, other])
}

/// Whether any of several goes on.
fn every_use(uses: &[Use]) -> Use {
    if uses.contains(&Use::GoesOn) {
        Use::GoesOn
    } else {
        Use::Over
    }
}

/// Whether something still uses what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// It is gone.
    Over,
    /// It could not be deleted.
    GoesOn,
}

struct Destroy<'a> {
    run: Run<'a>,
    kept: Mutex<Vec<Kept>>,
    drained: Mutex<Drained>,
    /// When the stream was looked into for the first time.
    looked: Mutex<SystemTime>,
}

/// Which look into the stream it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// Before the delivery stream is deleted.
    First,
    /// After that, for requests that the function had begun before it was deleted itself.
    Late,
}

impl Destroy<'_> {
    /// Deletes one resource once nothing uses it any more, and says whether it is gone itself.
    ///
    /// What is somebody else's stays, and uses nothing of ours that we know of.
    fn delete<'f, R: Resource>(
        &'f self,
        want: &'f R,
        have: Option<Observed<R>>,
        unused: impl Future<Output = Use> + 'f,
    ) -> Shared<LocalBoxFuture<'f, Use>> {
        let deleted = async move {
            let user = unused.await;
            let Some(have) = have else { return Use::Over };
            let (kind, name) = (want.kind(), want.name());
            if !is_ours(want.tags(), &have.tags) {
                self.keep(want, "it is not tagged as this pipeline's");
                return Use::Over;
            }
            if user == Use::GoesOn {
                self.run
                    .not_started(kind, name, "what uses it is still there".to_owned());
                return Use::GoesOn;
            }
            let work = async |step: &Step<'_>| want.delete(&have.id, step).await;
            let id = |(): &()| R::display_id(&have.id);
            match self.run.step(kind, name, Action::Delete, work, id).await {
                Some(()) => Use::Over,
                None => Use::GoesOn,
            }
        };
        deleted.boxed_local().shared()
    }

    /// Deletes the bucket if the data is to go, and says why it stays otherwise.
    async fn delete_bucket(
        &self,
        want: &Bucket,
        have: Option<Observed<Bucket>>,
        data: Data,
        unused: impl Future<Output = Use>,
    ) {
        match (&have, data) {
            (Some(_), _) if want.external() => self.keep(want, "it is yours (existing_bucket)"),
            (Some(bucket), Data::Keep) if is_ours(&want.tags, &bucket.tags) => {
                self.keep(
                    want,
                    "it holds the impressions; --purge-data deletes it with them",
                );
            }
            _ => drop(self.delete(want, have, unused).await),
        }
    }

    /// Deletes the database, unless somebody keeps tables or views of their own in it.
    async fn delete_database(
        &self,
        want: &Database,
        have: Option<Observed<Database>>,
        unused: impl Future<Output = Use>,
    ) {
        let user = unused.await;
        let others = match &have {
            Some(found) if user == Use::Over && is_ours(&want.tags, &found.tags) => {
                // What fails here fails again, and is reported, when it is to be deleted.
                want.tables(self.run.aws).await.unwrap_or_default()
            }
            _ => Vec::new(),
        };
        if others.is_empty() {
            self.delete(want, have, std::future::ready(user)).await;
        } else {
            let others = others.join(", ");
            self.keep(
                want,
                &format!("it has tables or views that are not the pipeline's: {others}"),
            );
        }
    }

    fn outcome(self) -> Destroyed {
        let (kept, drained) = (self.kept.into_inner(), self.drained.into_inner());
        Destroyed {
            report: self.run.take_report(),
            kept: kept.unwrap_or_else(PoisonError::into_inner),
            drained: drained.unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn keep<R: Resource>(&self, want: &R, why: &str) {
        if let Ok(mut kept) = self.kept.lock() {
            kept.push(Kept {
                kind: want.kind(),
                name: want.name().to_owned(),
                why: why.to_owned(),
            });
        }
    }

    /// Waits until all impressions of the stream are in the bucket, and copies those that are not delivered in time. The stream
    /// stays in use if that fails.
    async fn drain(&self, want: &Desired, undelivered: &Undrained<'_>, pass: Pass) -> Use {
        let (kind, name) = (Kind::Stream, want.stream.name());
        let step = Step::new(self.run.aws, kind, name);
        let drain = Drain {
            aws: self.run.aws,
            place: undelivered.place,
            waiting: &|what| step.waiting(what),
        };
        let looked = std::mem::replace(&mut *lock(&self.looked), SystemTime::now());
        let copied = match pass {
            Pass::First => drain.run(&undelivered.unproven).await,
            Pass::Late => drain.late(&undelivered.unproven, looked).await,
        };
        let drained = match copied {
            Ok(copied) => lock(&self.drained).and(copied),
            Err(ReplayError::Aws(error) | ReplayError::Copy(error))
                if error.kind == ErrorKind::Interrupted =>
            {
                self.run.not_started(kind, name, error.to_string());
                Drained::No
            }
            Err(error) => {
                self.run.failed(kind, name, not_drained(error));
                Drained::No
            }
        };
        *lock(&self.drained) = drained;
        match drained {
            Drained::No => Use::GoesOn,
            _ => Use::Over,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The failure to copy undelivered impressions to the bucket.
fn not_drained(error: ReplayError) -> AwsError {
    const WHY: &str = "the stream is kept, because impressions in it may not be in S3";
    match error {
        ReplayError::Aws(mut error) | ReplayError::Copy(mut error) => {
            error.message = format!("{}; {WHY}", error.message);
            error
        }
        other => {
            let why = crate::foreign::whole_chain(&other);
            AwsError::new("down", ErrorKind::Unusable, format!("{why}; {WHY}"))
        }
    }
}

#[cfg(test)]
mod tests;
