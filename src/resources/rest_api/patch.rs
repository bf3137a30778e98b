//! The patch operations that bring an API's own settings to where they should be.

use aws_sdk_apigateway::types::{Op, PatchOperation};

use super::{RestApi, State};
use crate::aws::AwsError;
use crate::resource::Step;

impl RestApi {
    pub(super) async fn patch(&self, api: &str, had: &State, step: &Step<'_>) -> Result<(), AwsError> {
        let operations = self.operations(had);
        if operations.is_empty() {
            return Ok(());
        }
        let request = || {
            let call = step.aws.apigateway.update_rest_api().rest_api_id(api);
            call.set_patch_operations(Some(operations.clone())).send()
        };
        step.settle(async || step.aws.call("apigateway:UpdateRestApi", request).await)
            .await
            .map(drop)
    }

    fn operations(&self, had: &State) -> Vec<PatchOperation> {
        let want = &self.state;
        let mut operations = Vec::new();
        // A slash in a patch path is written `~1`.
        let media_type = |media_type: &String| format!("/binaryMediaTypes/{}", media_type.replace('/', "~1"));
        for extra in had
            .binary_media_types
            .iter()
            .filter(|have| !want.binary_media_types.contains(have))
        {
            operations.push(
                PatchOperation::builder()
                    .op(Op::Remove)
                    .path(media_type(extra))
                    .build(),
            );
        }
        for missing in want
            .binary_media_types
            .iter()
            .filter(|want| !had.binary_media_types.contains(want))
        {
            operations.push(
                PatchOperation::builder()
                    .op(Op::Add)
                    .path(media_type(missing))
                    .value(missing)
                    .build(),
            );
        }
        if had.endpoint != want.endpoint {
            let path = format!("/endpointConfiguration/types/{}", had.endpoint);
            operations.push(
                PatchOperation::builder()
                    .op(Op::Replace)
                    .path(path)
                    .value(&want.endpoint)
                    .build(),
            );
        }
        if had.policy != want.policy {
            let policy = if want.policy.is_null() {
                String::new()
            } else {
                want.policy.to_string()
            };
            operations.push(
                PatchOperation::builder()
                    .op(Op::Replace)
                    .path("/policy")
                    .value(policy)
                    .build(),
            );
        }
        operations
    }
}
