//! Hints for the user about a failed AWS call.

use super::classify::{LAKE_FORMATION, UNATTACHABLE, limits};
use super::{AwsError, ErrorKind};

impl AwsError {
    pub fn hints(&self) -> Vec<String> {
        let hint = match self.kind {
            ErrorKind::Denied | ErrorKind::Other if self.message.contains(LAKE_FORMATION) => {
                "Lake Formation rules over tables in this account, besides IAM: `aws lakeformation grant-permissions` gives what \
                 the message names to whoever is refused, the delivery role where Firehose is; then run the command again"
                    .to_owned()
            }
            ErrorKind::Denied => format!("allow {} to the credentials that run this", self.denied_action()),
            ErrorKind::Credentials => {
                "check the credentials: `aws sts get-caller-identity`, AWS_PROFILE or --profile, `aws sso login`; --local needs none"
                    .to_owned()
            }
            ErrorKind::Unreachable => "check the network, the region and --endpoint-url".to_owned(),
            ErrorKind::Throttled => "AWS limits how often this may be called; run the command again".to_owned(),
            ErrorKind::Other if self.code.as_deref() == Some("LimitExceededException") => {
                match limits(self.call) {
                    Some(limits) => limits.to_owned(),
                    None => return Vec::new(),
                }
            }
            ErrorKind::Other if self.message.contains(UNATTACHABLE) => {
                "`iam.permissions_boundary` in the spec has to be the ARN of a policy that is there".to_owned()
            }
            ErrorKind::Other if self.message.contains("CloudWatch Logs role ARN must be set") => {
                "API Gateway logs by one role for all APIs of an account and region, so it is not `up` that sets it: make a role \
                 that trusts apigateway.amazonaws.com with the policy AmazonAPIGatewayPushToCloudWatchLogs, and `aws \
                 apigateway update-account --patch-operations op=replace,path=/cloudwatchRoleArn,value=ROLE_ARN`; or \
                 leave `webhook.access_log` out"
                    .to_owned()
            }
            ErrorKind::Failed => "AWS failed, not the spec; run the command again later".to_owned(),
            _ => return Vec::new(),
        };
        let mut hints = vec![hint];
        if self.kind == ErrorKind::Denied && !self.message.contains(LAKE_FORMATION) {
            hints.push("`split-pipeline permissions` prints a policy with all that is needed, `--for replay` the one for `replay`".to_owned());
        }
        hints
    }

    /// The IAM action that was denied: the one that AWS names, which may be another than the call's, such as
    /// `iam:PassRole`.
    fn denied_action(&self) -> &str {
        let named = self.message.split_once("not authorized to perform: ");
        let named = named.and_then(|(_, rest)| rest.split_whitespace().next());
        named.unwrap_or_else(|| action(self.call))
    }
}

/// The IAM action that allows a call: mostly its name.
fn action(call: &str) -> &str {
    match call {
        "s3:DeleteObjects" => "s3:DeleteObject",
        "s3:HeadBucket" => "s3:ListBucket",
        "s3:ListObjectVersions" => "s3:ListBucketVersions",
        "apigateway:PutMethod" | "apigateway:PutIntegration" | "apigateway:TagResource" => "apigateway:PUT",
        "apigateway:UntagResource" => "apigateway:DELETE",
        _ if call.starts_with("apigateway:Get") => "apigateway:GET",
        _ if call.starts_with("apigateway:Create") => "apigateway:POST",
        _ if call.starts_with("apigateway:Update") => "apigateway:PATCH",
        _ if call.starts_with("apigateway:Delete") => "apigateway:DELETE",
        _ => call,
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorKind::Denied;
    use super::*;

    #[test]
    fn the_denied_action_is_the_one_that_aws_names() {
        let denied = |call, message: &str| AwsError::new(call, Denied, message).hints().remove(0);
        let pass_role =
            "User: arn:aws:iam::1:user/u is not authorized to perform: iam:PassRole on resource: r";
        assert!(denied("lambda:CreateFunction", pass_role).starts_with("allow iam:PassRole to"));
        let lake =
            denied("glue:GetTable", "Insufficient Lake Formation permission(s): Required Describe on t");
        assert!(lake.contains("lakeformation grant-permissions"), "{lake}");
        assert!(
            denied("s3:HeadBucket", "answered with HTTP status 403").starts_with("allow s3:ListBucket to")
        );
    }
}
