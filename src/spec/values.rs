//! The texts of a spec, each a type that holds only what is allowed.
//!
//! Owns the rules for names, regions, buckets, stages, address ranges and encryption keys, and what a user is told who
//! breaks one. It must not know which key a value belongs to, or ask AWS.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr};

use schemars::json_schema;
use serde::de::{self, Visitor};

/// Why a text is refused: `Err` with a message that says what is allowed.
pub(super) type Checked = Result<(), String>;

/// Defines a text that passes `check`; `allowed` is what a user is told who gives no text at all.
macro_rules! text_value {
    ($(#[$meta:meta])* $name:ident, check: $check:expr, allowed: $allowed:expr, schema: $schema:tt) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub struct $name(String);

        impl $name {
            /// Takes a text; the error is a message that says what is allowed.
            pub fn new(text: impl Into<String>) -> Result<Self, String> {
                let text = text.into();
                $check(&text).map(|()| Self(text))
            }

            /// Gives the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        $crate::spec::values::read_as_text!($name, allowed: $allowed, schema: $schema);
    };
}
pub(super) use text_value;

/// Reads a type with a fallible `new` from a text, and describes it.
macro_rules! read_as_text {
    ($name:ident, allowed: $allowed:expr, schema: $schema:tt) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($crate::spec::values::Text::new($allowed, |text| {
                    Self::new(text)
                }))
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                json_schema!($schema)
            }
        }
    };
}
pub(super) use read_as_text;

/// Reads a text that `accept` takes.
pub(super) struct Text<T, F> {
    allowed: &'static str,
    accept: F,
    value: PhantomData<T>,
}

impl<T, F: FnOnce(&str) -> Result<T, String>> Text<T, F> {
    pub(super) fn new(allowed: &'static str, accept: F) -> Self {
        Self {
            allowed,
            accept,
            value: PhantomData,
        }
    }
}

impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Text<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allowed)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.accept)(text).map_err(E::custom)
    }
}

const NAME: &str = "3 to 32 of a-z, 0-9 and -, starting with a letter";

text_value! {
    /// A pipeline's name.
    Name, check: check_name, allowed: NAME, schema: {
        "type": "string",
        "pattern": "^[a-z][a-z0-9-]{1,30}[a-z0-9]$",
        "not": { "pattern": (super::ephemeral::MARK) }
    }
}

