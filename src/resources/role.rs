//! An IAM role with one inline policy: the delivery stream's and the function's.

use serde::Serialize;
use serde_json::Value;

use super::policy::policy_value;
use super::tags_from;
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::kind::Kind;
use crate::names::Tags;
use crate::resource::{Changes, Observed, Replacement, Resource, Step, TagChanges, Target};

mod export;
mod grants;
mod powers;

pub(crate) use powers::{of_delivery, of_function};

pub const POLICY: &str = "split-pipeline";

pub const OF_DELIVERY: Kind = Kind::new("delivery_role");
pub const OF_FUNCTION: Kind = Kind::new("function_role");

#[derive(Clone, Copy, Debug)]
pub struct Role;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    pub path: String,
    /// The policy that bounds what it may do.
    pub permissions_boundary: Option<String>,
    /// Who may assume it.
    pub trust: Value,
    /// What it may do.
    pub policy: Value,
    /// Policies that nobody but us should have put there.
    pub other_policies: Vec<String>,
}

impl Resource for Role {
    type State = State;
    type Id = String;
    type Extra = ();

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let call = "iam:GetRole";
        let request = || aws.iam.get_role().role_name(&want.name).send();
        let Some(answer) = aws.call(call, request).await.found()? else {
            return Ok(None);
        };
        let role = answer.role().ok_or_else(|| AwsError::incomplete(call, "role"))?;
        let (policy, other_policies) = futures_util::try_join!(want.policy(aws), want.other_policies(aws))?;
        let boundary = role.permissions_boundary();
        let state = State {
            path: role.path().to_owned(),
            permissions_boundary: boundary
                .and_then(|boundary| boundary.permissions_boundary_arn())
                .map(str::to_owned),
            trust: document(role.assume_role_policy_document()),
            policy,
            other_policies,
        };
        let tags = tags_from(role.tags().iter().map(|tag| (tag.key(), tag.value())));
        Ok(Some(Observed::ready(role.arn().to_owned(), state, tags)))
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let tags = iam_tags(&want.tags)?;
        let trust = want.state.trust.to_string();
        let request = || {
            let call = step.aws.iam.create_role().role_name(&want.name).assume_role_policy_document(&trust);
            let call =
                call.path(&want.state.path).set_permissions_boundary(want.state.permissions_boundary.clone());
            call.set_tags(Some(tags.clone())).send()
        };
        step.aws.call("iam:CreateRole", request).await?;
        let state = State {
            path: want.state.path.clone(),
            permissions_boundary: want.state.permissions_boundary.clone(),
            trust: want.state.trust.clone(),
            policy: Value::Null,
            other_policies: Vec::new(),
        };
        Ok(want.created(want.arn.clone(), state))
    }

    async fn update(
        want: &Target<Self>,
        have: &Observed<Self>,
        changes: &Changes,
        step: &Step<'_>,
    ) -> Result<String, AwsError> {
        let aws = step.aws;
        if changes.has("permissions_boundary") {
            want.bound(step).await?;
        }
        if changes.has("trust") {
            let trust = want.state.trust.to_string();
            let request =
                || aws.iam.update_assume_role_policy().role_name(&want.name).policy_document(&trust).send();
            step.call("iam:UpdateAssumeRolePolicy", request).await?;
        }
        if changes.has("policy") {
            let policy = want.state.policy.to_string();
            let request = || {
                let call = aws.iam.put_role_policy().role_name(&want.name).policy_name(POLICY);
                call.policy_document(&policy).send()
            };
            step.call("iam:PutRolePolicy", request).await?;
        }
        for policy in &have.state.other_policies {
            want.remove_policy(policy, aws).await?;
        }
        Ok(want.arn.clone())
    }

    async fn delete(want: &Target<Self>, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let aws = step.aws;
        want.remove_policy(POLICY, aws).await?;
        for policy in want.other_policies(aws).await.found()?.unwrap_or_default() {
            want.remove_policy(&policy, aws).await?;
        }
        let request = || aws.iam.delete_role().role_name(&want.name).send();
        aws.call("iam:DeleteRole", request).await.found().map(drop)
    }

    fn replacement(want: &Target<Self>, have: &State) -> Option<Replacement> {
        let (have, want) = (&have.path, &want.state.path);
        (have != want).then(|| {
            Replacement::Refuse(format!(
                "a role cannot be moved from {have} to {want}, and what uses it would stop without it: \
                 take the pipeline down with the spec as it was (the data stays), and up again with this one, \
                 which gives it a new URL"
            ))
        })
    }

    async fn retag(
        want: &Target<Self>,
        _id: &String,
        tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        let TagChanges { set, removed } = tags;
        if !set.is_empty() {
            let set = iam_tags(set)?;
            let request = || {
                let call = step.aws.iam.tag_role().role_name(&want.name);
                call.set_tags(Some(set.clone())).send()
            };
            step.call("iam:TagRole", request).await?;
        }
        if !removed.is_empty() {
            let request = || {
                let call = step.aws.iam.untag_role().role_name(&want.name);
                call.set_tag_keys(Some(removed.clone())).send()
            };
            step.call("iam:UntagRole", request).await?;
        }
        Ok(())
    }
}

