//! The IAM actions that observing, creating, updating and deleting the topic need.

use super::AlarmTopic;
use crate::access::{Grant, RestApis};
use crate::names::Names;
use crate::resources::Permitted;
use crate::spec::Spec;

impl Permitted for AlarmTopic {
    fn grants(_spec: &Spec, names: &Names, _apis: &RestApis) -> Vec<Grant> {
        vec![alarm_topic(names), subscriptions()]
    }
}

fn alarm_topic(names: &Names) -> Grant {
    Grant {
        sid: "AlarmTopic",
        resources: vec![names.alarm_topic_arn()],
        look: &["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource"],
        make: &[
            "sns:CreateTopic",
            "sns:DeleteTopic",
            "sns:SetTopicAttributes",
            "sns:Subscribe",
            "sns:TagResource",
            "sns:UntagResource",
        ],
        delete: &["sns:DeleteTopic"],
    }
}

/// A subscription's ARN is AWS's own, and policies cannot name it.
fn subscriptions() -> Grant {
    Grant {
        sid: "Subscriptions",
        resources: vec!["*".to_owned()],
        look: &[],
        make: &["sns:Unsubscribe"],
        delete: &[],
    }
}