fn check_name(text: &str) -> Checked {
    let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts_well || !(3..=32).contains(&text.len()) || !text.bytes().all(is_name_byte) {
        return Err(format!("must be {NAME}"));
    }
    if text.ends_with('-') {
        return Err("must not end with -".to_owned());
    }
    // The bucket is named after the pipeline.
    check_reserved_start(text)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

const REGION: &str = "an AWS region, such as us-east-1";

text_value! {
    /// An AWS region's name.
    Region, check: check_region, allowed: REGION, schema: {
        "type": "string",
        "pattern": "^[a-z]{2,}(-[a-z]+)+-[0-9]+$"
    }
}

fn check_region(text: &str) -> Checked {
    let parts: Vec<&str> = text.split('-').collect();
    let is = |part: &str, class: fn(&u8) -> bool| !part.is_empty() && part.bytes().all(|byte| class(&byte));
    match parts.as_slice() {
        [area, places @ .., number]
            if !places.is_empty()
                && area.len() >= 2
                && is(area, u8::is_ascii_lowercase)
                && places.iter().all(|place| is(place, u8::is_ascii_lowercase))
                && is(number, u8::is_ascii_digit) =>
        {
            Ok(())
        }
        _ => Err(format!("must be {REGION}")),
    }
}

/// Tells whether a text is the id of an AWS account.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Tells whether a text has the form of an AWS partition: `aws`, `aws-cn`, `aws-us-gov`.
pub fn is_partition(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    parts.next() == Some("aws") && parts.all(is_word)
}

const BUCKET: &str =
    "an S3 bucket's name: 3 to 63 of a-z, 0-9, . and -, starting and ending with a letter or digit";

// What S3 keeps for itself ("General purpose bucket naming rules" in its user guide).
const RESERVED_BUCKET_STARTS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_BUCKET_ENDS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

text_value! {
    /// An S3 bucket's name.
    BucketName, check: check_bucket, allowed: BUCKET, schema: {
        "type": "string",
        "pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
    }
}

fn check_bucket(text: &str) -> Checked {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let inner = text.bytes().all(|byte| is_name_byte(byte) || byte == b'.');
    if !(3..=63).contains(&text.len()) || !inner || !text.starts_with(edge) || !text.ends_with(edge) {
        return Err(format!("must be {BUCKET}"));
    }
    if text.contains("..") {
        return Err("must not contain two periods in a row".to_owned());
    }
    if text.parse::<Ipv4Addr>().is_ok() {
        return Err("must not look like an IP address".to_owned());
    }
    if let Some(end) = RESERVED_BUCKET_ENDS.iter().find(|end| text.ends_with(*end)) {
        return Err(format!("must not end with `{end}`, which S3 keeps for itself"));
    }
    check_reserved_start(text)
}

fn check_reserved_start(text: &str) -> Checked {
    match RESERVED_BUCKET_STARTS
        .iter()
        .find(|start| text.starts_with(*start))
    {
        Some(start) => Err(format!(
            "must not start with `{start}`, which S3 keeps for itself"
        )),
        None => Ok(()),
    }
}

const STAGE: &str = "1 to 128 of a-z, A-Z, 0-9, - and _";

text_value! {
    /// An API Gateway stage's name.
    StageName, check: check_stage, allowed: STAGE, schema: {
        "type": "string",
        "pattern": "^[A-Za-z0-9_-]{1,128}$"
    }
}

fn check_stage(text: &str) -> Checked {
    let allowed = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if allowed && (1..=128).contains(&text.len()) {
        Ok(())
    } else {
        Err(format!("must be {STAGE}"))
    }
}

impl Default for StageName {
    fn default() -> Self {
        Self("prod".to_owned())
    }
}

const CIDR: &str = "an IPv4 or IPv6 range, such as 203.0.113.0/24 or 2001:db8::/32, or an address";

/// A range of IPv4 or IPv6 addresses in CIDR notation; a bare address is the range of itself alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Cidr(String);

read_as_text! { Cidr, allowed: CIDR, schema: {
    "type": "string",
    "pattern": "^([0-9]{1,3}(\\.[0-9]{1,3}){3}(/[0-9]{1,2})?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/[0-9]{1,3})?)$",
    "description": "An IPv4 or IPv6 range, such as 203.0.113.0/24 or 2001:db8::/32, or an address."
} }

impl Cidr {
    /// Takes a range or an address, and keeps it in the canonical notation; the error says what is allowed.
    pub fn new(text: impl AsRef<str>) -> Result<Self, String> {
        let text = text.as_ref();
        let refuse = || format!("must be {CIDR}");
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            // A plain parse would take "+8" too.
            Some(length) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().map_err(|_| refuse())?
            }
            Some(_) => return Err(refuse()),
            None => bits,
        };
        if length > bits {
            return Err(format!(
                "must have a prefix length of at most {bits}, not {length}"
            ));
        }
        let network = network(address, length);
        if network == address {
            Ok(Self(format!("{network}/{length}")))
        } else {
            Err(format!(
                "must be a network, with no bits set after the first {length}; did you mean {network}/{length}?"
            ))
        }
    }

    /// Gives the range as `address/length`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Clears the bits after the first `length`.
fn network(address: IpAddr, length: u8) -> IpAddr {
    // A shift by the full width, for /0, is what `checked_shl` answers `None` to.
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

const ENCRYPTION: &str = "aws_managed, none, or a KMS key: its ARN, its alias's ARN, or alias/<name>";

/// How the stream is encrypted at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// With the key that AWS manages for Kinesis.
    #[default]
    AwsManaged,
    /// Not at all.
    None,
    /// With a KMS key of the user's: its ARN, its alias's ARN, or `alias/<name>`.
    Key(String),
}

read_as_text! { Encryption, allowed: ENCRYPTION, schema: {
    "type": "string",
    "pattern": concat!(
        "^(aws_managed|none|alias/[A-Za-z0-9/_-]+",
        "|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+))$"
    ),
    "examples": ["aws_managed", "none", "alias/my-key"]
} }

impl Encryption {
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

impl serde::Serialize for Encryption {
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
    "pattern": concat!(
        "^(s3_managed|alias/[A-Za-z0-9/_-]+",
        "|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+))$"
    ),
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
    if fits && text.len() <= 512 {
        Ok(())
    } else {
        Err(format!("must be {ROLE_PATH}"))
    }
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
        !rest.is_empty()
            && rest
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    })
}
