//! What is done by hand to the alarms, their topic and the dashboard.

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, StandardUnit, Statistic};

use super::Drift;

const ALARM: &str = "it-drift-spilled";
const ALARM_ARN: &str = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:it-drift-spilled";
const TOPIC_ARN: &str = "arn:aws:sns:us-east-1:000000000000:it-drift-alarms";
const DASHBOARD: &str = "it-drift-us-east-1";

pub(super) struct Clients {
    cloudwatch: aws_sdk_cloudwatch::Client,
    sns: aws_sdk_sns::Client,
}

impl Clients {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { cloudwatch: aws_sdk_cloudwatch::Client::new(config), sns: aws_sdk_sns::Client::new(config) }
    }

    pub(super) fn drifts(&self) -> Vec<Drift<'_>> {
        let mut drifts = self.alarm();
        drifts.extend(self.topic());
        drifts.extend(self.dashboard());
        drifts
    }

    fn alarm(&self) -> Vec<Drift<'_>> {
        let cloudwatch = &self.cloudwatch;
        let fields = [
            "actions_enabled",
            "alarm_actions",
            "comparison",
            "datapoints_to_alarm",
            "description",
            "dimensions",
            "evaluation_periods",
            "insufficient_data_actions",
            "metric",
            "missing_data",
            "namespace",
            "ok_actions",
            "period_seconds",
            "statistic",
            "threshold",
            "unit",
        ];
        vec![
            Drift::new("alarm", fields, ["PutMetricAlarm"], async {
                let dimension = Dimension::builder().name("other").value("x").build();
                let call = cloudwatch.put_metric_alarm().alarm_name(ALARM);
                let call = call
                    .namespace("Other")
                    .metric_name("other")
                    .dimensions(dimension)
                    .statistic(Statistic::Minimum)
                    .unit(StandardUnit::Count)
                    .period(60)
                    .evaluation_periods(5)
                    .datapoints_to_alarm(2)
                    .comparison_operator(ComparisonOperator::LessThanThreshold)
                    .threshold(7.5)
                    .treat_missing_data("ignore")
                    .actions_enabled(false)
                    .insufficient_data_actions(TOPIC_ARN);
                call.send().await.unwrap();
            }),
            Drift::new("alarm", ["actions_enabled"], ["PutMetricAlarm"], async {
                let call = cloudwatch.disable_alarm_actions().alarm_names(ALARM);
                call.send().await.unwrap();
            }),
            Drift::new("alarm", ["tags.team"], ["TagResource"], async {
                let call = cloudwatch.untag_resource().resource_arn(ALARM_ARN);
                call.tag_keys("team").send().await.unwrap();
            }),
        ]
    }

    fn topic(&self) -> Vec<Drift<'_>> {
        let sns = &self.sns;
        let kind = "alarm_topic";
        let set = async |attribute: &str, value: &str| {
            let call = sns.set_topic_attributes().topic_arn(TOPIC_ARN);
            let call = call.attribute_name(attribute).attribute_value(value);
            call.send().await.unwrap();
        };
        vec![
            Drift::new(
                kind,
                [
                    "policy.Version",
                    "policy.Statement[0].Principal",
                    "policy.Statement[0].Condition.StringEquals.aws:SourceAccount",
                ],
                ["SetTopicAttributes"],
                async move {
                    let statement = r#"{"Sid": "Alarms", "Effect": "Allow", "Principal": "*", "Action": "sns:Publish",
                        "Resource": "arn:aws:sns:us-east-1:000000000000:it-drift-alarms"}"#;
                    let policy = format!(r#"{{"Version": "2008-10-17", "Statement": [{statement}]}}"#);
                    set("Policy", &policy).await;
                },
            ),
            // CloudWatch may not use this key, so that nobody would be told of anything.
            Drift::new(kind, ["encryption_key"], ["SetTopicAttributes"], async move {
                set("KmsMasterKeyId", "alias/aws/sns").await;
            }),
            Drift::new(kind, ["emails"], ["Unsubscribe"], async {
                let call = sns.subscribe().topic_arn(TOPIC_ARN).protocol("email");
                call.endpoint("somebody@example.com").send().await.unwrap();
            }),
            Drift::new(kind, ["emails"], ["Subscribe"], async {
                let call = sns.list_subscriptions_by_topic().topic_arn(TOPIC_ARN);
                let listed = call.send().await.unwrap();
                let arn = listed.subscriptions()[0].subscription_arn().unwrap();
                let call = sns.unsubscribe().subscription_arn(arn);
                call.send().await.unwrap();
            }),
            Drift::new(kind, ["tags.team"], ["TagResource"], async {
                let call = sns.untag_resource().resource_arn(TOPIC_ARN);
                call.tag_keys("team").send().await.unwrap();
            }),
        ]
    }

    fn dashboard(&self) -> Vec<Drift<'_>> {
        let cloudwatch = &self.cloudwatch;
        let edit = async |old: &'static str, new: &'static str| {
            let call = cloudwatch.get_dashboard().dashboard_name(DASHBOARD);
            let body = call.send().await.unwrap().dashboard_body.unwrap();
            assert!(body.contains(old), "{body}");
            let call = cloudwatch.put_dashboard().dashboard_name(DASHBOARD);
            let call = call.dashboard_body(body.replacen(old, new, 1));
            call.send().await.unwrap();
        };
        vec![
            Drift::new("dashboard", ["widgets[0].properties.title"], ["PutDashboard"], async move {
                edit(r#""title":"Impressions""#, r#""title":"Mine""#).await;
            }),
            Drift::new("dashboard", ["tags.team"], ["PutDashboard"], async move {
                edit(r#",\"team\":\"growth\""#, "").await;
            }),
        ]
    }
}
