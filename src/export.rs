//! The same pipeline for other tools, so that nobody has to stay with this one.
//!
//! Owns what all formats have in common. Must not decide what a resource looks like: that is `desired`'s, and every
//! format writes down the states that it finds there. Pure: values in, text out.

use clap::ValueEnum;
use serde::Serialize;

use crate::names::Tags;
use crate::names::{Names, alarm_about};
use crate::pipeline::Desired;
use crate::resource::Target;
use crate::resources::alarm::Alarm;
use crate::resources::rest_api::Path;
use crate::spec::Spec;

mod cloudformation;
mod terraform;

/// How the policy of an API names the API that it is on.
const OWN_API: &str = "execute-api:";

/// The tool that a pipeline is written down for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// HCL, for Terraform 1.5 and newer, or OpenTofu.
    Terraform,
    /// A template in JSON, for AWS CloudFormation.
    #[value(name = "cloudformation")]
    CloudFormation,
}

/// Why a pipeline cannot be written down.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// HCL has no way to say it.
    #[error("the pipeline cannot be written as HCL: {0}")]
    Hcl(#[from] hcl::Error),
    /// CloudFormation would put something else in its place ("Get values stored in other services using dynamic references").
    #[error(
        "CloudFormation would resolve the `{{{{resolve:` of the spec; no template can contain that as text"
    )]
    DynamicReference,
    /// JSON has no way to say it.
    #[error("the pipeline cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// A pipeline to write down.
pub struct Pipeline<'a> {
    want: &'a Desired,
    spec: &'a Spec,
    names: &'a Names,
    arns: Vec<(&'a str, Referent)>,
}

/// A resource that others refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Referent {
    Bucket,
    Stream,
    DeliveryRole,
    FunctionRole,
    FunctionLogGroup,
    DeliveryLogGroup,
    Function,
    Database,
    Table,
    RestApi,
    AlarmTopic,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    /// Text as it stands.
    Text(&'a str),
    /// The ARN of a resource of the pipeline, and that ARN.
    Arn(Referent, &'a str),
}

impl<'a> Pipeline<'a> {
    /// The pipeline of a spec, with what follows from it.
    pub fn new(spec: &'a Spec, names: &'a Names, want: &'a Desired) -> Self {
        let mut arns = vec![
            (OWN_API, Referent::RestApi),
            (want.delivery_stream.state.bucket.as_str(), Referent::Bucket),
            (want.stream.arn.as_str(), Referent::Stream),
            (want.delivery_role.arn.as_str(), Referent::DeliveryRole),
            (want.function_role.arn.as_str(), Referent::FunctionRole),
            (want.function_log_group.arn.as_str(), Referent::FunctionLogGroup),
            (want.delivery_log_group.arn.as_str(), Referent::DeliveryLogGroup),
            (want.function.arn.as_str(), Referent::Function),
        ];
        if want.table.is_wanted() {
            arns.push((want.database.arn.as_str(), Referent::Database));
            arns.push((want.table.arn.as_str(), Referent::Table));
        }
        if want.alarm_topic.is_wanted() {
            arns.push((want.alarm_topic.arn.as_str(), Referent::AlarmTopic));
        }
        Self {
            want,
            spec,
            names,
            arns,
        }
    }

    /// The pipeline in a tool's language.
    pub fn text(&self, format: Format) -> Result<String, ExportError> {
        match format {
            Format::Terraform => terraform::text(self),
            Format::CloudFormation => cloudformation::text(self),
        }
    }

    /// The tags of everything, in a tool's hands.
    fn tags(&self, tool: &str) -> Tags {
        Names::tags_of(tool, &self.want.stream.tags)
    }

    fn makes_bucket(&self) -> bool {
        !self.want.bucket.is_users()
    }

    /// The secret path is asked for, so that it is in no file.
    fn has_secret_path(&self) -> bool {
        self.want.rest_api.extra.path == Path::Secret
    }

    /// The alarms that the spec asks for, with what each is about.
    fn alarms(&self) -> impl Iterator<Item = &'a Target<Alarm>> {
        self.want.alarms.iter().filter(|alarm| alarm.is_wanted())
    }

    /// What an alarm is about, which is its name without the pipeline's.
    fn about<'t>(&self, alarm: &'t Target<Alarm>) -> &'t str {
        alarm_about(self.spec.name.as_str(), &alarm.name)
    }

    /// Takes a text apart, so that a tool can put a reference in place of an ARN: then it knows what has to be first.
    fn pieces<'t>(&'t self, text: &'t str) -> Vec<Piece<'t>> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((at, arn, referent)) = self.first_arn(rest) {
            if at > 0 {
                pieces.push(Piece::Text(&rest[..at]));
            }
            pieces.push(Piece::Arn(referent, arn));
            rest = &rest[at + arn.len()..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        pieces
    }

    fn first_arn(&self, text: &str) -> Option<(usize, &'a str, Referent)> {
        let found = self
            .arns
            .iter()
            .filter_map(|(arn, referent)| Some((find(text, arn)?, *arn, *referent)));
        found.min_by_key(|(at, ..)| *at)
    }
}

