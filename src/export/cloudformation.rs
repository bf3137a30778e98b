//! A pipeline as a template of AWS CloudFormation, in JSON, which has no comments: what is to be said is in its metadata.
//!
//! One function a resource, which writes down the state that `desired` has.

use serde_json::{Map, Value, json};

use super::{ExportError, Piece, Pipeline, Referent};
use crate::artifact::file_name;
use crate::foreign;
use crate::names::webhook_url;
use crate::resource::Tags;
use crate::resources::rest_api::{EXPORTED_SECRET, MAKE_SECRET, Path};

mod delivery;
mod monitoring;
mod storage;
mod webhook;

/// The resources of a template, by the name that it has for them.
type Resources = Vec<(String, Value)>;

/// The whole text.
pub(super) fn text(pipeline: &Pipeline<'_>) -> Result<String, ExportError> {
    let mut resources = storage::bucket(pipeline);
    resources.extend(delivery::delivery(pipeline));
    resources.extend(webhook::function(pipeline));
    resources.extend(webhook::api(pipeline));
    resources.extend(webhook::stage(pipeline));
    resources.extend(monitoring::monitoring(pipeline));
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!(
            "The pipeline {}, as split-pipeline makes it in {} of the account {}.",
            pipeline.spec.name,
            pipeline.names.region(),
            pipeline.names.account()
        ),
        "Metadata": { "HowToUse": how_to_use(pipeline) },
        "Parameters": parameters(pipeline),
        "Resources": resources.into_iter().collect::<Map<_, _>>(),
        "Outputs": outputs(pipeline),
    });
    let text = serde_json::to_string_pretty(&template)?;
    if text.contains("{{resolve:") {
        return Err(ExportError::DynamicReference);
    }
    Ok(foreign::json(&text) + "\n")
}

/// What whoever opens the file has to know, line by line.
fn how_to_use(pipeline: &Pipeline<'_>) -> Vec<String> {
    let zip = file_name(&pipeline.want.function.state.architecture);
    let name = &pipeline.spec.name;
    let secret = if pipeline.has_secret_path() {
        " SecretPath=$SECRET"
    } else {
        ""
    };
    let mut lines = vec!["split-pipeline build".to_owned()];
    if pipeline.has_secret_path() {
        lines.push(format!(
            "SECRET=$({MAKE_SECRET})   # keep it: it is the end of the webhook's URL"
        ));
    }
    lines.extend([
        format!("aws s3 cp {zip} s3://BUCKET/{zip}"),
        format!(
            "aws cloudformation deploy --stack-name {name} --template-file template.json --s3-bucket BUCKET --capabilities \
             CAPABILITY_NAMED_IAM --parameter-overrides HandlerBucket=BUCKET HandlerKey={zip}{secret}"
        ),
        format!("aws cloudformation describe-stacks --stack-name {name} --query 'Stacks[].Outputs'"),
        "Another handler needs another key: CloudFormation does not look into the zip.".to_owned(),
        "Everything is tagged managed-by=cloudformation, so `split-pipeline up` and `down` take it for somebody else's and \
         leave it alone."
            .to_owned(),
    ]);
    lines.extend(about_data(pipeline));
    if pipeline.has_secret_path() {
        let path = "Another SecretPath is served once there is a new deployment: give the resource WebhookDeployment... \
                    another name in the template, everywhere.";
        lines.push(path.to_owned());
    }
    if pipeline.want.stage.state.access_log.is_some() {
        let log = "The access log needs a role that API Gateway has once for the account and region, and that is not in here: \
                   see AWS::ApiGateway::Account.";
        lines.push(log.to_owned());
    }
    if pipeline.spec.protect {
        lines.push(format!(
            "The spec protects this pipeline: aws cloudformation update-termination-protection --stack-name {name} \
             --enable-termination-protection"
        ));
    }
    lines
}

/// What becomes of impressions when a pipeline moves, or its stack is deleted.
fn about_data(pipeline: &Pipeline<'_>) -> [String; 2] {
    let (kept, import) = if pipeline.makes_bucket() {
        (
            "the bucket with every impression in it",
            "create the stack with a change set of the type IMPORT that has the resource Bucket alone, with nothing but its \
             BucketName and DeletionPolicy, and update it with the whole template, which then gives the bucket its tags: \
             `aws s3api get-bucket-tagging` has to say managed-by=cloudformation, or `split-pipeline down --purge-data` \
             would still delete it",
        )
    } else {
        ("your bucket", "create the stack")
    };
    let bucket = if pipeline.makes_bucket() {
        "The bucket and the stream"
    } else {
        "The stream"
    };
    [
        format!(
            "The names are those that `split-pipeline up` gives, so the two cannot stand side by side. To move a pipeline that \
             `up` made: `split-pipeline down` delivers what is on its way and deletes everything but {kept}; then {import}. The \
             URL is a new one, and what Split posts before you paste it there is lost."
        ),
        format!(
            "{bucket} hold data, and stay when the stack is deleted; a stack that is to have them again has to import them."
        ),
    ]
}

