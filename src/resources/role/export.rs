//! The roles for other tools.

use hcl::Block;
use serde_json::json;

use super::{OF_DELIVERY, POLICY, Role};
use crate::export::cloudformation::{self, Templates};
use crate::export::terraform::{Chapter, call, local, reference, resource};
use crate::export::{Page, Reference};
use crate::resource::Target;
use crate::resources::{Blueprint, Exported};

impl Exported for Role {
    fn reference(want: &Target<Self>) -> Option<Reference> {
        let (terraform, cloudformation) = if want.kind == OF_DELIVERY {
            ("aws_iam_role.delivery.arn", "DeliveryRole.Arn")
        } else {
            ("aws_iam_role.handler.arn", "HandlerRole.Arn")
        };
        Some(Reference { arn: want.arn.clone(), terraform, cloudformation: Some(cloudformation) })
    }

    fn terraform(want: &Target<Self>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
        let (name, chapter) = if want.kind == OF_DELIVERY {
            ("delivery", Chapter::Delivery)
        } else {
            ("handler", Chapter::Function)
        };
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
        let blocks = vec![
            local(&trust, page.hcl_value(&state.trust)),
            role.build(),
            local(&policy, page.hcl_value(&state.policy)),
            inline.build(),
        ];
        (chapter, blocks)
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        let state = &want.state;
        let properties = json!({
            "RoleName": want.name,
            "Path": state.path,
            "PermissionsBoundary": state.permissions_boundary,
            "AssumeRolePolicyDocument": state.trust,
            "Policies": [{ "PolicyName": POLICY, "PolicyDocument": page.template_value(&state.policy) }],
            "Tags": page.template_tags(),
        });
        let name = if want.kind == OF_DELIVERY { "DeliveryRole" } else { "HandlerRole" };
        let role = cloudformation::resource("AWS::IAM::Role", &properties);
        vec![(name.to_owned(), role)]
    }
}
