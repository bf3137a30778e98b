//! The log groups for other tools.

use hcl::Block;
use serde_json::json;

use super::{LogGroup, OF_DELIVERY};
use crate::export::cloudformation::{self, Templates};
use crate::export::terraform::{Chapter, reference, resource};
use crate::export::{Page, Reference};
use crate::resource::Target;
use crate::resources::{Blueprint, Exported};

impl Exported for LogGroup {
    fn reference(want: &Target<Self>) -> Option<Reference> {
        Some(Reference {
            arn: want.arn.clone(),
            terraform: if want.kind == OF_DELIVERY {
                "aws_cloudwatch_log_group.delivery.arn"
            } else {
                "aws_cloudwatch_log_group.handler.arn"
            },
            // CloudFormation's ARN of a log group ends with `:*`.
            cloudformation: None,
        })
    }

    fn terraform(want: &Target<Self>, _page: &Page<'_>) -> (Chapter, Vec<Block>) {
        let (name, chapter) = if want.kind == OF_DELIVERY {
            ("delivery", Chapter::Delivery)
        } else {
            ("handler", Chapter::Function)
        };
        let retention = want.state.retention_days.map(|days| ("retention_in_days", days));
        let group = resource("aws_cloudwatch_log_group", name)
            .add_attribute(("name", want.name.as_str()))
            .add_attributes(retention)
            .add_attribute(("tags", reference("local.tags")));
        let stream = want.state.log_stream.as_deref().map(|stream| {
            let group = reference(format!("aws_cloudwatch_log_group.{name}.name"));
            resource("aws_cloudwatch_log_stream", name)
                .add_attribute(("name", stream))
                .add_attribute(("log_group_name", group))
                .build()
        });
        (chapter, std::iter::once(group.build()).chain(stream).collect())
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        let of = if want.kind == OF_DELIVERY { "Delivery" } else { "Handler" };
        let name = format!("{of}LogGroup");
        let properties = json!({
            "LogGroupName": want.name,
            "RetentionInDays": want.state.retention_days,
            "Tags": page.template_tags(),
        });
        let group = cloudformation::resource("AWS::Logs::LogGroup", &properties);
        let stream = want.state.log_stream.as_ref().map(|stream| {
            let properties = json!({ "LogGroupName": { "Ref": name }, "LogStreamName": stream });
            let stream = cloudformation::resource("AWS::Logs::LogStream", &properties);
            (format!("{of}LogStream"), stream)
        });
        std::iter::once((name.clone(), group)).chain(stream).collect()
    }
}