/// Finds an ARN that is not just the start of a longer one.
fn find(text: &str, arn: &str) -> Option<usize> {
    let goes_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut found = text.match_indices(arn).map(|(at, _)| at);
    found.find(|at| !text[at + arn.len()..].starts_with(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{Blueprint, Platform, Transport};
    use crate::spec::Architecture;

    /// What a tool would run, or take for the end of a text.
    const HOSTILE: &str = "a/${file(\"x\")}/%{ if true }\"\\/%${file(\"x\")}/}'/!{timestamp:yyyy}/";

    fn exported(prefix: &str, format: Format) -> Result<String, ExportError> {
        let text = serde_json::json!({"name": "flags", "delivery": {"prefix": prefix}, "handler": {"fields": ["key", prefix]}});
        let spec = Spec::parse(&text.to_string(), "test").unwrap().spec;
        let names = Names::new("flags", "123456789012", "aws", "eu-west-1");
        let platform = Platform {
            architecture: Architecture::X86_64,
            transport: Transport::Tls,
        };
        let want = Desired::new(&Blueprint::new(&spec, &names, platform, None));
        Pipeline::new(&spec, &names, &want).text(format)
    }

    #[test]
    fn texts_of_the_spec_are_values_and_nothing_else() {
        let hostile = HOSTILE;
        let hcl: serde_json::Value = hcl::from_str(&exported(hostile, Format::Terraform).unwrap()).unwrap();
        let delivery = &hcl["resource"]["aws_kinesis_firehose_delivery_stream"]["impressions"];
        assert_eq!(
            delivery["extended_s3_configuration"]["prefix"], hostile,
            "{delivery:#}"
        );
        let plain: serde_json::Value = hcl::from_str(&exported("a/", Format::Terraform).unwrap()).unwrap();
        let resources = |hcl: &serde_json::Value| {
            hcl["resource"]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(resources(&hcl), resources(&plain));
        let json = exported(hostile, Format::CloudFormation).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let delivery =
            &json["Resources"]["DeliveryStream"]["Properties"]["ExtendedS3DestinationConfiguration"];
        assert_eq!(delivery["Prefix"], hostile, "{json:#}");
        let resolved = exported("a/{{resolve:ssm:x}}/", Format::CloudFormation);
        assert!(matches!(resolved, Err(ExportError::DynamicReference)));
    }

    #[test]
    fn texts_are_taken_apart_at_the_arns_of_the_pipeline() {
        let spec = Spec::parse("name: flags\n", "test").unwrap().spec;
        let names = Names::new("flags", "123456789012", "aws", "eu-west-1");
        let platform = Platform {
            architecture: Architecture::X86_64,
            transport: Transport::Tls,
        };
        let want = Desired::new(&Blueprint::new(&spec, &names, platform, None));
        let pipeline = Pipeline::new(&spec, &names, &want);
        let (function, bucket) = (
            "arn:aws:lambda:eu-west-1:123456789012:function:flags",
            "arn:aws:s3:::flags-123456789012-eu-west-1",
        );
        assert_eq!(
            pipeline.pieces(&format!("path/{function}/invocations")),
            [
                Piece::Text("path/"),
                Piece::Arn(Referent::Function, function),
                Piece::Text("/invocations")
            ]
        );
        assert_eq!(pipeline.pieces(bucket), [Piece::Arn(Referent::Bucket, bucket)]);
        for other in [format!("{bucket}-2"), format!("{function}2"), "*".to_owned()] {
            assert_eq!(pipeline.pieces(&other), [Piece::Text(&other)]);
        }
        assert_eq!(pipeline.pieces(""), []);
    }
}