impl Target<Role> {
    async fn bound(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let iam = &step.aws.iam;
        let Some(boundary) = &self.state.permissions_boundary else {
            let request = || iam.delete_role_permissions_boundary().role_name(&self.name).send();
            let call = "iam:DeleteRolePermissionsBoundary";
            return step.aws.call(call, request).await.found().map(drop);
        };
        let request = || {
            let call = iam.put_role_permissions_boundary().role_name(&self.name);
            call.permissions_boundary(boundary).send()
        };
        step.call("iam:PutRolePermissionsBoundary", request).await.map(drop)
    }

    async fn policy(&self, aws: &Aws) -> Result<Value, AwsError> {
        let request = || aws.iam.get_role_policy().role_name(&self.name).policy_name(POLICY).send();
        let answer = aws.call("iam:GetRolePolicy", request).await.found()?;
        Ok(answer.map_or(Value::Null, |answer| document(Some(answer.policy_document()))))
    }

    /// Lists inline policies by name and attached ones by ARN, other than our own.
    async fn other_policies(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        let inline = || aws.iam.list_role_policies().role_name(&self.name).send();
        let attached = || aws.iam.list_attached_role_policies().role_name(&self.name).send();
        let (inline, attached) = futures_util::try_join!(
            aws.call("iam:ListRolePolicies", inline),
            aws.call("iam:ListAttachedRolePolicies", attached)
        )?;
        let inline = inline.policy_names().iter().filter(|name| *name != POLICY).cloned();
        let attached = attached.attached_policies().iter().filter_map(|policy| policy.policy_arn());
        Ok(inline.chain(attached.map(str::to_owned)).collect())
    }

    async fn remove_policy(&self, policy: &str, aws: &Aws) -> Result<(), AwsError> {
        if policy.starts_with("arn:") {
            let request = || aws.iam.detach_role_policy().role_name(&self.name).policy_arn(policy).send();
            return aws.call("iam:DetachRolePolicy", request).await.found().map(drop);
        }
        let request = || aws.iam.delete_role_policy().role_name(&self.name).policy_name(policy).send();
        aws.call("iam:DeleteRolePolicy", request).await.found().map(drop)
    }
}

/// Reads a policy document, which IAM returns percent-encoded.
fn document(text: Option<&str>) -> Value {
    let text = text.unwrap_or_default();
    policy_value(&percent_encoding::percent_decode_str(text).decode_utf8_lossy())
}

fn iam_tags(tags: &Tags) -> Result<Vec<aws_sdk_iam::types::Tag>, AwsError> {
    tags.iter()
        .map(|(key, value)| aws_sdk_iam::types::Tag::builder().key(key).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(|error| AwsError::new("iam:TagRole", ErrorKind::Other, error.to_string()))
}
