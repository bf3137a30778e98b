//! The IAM actions that observing, creating, updating and deleting the bucket need.

use super::Bucket;
use crate::access::{Grant, RestApis};
use crate::names::Names;
use crate::resources::Permitted;
use crate::spec::Spec;

impl Permitted for Bucket {
    fn grants(spec: &Spec, names: &Names, _apis: &RestApis) -> Vec<Grant> {
        vec![bucket(spec, names), objects(spec, names)]
    }
}

fn bucket(spec: &Spec, names: &Names) -> Grant {
    let resources = vec![names.bucket_arn(&names.bucket(spec))];
    if spec.delivery.existing_bucket {
        return Grant { sid: "Bucket", resources, look: &["s3:ListBucket"], make: &[], delete: &[] };
    }
    Grant {
        sid: "Bucket",
        resources,
        look: &[
            "s3:GetBucketLogging",
            "s3:GetBucketNotification",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:GetInventoryConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:GetReplicationConfiguration",
            "s3:ListBucket",
        ],
        make: &[
            "s3:CreateBucket",
            "s3:PutBucketAcl",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
            "s3:PutReplicationConfiguration",
            "s3:TagResource",
        ],
        delete: &["s3:DeleteBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"],
    }
}

fn objects(spec: &Spec, names: &Names) -> Grant {
    let purge: &[_] = &["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"];
    Grant {
        sid: "PurgeData",
        resources: vec![format!("{}/*", names.bucket_arn(&names.bucket(spec)))],
        look: &[],
        make: &[],
        delete: if spec.delivery.existing_bucket { &[] } else { purge },
    }
}
