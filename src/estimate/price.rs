//! List prices, in dollars.

pub(super) const REGION: &str = "us-east-1";
pub(super) const AS_OF: &str = "2025";
pub(super) const SOURCE: &str =
    "AWS's public price pages of Kinesis Data Streams, Data Firehose, Lambda, API Gateway, S3 and CloudWatch";

pub(super) const SHARD_HOUR: f64 = 0.015;
/// A million records of up to 25 KB.
pub(super) const PUT_UNITS: f64 = 0.014;
pub(super) const ON_DEMAND_HOUR: f64 = 0.04;
pub(super) const ON_DEMAND_IN_GB: f64 = 0.08;
pub(super) const ON_DEMAND_OUT_GB: f64 = 0.04;
/// What a shard keeps beyond a day, up to a week.
pub(super) const EXTENDED_SHARD_HOUR: f64 = 0.020;
pub(super) const EXTENDED_GB_MONTH: f64 = 0.10;
pub(super) const LONG_TERM_GB_MONTH: f64 = 0.023;
pub(super) const FIREHOSE_GB: f64 = 0.029;
pub(super) const CONVERSION_GB: f64 = 0.018;
pub(super) const ALARM: f64 = 0.10;
pub(super) const DASHBOARD: f64 = 3.0;
pub(super) const LAMBDA_REQUESTS: f64 = 0.20;
pub(super) const LAMBDA_X86_GB_SECOND: f64 = 0.000_016_666_7;
pub(super) const LAMBDA_ARM_GB_SECOND: f64 = 0.000_013_333_4;
pub(super) const API_REQUESTS: f64 = 3.50;
pub(super) const S3_PUTS: f64 = 0.005;
pub(super) const S3_GB_MONTH: f64 = 0.023;
pub(super) const LOGS_GB: f64 = 0.50;
pub(super) const METRIC: f64 = 0.30;
