//! Unit tests of what other tools get: texts stay texts, and ARNs become references.

use super::*;
use crate::names::Names;
use crate::resources::{Platform, Transport};
use crate::spec::{Architecture, Spec};

/// What a tool would run, or take for the end of a text.
const HOSTILE: &str = "a/${file(\"x\")}/%{ if true }\"\\/%${file(\"x\")}/}'/!{timestamp:yyyy}/";

fn exported(prefix: &str, format: Format) -> Result<String, ExportError> {
    let spec = serde_json::json!({"name": "flags", "delivery": {"prefix": prefix}, "handler": {"fields": ["key", prefix]}});
    let spec = Spec::parse(&spec.to_string(), "test").unwrap().spec;
    let names = Names::new("flags", "123456789012", "aws", "eu-west-1");
    let platform = Platform { architecture: Architecture::X86_64, transport: Transport::Tls };
    let blueprint = Blueprint::new(&spec, &names, platform, None);
    text(&Desired::new(&blueprint), &blueprint, format)
}

#[test]
fn texts_of_the_spec_are_values_and_nothing_else() {
    let hostile = HOSTILE;
    let hcl: serde_json::Value = hcl::from_str(&exported(hostile, Format::Terraform).unwrap()).unwrap();
    let delivery = &hcl["resource"]["aws_kinesis_firehose_delivery_stream"]["impressions"];
    assert_eq!(delivery["extended_s3_configuration"]["prefix"], hostile, "{delivery:#}");
    let plain: serde_json::Value = hcl::from_str(&exported("a/", Format::Terraform).unwrap()).unwrap();
    let resources =
        |hcl: &serde_json::Value| hcl["resource"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(resources(&hcl), resources(&plain));
    let json = exported(hostile, Format::CloudFormation).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let delivery = &json["Resources"]["DeliveryStream"]["Properties"]["ExtendedS3DestinationConfiguration"];
    assert_eq!(delivery["Prefix"], hostile, "{json:#}");
    let resolved = exported("a/{{resolve:ssm:x}}/", Format::CloudFormation);
    assert!(matches!(resolved, Err(ExportError::DynamicReference)));
}

#[test]
fn every_arn_of_the_pipeline_is_a_reference_in_terraform() {
    let text = exported("a/", Format::Terraform).unwrap();
    let arns: Vec<_> =
        text.lines().filter(|line| line.contains("arn:aws:") && !line.starts_with('#')).collect();
    let of_others =
        |line: &&str| !line.contains("apigateway:eu-west-1:lambda:path") && !line.contains(":s3:::${");
    let own: Vec<_> = arns.into_iter().filter(of_others).filter(|line| line.contains(":flags")).collect();
    assert_eq!(own, [""; 0]);
}
