//! The bucket, where the pipeline makes it.

use serde_json::{Value, json};

use super::super::Pipeline;
use super::{Resources, resource, retained};
use crate::resources::bucket::{ABORT, EXPIRE, Encryption, Lifecycle};

/// The bucket with all its settings, and its policy.
pub(super) fn bucket(pipeline: &Pipeline<'_>) -> Resources {
    if !pipeline.makes_bucket() {
        return Resources::new();
    }
    let want = &pipeline.want.bucket;
    let state = &want.state;
    let public = &state.public_access;
    let properties = json!({
        "BucketName": want.name,
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": public.block_acls,
            "BlockPublicPolicy": public.block_policy,
            "IgnorePublicAcls": public.ignore_acls,
            "RestrictPublicBuckets": public.restrict_buckets,
        },
        "BucketEncryption": state.encryption.as_ref().map(encryption),
        "VersioningConfiguration": state.versioning.then(|| json!({ "Status": "Enabled" })),
        "OwnershipControls": state.object_ownership.as_ref().map(|ownership| {
            json!({ "Rules": [{ "ObjectOwnership": ownership }] })
        }),
        "LifecycleConfiguration": lifecycle(&state.lifecycle),
        "Tags": pipeline.template_tags(),
    });
    let policy = json!({
        "Bucket": { "Ref": "Bucket" },
        "PolicyDocument": pipeline.template_value(&state.policy),
    });
    vec![
        (
            "Bucket".to_owned(),
            retained(resource("AWS::S3::Bucket", &properties)),
        ),
        (
            "BucketPolicy".to_owned(),
            resource("AWS::S3::BucketPolicy", &policy),
        ),
    ]
}

fn encryption(want: &Encryption) -> Value {
    json!({ "ServerSideEncryptionConfiguration": [{
        "ServerSideEncryptionByDefault": { "SSEAlgorithm": want.algorithm, "KMSMasterKeyID": want.key },
        "BucketKeyEnabled": want.bucket_key,
    }] })
}

fn lifecycle(want: &Lifecycle) -> Value {
    let abort = want.abort_uploads_days.map(|days| {
        json!({
            "Id": ABORT, "Status": "Enabled",
            "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": days },
        })
    });
    let expire = want.expire_days.map(|days| {
        let versions = want.expire_versions_days;
        json!({
            "Id": EXPIRE, "Status": "Enabled",
            "Prefix": want.expire_prefix.as_ref().filter(|prefix| !prefix.is_empty()),
            "ExpirationInDays": days,
            "NoncurrentVersionExpiration": versions.map(|days| json!({ "NoncurrentDays": days })),
        })
    });
    json!({ "Rules": abort.into_iter().chain(expire).collect::<Vec<_>>() })
}
