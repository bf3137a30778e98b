//! The topic and its subscriptions for other tools.

use hcl::{Block, Expression};
use serde_json::json;

use super::AlarmTopic;
use crate::export::cloudformation::{self, Templates};
use crate::export::terraform::{Chapter, call, local, reference, resource};
use crate::export::{Page, Reference};
use crate::resource::Target;
use crate::resources::{Blueprint, Exported};

impl Exported for AlarmTopic {
    fn reference(want: &Target<Self>) -> Option<Reference> {
        want.is_wanted().then(|| Reference {
            arn: want.arn.clone(),
            terraform: "aws_sns_topic.alarms.arn",
            cloudformation: Some("AlarmTopic"),
        })
    }

    fn terraform(want: &Target<Self>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
        let arn = || reference("aws_sns_topic.alarms.arn");
        let key = want.state.encryption_key.as_deref().map(|key| ("kms_master_key_id", key));
        let topic = resource("aws_sns_topic", "alarms")
            .add_attribute(("name", want.name.as_str()))
            .add_attributes(key)
            .add_attribute(("tags", reference("local.tags")));
        let policy = resource("aws_sns_topic_policy", "alarms")
            .add_attribute(("arn", arn()))
            .add_attribute(("policy", call("jsonencode", reference("local.alarms_policy"))));
        let policy_value = page.hcl_value(&want.state.policy);
        let mut blocks = vec![topic.build(), local("alarms_policy", policy_value), policy.build()];
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
        (Chapter::Monitoring, blocks)
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        let topic = json!({
            "TopicName": want.name,
            "KmsMasterKeyId": want.state.encryption_key,
            "Tags": page.template_tags(),
        });
        let policy = json!({
            "Topics": [{ "Ref": "AlarmTopic" }],
            "PolicyDocument": page.template_value(&want.state.policy),
        });
        let emails = want.state.emails.iter().zip(1..).map(|(email, number)| {
            let subscription =
                json!({ "TopicArn": { "Ref": "AlarmTopic" }, "Protocol": "email", "Endpoint": email });
            (format!("AlarmEmail{number}"), cloudformation::resource("AWS::SNS::Subscription", &subscription))
        });
        let mut resources = vec![
            ("AlarmTopic".to_owned(), cloudformation::resource("AWS::SNS::Topic", &topic)),
            ("AlarmTopicPolicy".to_owned(), cloudformation::resource("AWS::SNS::TopicPolicy", &policy)),
        ];
        resources.extend(emails);
        resources
    }
}
