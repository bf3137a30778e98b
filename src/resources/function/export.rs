//! The function for other tools.

use hcl::{Block, Expression};
use serde_json::json;

use super::{Function, HANDLER};
use crate::export::cloudformation::{self, Templates, after};
use crate::export::terraform::{Chapter, block, call, reference, references, resource};
use crate::export::{Page, Reference};
use crate::resource::Target;
use crate::resources::{Blueprint, Exported};

impl Exported for Function {
    fn reference(want: &Target<Self>) -> Option<Reference> {
        Some(Reference {
            arn: want.arn.clone(),
            terraform: "aws_lambda_function.handler.arn",
            cloudformation: Some("Handler.Arn"),
        })
    }

    fn terraform(want: &Target<Self>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
        let state = &want.state;
        let environment = state.environment.iter().map(|(key, value)| (key.clone(), value.clone()));
        let variables: Expression = environment.collect();
        let reserved = state.reserved_concurrency;
        // Otherwise Lambda makes the log group, without a retention, and the role is of use only with its policy.
        let after = references(["aws_cloudwatch_log_group.handler", "aws_iam_role_policy.handler"]);
        let function = resource("aws_lambda_function", "handler")
            .add_attribute(("function_name", want.name.as_str()))
            .add_attribute(("role", page.hcl_text(&state.role)))
            .add_attribute(("package_type", state.package.as_str()))
            .add_attribute(("runtime", state.runtime.as_str()))
            .add_attribute(("handler", HANDLER))
            .add_attribute(("architectures", vec![state.architecture.as_str()]))
            .add_attribute(("filename", reference("var.handler_zip")))
            .add_attribute(("source_code_hash", call("filebase64sha256", reference("var.handler_zip"))))
            .add_attribute(("memory_size", state.memory_mib))
            .add_attribute(("timeout", state.timeout_seconds))
            .add_attributes(reserved.map(|reserved| ("reserved_concurrent_executions", reserved)))
            .add_attribute(("tags", reference("local.tags")))
            .add_block(block("environment", [("variables", variables)]))
            .add_attribute(("depends_on", after));
        (Chapter::Function, vec![function.build()])
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        let state = &want.state;
        let properties = json!({
            "FunctionName": want.name,
            "Role": page.template_text(&state.role),
            "PackageType": state.package,
            "Runtime": state.runtime,
            "Handler": HANDLER,
            "Architectures": [state.architecture],
            "Code": { "S3Bucket": { "Ref": "HandlerBucket" }, "S3Key": { "Ref": "HandlerKey" } },
            "MemorySize": state.memory_mib,
            "Timeout": state.timeout_seconds,
            "ReservedConcurrentExecutions": state.reserved_concurrency,
            "Environment": { "Variables": state.environment },
            "Tags": page.template_tags(),
        });
        // Otherwise Lambda makes the log group, without a retention.
        let function =
            after(&["HandlerLogGroup"], cloudformation::resource("AWS::Lambda::Function", &properties));
        vec![("Handler".to_owned(), function)]
    }
}
