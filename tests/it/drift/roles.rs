//! What is done by hand to the roles and the log groups.

use aws_config::SdkConfig;

use super::Drift;

const TRUST: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": {"AWS": "*"}}]}"#;

const ALL: &str =
    r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;

pub(super) struct Clients {
    iam: aws_sdk_iam::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
}

impl Clients {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { iam: aws_sdk_iam::Client::new(config), logs: aws_sdk_cloudwatchlogs::Client::new(config) }
    }

    pub(super) fn drifts(&self) -> Vec<Drift<'_>> {
        let mut drifts = self.role("delivery_role", "it-drift-delivery-us-east-1");
        drifts.extend(self.role("function_role", "it-drift-handler-us-east-1"));
        drifts.extend(self.log_group("delivery_log_group", "/aws/kinesisfirehose/it-drift"));
        drifts.extend(self.log_group("function_log_group", "/aws/lambda/it-drift"));
        drifts.push(Drift::new("delivery_log_group", ["log_stream"], ["CreateLogStream"], async {
            let call = self.logs.delete_log_stream();
            let call = call.log_group_name("/aws/kinesisfirehose/it-drift");
            call.log_stream_name("S3Delivery").send().await.unwrap();
        }));
        drifts
    }

    fn role(&self, kind: &'static str, name: &'static str) -> Vec<Drift<'_>> {
        let iam = &self.iam;
        vec![
            Drift::new(kind, ["trust.Statement", "trust.Version"], ["UpdateAssumeRolePolicy"], async move {
                let call = iam.update_assume_role_policy().role_name(name);
                let nobody = r#"{"Version": "2008-10-17", "Statement": []}"#;
                call.policy_document(nobody).send().await.unwrap();
            }),
            Drift::new(
                kind,
                match kind {
                    "delivery_role" => vec![
                        "trust.Statement[0].Condition.StringEquals.sts:ExternalId",
                        "trust.Statement[0].Principal",
                    ],
                    _ => vec!["trust.Statement[0].Principal"],
                },
                ["UpdateAssumeRolePolicy"],
                async move {
                    let call = iam.update_assume_role_policy().role_name(name);
                    call.policy_document(TRUST).send().await.unwrap();
                },
            ),
            Drift::new(kind, ["policy.Statement", "policy.Version"], ["PutRolePolicy"], async move {
                let call = iam.delete_role_policy().role_name(name);
                call.policy_name("split-pipeline").send().await.unwrap();
            }),
            Drift::new(kind, ["policy.Statement"], ["PutRolePolicy"], async move {
                let call = iam.put_role_policy().role_name(name);
                let call = call.policy_name("split-pipeline").policy_document(ALL);
                call.send().await.unwrap();
            }),
            Drift::new(kind, ["other_policies"], ["DeleteRolePolicy"], async move {
                let call = iam.put_role_policy().role_name(name);
                let call = call.policy_name("more").policy_document(ALL);
                call.send().await.unwrap();
            }),
            Drift::new(kind, ["permissions_boundary"], ["PutRolePermissionsBoundary"], async move {
                let call = iam.delete_role_permissions_boundary().role_name(name);
                call.send().await.unwrap();
            }),
            Drift::new(kind, ["tags.team"], ["TagRole"], async move {
                let call = iam.untag_role().role_name(name).tag_keys("team");
                call.send().await.unwrap();
            }),
        ]
    }

    fn log_group(&self, kind: &'static str, name: &'static str) -> Vec<Drift<'_>> {
        let logs = &self.logs;
        vec![
            Drift::new(kind, ["retention_days"], ["PutRetentionPolicy"], async move {
                let call = logs.delete_retention_policy().log_group_name(name);
                call.send().await.unwrap();
            }),
            Drift::new(kind, ["tags.team"], ["TagResource"], async move {
                let arn = format!("arn:aws:logs:us-east-1:000000000000:log-group:{name}");
                let call = logs.untag_resource().resource_arn(arn).tag_keys("team");
                call.send().await.unwrap();
            }),
        ]
    }
}
