//! Changing the function: its configuration, its code and its reserved concurrency, each by a call of its own.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::Runtime;

use super::{Function, State};
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::resource::{Step, Target, ready};

/// The fields that other calls than the one for the configuration change.
pub(super) const APART: [&str; 4] = ["architecture", "code_sha256", "reserved_concurrency", "urls"];

impl Target<Function> {
    /// Waits until a change is made; one that AWS gave up is an error.
    async fn changed(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let have = ready(self, step).await?;
        match have.state.failed_update {
            None => Ok(()),
            Some(why) => Err(AwsError::new("lambda", ErrorKind::Unusable, why)),
        }
    }

    pub(super) async fn update_configuration(&self, had: &State, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.lambda.update_function_configuration().function_name(&self.name);
            let call = call.runtime(Runtime::from(self.state.runtime.as_str())).role(&self.state.role);
            let call = call.memory_size(self.state.memory_mib).timeout(self.state.timeout_seconds);
            let call = call.environment(self.environment());
            self.state.defaults.restore(&had.defaults, call).send()
        };
        step.call("lambda:UpdateFunctionConfiguration", request).await?;
        self.changed(step).await
    }

    pub(super) async fn update_code(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let zip = self.zip()?;
        let request = || {
            let call = step.aws.lambda.update_function_code().function_name(&self.name);
            call.architectures(self.architecture()).zip_file(Blob::new(zip)).send()
        };
        step.call("lambda:UpdateFunctionCode", request).await?;
        self.changed(step).await
    }

    pub(super) async fn reserve(&self, aws: &Aws) -> Result<(), AwsError> {
        if let Some(reserved) = self.state.reserved_concurrency {
            let request = || {
                let call = aws.lambda.put_function_concurrency().function_name(&self.name);
                call.reserved_concurrent_executions(reserved).send()
            };
            return aws.call("lambda:PutFunctionConcurrency", request).await.map(drop);
        }
        let request = || aws.lambda.delete_function_concurrency().function_name(&self.name).send();
        aws.call("lambda:DeleteFunctionConcurrency", request).await.found().map(drop)
    }
}
