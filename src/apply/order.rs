//! The order in which what the data goes through is made and changed.

use futures_util::future::FutureExt;
use futures_util::join;

use super::{Making, at_once};
use crate::desired::Desired;
use crate::plan::Plan;
use crate::resources::delivery_stream;

/// Which of two changes first, where one of them does not go with what the other was.
///
/// Firehose converts records with newlines too, but without a conversion what has none is no line. So the conversion is there
/// before the function leaves newlines out, and for as long as it does.
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
        before.await?;
        Some(delivery_stream::Needs {
            role: role?,
            stream: stream?,
            bucket: bucket?,
            log_group: log_group?,
            table: table?,
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

/// Makes two resources, one after the other if need be.
pub(super) fn in_order<'a, D: Clone + 'a, F: Clone + 'a>(
    first: First,
    delivery_stream: impl FnOnce(Making<'a, ()>) -> Making<'a, D>,
    function: impl FnOnce(Making<'a, ()>) -> Making<'a, F>,
) -> (Making<'a, D>, Making<'a, F>) {
    match first {
        First::Neither => (delivery_stream(at_once()), function(at_once())),
        First::DeliveryStream => {
            let delivery_stream = delivery_stream(at_once());
            let function = function(done(&delivery_stream));
            (delivery_stream, function)
        }
        First::Function => {
            let function = function(at_once());
            let delivery_stream = delivery_stream(done(&function));
            (delivery_stream, function)
        }
    }
}

/// That something is made, whatever it is.
fn done<'a, T: Clone + 'a>(making: &Making<'a, T>) -> Making<'a, ()> {
    let done = making.clone().map(|made| made.map(drop));
    done.boxed_local().shared()
}
