//! An IAM role with one inline policy: the delivery stream's and the function's.

use serde::Serialize;
use serde_json::Value;

use super::{policy_value, retag, tags_from};
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::resource::{About, Kind, Observed, Phase, Replacement, Resource, Step, Tags};

/// The name of the one inline policy.
pub const POLICY: &str = "split-pipeline";

/// A role as it should be.
#[derive(Clone, Debug)]
pub struct Role {
    /// Whose role.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// What is compared.
    pub state: State,
    /// Its tags.
    pub tags: Tags,
}

/// What is compared.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// The path that it is below.
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
    type Parent = ();
    type Needs = ();

    fn about(&self) -> About<'_, State> {
        About {
            kind: self.kind,
            name: &self.name,
            state: &self.state,
            tags: &self.tags,
        }
    }

    fn display_id(id: &String) -> String {
        id.clone()
    }

    fn parent((): &()) {}

    async fn observe(&self, aws: &Aws, (): &()) -> Result<Option<Observed<Self>>, AwsError> {
        let call = "iam:GetRole";
        let request = || aws.iam.get_role().role_name(&self.name).send();
        let Some(answer) = aws.call(call, request).await.found()? else {
            return Ok(None);
        };
        let role = answer.role().ok_or_else(|| AwsError::incomplete(call, "role"))?;
        let (policy, other_policies) = futures_util::try_join!(self.policy(aws), self.other_policies(aws))?;
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
        Ok(Some(Observed {
            id: role.arn().to_owned(),
            state,
            tags,
            phase: Phase::Ready,
        }))
    }

    async fn create(&self, (): &(), step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let tags = iam_tags(&self.tags)?;
        let trust = self.state.trust.to_string();
        let request = || {
            let call = step
                .aws
                .iam
                .create_role()
                .role_name(&self.name)
                .assume_role_policy_document(&trust);
            let call = call
                .path(&self.state.path)
                .set_permissions_boundary(self.state.permissions_boundary.clone());
            call.set_tags(Some(tags.clone())).send()
        };
        step.aws.call("iam:CreateRole", request).await?;
        let state = State {
            path: self.state.path.clone(),
            permissions_boundary: self.state.permissions_boundary.clone(),
            trust: self.state.trust.clone(),
            policy: Value::Null,
            other_policies: Vec::new(),
        };
        Ok(Observed {
            id: self.arn.clone(),
            state,
            tags: self.tags.clone(),
            phase: Phase::Ready,
        })
    }

    async fn update(&self, have: &Observed<Self>, (): &(), step: &Step<'_>) -> Result<String, AwsError> {
        let aws = step.aws;
        if have.state.permissions_boundary != self.state.permissions_boundary {
            self.bound(step).await?;
        }
        if have.state.trust != self.state.trust {
            let trust = self.state.trust.to_string();
            let request = || {
                aws.iam
                    .update_assume_role_policy()
                    .role_name(&self.name)
                    .policy_document(&trust)
                    .send()
            };
            step.settle(async || aws.call("iam:UpdateAssumeRolePolicy", request).await)
                .await?;
        }
        if have.state.policy != self.state.policy {
            let policy = self.state.policy.to_string();
            let request = || {
                let call = aws
                    .iam
                    .put_role_policy()
                    .role_name(&self.name)
                    .policy_name(POLICY);
                call.policy_document(&policy).send()
            };
            step.settle(async || aws.call("iam:PutRolePolicy", request).await)
                .await?;
        }
        for policy in &have.state.other_policies {
            self.remove_policy(policy, aws).await?;
        }
        self.retag(&have.tags, aws).await?;
        Ok(self.arn.clone())
    }

    async fn delete(&self, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let aws = step.aws;
        self.remove_policy(POLICY, aws).await?;
        for policy in self.other_policies(aws).await.found()?.unwrap_or_default() {
            self.remove_policy(&policy, aws).await?;
        }
        let request = || aws.iam.delete_role().role_name(&self.name).send();
        aws.call("iam:DeleteRole", request).await.found().map(drop)
    }

    fn replacement(&self, have: &State) -> Option<Replacement> {
        let (have, want) = (&have.path, &self.state.path);
        (have != want).then(|| {
            Replacement::Refuse(format!(
                "a role cannot be moved from {have} to {want}, and what uses it would stop without it: \
                 take the pipeline down with the spec as it was (the data stays), and up again with this one, \
                 which gives it a new URL"
            ))
        })
    }
}

impl Role {
    async fn bound(&self, step: &Step<'_>) -> Result<(), AwsError> {
        let iam = &step.aws.iam;
        let Some(boundary) = &self.state.permissions_boundary else {
            let request = || {
                iam.delete_role_permissions_boundary()
                    .role_name(&self.name)
                    .send()
            };
            let call = "iam:DeleteRolePermissionsBoundary";
            return step.aws.call(call, request).await.found().map(drop);
        };
        let request = || {
            let call = iam.put_role_permissions_boundary().role_name(&self.name);
            call.permissions_boundary(boundary).send()
        };
        let put = async || step.aws.call("iam:PutRolePermissionsBoundary", request).await;
        step.settle(put).await.map(drop)
    }

    async fn policy(&self, aws: &Aws) -> Result<Value, AwsError> {
        let request = || {
            aws.iam
                .get_role_policy()
                .role_name(&self.name)
                .policy_name(POLICY)
                .send()
        };
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
        let inline = inline
            .policy_names()
            .iter()
            .filter(|name| *name != POLICY)
            .cloned();
        let attached = attached
            .attached_policies()
            .iter()
            .filter_map(|policy| policy.policy_arn());
        Ok(inline.chain(attached.map(str::to_owned)).collect())
    }

    async fn remove_policy(&self, policy: &str, aws: &Aws) -> Result<(), AwsError> {
        if policy.starts_with("arn:") {
            let request = || {
                aws.iam
                    .detach_role_policy()
                    .role_name(&self.name)
                    .policy_arn(policy)
                    .send()
            };
            return aws.call("iam:DetachRolePolicy", request).await.found().map(drop);
        }
        let request = || {
            aws.iam
                .delete_role_policy()
                .role_name(&self.name)
                .policy_name(policy)
                .send()
        };
        aws.call("iam:DeleteRolePolicy", request).await.found().map(drop)
    }

    async fn retag(&self, have: &Tags, aws: &Aws) -> Result<(), AwsError> {
        let set = async |tags| {
            let tags = iam_tags(&tags)?;
            let request = || {
                let call = aws.iam.tag_role().role_name(&self.name);
                call.set_tags(Some(tags.clone())).send()
            };
            aws.call("iam:TagRole", request).await.map(drop)
        };
        let remove = async |keys: Vec<String>| {
            let request = || {
                let call = aws.iam.untag_role().role_name(&self.name);
                call.set_tag_keys(Some(keys.clone())).send()
            };
            aws.call("iam:UntagRole", request).await.map(drop)
        };
        retag(&self.tags, have, set, remove).await
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
