//! The statement in the function's policy by which the webhook, and nothing else, invokes the function.

use serde::Serialize;

use super::{Needs, Stage, path_of};
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::resource::Step;
use crate::resources::rest_api;

/// The id of our statement in the function's policy.
const STATEMENT: &str = "split-pipeline-webhook";

/// Whether the API may invoke the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// `POST` on the webhook's path may, and nothing else.
    Granted,
    /// It may not.
    Missing,
    /// Our statement grants something else.
    Different,
}

impl Stage {
    pub(super) async fn permission(&self, api: &rest_api::Id, aws: &Aws) -> Result<Permission, AwsError> {
        let function = self.names.function();
        let request = || aws.lambda.get_policy().function_name(&function).send();
        let answer = aws.call("lambda:GetPolicy", request).await.found()?;
        let policy = answer.and_then(|answer| answer.policy).unwrap_or_default();
        let policy: serde_json::Value = serde_json::from_str(&policy).unwrap_or_default();
        let statements = policy["Statement"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let Some(ours) = statements.iter().find(|statement| statement["Sid"] == STATEMENT) else {
            return Ok(Permission::Missing);
        };
        let source = api.route.as_ref().map(|route| self.source(&api.api, &route.path));
        let conditions = ours["Condition"].as_object().into_iter().flatten();
        let granted = conditions
            .flat_map(|(_, keys)| keys.as_object().into_iter().flatten())
            .find_map(|(key, value)| {
                key.eq_ignore_ascii_case("aws:SourceArn")
                    .then(|| value.as_str().map(str::to_owned))
                    .flatten()
            });
        Ok(if source.is_some() && granted == source {
            Permission::Granted
        } else {
            Permission::Different
        })
    }

    /// Lets `POST` on the path invoke the function, and nothing else.
    pub(super) async fn permit(
        &self,
        have: Permission,
        needs: &Needs,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        if have == self.state.invoke_permission {
            return Ok(());
        }
        let function = self.names.function();
        if have == Permission::Different {
            let request = || {
                step.aws
                    .lambda
                    .remove_permission()
                    .function_name(&function)
                    .statement_id(STATEMENT)
                    .send()
            };
            step.settle(async || step.aws.call("lambda:RemovePermission", request).await.found())
                .await?;
        }
        let source = self.source(&needs.api.api, path_of(&needs.api)?);
        let request = || {
            let call = step
                .aws
                .lambda
                .add_permission()
                .function_name(&function)
                .statement_id(STATEMENT);
            let call = call
                .action("lambda:InvokeFunction")
                .principal("apigateway.amazonaws.com");
            call.source_arn(&source).send()
        };
        match step
            .settle(async || step.aws.call("lambda:AddPermission", request).await)
            .await
        {
            Err(error) if error.kind != ErrorKind::Exists => Err(error),
            _ => Ok(()),
        }
    }

    fn source(&self, api: &str, path: &str) -> String {
        self.names.invoke_source(api, &self.state.name, path)
    }
}