fn parameters(pipeline: &Pipeline<'_>) -> Value {
    let mut parameters = json!({
        "HandlerBucket": {
            "Type": "String",
            "Description": "The bucket that has the deployment zip of the handler.",
        },
        "HandlerKey": {
            "Type": "String",
            "Description": "The key of the deployment zip that `split-pipeline build` writes.",
        },
    });
    if pipeline.has_secret_path() {
        parameters["SecretPath"] = json!({
            "Type": "String",
            "NoEcho": true,
            "AllowedPattern": EXPORTED_SECRET,
            "ConstraintDescription": "It must be unguessable: 16 or more of 0-9, A-Z, a-z, _ and -.",
            "Description": "The last part of the webhook's URL, which keeps everybody but Split out.",
        });
    }
    parameters
}

fn outputs(pipeline: &Pipeline<'_>) -> Value {
    let path = match &pipeline.want.rest_api.path {
        // Whoever may look at the stack may read its outputs, so the secret is in none of them.
        Path::Secret => "",
        Path::Fixed(path) => path,
    };
    let (names, stage) = (pipeline.names, pipeline.want.stage.state.name.as_str());
    let url = webhook_url(
        None,
        names.region(),
        names.partition(),
        "${WebhookApi}",
        stage,
        path,
    );
    let description = if pipeline.has_secret_path() {
        "The URL to paste into Split, once the SecretPath is put behind it."
    } else {
        "The URL to paste into Split."
    };
    json!({
        "WebhookUrl": { "Description": description, "Value": { "Fn::Sub": url } },
    })
}

/// A resource of a template.
fn resource(kind: &str, properties: &Value) -> Value {
    json!({ "Type": kind, "Properties": without_nulls(properties) })
}

/// A resource that needs others which its properties do not name.
fn after(others: &[&str], mut resource: Value) -> Value {
    resource["DependsOn"] = json!(others);
    resource
}

/// A resource that holds data: it stays when the stack goes.
fn retained(mut resource: Value) -> Value {
    resource["DeletionPolicy"] = json!("Retain");
    resource["UpdateReplacePolicy"] = json!("Retain");
    resource
}

/// Properties without those that the spec does not set.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let set = fields.iter().filter(|(_, value)| !value.is_null());
            set.map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect()
        }
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

impl Pipeline<'_> {
    /// The tags of everything, as CloudFormation has them.
    fn template_tags(&self) -> Value {
        let tags: Tags = self.tags("cloudformation");
        tags.iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }))
            .collect()
    }

    /// A text, with references in place of the pipeline's own ARNs.
    fn template_text(&self, text: &str) -> Value {
        let pieces = self.pieces(text);
        let found = |piece: &Piece<'_>| match piece {
            Piece::Arn(referent, _) => attribute(self, *referent),
            Piece::Text(_) => None,
        };
        match pieces.as_slice() {
            [piece] if found(piece).is_some() => found(piece).map_or(Value::Null, arn),
            pieces if pieces.iter().any(|piece| found(piece).is_some()) => {
                let parts = pieces.iter().map(|piece| match (piece, found(piece)) {
                    (_, Some(attribute)) => format!("${{{attribute}}}"),
                    // `${!` is how a template writes `${`.
                    (Piece::Text(text) | Piece::Arn(_, text), None) => text.replace("${", "${!"),
                });
                json!({ "Fn::Sub": parts.collect::<String>() })
            }
            _ => json!(text),
        }
    }

    /// A value, with references in place of the pipeline's own ARNs.
    fn template_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.template_text(text),
            Value::Array(list) => list.iter().map(|value| self.template_value(value)).collect(),
            Value::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(key, value)| (key.clone(), self.template_value(value)));
                fields.collect()
            }
            other => other.clone(),
        }
    }
}

fn arn(attribute: &str) -> Value {
    match attribute.split_once('.') {
        Some((resource, attribute)) => json!({ "Fn::GetAtt": [resource, attribute] }),
        None => json!({ "Ref": attribute }),
    }
}

/// What a template has for the ARN of a resource, if anything.
fn attribute(pipeline: &Pipeline<'_>, referent: Referent) -> Option<&'static str> {
    match referent {
        Referent::Bucket => pipeline.makes_bucket().then_some("Bucket.Arn"),
        Referent::Stream => Some("Stream.Arn"),
        Referent::DeliveryRole => Some("DeliveryRole.Arn"),
        Referent::FunctionRole => Some("HandlerRole.Arn"),
        Referent::Function => Some("Handler.Arn"),
        Referent::AlarmTopic => Some("AlarmTopic"),
        // CloudFormation's ARN of a log group ends with `:*`, a policy within an API cannot refer to that API, and Glue's resources
        // have no ARN there.
        Referent::FunctionLogGroup
        | Referent::DeliveryLogGroup
        | Referent::RestApi
        | Referent::Database
        | Referent::Table => None,
    }
}
