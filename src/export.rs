//! The same pipeline for other tools, so that nobody has to stay with this one.
//!
//! Owns what all formats have in common, and the writers. Each kind of resource renders itself. Pure: values in, text out.

use clap::ValueEnum;
use serde::Serialize;

use crate::names::{Names, Tags};
use crate::spec::Spec;

pub mod cloudformation;
pub mod terraform;

/// What makes a secret path by hand.
pub const MAKE_SECRET: &str = "openssl rand -hex 16";

/// The pattern that a secret path has to have: one made by hand may be any that is long.
pub const EXPORTED_SECRET: &str = "[0-9A-Za-z_-]{16,}";

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
    #[error("the pipeline cannot be written as HCL: {0}")]
    Hcl(#[from] hcl::Error),
    /// CloudFormation would put something else in its place ("Get values stored in other services using dynamic references").
    #[error(
        "CloudFormation would resolve the `{{{{resolve:` of the spec; no template can contain that as text"
    )]
    DynamicReference,
    #[error("the pipeline cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

pub struct Page<'a> {
    pub spec: &'a Spec,
    pub names: &'a Names,
    pub zip: String,
    /// The webhook's path, unless it is a secret, which the user gives so that it is in no file.
    pub path: Option<&'a str>,
    /// The tags of the pipeline, as `up` sets them.
    pub tags: Tags,
    pub references: Vec<Reference>,
}

/// A resource that others refer to by its ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub arn: String,
    /// Where Terraform has the ARN.
    pub terraform: &'static str,
    /// Where CloudFormation has the ARN, if anywhere.
    pub cloudformation: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Arn(&'a Reference),
}

impl Page<'_> {
    fn tags_of(&self, tool: &str) -> Tags {
        Names::tags_of(tool, &self.tags)
    }

    /// Takes a text apart, so that a tool can put a reference in place of an ARN: then it knows what has to be first.
    fn pieces<'t>(&'t self, text: &'t str) -> Vec<Piece<'t>> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((at, reference)) = self.first_arn(rest) {
            if at > 0 {
                pieces.push(Piece::Text(&rest[..at]));
            }
            pieces.push(Piece::Arn(reference));
            rest = &rest[at + reference.arn.len()..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        pieces
    }

    fn first_arn(&self, text: &str) -> Option<(usize, &Reference)> {
        let references = self.references.iter();
        let found = references.filter_map(|reference| Some((find(text, &reference.arn)?, reference)));
        found.min_by_key(|(at, _)| *at)
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

    #[test]
    fn texts_are_taken_apart_at_the_arns_of_the_pipeline() {
        let spec = Spec::parse("name: flags\n", "test").unwrap().spec;
        let names = Names::new("flags", "123456789012", "aws", "eu-west-1");
        let (function, bucket) = (
            "arn:aws:lambda:eu-west-1:123456789012:function:flags",
            "arn:aws:s3:::flags-123456789012-eu-west-1",
        );
        let references = [function, bucket].map(|arn| Reference {
            arn: arn.to_owned(),
            terraform: "there.arn",
            cloudformation: None,
        });
        let page = Page {
            spec: &spec,
            names: &names,
            zip: String::new(),
            path: None,
            tags: Tags::new(),
            references: references.to_vec(),
        };
        assert_eq!(
            page.pieces(&format!("path/{function}/invocations")),
            [Piece::Text("path/"), Piece::Arn(&references[0]), Piece::Text("/invocations")]
        );
        assert_eq!(page.pieces(bucket), [Piece::Arn(&references[1])]);
        for other in [format!("{bucket}-2"), format!("{function}2"), "*".to_owned()] {
            assert_eq!(page.pieces(&other), [Piece::Text(&other)]);
        }
        assert_eq!(page.pieces(""), []);
    }
}
