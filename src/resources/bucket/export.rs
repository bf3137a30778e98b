//! The bucket for other tools.

use hcl::Block;
use serde_json::{Value, json};

use super::{ABORT, Bucket, EXPIRE, Encryption, Lifecycle, terraform};
use crate::export::cloudformation::{Templates, resource, retained};
use crate::export::terraform::Chapter;
use crate::export::{Page, Reference};
use crate::resource::Target;
use crate::resources::{Blueprint, Exported};

impl Exported for Bucket {
    fn reference(want: &Target<Self>) -> Option<Reference> {
        let (terraform, cloudformation) = if want.is_users() {
            ("data.aws_s3_bucket.impressions.arn", None)
        } else {
            ("aws_s3_bucket.impressions.arn", Some("Bucket.Arn"))
        };
        Some(Reference { arn: want.arn.clone(), terraform, cloudformation })
    }

    fn terraform(want: &Target<Self>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
        terraform::blocks(want, page)
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        if want.is_users() {
            return Templates::new();
        }
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
            "Tags": page.template_tags(),
        });
        let policy = json!({
            "Bucket": { "Ref": "Bucket" },
            "PolicyDocument": page.template_value(&state.policy),
        });
        vec![
            ("Bucket".to_owned(), retained(resource("AWS::S3::Bucket", &properties))),
            ("BucketPolicy".to_owned(), resource("AWS::S3::BucketPolicy", &policy)),
        ]
    }
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
