//! The names and places of a spec, each a type that holds only what is allowed.
//!
//! Owns the rules for names, regions, accounts, buckets, stages and address ranges, and what a user is told who breaks one. It
//! must not know which key a value belongs to, or ask AWS.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use schemars::json_schema;

use super::text::{Checked, read_as_text, text_value};

/// The longest name of a pipeline.
pub const LONGEST_NAME: usize = 32;

pub(super) const NAME: &str = "3 to 32 of a-z, 0-9 and -, starting with a letter";

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
    if !starts_well || !(3..=LONGEST_NAME).contains(&text.len()) || !text.bytes().all(is_name_byte) {
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

pub(super) fn check_region(text: &str) -> Checked {
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
    match RESERVED_BUCKET_STARTS.iter().find(|start| text.starts_with(*start)) {
        Some(start) => Err(format!("must not start with `{start}`, which S3 keeps for itself")),
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
    let allowed = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if allowed && (1..=128).contains(&text.len()) { Ok(()) } else { Err(format!("must be {STAGE}")) }
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
            return Err(format!("must have a prefix length of at most {bits}, not {length}"));
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
