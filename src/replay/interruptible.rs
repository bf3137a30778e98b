//! Makes a Kinesis client that starts no call after an interruption, so that retries of others stop as well.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_kinesis::config::{ConfigBag, Intercept};
use aws_sdk_kinesis::error::BoxError;
use tokio_util::sync::CancellationToken;

/// Fails every call that starts after an interruption.
#[derive(Debug)]
struct StopWhenInterrupted(CancellationToken);

impl Intercept for StopWhenInterrupted {
    fn name(&self) -> &'static str {
        "StopWhenInterrupted"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.is_cancelled() {
            return Err("interrupted".into());
        }
        Ok(())
    }
}

/// The same client, which starts no call once `interrupt` is cancelled.
pub(super) fn interruptible(client: &Client, interrupt: &CancellationToken) -> Client {
    let stop = StopWhenInterrupted(interrupt.clone());
    Client::from_conf(client.config().to_builder().interceptor(stop).build())
}
