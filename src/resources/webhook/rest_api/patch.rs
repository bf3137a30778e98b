//! Patching an API: the operations that bring its own settings to where they should be, and the call.

use aws_sdk_apigateway::types::{Op, PatchOperation};

use super::{RestApi, State};
use crate::aws::AwsError;
use crate::resource::{Step, Target};

impl Target<RestApi> {
    pub(super) async fn patch(
        api: &str,
        operations: Vec<PatchOperation>,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        if operations.is_empty() {
            return Ok(());
        }
        let request = || {
            let call = step.aws.apigateway.update_rest_api().rest_api_id(api);
            call.set_patch_operations(Some(operations.clone())).send()
        };
        step.call("apigateway:UpdateRestApi", request).await.map(drop)
    }

    /// What brings the API's own settings to where they should be.
    pub(super) fn operations(&self, had: &State) -> Vec<PatchOperation> {
        let want = &self.state;
        let mut operations = Vec::new();
        // A slash in a patch path is written `~1`.
        let media_type = |media_type: &String| format!("/binaryMediaTypes/{}", media_type.replace('/', "~1"));
        for extra in had.binary_media_types.iter().filter(|have| !want.binary_media_types.contains(have)) {
            operations.push(PatchOperation::builder().op(Op::Remove).path(media_type(extra)).build());
        }
        for missing in want.binary_media_types.iter().filter(|want| !had.binary_media_types.contains(want)) {
            operations
                .push(PatchOperation::builder().op(Op::Add).path(media_type(missing)).value(missing).build());
        }
        if had.endpoint != want.endpoint {
            let path = format!("/endpointConfiguration/types/{}", had.endpoint);
            operations.push(replace(&path, &want.endpoint));
        }
        if had.disable_execute_api_endpoint != want.disable_execute_api_endpoint {
            operations.push(replace("/disableExecuteApiEndpoint", "false"));
        }
        if had.minimum_compression_bytes != want.minimum_compression_bytes {
            // Without a value, answers are not compressed.
            let off = PatchOperation::builder().op(Op::Replace);
            operations.push(off.path("/minimumCompressionSize").build());
        }
        if had.api_key_source != want.api_key_source {
            operations.push(replace("/apiKeySource", &want.api_key_source));
        }
        if had.policy != want.policy {
            let policy = Some(&want.policy).filter(|policy| !policy.is_null());
            let policy = policy.map(ToString::to_string);
            operations.push(replace("/policy", &policy.unwrap_or_default()));
        }
        operations
    }
}

/// The operation that gives a setting of API Gateway's another value.
pub(in crate::resources) fn replace(path: &str, value: &str) -> PatchOperation {
    let operation = PatchOperation::builder().op(Op::Replace);
    operation.path(path).value(value).build()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::resources::testing::wanted;
    use crate::resources::webhook::rest_api;

    fn state(
        media_types: &[&str],
        endpoint: &str,
        disable_execute_api_endpoint: bool,
        policy: Value,
    ) -> State {
        State {
            binary_media_types: media_types.iter().map(|&it| it.to_owned()).collect(),
            endpoint: endpoint.to_owned(),
            disable_execute_api_endpoint,
            minimum_compression_bytes: None,
            api_key_source: "HEADER".to_owned(),
            policy,
            path: None,
            post: None,
            other_methods: Vec::new(),
            other_paths: Vec::new(),
            path_remembered: true,
            deployed: true,
            duplicates: Vec::new(),
        }
    }

    #[test]
    fn one_patch_repairs_every_setting() {
        let mut api = wanted("name: flags\n", rest_api::want);
        api.state = state(&["*/*"], "REGIONAL", false, Value::Null);
        assert_eq!(api.operations(&api.state), []);
        let had = State {
            minimum_compression_bytes: Some(0),
            api_key_source: "AUTHORIZER".to_owned(),
            ..state(&["image/png"], "EDGE", true, json!({"Statement": []}))
        };
        let operations = api.operations(&had);
        let operations: Vec<_> =
            operations.iter().map(|it| (it.op().unwrap().as_str(), it.path().unwrap(), it.value())).collect();
        assert_eq!(
            operations,
            [
                ("remove", "/binaryMediaTypes/image~1png", None),
                ("add", "/binaryMediaTypes/*~1*", Some("*/*")),
                ("replace", "/endpointConfiguration/types/EDGE", Some("REGIONAL")),
                ("replace", "/disableExecuteApiEndpoint", Some("false")),
                ("replace", "/minimumCompressionSize", None),
                ("replace", "/apiKeySource", Some("HEADER")),
                ("replace", "/policy", Some("")),
            ]
        );
    }
}
