//! Roles and log groups: the function and the delivery stream have one of each.

use hcl::Block;

use super::super::Pipeline;
use super::writing::{call, local, reference, resource};
use crate::resource::Target;
use crate::resources::log_group::LogGroup;
use crate::resources::role::{POLICY, Role};

/// A role with its policy.
pub(super) fn role(pipeline: &Pipeline<'_>, name: &str, want: &Target<Role>) -> Vec<Block> {
    let state = &want.state;
    let (trust, policy) = (format!("{name}_trust"), format!("{name}_policy"));
    let encoded = |local: &str| call("jsonencode", reference(format!("local.{local}")));
    let boundary = state.permissions_boundary.as_deref();
    let role = resource("aws_iam_role", name)
        .add_attribute(("name", want.name.as_str()))
        .add_attribute(("path", state.path.as_str()))
        .add_attributes(boundary.map(|boundary| ("permissions_boundary", boundary)))
        .add_attribute(("assume_role_policy", encoded(&trust)))
        .add_attribute(("tags", reference("local.tags")));
    let inline = resource("aws_iam_role_policy", name)
        .add_attribute(("name", POLICY))
        .add_attribute(("role", reference(format!("aws_iam_role.{name}.id"))))
        .add_attribute(("policy", encoded(&policy)));
    vec![
        local(&trust, pipeline.hcl_value(&state.trust)),
        role.build(),
        local(&policy, pipeline.hcl_value(&state.policy)),
        inline.build(),
    ]
}

/// A log group, with its log stream where its writer does not make it.
pub(super) fn log_group(name: &str, want: &Target<LogGroup>) -> Vec<Block> {
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
    std::iter::once(group.build()).chain(stream).collect()
}
