//! Writes a CloudFormation template in JSON. JSON has no comments, so instructions are in `Metadata`.

use serde_json::{Map, Value, json};

use super::{EXPORTED_SECRET, ExportError, MAKE_SECRET, Page, Piece};
use crate::foreign;
use crate::names::webhook_url;

/// The resources of a template, by the name that it has for them.
pub type Templates = Vec<(String, Value)>;

pub fn text(page: &Page<'_>, resources: Templates) -> Result<String, ExportError> {
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!(
            "The pipeline {}, as split-pipeline makes it in {} of the account {}.",
            page.spec.name,
            page.names.region(),
            page.names.account()
        ),
        "Metadata": { "HowToUse": how_to_use(page) },
        "Parameters": parameters(page),
        "Resources": resources.into_iter().collect::<Map<_, _>>(),
        "Outputs": outputs(page),
    });
    let text = serde_json::to_string_pretty(&template)?;
    if text.contains("{{resolve:") {
        return Err(ExportError::DynamicReference);
    }
    Ok(foreign::json(&text) + "\n")
}

/// What whoever opens the file has to know, line by line.
fn how_to_use(page: &Page<'_>) -> Vec<String> {
    let zip = &page.zip;
    let name = &page.spec.name;
    let secret = if page.path.is_none() { " SecretPath=$SECRET" } else { "" };
    let mut lines = vec!["split-pipeline build".to_owned()];
    if page.path.is_none() {
        lines.push(format!("SECRET=$({MAKE_SECRET})   # keep it: it is the end of the webhook's URL"));
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
    lines.extend(about_data(page));
    if page.path.is_none() {
        let path = "Another SecretPath is served once there is a new deployment: give the resource WebhookDeployment... \
                    another name in the template, everywhere.";
        lines.push(path.to_owned());
    }
    if page.spec.webhook.access_log {
        let log = "The access log needs a role that API Gateway has once for the account and region, and that is not in here: \
                   see AWS::ApiGateway::Account.";
        lines.push(log.to_owned());
    }
    if page.spec.protect {
        lines.push(format!(
            "The spec protects this pipeline: aws cloudformation update-termination-protection --stack-name {name} \
             --enable-termination-protection"
        ));
    }
    lines
}

/// What becomes of impressions when a pipeline moves, or its stack is deleted.
fn about_data(page: &Page<'_>) -> [String; 2] {
    let is_users = page.spec.delivery.existing_bucket;
    let (kept, import) = if is_users {
        ("your bucket", "create the stack")
    } else {
        (
            "the bucket with every impression in it",
            "create the stack with a change set of the type IMPORT that has the resource Bucket alone, with nothing but its \
             BucketName and DeletionPolicy, and update it with the whole template, which then gives the bucket its tags: \
             `aws s3api get-bucket-tagging` has to say managed-by=cloudformation, or `split-pipeline down --purge-data` \
             would still delete it",
        )
    };
    let bucket = if is_users { "The stream" } else { "The bucket and the stream" };
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

fn parameters(page: &Page<'_>) -> Value {
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
    if page.path.is_none() {
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

fn outputs(page: &Page<'_>) -> Value {
    // Whoever may look at the stack may read its outputs, so the secret is in none of them.
    let path = page.path.unwrap_or_default();
    let (names, stage) = (page.names, page.spec.webhook.stage.as_str());
    let url = webhook_url(None, names.region(), names.partition(), "${WebhookApi}", stage, path);
    let description = if page.path.is_none() {
        "The URL to paste into Split, once the SecretPath is put behind it."
    } else {
        "The URL to paste into Split."
    };
    json!({
        "WebhookUrl": { "Description": description, "Value": { "Fn::Sub": url } },
    })
}

pub(crate) fn resource(kind: &str, properties: &Value) -> Value {
    json!({ "Type": kind, "Properties": without_nulls(properties) })
}

/// A resource that needs others which its properties do not name.
pub(crate) fn after(others: &[&str], mut resource: Value) -> Value {
    resource["DependsOn"] = json!(others);
    resource
}

/// A resource that holds data: it stays when the stack goes.
pub(crate) fn retained(mut resource: Value) -> Value {
    resource["DeletionPolicy"] = json!("Retain");
    resource["UpdateReplacePolicy"] = json!("Retain");
    resource
}

/// Properties without those that the spec does not set.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let set = fields.iter().filter(|(_, value)| !value.is_null());
            set.map(|(key, value)| (key.clone(), without_nulls(value))).collect()
        }
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

impl Page<'_> {
    pub(crate) fn template_tags(&self) -> Value {
        let tags = self.tags_of("cloudformation");
        tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
    }

    /// A text, with references in place of the pipeline's own ARNs.
    pub(crate) fn template_text(&self, text: &str) -> Value {
        let pieces = self.pieces(text);
        let found = |piece: &Piece<'_>| match piece {
            Piece::Arn(arn) => arn.cloudformation,
            Piece::Text(_) => None,
        };
        match pieces.as_slice() {
            [piece] if found(piece).is_some() => found(piece).map_or(Value::Null, arn),
            pieces if pieces.iter().any(|piece| found(piece).is_some()) => {
                let parts = pieces.iter().map(|piece| match (piece, found(piece)) {
                    (_, Some(attribute)) => format!("${{{attribute}}}"),
                    // `${!` is how a template writes `${`.
                    (Piece::Text(text), None) => text.replace("${", "${!"),
                    (Piece::Arn(reference), None) => reference.arn.replace("${", "${!"),
                });
                json!({ "Fn::Sub": parts.collect::<String>() })
            }
            _ => json!(text),
        }
    }

    /// A value, with references in place of the pipeline's own ARNs.
    pub(crate) fn template_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.template_text(text),
            Value::Array(list) => list.iter().map(|value| self.template_value(value)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| (key.clone(), self.template_value(value)));
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
