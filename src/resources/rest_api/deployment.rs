//! Deployments of the REST API. Each carries the digest of the definition that it was made of: a changed API needs a
//! new one, and without a digest nobody could tell.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::State;
use crate::aws::{Aws, AwsError, Outcome};
use crate::resource::Step;

/// A deployment that exists.
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

/// Lists the deployments of an API.
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

/// Deploys an API as it is now; gives the deployment's id.
pub(super) async fn create(api: &str, digest: &str, step: &Step<'_>) -> Result<String, AwsError> {
    let request = || {
        let call = step.aws.apigateway.create_deployment().rest_api_id(api);
        call.description(digest).send()
    };
    let call = "apigateway:CreateDeployment";
    let made = step.settle(async || step.aws.call(call, request).await).await?;
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
    let delete = async || {
        let call = "apigateway:DeleteDeployment";
        step.aws.call(call, request).await.found()
    };
    step.settle(delete).await.map(drop)
}
