//! Deletes what `up` made, each resource as soon as nothing uses it any more.
//!
//! Deletes only what carries the pipeline's tags, and the data only when told to.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::{FutureExt, LocalBoxFuture, Shared};
use futures_util::join;

use crate::apply::{Report, Run};
use crate::aws::Aws;
use crate::desired::Desired;
use crate::observe::Snapshot;
use crate::resource::{Action, Kind, Observed, Phase, Resource, Step, is_ours};

/// What happens to the impressions in the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// They stay, and the bucket with them.
    Keep,
    /// They are deleted with the bucket.
    Purge,
}

/// A resource that was left where it is.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Which resource.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// Beyond the buffer's time, how long a delivery may take (Firehose reads its source about once a second).
const DELIVERY_SLACK: Duration = Duration::from_mins(1);

/// Deletes everything in `have` that is the pipeline's.
pub async fn destroy(aws: &Aws, want: &Desired, have: Snapshot, data: Data) -> (Report, Vec<Kept>) {
    let destroy = Destroy {
        run: Run::new(aws),
        kept: Mutex::default(),
    };
    let drain = drain_time(aws, want, &have, data);
    // The door closes first, so that nothing is taken which cannot be delivered any more.
    let stage = destroy.delete(&want.stage, have.stage, async {});
    let rest_api = destroy.delete(&want.rest_api, have.rest_api, stage.clone());
    let function = destroy.delete(&want.function, have.function, stage.clone());
    // Late lines would make the log group anew, so it goes after its writer.
    let function_logs = destroy.delete(
        &want.function_log_group,
        have.function_log_group,
        function.clone(),
    );
    let function_role = destroy.delete(&want.function_role, have.function_role, function.clone());

    let drained = async {
        function.clone().await;
        destroy.drain(want, drain).await;
    };
    let delivery_stream = destroy.delete(&want.delivery_stream, have.delivery_stream, drained);
    let stream = destroy.delete(&want.stream, have.stream, delivery_stream.clone());
    let delivery_logs = destroy.delete(
        &want.delivery_log_group,
        have.delivery_log_group,
        delivery_stream.clone(),
    );
    let delivery_role = destroy.delete(&want.delivery_role, have.delivery_role, delivery_stream.clone());
    let bucket = async {
        let written = async {
            join!(function.clone(), delivery_stream.clone());
        };
        match (&have.bucket, data) {
            (Some(_), _) if want.bucket.external() => {
                destroy.keep(&want.bucket, "it is yours (existing_bucket)");
            }
            (Some(bucket), Data::Keep) if is_ours(&want.bucket.tags, &bucket.tags) => {
                destroy.keep(
                    &want.bucket,
                    "it holds the impressions; --purge-data deletes it with them",
                );
            }
            _ => destroy.delete(&want.bucket, have.bucket, written).await,
        }
    };
    join!(
        rest_api,
        function_logs,
        function_role,
        stream,
        delivery_logs,
        delivery_role,
        bucket
    );
    (
        destroy.run.take_report(),
        destroy
            .kept
            .lock()
            .map(|mut kept| std::mem::take(&mut *kept))
            .unwrap_or_default(),
    )
}

struct Destroy<'a> {
    run: Run<'a>,
    kept: Mutex<Vec<Kept>>,
}

impl Destroy<'_> {
    /// Deletes one resource once nothing uses it any more.
    fn delete<'f, R: Resource>(
        &'f self,
        want: &'f R,
        have: Option<Observed<R>>,
        unused: impl Future<Output = ()> + 'f,
    ) -> Shared<LocalBoxFuture<'f, ()>> {
        let deleted = async move {
            unused.await;
            let Some(have) = have else { return };
            if !is_ours(want.tags(), &have.tags) {
                return self.keep(want, "it is not tagged as this pipeline's");
            }
            let work = async |step: &Step<'_>| want.delete(&have.id, step).await;
            self.run
                .step(want.kind(), want.name(), Action::Delete, work, |()| {
                    R::display_id(&have.id)
                })
                .await;
        };
        deleted.boxed_local().shared()
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

    /// Lets the delivery stream write what it has gathered.
    async fn drain(&self, want: &Desired, time: Duration) {
        if time.is_zero() {
            return;
        }
        let step = Step::new(self.run.aws, Kind::DeliveryStream, &want.delivery_stream.name);
        step.waiting(&format!(
            "{} for the last impressions to be delivered",
            humantime::format_duration(time)
        ));
        // An interruption ends the wait; what follows it is then not started.
        let _ = self.run.aws.pause(time).await;
    }
}

/// How long what was just received may still be on its way to the bucket; nothing where the data is not kept, where
/// nothing can be under way, and on emulators, which deliver at once.
fn drain_time(aws: &Aws, want: &Desired, have: &Snapshot, data: Data) -> Duration {
    let flowing = have
        .delivery_stream
        .as_ref()
        .is_some_and(|found| found.phase == Phase::Ready)
        && have.function.is_some();
    if data == Data::Purge || aws.is_emulator() || !flowing {
        return Duration::ZERO;
    }
    let buffer = u64::try_from(want.delivery_stream.state.buffer_seconds).unwrap_or_default();
    Duration::from_secs(buffer) + DELIVERY_SLACK
}
