//! The statement in the function's policy by which the webhook, and nothing else, invokes the function.

use serde::Serialize;
use serde_json::{Value, json};

use super::Stage;
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::resource::{Step, Target};
use crate::resources::policy::canonical;
use crate::resources::webhook::rest_api;

pub const STATEMENT: &str = "split-pipeline-webhook";

/// How a statement without an id is named, which only who writes the whole policy can leave out.
pub(super) const NAMELESS: &str = "a statement without an id";

pub const ACTION: &str = "lambda:InvokeFunction";

pub const PRINCIPAL: &str = "apigateway.amazonaws.com";

/// Whether the API may invoke the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// `POST` on the webhook's paths may, and nothing else.
    Granted,
    /// It may not.
    Missing,
    /// Our statement grants something else.
    Different,
}

impl Target<Stage> {
    /// Looks at the function's policy: what our statement grants, and the ids of all others.
    pub(super) async fn permissions(
        &self,
        api: &rest_api::Id,
        aws: &Aws,
    ) -> Result<(Permission, Vec<String>), AwsError> {
        let function = self.extra.names.function();
        let request = || aws.lambda.get_policy().function_name(&function).send();
        let answer = aws.call("lambda:GetPolicy", request).await.found()?;
        let policy = answer.and_then(|answer| answer.policy).unwrap_or_default();
        let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
        let (mut permission, mut others) = (Permission::Missing, Vec::new());
        for statement in policy["Statement"].as_array().into_iter().flatten() {
            if statement["Sid"] != STATEMENT {
                others.push(statement["Sid"].as_str().unwrap_or(NAMELESS).to_owned());
            } else if grants_only(statement, &self.source(api)) {
                permission = Permission::Granted;
            } else {
                permission = Permission::Different;
            }
        }
        Ok((permission, others))
    }

    /// Lets `POST` on the API's paths invoke the function, and nothing else.
    pub(super) async fn permit(&self, api: &rest_api::Id, step: &Step<'_>) -> Result<(), AwsError> {
        let exists = match self.add_permission(api, step).await {
            Err(error) if error.kind == ErrorKind::Exists => error,
            added => return added,
        };
        match self.permissions(api, step.aws).await?.0 {
            Permission::Granted => Ok(()),
            Permission::Missing => Err(exists),
            // A statement cannot be changed, only made anew.
            Permission::Different => {
                self.remove_permission(STATEMENT, step).await?;
                self.add_permission(api, step).await
            }
        }
    }

    async fn add_permission(&self, api: &rest_api::Id, step: &Step<'_>) -> Result<(), AwsError> {
        let source = self.source(api);
        let function = self.extra.names.function();
        let request = || {
            let call = step.aws.lambda.add_permission().function_name(&function);
            let call = call.statement_id(STATEMENT).action(ACTION).principal(PRINCIPAL);
            call.source_arn(&source).send()
        };
        step.call("lambda:AddPermission", request).await.map(drop)
    }

    /// Writes the whole policy anew, with our statement alone: one without an id cannot be removed, and at no moment must the
    /// webhook not be allowed to invoke the function.
    pub(super) async fn permit_alone(&self, api: &rest_api::Id, step: &Step<'_>) -> Result<(), AwsError> {
        let arn = self.extra.names.function_arn();
        let statement = json!({
            "Sid": STATEMENT,
            "Effect": "Allow",
            "Principal": { "Service": PRINCIPAL },
            "Action": ACTION,
            "Resource": arn,
            "Condition": { "ArnLike": { "AWS:SourceArn": self.source(api) } },
        });
        let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": [statement] });
        let policy = policy.to_string();
        let request = || {
            let call = step.aws.lambda.put_resource_policy().resource_arn(&arn);
            call.policy(&policy).send()
        };
        step.call("lambda:PutResourcePolicy", request).await.map(drop)
    }

    pub(super) async fn remove_permission(&self, statement: &str, step: &Step<'_>) -> Result<(), AwsError> {
        let function = self.extra.names.function();
        let request = || {
            let call = step.aws.lambda.remove_permission().function_name(&function);
            call.statement_id(statement).send()
        };
        step.remove("lambda:RemovePermission", request).await
    }

