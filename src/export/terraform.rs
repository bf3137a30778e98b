//! A pipeline in Terraform's language: a whole root module, in one file.
//!
//! One function a resource, which writes down the state that `desired` has.

use hcl::{Block, Expression};

use self::writing::{Section, block, reference, template};
use super::{ExportError, Pipeline, Referent};
use crate::artifact::file_name;
use crate::foreign;
use crate::resources::rest_api::{EXPORTED_SECRET, MAKE_SECRET, Path};

mod access;
mod catalog;
mod delivery;
mod monitoring;
mod storage;
mod webhook;
mod writing;

/// The whole text.
pub(super) fn text(pipeline: &Pipeline<'_>) -> Result<String, ExportError> {
    let sections = [
        settings(pipeline),
        storage::bucket(pipeline),
        delivery::stream(pipeline),
    ];
    let others = [
        delivery::delivery(pipeline),
        webhook::function(pipeline),
        webhook::api(pipeline),
        webhook::stage(pipeline),
    ];
    let catalog = catalog::catalog(pipeline);
    let monitoring = monitoring::monitoring(pipeline);
    let sections = sections.into_iter().chain(catalog).chain(others);
    let mut text = head(pipeline);
    for section in sections.chain(monitoring).chain([output(pipeline)]) {
        text.push('\n');
        text += &section.text()?;
    }
    Ok(foreign::hcl(&text))
}

/// What whoever opens the file has to know.
fn head(pipeline: &Pipeline<'_>) -> String {
    let zip = file_name(&pipeline.want.function.state.architecture);
    let (secret, kept) = if pipeline.has_secret_path() {
        (
            format!(
                "#   export TF_VAR_secret_path=$({MAKE_SECRET})   # keep it: with another one, the URL is another one\n"
            ),
            " Terraform's state holds the secret path.",
        )
    } else {
        (String::new(), "")
    };
    let mut head = format!(
        "# The pipeline {name}, as `split-pipeline up` makes it in {region} of the account {account}.\n#\n\
         #   split-pipeline build                                # writes {zip}\n{secret}\
         #   terraform init && terraform apply\n\
         #   terraform output -raw webhook_url                   # paste it into Split\n#\n\
         # Everything is tagged managed-by=terraform, so `split-pipeline up` and `down` take it for somebody else's and leave\n\
         # it alone.{kept}\n",
        name = pipeline.spec.name,
        region = pipeline.names.region(),
        account = pipeline.names.account(),
    );
    head += &moving(pipeline);
    if pipeline.want.stage.state.access_log.is_some() {
        head += "#\n# The access log needs a role that API Gateway has once for the account and region, and that is not in here: see\n\
                 # aws_api_gateway_account.\n";
    }
    head
}

/// How a pipeline that is there gets into Terraform's hands.
fn moving(pipeline: &Pipeline<'_>) -> String {
    let data = if pipeline.makes_bucket() {
        format!(
            " the bucket, with every impression in it. Then let\n\
             # Terraform take the bucket over, and apply:\n#\n\
             #   import {{\n#     to = aws_s3_bucket.impressions\n#     id = \"{}\"\n#   }}\n#\n\
             # `terraform destroy` deletes the bucket only if it is empty.",
            pipeline.want.bucket.name
        )
    } else {
        " your bucket. Then apply.".to_owned()
    };
    format!(
        "#\n# The names are those that `up` gives, so the two cannot stand side by side. To move a pipeline that `up` made:\n\
         # `split-pipeline down` delivers what is on its way and deletes everything but{data} The URL is a new one, and what Split\n\
         # posts before you paste it there is lost.\n"
    )
}

fn settings(pipeline: &Pipeline<'_>) -> Section {
    let aws = [("source", "hashicorp/aws"), ("version", ">= 5.100.0")];
    let providers = block("required_providers", [("aws", Expression::from_iter(aws))]);
    let terraform = Block::builder("terraform")
        .add_attribute(("required_version", ">= 1.5.0"))
        .add_block(providers);
    let provider = Block::builder("provider").add_label("aws");
    let provider = provider.add_attribute(("region", pipeline.names.region()));
    let zip = file_name(&pipeline.want.function.state.architecture);
    let mut blocks = vec![
        terraform.build(),
        provider.build(),
        variable(
            "handler_zip",
            "The deployment zip of the handler, which `split-pipeline build` writes.",
        )
        .add_attribute(("default", zip))
        .build(),
    ];
    blocks.extend(pipeline.has_secret_path().then(secret_path));
    let tags = pipeline.tags("terraform");
    blocks.push(block("locals", [("tags", Expression::from_iter(tags))]));
    Section::new("Settings.", blocks)
}

fn variable(name: &str, description: &str) -> hcl::structure::BlockBuilder {
    Block::builder("variable")
        .add_label(name)
        .add_attribute(("type", reference("string")))
        .add_attribute(("description", description))
}

fn secret_path() -> Block {
    let long_enough = block(
        "validation",
        [
            (
                "condition",
                reference(format!("can(regex(\"^{EXPORTED_SECRET}$\", var.secret_path))")),
            ),
            (
                "error_message",
                "It must be unguessable: 16 or more of 0-9, A-Z, a-z, _ and -.".into(),
            ),
        ],
    );
    variable(
        "secret_path",
        "The last part of the webhook's URL, which keeps everybody but Split out.",
    )
    .add_attribute(("sensitive", true))
    .add_block(long_enough)
    .build()
}

fn output(pipeline: &Pipeline<'_>) -> Section {
    let stage = "${aws_api_gateway_stage.webhook.invoke_url}";
    let url = match &pipeline.want.rest_api.path {
        Path::Secret => format!("{stage}/${{var.secret_path}}"),
        Path::Fixed(path) => format!("{stage}/{path}"),
    };
    let output = Block::builder("output")
        .add_label("webhook_url")
        .add_attribute(("description", "The URL to paste into Split."))
        .add_attribute(("value", template(url)))
        .add_attributes(pipeline.has_secret_path().then_some(("sensitive", true)));
    Section::new("The result.", [output.build()])
}

/// What keeps data from being deleted, where the spec protects the pipeline.
fn kept(pipeline: &Pipeline<'_>) -> Option<Block> {
    let protect = pipeline.spec.protect;
    protect.then(|| block("lifecycle", [("prevent_destroy", true.into())]))
}

/// Where the ARN of a resource is found.
fn address(pipeline: &Pipeline<'_>, referent: Referent) -> &'static str {
    match referent {
        Referent::Bucket if pipeline.makes_bucket() => "aws_s3_bucket.impressions.arn",
        Referent::Bucket => "data.aws_s3_bucket.impressions.arn",
        Referent::Stream => "aws_kinesis_stream.impressions.arn",
        Referent::DeliveryRole => "aws_iam_role.delivery.arn",
        Referent::FunctionRole => "aws_iam_role.handler.arn",
        Referent::FunctionLogGroup => "aws_cloudwatch_log_group.handler.arn",
        Referent::DeliveryLogGroup => "aws_cloudwatch_log_group.delivery.arn",
        Referent::Function => "aws_lambda_function.handler.arn",
        Referent::Database => "aws_glue_catalog_database.impressions.arn",
        Referent::Table => "aws_glue_catalog_table.impressions.arn",
        Referent::RestApi => "aws_api_gateway_rest_api.webhook.execution_arn",
        Referent::AlarmTopic => "aws_sns_topic.alarms.arn",
    }
}
