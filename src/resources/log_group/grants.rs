//! The IAM actions that observing, creating, updating and deleting the log groups need.

use super::LogGroup;
use crate::access::{Grant, RestApis};
use crate::names::Names;
use crate::resources::Permitted;
use crate::spec::Spec;

impl Permitted for LogGroup {
    fn grants(_spec: &Spec, names: &Names, _apis: &RestApis) -> Vec<Grant> {
        vec![any_log_group(names), log_groups(names)]
    }
}

/// Log groups are found by listing those with a prefix, which AWS does not allow for single ones.
fn any_log_group(names: &Names) -> Grant {
    Grant {
        sid: "FindLogGroups",
        resources: vec![names.log_group_arn("*")],
        look: &["logs:DescribeLogGroups"],
        make: &[],
        delete: &[],
    }
}

fn log_groups(names: &Names) -> Grant {
    let groups = [names.function_log_group(), names.delivery_log_group()];
    let arns = groups.iter().map(|group| names.log_group_arn(group));
    Grant {
        sid: "LogGroups",
        // Some actions are on the group, and some on what is in it.
        resources: arns.flat_map(|arn| [format!("{arn}:*"), arn]).collect(),
        look: &[
            "logs:DescribeLogStreams",
            "logs:DescribeSubscriptionFilters",
            "logs:FilterLogEvents",
            "logs:ListTagsForResource",
        ],
        make: &[
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
            "logs:UntagResource",
        ],
        delete: &["logs:DeleteLogGroup"],
    }
}
