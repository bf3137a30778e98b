//! What sending or copying undelivered impressions takes.

use serde_json::Value;
use split_pipeline_handler::spill::{SPILL_PREFIX, spill_prefix};

use crate::access::{allow, allow_on};
use crate::names::Names;
use crate::resources::policy::use_own_keys;
use crate::spec::{Format, Spec};

/// To read what was spilled or what the stream has, put it into the stream or where it would have been delivered, and delete
/// what was spilled.
pub fn replay(spec: &Spec, names: &Names) -> Vec<Value> {
    let bucket = names.bucket_arn(&names.bucket(spec));
    let spilled = spilled(spec, names);
    let delivered = format!("{bucket}/{}*", spec.delivery.prefix.fixed_part());
    let through_stream = [
        "kinesis:AddTagsToStream",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
        "kinesis:ListTagsForStream",
        "kinesis:PutRecords",
        "kinesis:RemoveTagsFromStream",
    ];
    let mut statements = vec![
        allow("FindSpilled", &["s3:ListBucket"], &bucket),
        allow_on("ReplaySpilled", &["s3:DeleteObject", "s3:GetObject"], &spilled),
        allow("ReplayIntoBucket", &["s3:PutObject"], &delivered),
        allow("ReplayStream", &through_stream, &names.stream_arn()),
    ];
    statements.extend(keep_misfits(spec, &bucket));
    let keys = ["kms:Decrypt", "kms:GenerateDataKey"];
    statements.extend(use_own_keys(spec, names, &keys, &keys));
    statements
}

/// To find in the bucket what the stream holds, and to copy there what is missing, before the stream is deleted.
pub fn drain(spec: &Spec, names: &Names) -> Vec<Value> {
    let bucket = names.bucket_arn(&names.bucket(spec));
    let delivered = format!("{bucket}/{}*", spec.delivery.prefix.fixed_part());
    let read = ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"];
    let mut statements = vec![
        allow("DrainStream", &read, &names.stream_arn()),
        allow("DrainIntoBucket", &["s3:GetObject", "s3:PutObject"], &delivered),
    ];
    statements.extend(keep_misfits(spec, &bucket));
    let keys = ["kms:Decrypt", "kms:GenerateDataKey"];
    statements.extend(use_own_keys(spec, names, &keys, &keys));
    statements
}

pub fn spilled(spec: &Spec, names: &Names) -> Vec<String> {
    let bucket = names.bucket_arn(&names.bucket(spec));
    let mut spilled = vec![format!("{bucket}/{}*", spill_prefix(&names.function()))];
    if !spec.delivery.existing_bucket {
        // What older handlers spilled names no pipeline.
        spilled.push(format!("{bucket}/{SPILL_PREFIX}dt=*"));
    }
    spilled
}

/// To put what fits no table where Firehose puts such.
fn keep_misfits(spec: &Spec, bucket: &str) -> Option<Value> {
    let misfits = spec.delivery.error_prefix.of_failed_conversions();
    let misfits = format!("{bucket}/{}*", misfits.fixed_part());
    let is_parquet = spec.delivery.format == Format::Parquet;
    is_parquet.then(|| allow("KeepMisfits", &["s3:PutObject"], &misfits))
}
