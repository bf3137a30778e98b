//! The IAM actions that observing, creating, updating and deleting the roles need.

use serde_json::{Value, json};

use super::Role;
use crate::access::{Grant, RestApis, allow, allow_on};
use crate::names::Names;
use crate::resources::Permitted;
use crate::spec::Spec;

impl Permitted for Role {
    fn grants(spec: &Spec, names: &Names, _apis: &RestApis) -> Vec<Grant> {
        vec![roles(spec, names)]
    }

    fn powers(spec: &Spec, names: &Names) -> Vec<Value> {
        let (delivery, function) = (names.delivery_role_arn(spec), names.function_role_arn(spec));
        vec![
            powers(spec, names),
            pass("PassDeliveryRole", &delivery, "firehose.amazonaws.com"),
            pass("PassFunctionRole", &function, "lambda.amazonaws.com"),
        ]
    }
}

fn role_arns(spec: &Spec, names: &Names) -> Vec<String> {
    vec![names.delivery_role_arn(spec), names.function_role_arn(spec)]
}

fn roles(spec: &Spec, names: &Names) -> Grant {
    Grant {
        sid: "Roles",
        resources: role_arns(spec, names),
        look: &["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
        make: &[
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
        ],
        delete: &["iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy"],
    }
}

/// What gives a role its power: where there is a boundary, only within it, and nobody may take it away.
fn powers(spec: &Spec, names: &Names) -> Value {
    let mut actions = vec!["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"];
    let boundary = spec.iam.permissions_boundary.as_ref();
    if boundary.is_none() {
        actions.push("iam:DeleteRolePermissionsBoundary");
        actions.sort_unstable();
    }
    let mut statement = allow_on("RolePowers", &actions, &role_arns(spec, names));
    if let Some(boundary) = boundary {
        statement["Condition"] = json!({ "StringEquals": { "iam:PermissionsBoundary": boundary.as_str() } });
    }
    statement
}

fn pass(sid: &str, role: &str, service: &str) -> Value {
    let mut statement = allow(sid, &["iam:PassRole"], role);
    statement["Condition"] = json!({ "StringEquals": { "iam:PassedToService": service } });
    statement
}
