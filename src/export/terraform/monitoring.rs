//! Alarms, the topic that they go to, and the dashboard.

use hcl::{Block, Expression};
use serde_json::json;

use super::super::Pipeline;
use super::writing::{Section, call, local, reference, resource};
use crate::resource::Target;
use crate::resources::alarm::Alarm;

/// What watches over the pipeline, if anything.
pub(super) fn monitoring(pipeline: &Pipeline<'_>) -> Option<Section> {
    let mut blocks = topic(pipeline);
    blocks.extend(pipeline.alarms().map(|want| alarm(pipeline, want)));
    blocks.extend(dashboard(pipeline).into_iter().flatten());
    (!blocks.is_empty()).then(|| Section::new("What watches over the pipeline.", blocks))
}

fn topic(pipeline: &Pipeline<'_>) -> Vec<Block> {
    let want = &pipeline.want.alarm_topic;
    if !want.is_wanted() {
        return Vec::new();
    }
    let arn = || reference("aws_sns_topic.alarms.arn");
    let key = want
        .state
        .encryption_key
        .as_deref()
        .map(|key| ("kms_master_key_id", key));
    let topic = resource("aws_sns_topic", "alarms")
        .add_attribute(("name", want.name.as_str()))
        .add_attributes(key)
        .add_attribute(("tags", reference("local.tags")));
    let policy = resource("aws_sns_topic_policy", "alarms")
        .add_attribute(("arn", arn()))
        .add_attribute(("policy", call("jsonencode", reference("local.alarms_policy"))));
    let policy_value = pipeline.hcl_value(&want.state.policy);
    let mut blocks = vec![
        topic.build(),
        local("alarms_policy", policy_value),
        policy.build(),
    ];
    if !want.state.emails.is_empty() {
        // AWS mails each of them a link, and tells them nothing until they follow it.
        let emails = Expression::from(want.state.emails.clone());
        let subscriptions = resource("aws_sns_topic_subscription", "alarms")
            .add_attribute(("for_each", call("toset", reference("local.alarm_emails"))))
            .add_attribute(("topic_arn", arn()))
            .add_attribute(("protocol", "email"))
            .add_attribute(("endpoint", reference("each.value")));
        blocks.extend([local("alarm_emails", emails), subscriptions.build()]);
    }
    blocks
}

fn alarm(pipeline: &Pipeline<'_>, want: &Target<Alarm>) -> Block {
    let state = &want.state;
    let dimensions = state
        .dimensions
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    let actions = |arns: &[String]| {
        arns.iter()
            .map(|arn| pipeline.hcl_text(arn))
            .collect::<Expression>()
    };
    let told = [
        ("alarm_actions", &state.alarm_actions),
        ("ok_actions", &state.ok_actions),
        ("insufficient_data_actions", &state.insufficient_data_actions),
    ];
    let told = told.into_iter().filter(|(_, arns)| !arns.is_empty());
    resource("aws_cloudwatch_metric_alarm", &pipeline.label(want))
        .add_attribute(("alarm_name", want.name.as_str()))
        .add_attribute(("alarm_description", state.description.as_str()))
        .add_attribute(("namespace", state.namespace.as_str()))
        .add_attribute(("metric_name", state.metric.as_str()))
        .add_attribute(("dimensions", dimensions.collect::<Expression>()))
        .add_attribute(("statistic", state.statistic.as_str()))
        .add_attributes(state.unit.as_deref().map(|unit| ("unit", unit)))
        .add_attribute(("period", state.period_seconds))
        .add_attribute(("evaluation_periods", state.evaluation_periods))
        .add_attributes(
            state
                .datapoints_to_alarm
                .map(|points| ("datapoints_to_alarm", points)),
        )
        .add_attribute(("comparison_operator", state.comparison.as_str()))
        .add_attribute(("threshold", state.threshold))
        .add_attribute(("treat_missing_data", state.missing_data.as_str()))
        .add_attribute(("actions_enabled", state.actions_enabled))
        .add_attributes(told.map(|(name, arns)| (name, actions(arns))))
        .add_attribute(("tags", reference("local.tags")))
        .build()
}

fn dashboard(pipeline: &Pipeline<'_>) -> Option<[Block; 2]> {
    let want = &pipeline.want.dashboard;
    want.is_wanted().then(|| {
        let body = pipeline.hcl_value(&json!({ "widgets": want.state.widgets }));
        let dashboard = resource("aws_cloudwatch_dashboard", "impressions")
            .add_attribute(("dashboard_name", want.name.as_str()))
            .add_attribute(("dashboard_body", call("jsonencode", reference("local.dashboard"))));
        [local("dashboard", body), dashboard.build()]
    })
}

impl Pipeline<'_> {
    /// What an alarm is called within the text.
    fn label(&self, alarm: &Target<Alarm>) -> String {
        self.about(alarm).replace('-', "_")
    }
}
