//! The tags of API Gateway's resources: a REST API and its stages.

use std::collections::HashMap;

use crate::aws::{Aws, AwsError};
use crate::names::Tags;
use crate::resource::Step;
use crate::resources::tags_from;

/// The tags that come with the description of an API Gateway resource.
pub(in crate::resources) fn described_tags(tags: Option<&HashMap<String, String>>) -> Tags {
    tags_from(tags.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())))
}

/// The tags of an API Gateway resource. AWS describes it with all of them; emulators may keep those that were set
/// later apart, and may not know that call at all.
pub(in crate::resources) async fn read_tags(
    arn: &str,
    described: Option<&HashMap<String, String>>,
    aws: &Aws,
) -> Tags {
    let described = described_tags(described);
    if !aws.is_emulator() {
        return described;
    }
    let request = || aws.apigateway.get_tags().resource_arn(arn).send();
    match aws.call("apigateway:GetTags", request).await {
        Ok(answer) if answer.tags().is_some_and(|tags| !tags.is_empty()) => described_tags(answer.tags()),
        _ => described,
    }
}

/// Sets the tags of what has this ARN. Give all of them, not only those that differ: some endpoints keep these tags apart
/// from the first ones.
pub(in crate::resources) async fn tag(arn: &str, tags: &Tags, step: &Step<'_>) -> Result<(), AwsError> {
    let request = || {
        let call = step.aws.apigateway.tag_resource().resource_arn(arn);
        call.set_tags(Some(tags.clone().into_iter().collect())).send()
    };
    step.call("apigateway:TagResource", request).await.map(drop)
}

pub(in crate::resources) async fn untag(arn: &str, keys: &[String], step: &Step<'_>) -> Result<(), AwsError> {
    let request = || {
        let call = step.aws.apigateway.untag_resource().resource_arn(arn);
        call.set_tag_keys(Some(keys.to_vec())).send()
    };
    step.call("apigateway:UntagResource", request).await.map(drop)
}
