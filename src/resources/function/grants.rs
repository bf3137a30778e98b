//! The IAM actions that observing, creating, updating and deleting the function need.

use super::Function;
use crate::access::{Grant, RestApis};
use crate::names::Names;
use crate::resources::Permitted;
use crate::spec::Spec;

impl Permitted for Function {
    fn grants(_spec: &Spec, names: &Names, _apis: &RestApis) -> Vec<Grant> {
        vec![function(names)]
    }
}

fn function(names: &Names) -> Grant {
    Grant {
        sid: "Function",
        resources: vec![names.function_arn()],
        // `GetFunction` leaves the tags out where `ListTags` is not allowed.
        look: &[
            "lambda:GetFunction",
            "lambda:GetPolicy",
            "lambda:ListAliases",
            "lambda:ListFunctionUrlConfigs",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
        ],
        make: &[
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:DeleteFunctionConcurrency",
            "lambda:DeleteFunctionUrlConfig",
            "lambda:PutFunctionConcurrency",
            "lambda:PutResourcePolicy",
            "lambda:RemovePermission",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ],
        delete: &["lambda:DeleteFunction"],
    }
}
