//! Finding the REST API and its resources, and reading what API Gateway says of it.

use aws_sdk_apigateway::types::{ApiKeySourceType, EndpointConfiguration, Resource, RestApi as Found};
use serde_json::Value;

use super::secrets::Secrets;
use super::{RestApi, described_tags, route};
use crate::aws::answer::api_id;
use crate::aws::{Aws, AwsError, Outcome};
use crate::resource::{Target, is_ours};
use crate::resources::policy::policy_value;

impl Target<RestApi> {
    /// Lists the REST APIs that carry our tags, oldest first.
    pub(super) async fn find(&self, aws: &Aws) -> Result<Vec<Found>, AwsError> {
        let (mut ours, mut position) = (Vec::new(), None);
        loop {
            let request = || aws.apigateway.get_rest_apis().limit(500).set_position(position.clone()).send();
            let page = aws.call("apigateway:GetRestApis", request).await?;
            let found = page.items().iter();
            for api in found.filter(|api| is_ours(&self.tags, &described_tags(api.tags()))) {
                api_id("apigateway:GetRestApis", api.id())?;
                let secrets = api.description().map(Secrets::read);
                secrets.unwrap_or_default().hide(aws);
                ours.push(api.clone());
            }
            position = page.position;
            if position.is_none() {
                break;
            }
        }
        ours.sort_by_key(|api| {
            (api.created_date().map(|date| (date.secs(), date.subsec_nanos())), api.id.clone())
        });
        Ok(ours)
    }

    pub(super) async fn resources(&self, api: &str, aws: &Aws) -> Result<Vec<Resource>, AwsError> {
        let request = || aws.apigateway.get_resources().rest_api_id(api).embed("methods").limit(500).send();
        let answer = aws.call("apigateway:GetResources", request).await.found()?;
        let resources = answer.and_then(|answer| answer.items).unwrap_or_default();
        route::hide_secrets(&resources, aws);
        Ok(resources)
    }

    pub(super) async fn root(&self, api: &str, aws: &Aws) -> Result<String, AwsError> {
        let resources = self.resources(api, aws).await?;
        root_of(&resources)
            .map(str::to_owned)
            .ok_or_else(|| AwsError::incomplete("apigateway:GetResources", "root resource"))
    }
}

pub(super) fn root_of(resources: &[Resource]) -> Option<&str> {
    let root = resources.iter().find(|resource| resource.path() == Some("/"));
    root.and_then(|root| root.id())
}

pub(super) fn endpoint(api: &Found) -> String {
    let types = api.endpoint_configuration().map(EndpointConfiguration::types).unwrap_or_default();
    types.first().map(|endpoint| endpoint.as_str().to_owned()).unwrap_or_default()
}

/// Where an API key would come from.
pub(super) fn api_key_source(api: &Found) -> String {
    let source = api.api_key_source().unwrap_or(&ApiKeySourceType::Header);
    source.as_str().to_owned()
}

/// Who may call, as it was written.
pub(super) fn policy(api: &Found) -> Value {
    let policy = api.policy().filter(|policy| !policy.is_empty());
    policy.map_or(Value::Null, resource_policy)
}

/// Reads a resource policy. API Gateway returns it with its quotes escaped, and with the API's ARN filled in where
/// we wrote `execute-api:/`.
fn resource_policy(text: &str) -> Value {
    let unescaped =
        serde_json::from_str::<String>(&format!("\"{text}\"")).unwrap_or_else(|_| text.to_owned());
    let mut policy = policy_value(&unescaped);
    let statements = policy.get_mut("Statement").and_then(Value::as_array_mut);
    for statement in statements.into_iter().flatten() {
        let Some(resource) = statement.get_mut("Resource") else {
            continue;
        };
        if let Some((arn, path)) = resource.as_str().and_then(|text| text.split_once('/'))
            && arn.starts_with("arn:")
            && arn.contains(":execute-api:")
        {
            *resource = Value::String(format!("execute-api:/{path}"));
        }
    }
    policy
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resource_policy_is_read_as_it_was_written() {
        let want = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "execute-api:/*"}]});
        let filled = want.to_string().replace("execute-api:/*", "arn:aws:execute-api:us-east-1:1:abc/*");
        let escaped = filled.replace('"', "\\\"");
        assert_eq!(resource_policy(&escaped), want);
        assert_eq!(resource_policy(&want.to_string()), want);
    }
}
