//! What finding sent impressions in the bucket takes.

use serde_json::Value;

use crate::access::allow_on;
use crate::names::Names;
use crate::replay::access::spilled;
use crate::resources::policy::use_key;
use crate::spec::{BucketEncryption, Spec};

pub fn smoke(spec: &Spec, names: &Names) -> Vec<Value> {
    let mut statements = vec![find_impressions(spec, names)];
    if let BucketEncryption::Key(key) = &spec.delivery.encryption {
        statements.push(use_key("ReadImpressions", key, "s3", &["kms:Decrypt"], names));
    }
    statements
}

fn find_impressions(spec: &Spec, names: &Names) -> Value {
    let bucket = names.bucket_arn(&names.bucket(spec));
    let delivered = format!("{bucket}/{}*", spec.delivery.prefix.fixed_part());
    let objects: Vec<_> = [delivered].into_iter().chain(spilled(spec, names)).collect();
    allow_on("FindImpressions", &["s3:GetObject"], &objects)
}
