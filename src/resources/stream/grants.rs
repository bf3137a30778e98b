//! The IAM actions that observing, creating, updating and deleting the stream need.

use super::Stream;
use crate::access::{Grant, RestApis};
use crate::names::Names;
use crate::resources::Permitted;
use crate::spec::Spec;

impl Permitted for Stream {
    fn grants(_spec: &Spec, names: &Names, _apis: &RestApis) -> Vec<Grant> {
        vec![stream(names), stream_encryption(names)]
    }
}

fn stream(names: &Names) -> Grant {
    Grant {
        sid: "Stream",
        resources: vec![names.stream_arn()],
        look: &["kinesis:DescribeStreamSummary", "kinesis:GetResourcePolicy", "kinesis:ListTagsForStream"],
        make: &[
            "kinesis:AddTagsToStream",
            "kinesis:CreateStream",
            "kinesis:DecreaseStreamRetentionPeriod",
            "kinesis:DeleteResourcePolicy",
            "kinesis:DisableEnhancedMonitoring",
            "kinesis:IncreaseStreamRetentionPeriod",
            "kinesis:RemoveTagsFromStream",
            "kinesis:UpdateShardCount",
            "kinesis:UpdateStreamMode",
        ],
        delete: &["kinesis:DeleteStream"],
    }
}

/// Kinesis checks these against the key as well; they allow nothing to be done with it.
fn stream_encryption(names: &Names) -> Grant {
    Grant {
        sid: "StreamEncryption",
        resources: vec![names.stream_arn(), names.any_key_arn()],
        look: &[],
        make: &["kinesis:StartStreamEncryption", "kinesis:StopStreamEncryption"],
        delete: &[],
    }
}
