//! What a spec says of encryption and of roles: keys of KMS, policies and paths of IAM.
//!
//! Owns the rules for them, and what a user is told who breaks one. It must not know which key a value belongs to, or ask AWS.

use schemars::json_schema;

use super::text::{Checked, read_as_text, text_value};
use super::values::{check_region, is_account, is_partition};

/// The pattern of one of these words, or a KMS key: what `is_kms_key` takes.
macro_rules! or_kms_key {
    ($words:literal) => {
        concat!(
            "^(",
            $words,
            "|alias/[A-Za-z0-9/_-]+",
            "|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+))$"
        )
    };
}

const ENCRYPTION: &str = "aws_managed, none, or a KMS key: its ARN, its alias's ARN, or alias/<name>";

/// How the stream is encrypted at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StreamEncryption {
    /// With the key that AWS manages for Kinesis.
    #[default]
    AwsManaged,
    /// Not at all.
    None,
    /// With a KMS key of the user's: its ARN, its alias's ARN, or `alias/<name>`.
    Key(String),
}

read_as_text! { StreamEncryption, allowed: ENCRYPTION, schema: {
    "type": "string",
    "pattern": (or_kms_key!("aws_managed|none")),
    "examples": ["aws_managed", "none", "alias/my-key"]
} }

impl StreamEncryption {
    /// Takes `aws_managed`, `none` or a KMS key; the error says what is allowed.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        match text.as_str() {
            "aws_managed" => Ok(Self::AwsManaged),
            "none" => Ok(Self::None),
            key if is_kms_key(key) => Ok(Self::Key(text)),
            _ => Err(format!("must be {ENCRYPTION}")),
        }
    }

    /// Gives the value as the spec spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::AwsManaged => "aws_managed",
            Self::None => "none",
            Self::Key(key) => key,
        }
    }
}

impl serde::Serialize for StreamEncryption {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

const BUCKET_ENCRYPTION: &str = "s3_managed, or a KMS key: its ARN, its alias's ARN, or alias/<name>";

/// How a bucket encrypts its objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BucketEncryption {
    /// With keys that S3 manages.
    #[default]
    S3Managed,
    /// With a KMS key of the user's: its ARN, its alias's ARN, or `alias/<name>`.
    Key(String),
}

read_as_text! { BucketEncryption, allowed: BUCKET_ENCRYPTION, schema: {
    "type": "string",
    "pattern": (or_kms_key!("s3_managed")),
    "examples": ["s3_managed", "alias/my-key"]
} }

impl BucketEncryption {
    /// Takes `s3_managed` or a KMS key; the error says what is allowed.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        match text.as_str() {
            "s3_managed" => Ok(Self::S3Managed),
            key if is_kms_key(key) => Ok(Self::Key(text)),
            _ => Err(format!("must be {BUCKET_ENCRYPTION}")),
        }
    }
}

impl serde::Serialize for BucketEncryption {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::S3Managed => "s3_managed",
            Self::Key(key) => key,
        })
    }
}

const POLICY_ARN: &str = "the ARN of an IAM policy, such as arn:aws:iam::123456789012:policy/boundary";

text_value! {
    /// The ARN of an IAM policy.
    PolicyArn, check: check_policy_arn, allowed: POLICY_ARN, schema: {
        "type": "string",
        "pattern": "^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[\\w+=,.@/-]+$"
    }
}

fn check_policy_arn(text: &str) -> Checked {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, resource]
            if is_partition(partition)
                && (*account == "aws" || is_account(account))
                && is_path_after("policy/", resource, "_+=,.@/-") =>
        {
            Ok(())
        }
        _ => Err(format!("must be {POLICY_ARN}")),
    }
}

const ROLE_PATH: &str = "a path of IAM roles that starts and ends with /, such as /pipelines/";

text_value! {
    /// A path of IAM roles.
    RolePath, check: check_role_path, allowed: ROLE_PATH, schema: {
        "type": "string",
        "pattern": "^/([\\w+=,.@-]+/)*$"
    }
}

fn check_role_path(text: &str) -> Checked {
    let is_segment = |segment: &str| is_path_after("", segment, "_+=,.@-");
    let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let fits = text == "/" || inner.is_some_and(|inner| inner.split('/').all(is_segment));
    if fits && text.len() <= 512 { Ok(()) } else { Err(format!("must be {ROLE_PATH}")) }
}

impl Default for RolePath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

fn is_kms_key(text: &str) -> bool {
    let is_alias = |resource: &str| is_path_after("alias/", resource, "/_-");
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [alias] => is_alias(alias),
        ["arn", partition, "kms", region, account, resource] => {
            is_partition(partition)
                && check_region(region).is_ok()
                && is_account(account)
                && (is_alias(resource) || is_path_after("key/", resource, "-"))
        }
        _ => false,
    }
}

fn is_path_after(start: &str, resource: &str, others: &str) -> bool {
    resource.strip_prefix(start).is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    })
}
