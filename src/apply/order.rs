//! The order in which what the data goes through is made and changed.

use std::time::Duration;

use futures_util::future::FutureExt;
use futures_util::join;

use super::{Making, at_once};
use crate::aws::Aws;
use crate::desired::Desired;
use crate::destroy::DELIVERY_SLACK;
use crate::plan::Plan;
use crate::resource::{Kind, Step};
use crate::resources::delivery_stream;

/// How long Firehose may take to do as it was told ("`UpdateDestination`" in its reference: a few minutes), which it does not
/// show.
const UPDATING: Duration = Duration::from_mins(5);

/// Which of two changes first, where one of them does not go with what the other was.
///
/// A conversion is taken to bear newlines between documents, as JSON does, though Firehose's guide shows none; but without a
/// conversion what has none is no line. So the conversion is at work
/// before the function leaves newlines out, and until nothing without any is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// The delivery stream.
    DeliveryStream,
    /// The function.
    Function,
    /// Neither.
    Neither,
}

impl First {
    pub(super) fn of(want: &Desired, plan: &Plan) -> Self {
        let converts = plan.delivery_stream.have.as_ref();
        let converts = converts.is_some_and(|have| have.state.conversion.is_some());
        match (converts, want.delivery_stream.state.conversion.is_some()) {
            (false, true) if plan.function.have.is_some() => Self::DeliveryStream,
            (true, false) => Self::Function,
            _ => Self::Neither,
        }
    }

    /// How long after the first the second may change; at once on emulators, which deliver at once.
    pub(super) fn pause(self, aws: &Aws, plan: &Plan) -> Duration {
        let gathering = plan.delivery_stream.have.as_ref();
        let gathering = gathering
            .map(|have| have.state.buffer_seconds)
            .unwrap_or_default();
        match self {
            _ if aws.is_emulator() => Duration::ZERO,
            Self::Neither => Duration::ZERO,
            Self::DeliveryStream => UPDATING,
            Self::Function => {
                Duration::from_secs(u64::try_from(gathering).unwrap_or_default()) + DELIVERY_SLACK
            }
        }
    }
}

/// Waits between two changes, and says so.
pub(super) async fn wait(aws: &Aws, want: &Desired, pause: Duration) {
    if pause.is_zero() {
        return;
    }
    let step = Step::new(aws, Kind::DeliveryStream, &want.delivery_stream.name);
    step.waiting(&format!(
        "{} until nothing is on its way that would be delivered in the wrong format",
        humantime::format_duration(pause)
    ));
    // An interruption ends the wait; what follows it is then not started.
    let _ = aws.pause(pause).await;
}

/// What the delivery stream and the function need, being made.
pub(super) struct Base<'a> {
    pub(super) bucket: Making<'a>,
    pub(super) stream: Making<'a>,
    pub(super) table: Making<'a, ()>,
    pub(super) delivery_role: Making<'a>,
    pub(super) function_role: Making<'a>,
    pub(super) delivery_logs: Making<'a>,
    pub(super) function_logs: Making<'a>,
    /// Whether there is a function, which may be called at any time.
    pub(super) is_called: bool,
}

impl Base<'_> {
    /// The needs of the delivery stream, once what has to be before it is done.
    pub(super) async fn for_delivery_stream(&self, before: Making<'_, ()>) -> Option<delivery_stream::Needs> {
        let (role, stream, bucket, log_group, table) = join!(
            self.delivery_role.clone(),
            self.stream.clone(),
            self.bucket.clone(),
            self.delivery_logs.clone(),
            self.table.clone()
        );
        table?;
        before.await?;
        Some(delivery_stream::Needs {
            role: role?,
            stream: stream?,
            bucket: bucket?,
            log_group: log_group?,
        })
    }

    /// The needs of the function, once what has to be before it is done.
    ///
    /// Lambda makes a log group without retention on the first line, so ours has to be there before; and a function that is
    /// called already must not be sent to spill into a bucket that is not there.
    pub(super) async fn for_function(&self, before: Making<'_, ()>) -> Option<String> {
        let (role, logs) = join!(self.function_role.clone(), self.function_logs.clone());
        if self.is_called {
            self.bucket.clone().await?;
        }
        before.await?;
        logs.and(role)
    }
}

/// Makes two resources, one after the other and a pause if need be.
pub(super) fn in_order<'a, D: Clone + 'a, F: Clone + 'a>(
    first: First,
    pause: impl Future<Output = ()> + 'a,
    delivery_stream: impl FnOnce(Making<'a, ()>) -> Making<'a, D>,
    function: impl FnOnce(Making<'a, ()>) -> Making<'a, F>,
) -> (Making<'a, D>, Making<'a, F>) {
    match first {
        First::Neither => (delivery_stream(at_once()), function(at_once())),
        First::DeliveryStream => {
            let delivery_stream = delivery_stream(at_once());
            let function = function(after(&delivery_stream, pause));
            (delivery_stream, function)
        }
        First::Function => {
            let function = function(at_once());
            let delivery_stream = delivery_stream(after(&function, pause));
            (delivery_stream, function)
        }
    }
}

/// That something is made, whatever it is, and a pause is over.
fn after<'a, T: Clone + 'a>(making: &Making<'a, T>, pause: impl Future<Output = ()> + 'a) -> Making<'a, ()> {
    let making = making.clone();
    let after = async {
        making.await?;
        pause.await;
        Some(())
    };
    after.boxed_local().shared()
}
