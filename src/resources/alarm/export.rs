//! The alarms for other tools.

use hcl::{Block, Expression};
use serde_json::json;

use super::Alarm;
use crate::export::cloudformation::{self, Templates};
use crate::export::terraform::{Chapter, reference, resource};
use crate::export::{Page, Reference};
use crate::names::alarm_about;
use crate::resource::Target;
use crate::resources::{Blueprint, Exported};

impl Exported for Alarm {
    fn reference(_want: &Target<Self>) -> Option<Reference> {
        None
    }

    fn terraform(want: &Target<Self>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
        let state = &want.state;
        let dimensions = state.dimensions.iter().map(|(name, value)| (name.clone(), value.clone()));
        let actions = |arns: &[String]| arns.iter().map(|arn| page.hcl_text(arn)).collect::<Expression>();
        let told = [
            ("alarm_actions", &state.alarm_actions),
            ("ok_actions", &state.ok_actions),
            ("insufficient_data_actions", &state.insufficient_data_actions),
        ];
        let told = told.into_iter().filter(|(_, arns)| !arns.is_empty());
        let label = about(want, page).replace('-', "_");
        let alarm = resource("aws_cloudwatch_metric_alarm", &label)
            .add_attribute(("alarm_name", want.name.as_str()))
            .add_attribute(("alarm_description", state.description.as_str()))
            .add_attribute(("namespace", state.namespace.as_str()))
            .add_attribute(("metric_name", state.metric.as_str()))
            .add_attribute(("dimensions", dimensions.collect::<Expression>()))
            .add_attribute(("statistic", state.statistic.as_str()))
            .add_attributes(state.unit.as_deref().map(|unit| ("unit", unit)))
            .add_attribute(("period", state.period_seconds))
            .add_attribute(("evaluation_periods", state.evaluation_periods))
            .add_attributes(state.datapoints_to_alarm.map(|points| ("datapoints_to_alarm", points)))
            .add_attribute(("comparison_operator", state.comparison.as_str()))
            .add_attribute(("threshold", state.threshold))
            .add_attribute(("treat_missing_data", state.missing_data.as_str()))
            .add_attribute(("actions_enabled", state.actions_enabled))
            .add_attributes(told.map(|(name, arns)| (name, actions(arns))))
            .add_attribute(("tags", reference("local.tags")))
            .build();
        (Chapter::Monitoring, vec![alarm])
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        let state = &want.state;
        let dimensions = state.dimensions.iter();
        let dimensions = dimensions.map(|(name, value)| json!({ "Name": name, "Value": value }));
        let actions = |arns: &[String]| {
            let arns: Vec<_> = arns.iter().map(|arn| page.template_text(arn)).collect();
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
            "Tags": page.template_tags(),
        });
        let alarm = cloudformation::resource("AWS::CloudWatch::Alarm", &properties);
        vec![(name(about(want, page)), alarm)]
    }
}

/// What an alarm is about, which is its name without the pipeline's.
fn about<'a>(want: &'a Target<Alarm>, page: &Page<'_>) -> &'a str {
    alarm_about(page.spec.name.as_str(), &want.name)
}

/// What an alarm is called within the template: `webhook-5xx` is `AlarmWebhook5xx`.
fn name(about: &str) -> String {
    let words = about.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    format!("Alarm{}", words.collect::<String>())
}
