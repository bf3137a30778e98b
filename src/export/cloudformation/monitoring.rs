//! Alarms, the topic that they go to, and the dashboard.

use serde_json::{Value, json};

use super::super::Pipeline;
use super::{Resources, resource};
use crate::resource::Target;
use crate::resources::alarm::Alarm;

/// What watches over the pipeline, if anything.
pub(super) fn monitoring(pipeline: &Pipeline<'_>) -> Resources {
    let mut resources = topic(pipeline);
    let alarms = pipeline
        .alarms()
        .map(|want| (name(pipeline.about(want)), alarm(pipeline, want)));
    resources.extend(alarms);
    resources.extend(dashboard(pipeline));
    resources
}

fn topic(pipeline: &Pipeline<'_>) -> Resources {
    let want = &pipeline.want.alarm_topic;
    if !want.is_wanted() {
        return Resources::new();
    }
    let topic = json!({
        "TopicName": want.name,
        "KmsMasterKeyId": want.state.encryption_key,
        "Tags": pipeline.template_tags(),
    });
    let policy = json!({
        "Topics": [{ "Ref": "AlarmTopic" }],
        "PolicyDocument": pipeline.template_value(&want.state.policy),
    });
    let emails = want.state.emails.iter().zip(1..).map(|(email, number)| {
        let subscription =
            json!({ "TopicArn": { "Ref": "AlarmTopic" }, "Protocol": "email", "Endpoint": email });
        (
            format!("AlarmEmail{number}"),
            resource("AWS::SNS::Subscription", &subscription),
        )
    });
    let mut resources = vec![
        ("AlarmTopic".to_owned(), resource("AWS::SNS::Topic", &topic)),
        (
            "AlarmTopicPolicy".to_owned(),
            resource("AWS::SNS::TopicPolicy", &policy),
        ),
    ];
    resources.extend(emails);
    resources
}

fn alarm(pipeline: &Pipeline<'_>, want: &Target<Alarm>) -> Value {
    let state = &want.state;
    let dimensions = state.dimensions.iter();
    let dimensions = dimensions.map(|(name, value)| json!({ "Name": name, "Value": value }));
    let actions = |arns: &[String]| {
        let arns: Vec<_> = arns.iter().map(|arn| pipeline.template_text(arn)).collect();
        (!arns.is_empty()).then_some(arns)
    };
    let properties = json!({
        "AlarmName": want.name,
        "AlarmDescription": state.description,
        "Namespace": state.namespace,
        "MetricName": state.metric,
        "Dimensions": dimensions.collect::<Vec<_>>(),
        "Statistic": state.statistic,
        "Unit": state.unit,
        "Period": state.period_seconds,
        "EvaluationPeriods": state.evaluation_periods,
        "DatapointsToAlarm": state.datapoints_to_alarm,
        "ComparisonOperator": state.comparison,
        "Threshold": state.threshold,
        "TreatMissingData": state.missing_data,
        "ActionsEnabled": state.actions_enabled,
        "AlarmActions": actions(&state.alarm_actions),
        "OKActions": actions(&state.ok_actions),
        "InsufficientDataActions": actions(&state.insufficient_data_actions),
        "Tags": pipeline.template_tags(),
    });
    resource("AWS::CloudWatch::Alarm", &properties)
}

fn dashboard(pipeline: &Pipeline<'_>) -> Option<(String, Value)> {
    let want = &pipeline.want.dashboard;
    want.is_wanted().then(|| {
        let body = json!({ "widgets": want.state.widgets }).to_string();
        let properties = json!({ "DashboardName": want.name, "DashboardBody": body });
        (
            "Dashboard".to_owned(),
            resource("AWS::CloudWatch::Dashboard", &properties),
        )
    })
}

/// What an alarm is called within the template: `webhook-5xx` is `AlarmWebhook5xx`.
fn name(about: &str) -> String {
    let words = about.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    format!("Alarm{}", words.collect::<String>())
}
