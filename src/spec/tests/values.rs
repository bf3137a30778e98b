//! Tests of the rules for numbers, choices and short texts: what is taken, and what is refused with which message.

use super::{parse, table};
use crate::spec::{Cidr, StreamEncryption};

#[test]
fn names() {
    let long = "a".repeat(32);
    let allowed = "3 to 32 of a-z, 0-9 and -, starting with a letter";
    table(
        "name",
        &["abc", "a-1", "my-impressions-2", &long],
        &[
            ("ab", allowed),
            (&format!("a{long}"), allowed),
            ("1abc", allowed),
            ("Abc", allowed),
            ("a_b", allowed),
            ("äbc", allowed),
            ("''", allowed),
            ("123", "starting with a letter, not 123"),
            ("abc-", "must not end with -"),
            ("xn--abc", "must not start with `xn--`"),
            ("null", "not null"),
            ("[abc]", "not a list"),
        ],
    );
}

#[test]
fn regions() {
    table(
        "region",
        &["us-east-1", "us-gov-west-1", "ap-southeast-4", "eusc-de-east-1", "null"],
        &[
            ("us-east", "must be an AWS region, such as us-east-1"),
            ("east-1", "must be an AWS region"),
            ("US-EAST-1", "must be an AWS region"),
            ("us--1", "must be an AWS region"),
        ],
    );
}

#[test]
fn whole_numbers() {
    let cases = [
        ("0", "0"),
        ("900", "900"),
        ("-1", "-1"),
        ("1.0", "1.0"),
        ("'1'", "the text \"1\""),
        ("99999999999999999999999", "1e23"),
        ("true", "true"),
        ("null", "null"),
        ("", "null"),
    ];
    for (value, shown) in cases {
        let want = format!("must be a whole number from 1 to 500, not {shown}");
        table("stream.shards", &["1", "0x10"], &[(value, &want)]);
    }
}

#[test]
fn bounds() {
    let bounds: [(&str, i64, i64); 10] = [
        ("stream.shards", 1, 500),
        ("stream.retention_hours", 24, 8760),
        ("delivery.buffer_mib", 1, 128),
        ("delivery.buffer_seconds", 0, 900),
        ("delivery.expire_days", 1, 36_500),
        ("handler.memory_mib", 128, 10_240),
        ("handler.timeout_seconds", 1, 29),
        ("handler.record_kib", 0, 1000),
        ("webhook.rate_limit", 1, 100_000),
        ("webhook.burst_limit", 1, 100_000),
    ];
    for (key, min, max) in bounds {
        let allowed = format!("must be a whole number from {min} to {max}");
        let [below, min, max, above] = [min - 1, min, max, max + 1].map(|n| n.to_string());
        table(key, &[&min, &max], &[(&below, &allowed), (&above, &allowed)]);
    }
}

#[test]
fn numbers_that_may_be_null() {
    let allowed = "must be a whole number from 1 to 100000, not 0";
    table("handler.reserved_concurrency", &["1", "100000", "null"], &[("0", allowed)]);
    table("delivery.expire_days", &["null"], &[]);
}

#[test]
fn log_retention() {
    let allowed = "must be a number of days CloudWatch Logs accepts (1, 3, 5, 7, 14, 30, 60, 90, 120,";
    table("handler.log_retention_days", &["1", "14", "3653"], &[("10", allowed), ("0", "3653), not 0")]);
}

#[test]
fn choices_and_switches() {
    table(
        "stream.mode",
        &["provisioned", "on_demand"],
        &[
            ("onDemand", "must be one of provisioned, on_demand, not the text \"onDemand\""),
            ("1", "must be one of provisioned, on_demand, not 1"),
        ],
    );
    table("delivery.compression", &["gzip", "snappy", "zip", "none"], &[("zstd", "gzip, snappy, zip, none")]);
    table("handler.architecture", &["x86_64", "arm64"], &[("x86", "must be one of x86_64, arm64")]);
    table(
        "webhook.secret_path",
        &["true", "false"],
        &[("yes", "must be true or false, not the text \"yes\""), ("1", "must be true or false, not 1")],
    );
    table("stream", &["{}"], &[("null", "not null"), ("[provisioned]", "not a list"), ("3", "not 3")]);
}

