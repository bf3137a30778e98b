//! The IAM actions that observing, creating, updating and deleting the delivery stream need.

use super::DeliveryStream;
use crate::access::{Grant, RestApis};
use crate::names::Names;
use crate::resources::Permitted;
use crate::spec::Spec;

impl Permitted for DeliveryStream {
    fn grants(_spec: &Spec, names: &Names, _apis: &RestApis) -> Vec<Grant> {
        vec![delivery_stream(names)]
    }
}

fn delivery_stream(names: &Names) -> Grant {
    Grant {
        sid: "DeliveryStream",
        resources: vec![names.delivery_stream_arn()],
        look: &["firehose:DescribeDeliveryStream", "firehose:ListTagsForDeliveryStream"],
        make: &[
            "firehose:CreateDeliveryStream",
            "firehose:DeleteDeliveryStream",
            "firehose:TagDeliveryStream",
            "firehose:UntagDeliveryStream",
            "firehose:UpdateDestination",
        ],
        delete: &["firehose:DeleteDeliveryStream"],
    }
}
