//! The IAM actions that observing, creating, updating and deleting the alarms and reading their metrics need.

use super::Alarm;
use crate::access::{Grant, RestApis};
use crate::names::Names;
use crate::resources::Permitted;
use crate::spec::Spec;

impl Permitted for Alarm {
    fn grants(_spec: &Spec, names: &Names, _apis: &RestApis) -> Vec<Grant> {
        vec![alarms(names), metrics()]
    }
}

/// Alarms that the spec does not ask for are looked for too, to delete them.
fn alarms(names: &Names) -> Grant {
    Grant {
        sid: "Alarms",
        resources: vec![names.alarm_arn(&names.alarm("*"))],
        look: &["cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"],
        make: &[
            "cloudwatch:DeleteAlarms",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
        ],
        delete: &["cloudwatch:DeleteAlarms"],
    }
}

fn metrics() -> Grant {
    Grant {
        sid: "Metrics",
        resources: vec!["*".to_owned()],
        look: &["cloudwatch:GetMetricData"],
        make: &[],
        delete: &[],
    }
}
