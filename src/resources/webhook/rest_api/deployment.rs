//! Deployments of the REST API. Each carries the digest of the definition that it was made of: a changed API needs a
//! new one, and without a digest nobody could tell.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::State;
use crate::aws::{Aws, AwsError, Outcome};
use crate::resource::Step;

pub(super) struct Deployment {
    pub(super) id: String,
    /// Its description, which is the digest if we made it.
    pub(super) digest: Option<String>,
}

impl State {
    /// The description of a deployment of the API with this definition, its path and the one before.
    pub(super) fn digest(&self, path: &str, old: Option<&str>) -> String {
        let definition = json!({
            "binary_media_types": self.binary_media_types,
            "endpoint": self.endpoint,
            "policy": self.policy,
            "path": path,
            "old": old,
            "post": self.post,
        });
        let digest = Sha256::digest(definition.to_string());
        format!("split-pipeline, API definition sha256:{}", hex::encode(digest))
    }
}

pub(super) async fn list(api: &str, aws: &Aws) -> Result<Vec<Deployment>, AwsError> {
    let request = || {
        let call = aws.apigateway.get_deployments().rest_api_id(api);
        call.limit(500).send()
    };
    let answer = aws.call("apigateway:GetDeployments", request).await.found()?;
    let deployments = answer.and_then(|answer| answer.items).unwrap_or_default();
    let deployments = deployments.into_iter().filter_map(|found| {
        let (id, digest) = (found.id?, found.description);
        Some(Deployment { id, digest })
    });
    Ok(deployments.collect())
}

/// Which deployments carry this digest.
pub(super) fn current(digest: Option<&str>, deployments: Vec<Deployment>) -> Vec<String> {
    let current = |deployment: &Deployment| digest.is_some() && deployment.digest.as_deref() == digest;
    let deployments = deployments.into_iter().filter(current);
    deployments.map(|deployment| deployment.id).collect()
}

/// Deploys an API as it is now; gives the deployment's id.
pub(in crate::resources) async fn create(
    api: &str,
    digest: &str,
    step: &Step<'_>,
) -> Result<String, AwsError> {
    let request = || {
        let call = step.aws.apigateway.create_deployment().rest_api_id(api);
        call.description(digest).send()
    };
    let call = "apigateway:CreateDeployment";
    let made = step.call(call, request).await?;
    made.id.ok_or_else(|| AwsError::incomplete(call, "deployment id"))
}

/// Deletes a deployment that no stage points to any more.
pub(in crate::resources) async fn delete(
    api: &str,
    deployment: &str,
    step: &Step<'_>,
) -> Result<(), AwsError> {
    let request = || {
        let call = step.aws.apigateway.delete_deployment().rest_api_id(api);
        call.deployment_id(deployment).send()
    };
    let call = "apigateway:DeleteDeployment";
    step.remove(call, request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::testing::wanted;
    use crate::resources::webhook::rest_api;

    /// Another digest would be another deployment of every pipeline that exists.
    #[test]
    fn what_is_compared_besides_the_definition_is_in_no_digest() {
        let mut state = wanted("name: flags\n", rest_api::want).state;
        let post = state.post.clone().unwrap();
        let definition = json!({
            "authorization": "NONE",
            "api_key_required": false,
            "integration": "AWS_PROXY",
            "uri": post.uri,
            "timeout_ms": 29_000,
        });
        assert_eq!(serde_json::to_value(&post).unwrap(), definition);
        let digest = state.digest("path", None);
        state.minimum_compression_bytes = Some(0);
        state.api_key_source = "AUTHORIZER".to_owned();
        assert_eq!(state.digest("path", None), digest);
    }
}