    /// Any path, since API Gateway itself knows none but ours, and a function's policy is no place for a secret.
    fn source(&self, api: &rest_api::Id) -> String {
        self.extra.names.invoke_source(&api.api, &self.state.name)
    }
}

/// Whether a statement lets this source invoke the function, and allows nobody anything else.
///
/// AWS writes the condition as it was given; emulators differ in how they spell its key.
fn grants_only(statement: &Value, source: &str) -> bool {
    let statement = canonical(json!({ "Statement": statement }))["Statement"][0].take();
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    let mut conditions = conditions.flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, value)| (operator.as_str(), key.to_ascii_lowercase(), value))
    });
    let only = conditions.next();
    statement["Effect"] == "Allow"
        && statement["Action"] == ACTION
        && statement["Principal"] == json!({ "Service": PRINCIPAL })
        && conditions.next().is_none()
        && only.is_some_and(|(operator, key, value)| {
            matches!(operator, "ArnLike" | "ArnEquals") && key == "aws:sourcearn" && value == source
        })
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::operation::get_policy::GetPolicyOutput;
    use aws_sdk_lambda::operation::put_resource_policy::PutResourcePolicyOutput;
    use aws_smithy_mocks::mock;

    use super::super::State;
    use super::*;
    use crate::aws::testing::every_service;
    use crate::resources::testing::wanted;
    use crate::resources::webhook::stage;

    #[test]
    fn only_the_webhook_may_invoke_the_function() {
        let source = "arn:aws:execute-api:us-east-1:1:abc/prod/POST/*";
        let granted = json!({
            "Sid": STATEMENT, "Effect": "Allow", "Action": ACTION,
            "Principal": {"Service": PRINCIPAL}, "Resource": "arn:aws:lambda:us-east-1:1:function:f",
            "Condition": {"ArnLike": {"AWS:SourceArn": source}},
        });
        assert!(grants_only(&granted, source));
        for (field, value) in [
            ("Effect", json!("Deny")),
            ("Action", json!("lambda:*")),
            ("Principal", json!("*")),
            ("Principal", json!({"Service": [PRINCIPAL, "s3.amazonaws.com"]})),
            ("Condition", json!({})),
            ("Condition", json!({"ArnNotLike": {"aws:SourceArn": source}})),
            ("Condition", json!({"ArnLike": {"aws:SourceArn": "arn:aws:execute-api:us-east-1:1:abc/*"}})),
        ] {
            let mut other = granted.clone();
            other[field] = value;
            assert!(!grants_only(&other, source), "{other}");
        }
    }

    /// A statement that somebody wrote into the function's policy, without an id beside ours.
    #[tokio::test]
    async fn a_statement_without_an_id_is_found_and_goes_with_one_call() {
        let want = wanted("name: flags\n", stage::want);
        let api = rest_api::Id::of_new("abc".to_owned(), String::new(), rest_api::Secrets::default());
        let source = want.source(&api);
        let ours = json!({
            "Sid": STATEMENT, "Effect": "Allow", "Action": ACTION, "Principal": {"Service": PRINCIPAL},
            "Resource": want.extra.names.function_arn(), "Condition": {"ArnLike": {"AWS:SourceArn": source}},
        });
        let theirs = json!({"Effect": "Allow", "Principal": "*", "Action": ACTION, "Resource": "*"});
        let found = json!({ "Statement": [theirs, ours.clone()] }).to_string();
        let get = mock!(aws_sdk_lambda::Client::get_policy)
            .then_output(move || GetPolicyOutput::builder().policy(&found).build());
        let put = mock!(aws_sdk_lambda::Client::put_resource_policy)
            .match_requests(move |input| {
                let policy: Value = serde_json::from_str(input.policy().unwrap()).unwrap();
                policy["Statement"] == json!([ours])
            })
            .then_output(|| PutResourcePolicyOutput::builder().build());
        let aws = every_service(&[&get, &put]);
        let (permission, others) = want.permissions(&api, &aws).await.unwrap();
        assert_eq!((permission, &others[..]), (Permission::Granted, &[NAMELESS.to_owned()][..]));
        let had = State { other_permissions: others, ..want.state.clone() };
        let step = Step::new(&aws, stage::KIND, "prod");
        want.repair_permissions(&had, &api, &step).await.unwrap();
        assert_eq!(put.num_calls(), 1);
    }
}