#[test]
fn encryption() {
    let key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    table(
        "stream.encryption",
        &[
            "aws_managed",
            "none",
            "alias/my-key",
            "alias/aws/kinesis",
            key,
            "arn:aws-cn:kms:cn-north-1:123456789012:alias/my_key",
        ],
        &[
            ("kms", "must be aws_managed, none, or a KMS key: its ARN, its alias's ARN, or alias/<name>"),
            ("alias/", "a KMS key"),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", "a KMS key"),
            ("arn:aws:kms:us-east-1:123:key/abc", "a KMS key"),
            ("arn:aws:s3:us-east-1:123456789012:key/abc", "a KMS key"),
            ("arn:aws-x1:kms:us-east-1:123456789012:key/abc", "a KMS key"),
            ("\"arn:aws\\n:kms:us-east-1:123456789012:key/abc\"", "a KMS key"),
            ("null", "not null"),
        ],
    );
    let parsed = parse(&format!("name: abc\nstream: {{encryption: '{key}'}}")).unwrap();
    assert_eq!(parsed.spec.stream.encryption, StreamEncryption::Key(key.to_owned()));
}

#[test]
fn bucket_encryption() {
    table(
        "delivery.encryption",
        &["s3_managed", "alias/my-key"],
        &[("aws_managed", "must be s3_managed, or a KMS key"), ("none", "must be s3_managed, or a KMS key")],
    );
}

#[test]
fn roles() {
    table(
        "iam.permissions_boundary",
        &[
            "arn:aws:iam::123456789012:policy/boundary",
            "arn:aws-cn:iam::123456789012:policy/teams/a+b=c,d.e@f-g_h",
            "arn:aws:iam::aws:policy/PowerUserAccess",
            "null",
        ],
        &[
            ("boundary", "must be the ARN of an IAM policy"),
            ("arn:aws:iam::123456789012:role/x", "must be the ARN of an IAM policy"),
            ("arn:aws:iam::123:policy/x", "must be the ARN of an IAM policy"),
            ("\"arn:aws\\u202e:iam::123456789012:policy/x\"", "must be the ARN of an IAM policy"),
            ("\"arn:aws:iam::123456789012:policy/a b\"", "must be the ARN of an IAM policy"),
        ],
    );
    table(
        "iam.role_path",
        &["/", "/pipelines/", "/a/b-c/"],
        &[
            ("pipelines", "starts and ends with /"),
            ("/pipelines", "starts and ends with /"),
            ("//", "starts and ends with /"),
            ("\"/a b/\"", "starts and ends with /"),
        ],
    );
}

#[test]
fn buckets() {
    let long = "b".repeat(63);
    table(
        "delivery.bucket",
        &["my-bucket", "a.b", "0ab", &long, "1.2.3.x", "null"],
        &[
            ("ab", "3 to 63 of a-z, 0-9, . and -, starting and ending with a letter or digit"),
            (&format!("{long}b"), "3 to 63"),
            ("My-bucket", "3 to 63"),
            ("my_bucket", "3 to 63"),
            ("-bucket", "starting and ending"),
            ("bucket.", "starting and ending"),
            ("a..b", "must not contain two periods in a row"),
            ("192.168.5.4", "must not look like an IP address"),
            ("xn--bucket", "must not start with `xn--`"),
            ("bucket-s3alias", "must not end with `-s3alias`"),
        ],
    );
}

#[test]
fn stages() {
    let long = "s".repeat(128);
    table(
        "webhook.stage",
        &["prod", "v1_2-x", &long],
        &[
            ("''", "must be 1 to 128 of a-z, A-Z, 0-9, - and _"),
            ("a/b", "must be 1 to 128"),
            (&format!("{long}s"), "must be 1 to 128"),
        ],
    );
}

#[test]
fn cidrs() {
    table(
        "webhook.allow_cidrs",
        &["[]", "[203.0.113.0/24, '2001:db8::/32', 0.0.0.0/0, '::/0', 10.1.2.3/32]"],
        &[
            ("[x]", "must be an IPv4 or IPv6 range"),
            ("[10.0.0.0/]", "must be an IPv4 or IPv6 range"),
            ("[10.0.0.0/+8]", "must be an IPv4 or IPv6 range"),
            ("[10.0.0/8]", "must be an IPv4 or IPv6 range"),
            ("[10.0.0.0/33]", "must have a prefix length of at most 32, not 33"),
            ("['::/129']", "must have a prefix length of at most 128, not 129"),
            ("[10.0.0.1/8]", "did you mean 10.0.0.0/8?"),
            ("['2001:db8::1/32']", "did you mean 2001:db8::/32?"),
            ("10.0.0.0/8", "must be a list, not the text \"10.0.0.0/8\""),
        ],
    );
    assert_eq!(Cidr::new("10.1.2.3").unwrap().as_str(), "10.1.2.3/32");
    assert_eq!(Cidr::new("2001:DB8:0::1").unwrap().as_str(), "2001:db8::1/128");
}
